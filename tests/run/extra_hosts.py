# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Hosts that the standing lab gets for a measurement, or for a row of the matrix, and loses again."""

from __future__ import annotations

import copy
import fcntl
import ipaddress
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab import access, base_image, engine, hosts, images, roles, topology
from tests.lab.places import STATE
from tests.lab.topology import Topology
from tests.run.places import CHECKOUT

__all__ = ["Extra", "extra_hosts", "wider"]

INVENTORY = CHECKOUT / "inventories" / "lab"
FOLDER = STATE / "wider"  # as deep as inventories/lab, whose paths are relative to the inventory
FIRST_ADDRESS = 100  # of the lab's subnet; the lab's own hosts are below


@dataclass(frozen=True)
class Extra:
    """The inventory with the hosts more, as a folder for Ansible and as a topology."""

    inventory: Path
    plan: Topology


def wider(document: dict[str, Any], group: str, names: Sequence[str], variables: dict[str, Any]) -> dict[str, Any]:
    """The lab's inventory with more hosts in one of its groups."""
    result = copy.deepcopy(document)
    network = ipaddress.ip_network(result["all"]["vars"]["lab_subnet"])
    members = result["all"]["children"][group]["hosts"]
    for number, name in enumerate(names):
        members[name] = {"ansible_host": str(network[FIRST_ADDRESS + number]), **variables}
    return result


@contextmanager
def extra_hosts(group: str, names: Sequence[str], variables: dict[str, Any]) -> Iterator[Extra]:
    """Start the hosts beside a standing lab; afterwards they are gone."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(INVENTORY, FOLDER)
    file = FOLDER / "hosts.yml"
    document = wider(yaml.safe_load(file.read_text(encoding="utf-8")), group, names, variables)
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    plan = topology.load(file)
    docker = engine.connect()
    try:
        _start(docker, plan, names)
        yield Extra(FOLDER, plan)
    finally:
        for name in names:
            docker.attempt("rm", "--force", "--volumes", plan.host(name).container)
        access.prepare(topology.load().hosts)
        shutil.rmtree(FOLDER)


def _start(docker: engine.Engine, plan: Topology, names: Sequence[str]) -> None:
    with open(STATE / "lock", "w", encoding="utf-8") as lock:
        # A start of the lab at the same time would clear what is half built here.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _start_alone(docker, plan, names)


def _start_alone(docker: engine.Engine, plan: Topology, names: Sequence[str]) -> None:
    chosen = plan.chosen(names)
    roots = {suite: base_image.root_file_system(suite) for suite in {"bookworm", *(host.suite for host in chosen)}}
    for suite, root in roots.items():
        base_image.import_image(docker, suite, root)
    parts = roles.Parts(build_image=images.build_image(docker, roots["bookworm"]))
    access.prepare(plan.hosts)
    hosts.start_all(docker, plan, {host: roles.payload(host, plan, parts) for host in chosen})
