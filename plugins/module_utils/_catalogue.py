# The catalogue: containers of CircleCI Server 2.17 - 2.19 and the ports between its hosts, as data. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# "L2386" is a line of operations-guide.txt (the guide). A container's canonical name is the one that the guide's
# listing of `docker ps` (L2039-2263) shows; where the listing lacks it, or shows a random name, the name of the
# guide's container table (L2386-2436). Every other spelling of the guide is an alias.

from __future__ import annotations

__all__ = [
    "CONTAINERS",
    "DATA_LOSS",
    "MINOR",
    "PORTS",
    "SOME_JOBS",
    "UNKNOWN",
    "Container",
    "Health",
    "Port",
    "as_row",
    "by_image",
    "dependents",
    "directories_of",
    "get",
    "health_endpoints",
    "near",
    "override_directories",
    "ports_between",
    "resolve",
    "services_reading_heap",
    "services_reading_installation_file",
    "startup_order",
]

import difflib
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

# Severities of the guide's key (L2376-2381). The table also prints five glyphs that the key lacks: U+2705 stands only
# at rows like the minor ones and is read as minor; U+1F534, U+1F527, U+1F525 and U+2B06 stand only where the text
# speaks of loss of data, of corruption, or of a major function that is gone, and are read as the bomb (data_loss).
MINOR = "minor"
SOME_JOBS = "some_jobs"
DATA_LOSS = "data_loss"
# A container that only the listing of `docker ps` shows: the guide says nothing of its failure.
UNKNOWN = "unknown"


class Health(NamedTuple):
    """A health endpoint: an HTTP GET to localhost on the services host (L1400-1412), 200 when healthy."""

    port: int
    path: str
    source: str


class Container(NamedTuple):
    """One container of the services host.

    name:                 canonical name (see the first comment of this file).
    source:               line of the container table, else of the listing.
    severity:             what its failure costs: minor, some_jobs, data_loss or unknown.
    aliases:              every other spelling in the guide.
    image:                repository of its image, without registry and tag; "/" is written "-".
    random_name:          Docker gives it a random name: it is found by its image.
    depends_on:           containers that must be up first, from the table's line.
    runs_once:            runs at the application's start and ends; not running is normal later (L2366-2372).
    condition:            part of an installation only with: "ldap", "vm_service", "not_s3"; "" for always.
    ports:                published ports that are fixed (those of the 32xxx range in the listing are dynamic).
    health:               its health endpoint, if the guide names one.
    override_directories: directories under /etc/circleconfig that hold its customizations (L2319-2340).
    reads_heap:           the guide says that it reads JVM_HEAP_SIZE (L2277).
    in_table:             it has a row in the container table.
    """

    name: str
    source: str
    severity: str
    aliases: Tuple[str, ...] = ()
    image: str = ""
    random_name: bool = False
    depends_on: Tuple[str, ...] = ()
    runs_once: bool = False
    condition: str = ""
    ports: Tuple[str, ...] = ()
    health: Optional[Health] = None
    override_directories: Tuple[str, ...] = ()
    reads_heap: bool = False
    in_table: bool = True


