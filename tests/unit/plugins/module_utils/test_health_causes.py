# Tests of _health_causes: every edge of the dependency graph, all pairs, and any graph that one can think of.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._health_causes import (
    FIRST,
    causes,
    data_stores_failing,
    dependents,
    graph,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import DATA_STORES, severity_of

GRAPH = graph(["/", "/data"])
EDGES = [(name, needed, source) for name, needs in GRAPH.items() for needed, source in needs.items()]
TABLE_EDGES = [(container.name, needed) for container in catalogue.CONTAINERS for needed in container.depends_on]


def closure(needs: Mapping[str, Mapping[str, str]]) -> set[tuple[str, str]]:
    """All (service, what it needs) by repeated joining: another way than the code's own."""
    pairs = {(name, needed) for name, wanted in needs.items() for needed in wanted}
    while True:
        more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
        if not more:
            return pairs
        pairs |= more


NEEDS = closure(GRAPH)


def test_every_edge_of_the_container_table_is_in_the_graph_with_its_line() -> None:
    for name, needed in TABLE_EDGES:
        assert GRAPH[name][catalogue.get(needed).name] == "guide " + catalogue.get(name).source
    assert len(TABLE_EDGES) > 40
    assert all(source for _name, _needed, source in EDGES)


@pytest.mark.parametrize(("name", "needed", "source"), EDGES)
def test_each_edge_explains(name: str, needed: str, source: str) -> None:
    (cause,) = causes(GRAPH, [name, needed])
    assert cause.name == needed
    (explained,) = cause.explains
    assert (explained.name, explained.path, explained.source) == (name, (name, needed), source)


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_one_failing_service_is_its_own_cause(name: str) -> None:
    (cause,) = causes(GRAPH, [name])
    assert cause == (name, ())


def test_all_pairs() -> None:
    for one, other in itertools.combinations(sorted(GRAPH), 2):
        found = {cause.name: [explained.name for explained in cause.explains] for cause in causes(GRAPH, [one, other])}
        if (one, other) in NEEDS:
            assert found == {other: [one]}
        elif (other, one) in NEEDS:
            assert found == {one: [other]}
        else:
            assert found == {one: [], other: []}


def test_a_cause_at_a_distance_names_the_way() -> None:
    """What is in between is healthy, or was not seen to fail."""
    needs = {"a": {"b": "one"}, "b": {"c": "two"}, "c": {"d": "one"}}
    (cause,) = causes(needs, ["a", "d"])
    (explained,) = cause.explains
    assert (explained.path, explained.source) == (("a", "b", "c", "d"), "one, two")


def test_the_engine_and_replicated_come_before_all() -> None:
    everything = sorted(GRAPH)
    (cause,) = causes(GRAPH, everything)
    assert cause.name == "docker"
    without = [name for name in everything if name != "docker"]
    assert causes(GRAPH, without)[0].name == "replicated"
    assert causes(GRAPH, [name for name in without if name != "replicated"])[0].name == "application"
    # Alone in their part of the graph, and still first.
    assert [cause.name for cause in causes({}, ["a", "application", "b", "replicated", "docker"])][:3] == list(FIRST)


def test_what_explains_more_comes_first_and_then_what_is_worse() -> None:
    found = causes(GRAPH, ["exim", "mongo", "postgres", "frontend", "redis", "cron-service"])
    assert [cause.name for cause in found] == ["postgres", "mongo", "redis", "exim"]
    assert [len(cause.explains) for cause in found] == [2, 0, 0, 0]


def test_the_ready_agent_is_explained_by_what_it_waits_for() -> None:
    (cause,) = causes(GRAPH, ["ready-agent", "permissions-service"])
    assert cause.name == "permissions-service"
    assert cause.explains[0].source == "guide L1392"


def test_data_stores_are_named_beside_the_causes() -> None:
    assert data_stores_failing(["redis", "exim", "mongo", "nomad", "x"]) == ["mongo", "redis", "nomad"]
    assert data_stores_failing([]) == []
    assert all(severity_of(name) for name in DATA_STORES)


def test_dependents() -> None:
    direct, everyone = dependents(GRAPH, "postgres")
    assert "frontend" in direct
    assert set(direct) <= set(everyone)
    assert dependents(GRAPH, "mongodb-upgrader") == (["mongo"], ["mongo"])
    assert dependents(GRAPH, "contexts-service-migrator") == (["api-service", "contexts-service"],) * 2
    assert dependents(GRAPH, "exim") == ([], [])
    assert dependents(GRAPH, "docker") == ([], [])
    assert dependents(GRAPH, "tutum-logrotate")[0] == ["disk /", "disk /data"]
    for container in catalogue.CONTAINERS:
        direct, _everyone = dependents(GRAPH, container.name)
        assert [name for name in direct if not name.startswith("disk ")] == catalogue.dependents(container.name)


NAMES = st.sampled_from("abcdefg")


@given(
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.sampled_from(["L1", "L2"]))),
    st.sets(st.sampled_from("abcdefgxyz")),
)
def test_any_graph(needs: dict[str, dict[str, str]], failing: set[str]) -> None:
    """Circles, names that the graph does not have, services that need themselves."""
    found = causes(needs, failing)
    reaches = closure(needs)
    names = {cause.name for cause in found}
    assert len(names) == len(found)
    assert names <= failing
    for name in failing:
        proper = [other for other in failing if (name, other) in reaches and (other, name) not in reaches]
        assert (name in names) == (not proper)
    explained = {part.name for cause in found for part in cause.explains}
    assert names | explained == failing
    for cause in found:
        for part in cause.explains:
            assert (part.name, cause.name) in reaches
            assert (part.path[0], part.path[-1]) == (part.name, cause.name)
            steps = list(zip(part.path, part.path[1:], strict=False))
            assert all(there in needs[here] for here, there in steps)
            assert set(part.source.split(", ")) == {needs[here][there] for here, there in steps}
