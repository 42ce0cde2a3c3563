# Tests of the filter host_addresses: the inventory's own address first, the host's name last.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from ansible_collections.circleci_server.ops.plugins.filter.host_addresses import FilterModule


def test_each_host_by_its_best_known_address() -> None:
    hostvars = {
        "one": {"circleci_server_address": "10.0.0.1", "ansible_host": "one.example.com"},
        "two": {"ansible_host": "10.0.0.2"},
        "three": {},
    }
    addresses = FilterModule().filters()["host_addresses"](["three", "one", "two"], hostvars)
    assert addresses == ["three", "10.0.0.1", "10.0.0.2"]