CONTAINERS: Tuple[Container, ...] = (
    Container(
        name="api-service",
        source="L2386",
        severity=DATA_LOSS,  # the only row that prints the key's own bomb
        image="circleci-api-service",
        depends_on=("postgres", "frontend", "contexts-service-migrator", "contexts-service", "vault-cci"),
        ports=("8082/tcp",),
        health=Health(8082, "/status", "L1403"),
        override_directories=("api-service",),
    ),
    Container(
        name="audit-log-service",
        source="L2387",
        severity=MINOR,  # as printed, although its text says that events may be lost
        image="circleci-audit-log-service",
        depends_on=("postgres", "frontend"),
        override_directories=("audit-log-service",),
    ),
    Container(
        name="contexts-service",
        source="L2390",
        severity=SOME_JOBS,
        aliases=("Context Service",),  # L1408
        image="circleci-contexts-service",
        depends_on=("postgres", "frontend", "contexts-service-migrator", "vault-cci"),
        ports=("2718/tcp", "3011/tcp", "8091/tcp"),
        health=Health(3011, "/status", "L1408"),
        override_directories=("contexts-service",),
    ),
    Container(
        name="contexts-service-migrator",
        source="L2391",
        severity=MINOR,  # U+2705
        aliases=("contexts-service-db-migrator",),  # L2321
        depends_on=("postgres", "frontend"),
        runs_once=True,
        override_directories=("contexts-service-db-migrator",),
    ),
    Container(
        name="cron-service",
        source="L2392",
        severity=SOME_JOBS,
        image="circleci-cron-service",
        depends_on=("postgres", "frontend", "cron-service-migrator"),
        ports=("4261/tcp",),
        health=Health(4261, "/status", "L1410"),
        override_directories=("cron-service",),
    ),
    Container(
        name="cron-service-migrator",
        source="L2393",
        severity=MINOR,  # U+2705
        aliases=("cron-service-db-migrator",),  # L2323
        depends_on=("postgres", "frontend"),
        runs_once=True,
        override_directories=("cron-service-db-migrator",),
    ),
    Container(
        name="domain-service",
        source="L2394",
        # U+1F534. permissions-service has almost the same text under the key's warning sign, but the guide sets them
        # apart; "workflows will fail to start" is a major function gone, and too loud an alarm costs less.
        severity=DATA_LOSS,
        image="circleci-domain-service",
        depends_on=("postgres", "frontend", "domain-service-migrator"),
        ports=("3014/tcp",),
        health=Health(3014, "/status", "L1409"),
        override_directories=("domain-service",),
    ),
    Container(
        name="domain-service-migrator",
        source="L2395",
        severity=MINOR,  # U+2705
        depends_on=("postgres", "frontend"),
        runs_once=True,
        override_directories=("domain-service-migrator",),
    ),
    Container(
        name="exim",
        source="L2396",
        severity=MINOR,  # U+2705
        image="circleci-exim",
        ports=("2525/tcp",),
    ),
    Container(
        name="federations-service",
        source="L2397",
        severity=DATA_LOSS,  # U+1F534 "only if LDAP in use": all logins fail; without LDAP see condition
        aliases=("federation-service",),  # L2397
        image="circleci-federations-service",
        depends_on=("postgres", "frontend", "federation-service-migrator"),
        condition="ldap",
        ports=("3145/tcp", "8010/tcp", "8090/tcp"),
        health=Health(8090, "/status", "L1405"),
    ),
    Container(
        name="federation-service-migrator",
        source="L2398",
        severity=MINOR,  # U+2705
        # L2328 and L2397, L2327. Two directories for one container: which of them it reads is not known.
        aliases=("federations-service-migrator", "federations-service-db-migrator"),
        depends_on=("postgres", "frontend"),
        runs_once=True,
        condition="ldap",
        override_directories=("federations-service-db-migrator", "federations-service-migrator"),
    ),
    Container(
        name="fileserved",
        source="L2401",
        severity=DATA_LOSS,  # U+1F527: the object store of a static installation, builds produce no output
        condition="not_s3",
    ),
    Container(
        name="frontend",
        source="L2402",
        severity=SOME_JOBS,  # as printed (with U+FE0F), although UI, API and triggers are all down
        image="circleci-frontend",
        depends_on=("postgres",),
        ports=("80/tcp", "443/tcp", "4434/tcp"),
        health=Health(80, "/health-check", "L1402"),
        override_directories=("frontend",),
        reads_heap=True,
    ),
    Container(
        name="mongo",
        source="L2403",
        severity=DATA_LOSS,  # U+1F527: "potential total data loss"
        image="mongo",
        depends_on=("mongodb-upgrader",),
        ports=("27017/tcp",),
    ),
    Container(
        name="nomad-metrics",
        source="L2404",
        severity=MINOR,  # U+2705
        image="circleci-nomad-metrics",
    ),
    Container(
        name="picard-output-processor",
        source="L2405",
        severity=DATA_LOSS,  # U+1F527: "there will also be data loss"
        aliases=("output-processor", "output-processing"),  # L1889, L2330, L2405
        image="circleci-output-processing",
        ports=("8585/tcp",),
        override_directories=("output-processor",),
    ),
    Container(
        name="permissions-service",
        source="L2408",
        severity=SOME_JOBS,
        image="circleci-permissions-service",
        depends_on=("postgres", "frontend", "permissions-service-migrator"),
        ports=("3013/tcp",),
        health=Health(3013, "/status", "L1407"),
        override_directories=("permissions-service",),
    ),
    Container(
        name="permissions-service-migrator",
        source="L2409",
        severity=MINOR,  # U+2705
        depends_on=("postgres", "frontend"),
        runs_once=True,
        override_directories=("permissions-service-migrator",),
    ),
    Container(
        name="picard-dispatcher",
        source="L2410",
        severity=SOME_JOBS,
        image="circleci-picard-dispatcher",
        override_directories=("picard-dispatcher",),
    ),
    Container(
        name="postgres",
        source="L2411",
        severity=DATA_LOSS,  # U+1F525: "potential total data loss"
        aliases=("postgres-script-enhance",),  # L2411
        image="circleci-postgres-script-enhance",
        ports=("5432/tcp",),
    ),
    Container(
        name="rabbitmq",
        source="L2412",
        severity=DATA_LOSS,  # U+1F525: "potential total data loss"
        aliases=("rabbitmq-delayed",),  # L2412
        image="circleci-rabbitmq-delayed",
        ports=("5672/tcp", "15672/tcp"),
    ),
    Container(
        name="redis",
        source="L2413",
        severity=SOME_JOBS,  # as printed, although its text says that output of running steps is lost
        aliases=("outputRunningRedis",),  # L2413
        image="redis",
        ports=("6379/tcp",),
    ),
    Container(
        name="picard-scheduler",
        source="L2414",
        severity=SOME_JOBS,
        aliases=("schedulerrer", "schedulerer", "circleci-scheduler"),  # L2414, L2334, L2148
        image="circleci-scheduler",
        override_directories=("schedulerer",),
    ),
    Container(
        name="mongodb-upgrader",
        source="L2417",
        severity=MINOR,
        aliases=("server-mongo-upgrader",),  # L2417
        runs_once=True,
    ),
    Container(
        name="nomad",
        source="L2418",
        severity=DATA_LOSS,  # U+2B06: "no 2.0 build jobs will run", a major function gone
        aliases=("nomad_server", "server-nomad"),  # L204, L2414, L2418
        image="circleci-server-nomad",
        ports=("4646/tcp", "4647/tcp", "4648/tcp"),
    ),
    Container(
        name="ready-agent",
        source="L2419",
        severity=MINOR,  # as printed; at start-up the whole system fails without it
        aliases=("server-ready-agent",),  # L1392
        image="circleci-server-ready-agent",
        ports=("8099/tcp",),
    ),
    Container(
        name="usage-stats",
        source="L2420",
        severity=MINOR,
        aliases=("server-usage-stats",),  # L1385, L2420
        image="circleci-server-usage-stats",
    ),
    Container(
        name="shutdown-hook-poller",
        source="L2421",
        severity=MINOR,
        image="circleci-shutdown-hook-poller",
        random_name=True,  # musing_volhard in the listing (L2186)
    ),
    Container(
        name="slanger",
        source="L2422",
        severity=MINOR,
        image="circleci-slanger",
        ports=("4567/tcp", "8081/tcp"),
    ),
    Container(
        name="telegraf",
        source="L2423",
        severity=MINOR,
        image="telegraf",
        ports=("8125/udp",),
    ),
    Container(
        name="tutum-logrotate",
        source="L2426",
        severity=SOME_JOBS,
        aliases=("tutum/logrotate",),  # L2426
        image="tutum-logrotate",
        random_name=True,  # hardcore_cray in the listing (L2200)
    ),
    Container(
        name="test-results",
        source="L2427",
        severity=MINOR,
        aliases=("test_results",),  # L2277
        image="circleci-test-results",
        ports=("2719/tcp", "3012/tcp"),
        override_directories=("test-results",),
        reads_heap=True,
    ),
    Container(
        name="vault-cci",
        source="L2428",
        severity=SOME_JOBS,
        aliases=("contexts-vault",),  # L2428
        image="circleci-vault-cci",
        ports=("8200/tcp", "8201/tcp"),
    ),
    Container(
        name="vm-gc",
        source="L2429",
        severity=MINOR,
        image="circleci-vm-gc",
        depends_on=("vm-service-db-migrator",),
        condition="vm_service",
        override_directories=("vm-gc",),
    ),
    Container(
        name="vm-scaler",
        source="L2430",
        severity=SOME_JOBS,
        image="circleci-vm-scaler",
        depends_on=("vm-service-db-migrator",),
        condition="vm_service",
        override_directories=("vm-scaler",),
    ),
    Container(
        name="vm-service",
        source="L2433",
        severity=SOME_JOBS,
        image="circleci-vm-service",
        depends_on=("vm-service-db-migrator",),
        condition="vm_service",
        ports=("3001/tcp",),
        health=Health(3001, "/status", "L1411"),
        override_directories=("vm-service",),
    ),
    Container(
        name="vm-service-db-migrator",
        source="L2434",
        severity=MINOR,  # U+2705; unlike the other migrators it depends on nothing
        runs_once=True,
        condition="vm_service",
        override_directories=("vm-service-db-migrator",),
    ),
    Container(
        name="workflows-conductor",
        source="L2435",
        severity=DATA_LOSS,  # U+2B06: "workflows might end up in an inconsistent state" is the key's corruption
        image="circleci-workflows-conductor",
        depends_on=("postgres", "frontend", "workflows-conductor-migrator"),
        ports=("9998/tcp", "9999/tcp"),
        health=Health(9999, "/healthcheck", "L1404"),
        override_directories=("workflows-conductor",),
    ),
    Container(
        name="workflows-conductor-migrator",
        source="L2436",
        severity=MINOR,  # U+2705
        depends_on=("postgres", "frontend"),
        runs_once=True,
    ),
    # Below: in the listing of `docker ps` only. dispatcher and legacy-notifier run the image of frontend.
    Container("dispatcher", "L2126", UNKNOWN, image="circleci-frontend", in_table=False),
    Container("legacy-notifier", "L2131", UNKNOWN, image="circleci-frontend", in_table=False),
    Container("slanger-redis", "L2216", UNKNOWN, image="redis", in_table=False),
    Container("replicated-statsd", "L2182", UNKNOWN, image="library-statsd-graphite", in_table=False),
    Container("retraced-processor", "L2224", UNKNOWN, image="library-retraced", in_table=False),
    Container("retraced-api", "L2228", UNKNOWN, image="library-retraced", in_table=False),
    Container("retraced-cron", "L2232", UNKNOWN, image="library-retraced", in_table=False),
    Container("retraced-postgres", "L2241", UNKNOWN, image="library-retraced-postgres", in_table=False),
    Container("retraced-nsqd", "L2246", UNKNOWN, image="library-retraced-nsq", in_table=False),
    Container("replicated-operator", "L2250", UNKNOWN, image="replicated-replicated-operator", in_table=False),
    Container(
        name="replicated",
        source="L2254",
        severity=UNKNOWN,
        image="replicated-replicated",
        ports=("9874/tcp", "9875/tcp", "9876/tcp", "9877/tcp", "9878/tcp", "9879/tcp"),
        in_table=False,
    ),
    Container("replicated-ui", "L2258", UNKNOWN, image="replicated-replicated-ui", ports=("8800/tcp",), in_table=False),
    Container("replicated-premkit", "L2263", UNKNOWN, image="library-premkit", ports=("9880/tcp",), in_table=False),
)

