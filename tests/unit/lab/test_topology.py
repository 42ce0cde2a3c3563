# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The lab's topology is read from the inventory; a host that cannot be is refused with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import roles, topology
from tests.lab.report import LabError

INVENTORY = """
all:
  vars: {{lab_subnet: 10.9.0.0/24, lab_network: some-net}}
  children:
    nomad_clients:
      hosts:
        one: {{ansible_host: {first}, lab_roles: [builds]}}
    others:
      hosts:
        two: {{ansible_host: 10.9.0.3, lab_start: false}}
        one:
"""


def written(tmp_path: Path, first: str = "10.9.0.2") -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text(INVENTORY.format(first=first))
    return path


def test_a_host_is_in_all_of_its_groups_and_has_its_variables(tmp_path: Path) -> None:
    plan = topology.load(written(tmp_path))
    assert (plan.subnet, plan.network) == ("10.9.0.0/24", "some-net")
    one = plan.host("one")
    assert one.groups == {"nomad_clients", "others"}
    assert (one.address, one.roles, one.start, one.container) == ("10.9.0.2", ("builds",), True, "circleci-lab-one")


def test_hosts_that_do_not_start_by_default_start_by_name(tmp_path: Path) -> None:
    plan = topology.load(written(tmp_path))
    assert [host.name for host in plan.chosen([])] == ["one"]
    assert [host.name for host in plan.chosen(["two"])] == ["two"]


def test_an_unknown_host_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no host 'three' in the lab; there are: one, two"):
        topology.load(written(tmp_path)).chosen(["three"])


@pytest.mark.parametrize("address", ["10.8.0.2", "''"])
def test_an_address_outside_the_subnet_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(LabError, match="host one: ansible_host .* is not an address of lab_subnet 10.9.0.0/24"):
        topology.load(written(tmp_path, address))


def test_an_address_that_two_hosts_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="10.9.0.3 is given to more than one host"):
        topology.load(written(tmp_path, "10.9.0.3"))


def test_another_debian_is_for_clients_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SUITE", "trixie")
    plan = topology.load(written(tmp_path))
    assert (plan.host("one").suite, plan.host("two").suite) == ("trixie", "bookworm")


def test_the_real_inventory_names_only_roles_that_there_are() -> None:
    plan = topology.load()
    assert {name for host in plan.hosts for name in host.roles} == set(roles.ROLES)
    assert plan.in_role("application").groups == {"circleci_services"}
