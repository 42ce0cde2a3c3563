# The pure parts of benchmarks, demonstration and matrix.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from tests.benchmarks.measure import Row, side_by_side, table_of
from tests.benchmarks.site import Profile
from tests.lab import topology
from tests.run.demo import WIDTH, next_steps
from tests.run.extra_hosts import wider


@pytest.mark.parametrize(("ours", "aim", "met"), [(1.5, 1.5, "yes"), (1.51, 1.5, "NO"), (9.0, None, "")])
def test_a_row_tells_whether_its_aim_is_met(ours: float, aim: float | None, met: str) -> None:
    head, rows = table_of([Row("a call", ours, "ping", 1.0, aim)])
    assert head[-1] == "met?"
    assert rows[0][:4] == ["a call", f"{ours:.2f} s", "ping 1.00 s", f"{ours:.2f}"]
    assert rows[0][-1] == met


def test_contenders_take_turns_and_the_first_turn_does_not_count() -> None:
    calls: list[str] = []
    medians = side_by_side([lambda: calls.append("ours"), lambda: calls.append("peer")], 2)
    assert calls == ["ours", "peer"] * 3
    assert len(medians) == 2


def test_the_tasks_that_are_not_shown_are_summed_up() -> None:
    watched = Profile(Counter(), [("a", 1.0), ("b", 3.0), ("c", 0.5), ("d", 0.25)], [])
    assert watched.slowest(2) == [["b", "3.00"], ["a", "1.00"], ["2 more tasks", "0.75"]]


def test_a_wider_lab_has_addresses_that_the_lab_does_not_have() -> None:
    document = yaml.safe_load(topology.INVENTORY.read_text(encoding="utf-8"))
    clients = wider(document, "nomad_clients", ["more-1", "more-2"], {"lab_roles": ["builds"]})
    found = clients["all"]["children"]["nomad_clients"]["hosts"]
    assert found["more-1"]["lab_roles"] == found["more-2"]["lab_roles"] == ["builds"]
    taken = {host.address for host in topology.load().hosts}
    assert not taken & {found["more-1"]["ansible_host"], found["more-2"]["ansible_host"]}
    assert "more-1" not in document["all"]["children"]["nomad_clients"]["hosts"]


def test_what_to_try_next_fits_a_terminal() -> None:
    assert [line for line in next_steps().splitlines() if len(line) > WIDTH] == []
