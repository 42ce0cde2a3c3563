# What counts as sick, how much, and how each container is asked: the rules of a health sweep, as data. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Containers, severities and documented endpoints are the catalogue's; this file adds what only the sweep needs.

from __future__ import annotations

__all__ = [
    "ABSENT",
    "APPLICATION",
    "CONSOLE",
    "CONSOLE_PORT",
    "DATA_STORES",
    "DISK_PREFIX",
    "ENGINE",
    "FAILING",
    "HEALTHY",
    "MAY_LACK",
    "MISSING",
    "NOMAD",
    "NOMAD_LEADER_PATH",
    "NOMAD_PORT",
    "NOT_USED",
    "NO_SEVERITY",
    "OWN",
    "READY_AGENT",
    "READY_AGENT_PORT",
    "REPLICATED",
    "SERVICES",
    "SICK",
    "STATUSES",
    "TCP_PORTS",
    "UNEXPECTED",
    "UNKNOWN_STATUS",
    "advice",
    "rank",
    "severity_of",
    "source_of",
    "worst_of",
]

from typing import Iterable

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue

# Statuses of a service.
HEALTHY = "healthy"
FAILING = "failing"
MISSING = "missing"
UNEXPECTED = "unexpected"
UNKNOWN_STATUS = "unknown"
NOT_USED = "not_used"
ABSENT = "absent"
STATUSES = (HEALTHY, FAILING, MISSING, UNEXPECTED, UNKNOWN_STATUS, NOT_USED, ABSENT)
SICK = (FAILING, MISSING, UNEXPECTED)

# What is looked at beside the containers.
ENGINE = "docker"
APPLICATION = "application"
DISK_PREFIX = "disk "

REPLICATED = "replicated"
CONSOLE = "replicated-ui"
CONSOLE_PORT = 8800  # guide L152, L2258
NOMAD = "nomad"
NOMAD_PORT = 4646  # guide L2154
NOMAD_LEADER_PATH = "/v1/status/leader"  # Nomad's own API
READY_AGENT = "ready-agent"
READY_AGENT_PORT = 8099  # guide L2172

# Replicated's three services (facts 4), and its own containers beside them: only the listing of one version shows those
# (guide: "something similar to this output"), so that one that is not there proves nothing.
SERVICES = (REPLICATED, CONSOLE, "replicated-operator")
OWN = tuple(
    container.name for container in catalogue.CONTAINERS if container.name.startswith(("replicated", "retraced"))
)
MAY_LACK = tuple(name for name in OWN if name not in SERVICES)

# The guide gives no edge to most of these, and all else stands on them: they are named beside the causes.
DATA_STORES = ("postgres", "mongo", "redis", "rabbitmq", "vault-cci", NOMAD)
# Of those the ports that take a connection and wait for the other side to speak (guide L2044-2216).
TCP_PORTS = {"postgres": 5432, "redis": 6379, "rabbitmq": 5672, "mongo": 27017}

NO_SEVERITY = "none"
# A severity that the guide does not tell counts as some_jobs: it must not pass unseen, nor be the loudest.
_RANKS = {
    NO_SEVERITY: 0,
    catalogue.MINOR: 1,
    catalogue.UNKNOWN: 2,
    catalogue.SOME_JOBS: 2,
    catalogue.DATA_LOSS: 3,
}
# Beside the containers: without the engine or the application nothing works at all, which is the guide's loudest sign
# (L2381); a disk that fills makes "other services fail" (L2426), under the sign of that row. Of Replicated itself the
# guide says nothing.
_SEVERITIES = {ENGINE: catalogue.DATA_LOSS, APPLICATION: catalogue.DATA_LOSS}
_SOURCES = {ENGINE: "guide L2033", APPLICATION: "guide L2033, facts 4"}


def rank(severity: str) -> int:
    """How loud a severity is: 0 none, 1 minor, 2 some_jobs and unknown, 3 data_loss."""
    return _RANKS[severity]


def worst_of(severities: Iterable[str]) -> str:
    """The loudest of them; "none" for none."""
    return max([NO_SEVERITY, *severities], key=lambda severity: (rank(severity), severity == catalogue.SOME_JOBS))


def severity_of(name: str) -> str:
    """What the failure of a service costs; minor for a container that is in no catalogue."""
    if name.startswith(DISK_PREFIX):
        return catalogue.get("tutum-logrotate").severity
    known = catalogue.resolve(name)
    return _SEVERITIES.get(name) or (known.severity if known is not None else catalogue.MINOR)


def source_of(name: str) -> str:
    """Where it is known from: a line of the guide."""
    if name.startswith(DISK_PREFIX):
        return "guide L2426"
    known = catalogue.resolve(name)
    return _SOURCES.get(name) or ("guide " + known.source if known is not None else "")


def advice(name: str, container: str = "") -> str:
    """The command on the host that tells more of a sick service. container: Docker's name of it, where it has one."""
    if name == ENGINE:
        return "systemctl status docker; journalctl -u docker"
    if name == APPLICATION:
        return "replicatedctl app status"
    if name in SERVICES:
        return "systemctl status {0}; docker logs --tail 100 {0}".format(name)
    if name.startswith(DISK_PREFIX):
        return "df -h {0}; df -i {0}".format(name[len(DISK_PREFIX) :])
    return "docker logs --tail 100 {0}".format(container or name)
