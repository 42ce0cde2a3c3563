# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Reads the lab's topology from the one place where it stands: the Ansible inventory inventories/lab/hosts.yml.

A host of the lab is a host of the inventory with an `ansible_host` address and, optionally, `lab_roles` (what it
brings beside a bare Debian: tests/lab/roles.py), `lab_start: false` (started only when named) and `lab_suite`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.places import CHECKOUT
from tests.lab.report import LabError

__all__ = ["INVENTORY", "Host", "Topology", "load"]

INVENTORY = CHECKOUT / "inventories" / "lab" / "hosts.yml"
CLIENT = "builds"


@dataclass(frozen=True)
class Host:
    """One host of the lab."""

    name: str
    address: str
    groups: frozenset[str]
    roles: tuple[str, ...] = ()
    start: bool = True
    suite: str = "bookworm"

    @property
    def container(self) -> str:
        """The name of the container that is this host."""
        return f"circleci-lab-{self.name}"


@dataclass(frozen=True)
class Topology:
    """The hosts and their network."""

    subnet: str
    network: str
    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host:
        """The host of that name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"no host {name!r} in the lab; there are: {', '.join(host.name for host in self.hosts)}")

    def chosen(self, names: Sequence[str]) -> list[Host]:
        """The named hosts, or those that start by default."""
        if names:
            return [self.host(name) for name in names]
        return [host for host in self.hosts if host.start]

    def in_role(self, role: str) -> Host:
        """The first host that has this lab role."""
        return next(host for host in self.hosts if role in host.roles)


def load(path: Path = INVENTORY) -> Topology:
    """The topology by the inventory file."""
    document = yaml.safe_load(path.read_text("utf-8"))
    everything = document["all"]
    shared = everything.get("vars") or {}
    found: dict[str, tuple[dict[str, Any], set[str]]] = {}
    for group, name, variables in _walk("all", everything):
        known = found.setdefault(name, ({}, set()))
        known[0].update(variables)
        known[1].add(group)
    subnet = str(shared["lab_subnet"])
    hosts = tuple(_host(name, variables, groups, subnet) for name, (variables, groups) in found.items())
    addresses = [host.address for host in hosts]
    for address in addresses:
        if addresses.count(address) > 1:
            raise LabError(f"{path}: the address {address} is given to more than one host")
    return Topology(subnet, str(shared["lab_network"]), hosts)


def _walk(name: str, group: dict[str, Any] | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for host, variables in ((group or {}).get("hosts") or {}).items():
        yield name, host, variables or {}
    for child, content in ((group or {}).get("children") or {}).items():
        yield from _walk(child, content)


def _host(name: str, variables: dict[str, Any], groups: set[str], subnet: str) -> Host:
    address = str(variables.get("ansible_host", ""))
    if not address or ipaddress.ip_address(address) not in ipaddress.ip_network(subnet):
        raise LabError(f"{INVENTORY}: host {name}: ansible_host {address!r} is not an address of lab_subnet {subnet}")
    suite = str(variables.get("lab_suite", "bookworm"))
    if CLIENT in variables.get("lab_roles", ()):  # `make matrix`: clients of another Debian
        suite = os.environ.get("LAB_SUITE", suite)
    return Host(
        name=name,
        address=address,
        groups=frozenset(groups),
        roles=tuple(variables.get("lab_roles", ())),
        start=bool(variables.get("lab_start", True)),
        suite=suite,
    )