# Containers without an override directory of their own that read the installation file all the same: an assumption.
# Two run the image of frontend; the third is the service whose migrator has override directories.
_READ_INSTALLATION_FILE = ("dispatcher", "federations-service", "legacy-notifier")


class Port(NamedTuple):
    """One row of the ports between kinds of hosts.

    from_kind, to_kind: services, nomad_clients, github (GitHub or GitHub Enterprise), users, administrators, dns.
    protocol:           tcp or udp.
    first, last:        the range; equal for one port.
    purpose:            what it is for.
    source:             "guide L…", or "docs": the vendor's public documentation of 2.17 - 2.19.
    probed:             preflight tries it. Not udp (silence proves nothing), not what comes from outside.
    """

    from_kind: str
    to_kind: str
    protocol: str
    first: int
    last: int
    purpose: str
    source: str
    probed: bool = False


PORTS: Tuple[Port, ...] = (
    Port("users", "services", "tcp", 80, 80, "web application, HTTP", "guide L150"),
    Port("users", "services", "tcp", 443, 443, "web application, HTTPS", "guide L150"),
    Port("users", "services", "tcp", 4434, 4434, "web application, HTTPS", "guide L150"),
    Port("users", "services", "tcp", 7171, 7171, "listed without a purpose", "docs"),
    Port("users", "services", "tcp", 8081, 8081, "live updates of pages (slanger)", "docs, guide L2163"),
    Port("administrators", "services", "tcp", 22, 22, "SSH", "guide L151"),
    Port("administrators", "services", "tcp", 8800, 8800, "Management Console", "guide L152"),
    Port("github", "services", "tcp", 80, 80, "incoming webhooks, HTTP", "guide L154"),
    Port("github", "services", "tcp", 443, 443, "incoming webhooks, HTTPS", "guide L154"),
    # The guide opens everything from the clients to the services host (L153); the docs, which are newer, name these.
    Port("nomad_clients", "services", "tcp", 4647, 4647, "Nomad's RPC", "docs", probed=True),
    Port("nomad_clients", "services", "tcp", 8585, 8585, "picard-output-processor", "docs, guide L2119", probed=True),
    Port("nomad_clients", "services", "tcp", 7171, 7171, "listed without a purpose", "docs", probed=True),
    Port("nomad_clients", "services", "tcp", 3001, 3001, "vm-service", "docs, guide L2107", probed=True),
    Port("nomad_clients", "services", "udp", 8125, 8125, "metrics (telegraf)", "docs, guide L2138"),
    Port("services", "github", "tcp", 22, 22, "Git over SSH", "guide L186", probed=True),
    Port("services", "github", "tcp", 80, 80, "API, HTTP", "guide L187", probed=True),
    Port("services", "github", "tcp", 443, 443, "API, HTTPS", "guide L187", probed=True),
    Port("nomad_clients", "github", "tcp", 22, 22, "Git over SSH", "guide L188", probed=True),
    Port("nomad_clients", "github", "tcp", 80, 80, "API, HTTP", "guide L189", probed=True),
    Port("nomad_clients", "github", "tcp", 443, 443, "API, HTTPS", "guide L189", probed=True),
    Port("users", "nomad_clients", "tcp", 64535, 65535, "SSH into builds", "guide L171"),
    Port("administrators", "nomad_clients", "tcp", 22, 22, "SSH", "guide L173"),
    Port("administrators", "nomad_clients", "tcp", 80, 80, "API, HTTP", "guide L172"),
    Port("administrators", "nomad_clients", "tcp", 443, 443, "API, HTTPS", "guide L172"),
    # The guide opens everything from the services host to the clients and among clients (L174, L175). What is known to
    # use it is the services host's `nomad`, which reads a build's logs from the client's own HTTP API: that is probed.
    Port("services", "nomad_clients", "tcp", 4646, 4646, "Nomad's HTTP API of a client", "guide L174", probed=True),
    Port("services", "nomad_clients", "tcp", 1, 65535, "internal communication", "guide L174"),
    Port("nomad_clients", "nomad_clients", "tcp", 1, 65535, "internal communication", "guide L175"),
    Port("nomad_clients", "dns", "udp", 53, 53, "name resolution", "docs"),
)


