# Tests of _catalogue: complete against the guide, consistent in itself.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue

# First column of the container table (L2386-2436), as printed.
TABLE = [
    "api-service",
    "audit-log-service",
    "contexts-service",
    "contexts-service-migrator",
    "cron-service",
    "cron-service-migrator",
    "domain-service",
    "domain-service-migrator",
    "exim",
    "federation-service",
    "federation-service-migrator",
    "fileserved",
    "frontend",
    "mongo",
    "nomad-metrics",
    "output-processor",
    "permissions-service",
    "permissions-service-migrator",
    "picard-dispatcher",
    "postgres",
    "rabbitmq",
    "outputRunningRedis",
    "schedulerrer",
    "mongodb-upgrader",
    "nomad_server",
    "ready-agent",
    "server-usage-stats",
    "shutdown-hook-poller",
    "slanger",
    "telegraf",
    "tutum/logrotate",
    "test-results",
    "contexts-vault",
    "vm-gc",
    "vm-scaler",
    "vm-service",
    "vm-service-db-migrator",
    "workflows-conductor",
    "workflows-conductor-migrator",
]

# Names of the docker ps listing (L2039-2263) that the table lacks.
LISTING_ONLY = [
    "dispatcher",
    "legacy-notifier",
    "slanger-redis",
    "replicated-statsd",
    "retraced-processor",
    "retraced-api",
    "retraced-cron",
    "retraced-postgres",
    "retraced-nsqd",
    "replicated-operator",
    "replicated",
    "replicated-ui",
    "replicated-premkit",
]

# Spellings of one thing, each group one container.
SPELLINGS = [
    ["picard-scheduler", "schedulerer", "schedulerrer", "circleci-scheduler"],
    ["federations-service", "federation-service", "Federations Service"],
    ["federation-service-migrator", "federations-service-migrator", "federations-service-db-migrator"],
    ["picard-output-processor", "output-processor", "output-processing"],
    ["usage-stats", "server-usage-stats"],
    ["contexts-service-db-migrator", "contexts-service-migrator"],
    ["cron-service-db-migrator", "cron-service-migrator"],
    ["test_results", "test-results"],
    ["nomad_server", "server-nomad", "nomad"],
    ["contexts-vault", "vault-cci"],
    ["tutum/logrotate", "tutum-logrotate"],
    ["mongodb-upgrader", "server-mongo-upgrader"],
    ["ready-agent", "server-ready-agent", "Ready Agent"],
    ["outputRunningRedis", "redis"],
    ["postgres", "postgres-script-enhance"],
    ["rabbitmq", "rabbitmq-delayed"],
    ["contexts-service", "Context Service"],
]

# L2319-2340.
DIRECTORIES = [
    "api-service",
    "audit-log-service",
    "contexts-service",
    "contexts-service-db-migrator",
    "cron-service",
    "cron-service-db-migrator",
    "domain-service",
    "domain-service-migrator",
    "federations-service-db-migrator",
    "federations-service-migrator",
    "frontend",
    "output-processor",
    "permissions-service",
    "permissions-service-migrator",
    "picard-dispatcher",
    "schedulerer",
    "test-results",
    "vm-gc",
    "vm-scaler",
    "vm-service",
    "vm-service-db-migrator",
    "workflows-conductor",
]


def test_every_row_of_the_table_is_a_container() -> None:
    rows = [catalogue.get(name) for name in TABLE]
    assert len(TABLE) == 39
    assert len({row.name for row in rows}) == 39
    assert all(row.in_table for row in rows)
    assert [container.name for container in catalogue.CONTAINERS if container.in_table] == [row.name for row in rows]
    assert all(container.severity != catalogue.UNKNOWN for container in rows)


def test_every_container_of_the_listing_alone_is_there() -> None:
    names = [container.name for container in catalogue.CONTAINERS if not container.in_table]
    assert names == LISTING_ONLY
    assert all(catalogue.get(name).severity == catalogue.UNKNOWN for name in names)


@pytest.mark.parametrize("names", SPELLINGS, ids=lambda names: names[0])
def test_spellings_resolve_to_one(names: list[str]) -> None:
    assert len({catalogue.get(name).name for name in names}) == 1


def test_no_name_belongs_to_two() -> None:
    seen: dict[str, str] = {}
    for container in catalogue.CONTAINERS:
        for name in {container.name, *container.aliases, *container.override_directories}:
            assert seen.setdefault(catalogue.get(name).name, container.name) == container.name
            assert catalogue.resolve(name) is container


def test_an_unknown_name_is_none_and_has_near_ones() -> None:
    assert catalogue.resolve("fronted") is None
    assert catalogue.near("fronted")[0] == "frontend"
    assert catalogue.near("schedular")[0] == "schedulerer"
    assert catalogue.near("tests-results", among=["test-results", "frontend"]) == ["test-results"]
    assert catalogue.near("zzzzzz") == []


def test_all_override_directories() -> None:
    assert list(catalogue.override_directories()) == DIRECTORIES
    for directory in DIRECTORIES:
        assert catalogue.directories_of(directory) == (directory,)


