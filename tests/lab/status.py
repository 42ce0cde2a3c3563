# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""`status`: a table of the lab's hosts; each one is asked itself."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.lab import engine, hosts, topology
from tests.lab.engine import Engine
from tests.lab.report import table
from tests.lab.topology import Host

__all__ = ["status"]

_ASK = """
printf '%s\\n' "$(systemctl is-system-running)"
printf '%s\\n' "$(systemctl is-active docker)"
printf '%s\\n' "$(docker ps --quiet 2>/dev/null | wc -l)"
"""
_HEAD = ["host", "address", "Debian", "container", "systemd", "docker", "containers", "brings"]


def status() -> bool:
    """Print the table; True when all hosts that start by default run."""
    plan = topology.load()
    docker = engine.find()
    if docker is None:
        print("the lab is down: no engine answers")
        return False
    known = hosts.inspect(docker, plan.hosts)
    states = {name: str(item["State"]["Status"]) for name, item in known.items()}
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda host: _row(docker, host, states.get(host.name, "absent")), plan.hosts))
    kind = "the lab's own" if docker.own else "the machine's own"
    print(f"engine: {kind}, DOCKER_HOST={docker.address}; network {plan.network} {plan.subnet}")
    print(table(_HEAD, rows))
    return all(states.get(host.name) == "running" for host in plan.hosts if host.start)


def _row(docker: Engine, host: Host, state: str) -> Sequence[str]:
    answers = ["-", "-", "-"]
    if state == "running":
        answers = docker("exec", host.container, "sh", "-c", _ASK).splitlines()
    brings = " ".join(host.roles) or "-"
    return [host.name, host.address, host.suite, state, *answers, brings]
