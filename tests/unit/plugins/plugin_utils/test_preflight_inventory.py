# Tests of _preflight_inventory: addresses from the inventory alone, and what the hosts of a run reported.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_inventory as inventory
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, finding

LOOKED = {
    "preflight_errors": [{"check": "size", "host": "client-1", "message": "m", "leave_out": "client-1"}],
    "preflight_warnings": ["w"],
    "preflight_facts": {"listening": [22]},
    "preflight_listener": {"ports": [4646], "until": 7.5},
}


def variables(**hostvars: dict[str, Any]) -> dict[str, Any]:
    known = {"services": {}, "client-1": {}, "client-2": {}, **hostvars}
    return {
        "groups": {"circleci_services": ["services"], "nomad_clients": ["client-1", "client-2"]},
        "hostvars": known,
        "ansible_play_hosts_all": ["services", "client-1"],
        "ansible_play_hosts": ["services", "client-1"],
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({"circleci_server_address": "1.1.1.1", "ansible_host": "2.2.2.2"}, "1.1.1.1", id="own variable"),
        pytest.param({"ansible_host": "2.2.2.2"}, "2.2.2.2", id="ansible_host"),
        pytest.param({"ansible_facts": {"default_ipv4": {"address": "3.3.3.3"}}}, "h", id="never facts"),
    ],
)
def test_address(given: dict[str, Any], wanted: str) -> None:
    assert inventory.address(given, "h") == wanted


def test_hosts() -> None:
    known = variables(**{"client-1": {inventory.LOOK: LOOKED}})
    first, second, third = inventory.hosts(known)
    assert (first.name, first.kinds, first.looked) == ("services", ("services",), False)
    assert (second.name, second.kinds, second.in_play, second.looked) == ("client-1", (CLIENTS,), True, True)
    assert (second.answering, second.ours, second.until) == ({22, 4646}, {4646}, 7.5)
    assert (third.in_play, third.looked, third.answering) == (False, False, frozenset())


def test_a_host_of_both_groups_and_a_missing_group() -> None:
    known = variables()
    known["groups"] = {"nomad_clients": ["services"], "circleci_services": ["services"]}
    assert [host.kinds for host in inventory.hosts(known)] == [("services", "nomad_clients")]
    known["groups"] = {}
    assert inventory.hosts(known) == []


def test_values() -> None:
    known = variables(**{"client-1": {"my_address": "1.1.1.1"}, "client-2": {"ansible_host": "2.2.2.2"}})
    assert inventory.values(known, CLIENTS, "my_address") == {"client-1": "1.1.1.1", "client-2": "2.2.2.2"}


GOOD = {"preflight_errors": [], "preflight_warnings": ["w", "x"]}


def test_collected() -> None:
    known = variables(**{"client-1": {inventory.LOOK: LOOKED, inventory.PROBE: GOOD}})
    errors, warnings = inventory.collected(known, ["client-1"])
    assert errors == [finding("size", "client-1", "x")._replace(message="m")]
    assert warnings == ["w", "x"]


def test_divided() -> None:
    known = variables(
        services={inventory.LOOK: LOOKED, inventory.PROBE: GOOD},
        **{
            "client-1": {inventory.LOOK: {"unreachable": True}},
            "client-2": {inventory.LOOK: LOOKED, inventory.PROBE: {"failed": True, "msg": "no"}},
            "client-3": {},
        },
    )
    known["ansible_play_hosts_all"] = ["services", "client-1", "client-2", "client-3"]
    known["ansible_play_hosts"] = []
    assert inventory.divided(known) == (["services"], ["client-1", "client-2", "client-3"])