@pytest.mark.parametrize(
    ("name", "directories"),
    [
        ("picard-output-processor", ("output-processor",)),
        ("picard-scheduler", ("schedulerer",)),
        ("test_results", ("test-results",)),
        ("contexts-service-migrator", ("contexts-service-db-migrator",)),
        ("federation-service-migrator", ("federations-service-db-migrator", "federations-service-migrator")),
        ("federations-service-migrator", ("federations-service-migrator",)),
        ("workflows-conductor-migrator", ()),
        ("federations-service", ()),
        ("nonsense", ()),
    ],
)
def test_directories_of_a_name(name: str, directories: tuple[str, ...]) -> None:
    assert catalogue.directories_of(name) == directories


def test_dependencies_are_canonical_names() -> None:
    names = {container.name for container in catalogue.CONTAINERS}
    for container in catalogue.CONTAINERS:
        assert set(container.depends_on) <= names
    assert catalogue.dependents("contexts-vault") == ["api-service", "contexts-service"]
    assert catalogue.dependents("vm-service-db-migrator") == ["vm-gc", "vm-scaler", "vm-service"]


def test_startup_order() -> None:
    ordered = catalogue.startup_order(["own", "api-service", "mongo", "frontend", "vault-cci", "postgres", "frontend"])
    assert ordered == ["postgres", "frontend", "vault-cci", "api-service", "mongo", "own"]


def test_health_endpoints_are_those_of_the_guide() -> None:
    found = {name: (health.port, health.path) for name, health in catalogue.health_endpoints().items()}
    assert found == {
        "frontend": (80, "/health-check"),
        "api-service": (8082, "/status"),
        "workflows-conductor": (9999, "/healthcheck"),
        "federations-service": (8090, "/status"),
        "permissions-service": (3013, "/status"),
        "contexts-service": (3011, "/status"),
        "domain-service": (3014, "/status"),
        "cron-service": (4261, "/status"),
        "vm-service": (3001, "/status"),
    }
    for name, (port, _path) in found.items():
        assert "{}/tcp".format(port) in catalogue.get(name).ports


def test_one_published_port_belongs_to_one_container() -> None:
    ports = [port for container in catalogue.CONTAINERS for port in container.ports]
    assert len(ports) == len(set(ports))
    assert not [port for port in ports if port.startswith("32")]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("172.31.72.162:9874/circleci-shutdown-hook-poller:0.1.32-9c553b4", "shutdown-hook-poller"),
        ("172.31.72.162:9874/tutum-logrotate:latest", "tutum-logrotate"),
        ("tutum/logrotate", "tutum-logrotate"),
        ("registry.example.com/tutum/logrotate@sha256:00", "tutum-logrotate"),
    ],
)
def test_random_names_are_found_by_image(image: str, name: str) -> None:
    found = catalogue.by_image(image)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("image", ["172.31.72.162:9874/circleci-frontend:0.1", "redis:4.0.10", "nginx"])
def test_containers_with_names_are_not_found_by_image(image: str) -> None:
    assert catalogue.by_image(image) is None


def test_who_runs_once_and_under_which_condition() -> None:
    once = {container.name for container in catalogue.CONTAINERS if container.runs_once}
    assert once == {name for name in TABLE if name.endswith("-migrator")} | {"mongodb-upgrader"}
    conditions = {container.name: container.condition for container in catalogue.CONTAINERS if container.condition}
    assert conditions == {
        "federations-service": "ldap",
        "federation-service-migrator": "ldap",
        "fileserved": "not_s3",
        "vm-gc": "vm_service",
        "vm-scaler": "vm_service",
        "vm-service": "vm_service",
        "vm-service-db-migrator": "vm_service",
    }


def test_readers() -> None:
    assert catalogue.services_reading_heap() == ["frontend", "test-results"]
    readers = catalogue.services_reading_installation_file()
    directories = catalogue.override_directories().values()
    assert set(readers) == {container.name for container in directories} | {
        "dispatcher",
        "legacy-notifier",
        "federations-service",
    }


def test_ports_between_kinds() -> None:
    probed = catalogue.ports_between("nomad_clients", "services", probed_only=True)
    assert [(port.protocol, port.first, port.last) for port in probed] == [
        ("tcp", 4647, 4647),
        ("tcp", 8585, 8585),
        ("tcp", 7171, 7171),
        ("tcp", 3001, 3001),
    ]
    every = catalogue.ports_between("nomad_clients", "services")
    assert [port.first for port in every if port.protocol == "udp"] == [8125]
    assert [port.first for port in catalogue.ports_between("services", "nomad_clients", probed_only=True)] == [4646]
    for port in catalogue.PORTS:
        assert 0 < port.first <= port.last <= 65535
        assert not (port.probed and port.protocol == "udp")


def test_rows_are_plain_data() -> None:
    row = catalogue.as_row(catalogue.get("frontend"))
    assert row["health"] == {"port": 80, "path": "/health-check", "source": "L1402"}
    assert row["ports"] == ["80/tcp", "443/tcp", "4434/tcp"]
    assert "api-service" in row["dependents"]
    assert catalogue.as_row(catalogue.get("exim"))["health"] is None