def _normal(name: str) -> str:
    return re.sub(r"[ _/]+", "-", name.strip().lower())


def _index() -> Dict[str, Container]:
    index: Dict[str, Container] = {}
    for container in CONTAINERS:
        for name in (container.name,) + container.aliases + container.override_directories:
            index[_normal(name)] = container
    return index


_BY_NAME = _index()


def resolve(name: str) -> Optional[Container]:
    """The container that a name of the guide means (canonical, alias, override directory), or None.

    Upper and lower case, and space, "_", "/" against "-", make no difference: "Cron Service" is cron-service.
    """
    return _BY_NAME.get(_normal(name))


def get(name: str) -> Container:
    """The container of a name that is known to be in the catalogue; KeyError otherwise."""
    return _BY_NAME[_normal(name)]


def near(name: str, among: Optional[Iterable[str]] = None, count: int = 3) -> List[str]:
    """The names nearest to one that is not known, best first; among: default all names with an override directory."""
    if among is None:
        known = [known for known, container in _BY_NAME.items() if container.override_directories]
    else:
        known = list(among)
    return difflib.get_close_matches(_normal(name), known, n=count, cutoff=0.5)


def by_image(image: str) -> Optional[Container]:
    """The container with a random name that runs this image (as `docker ps` prints it), or None."""
    repository = re.sub(r"(@.*|:[^/:]*)$", "", image)
    first, separator, rest = repository.partition("/")
    if separator and ("." in first or ":" in first or first == "localhost"):
        repository = rest
    wanted = repository.replace("/", "-")
    for container in CONTAINERS:
        if container.random_name and container.image == wanted:
            return container
    return None


def override_directories() -> Dict[str, Container]:
    """Every override directory that the guide names (L2319-2340), sorted, with its container."""
    pairs = [(directory, container) for container in CONTAINERS for directory in container.override_directories]
    return dict(sorted(pairs))


def directories_of(name: str) -> Tuple[str, ...]:
    """The override directories that a service's name means; none for an unknown name or one without a directory.

    A name that is itself a directory means that one alone, so that each stays reachable. Any other name means all
    directories of its container: two for federation-service-migrator, because which one it reads is not known.
    """
    directories = override_directories()
    if name in directories:
        return (name,)
    container = resolve(name)
    return container.override_directories if container else ()


def dependents(name: str) -> List[str]:
    """Containers whose start needs this one, directly, in the catalogue's order."""
    wanted = get(name).name
    return [container.name for container in CONTAINERS if wanted in container.depends_on]


def startup_order(names: Iterable[str]) -> List[str]:
    """The same names, each after those of them that it depends on (also through others); unknown names at the end."""
    asked = list(dict.fromkeys(names))
    ordered: List[str] = []
    seen = set()

    def visit(container: Container) -> None:
        if container.name in seen:
            return
        seen.add(container.name)
        for dependency in container.depends_on:
            visit(get(dependency))
        ordered.append(container.name)

    for name in asked:
        container = resolve(name)
        if container is not None:
            visit(container)
    rank = {name: position for position, name in enumerate(ordered)}

    def key(name: str) -> Tuple[int, int]:
        container = resolve(name)
        return (rank[container.name] if container else len(rank), asked.index(name))

    return sorted(asked, key=key)


def health_endpoints() -> Dict[str, Health]:
    """Container name to health endpoint, for the containers that have one."""
    return {container.name: container.health for container in CONTAINERS if container.health is not None}


def services_reading_heap() -> List[str]:
    """Containers of which the guide says that they read JVM_HEAP_SIZE."""
    return [container.name for container in CONTAINERS if container.reads_heap]


def services_reading_installation_file() -> List[str]:
    """Containers that read /etc/circle-installation-customizations at their start.

    The guide does not list them. Taken are all with an override directory (they read such a file at their start) and
    the three of _READ_INSTALLATION_FILE.
    """
    return [
        container.name
        for container in CONTAINERS
        if container.override_directories or container.name in _READ_INSTALLATION_FILE
    ]


def ports_between(from_kind: str, to_kind: str, probed_only: bool = False) -> List[Port]:
    """The rows of PORTS from one kind of host to another."""
    rows = [port for port in PORTS if port.from_kind == from_kind and port.to_kind == to_kind]
    return [port for port in rows if port.probed or not probed_only]


def as_row(container: Container) -> Dict[str, Any]:
    """A container as plain data (lists and dictionaries), for lookups and documentation."""
    row: Dict[str, Any] = {}
    for field, value in container._asdict().items():
        row[field] = list(value) if isinstance(value, tuple) and field != "health" else value
    row["health"] = dict(container.health._asdict()) if container.health else None
    row["dependents"] = dependents(container.name)
    return row
