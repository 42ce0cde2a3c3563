# Which of the failing services explain the others: a pure function over the graph of start-up dependencies. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The guide prints start-up dependencies only (L2386-2436), so a cause is probable, never certain.

from __future__ import annotations

__all__ = ["Cause", "Explained", "Graph", "causes", "data_stores_failing", "dependents", "graph"]

from typing import Dict, Iterable, List, Mapping, NamedTuple, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import (
    APPLICATION,
    DATA_STORES,
    DISK_PREFIX,
    ENGINE,
    OWN,
    READY_AGENT,
    REPLICATED,
    rank,
    severity_of,
)

# Service to what it needs, each with the place that says so.
Graph = Mapping[str, Mapping[str, str]]
# Where one of these fails, nothing else can be judged: they come before all other causes.
FIRST = (ENGINE, REPLICATED, APPLICATION)


class Explained(NamedTuple):
    """A failing service that a cause explains: the way from it to the cause, and who says that each step is needed."""

    name: str
    path: Tuple[str, ...]
    source: str


class Cause(NamedTuple):
    """A failing service none of whose dependencies fails, and what it explains."""

    name: str
    explains: Tuple[Explained, ...]


def graph(disks: Iterable[str] = ()) -> Dict[str, Dict[str, str]]:
    """The dependencies of an installation. disks: names of the rows for disks.

    Beside the container table: the ready agent answers 200 only when all listed services do (L1392); Replicated starts
    the application's containers (L2033); each of Replicated's services is a container (facts 4); disks fill without
    the container that rotates logs (L2426).
    """
    found: Dict[str, Dict[str, str]] = {}
    for container in catalogue.CONTAINERS:
        needs = {catalogue.get(name).name: "guide " + container.source for name in container.depends_on}
        if container.name == READY_AGENT:
            needs.update(dict.fromkeys(catalogue.health_endpoints(), "guide L1392"))
        needs.update({ENGINE: "facts 4"} if container.name in OWN else {APPLICATION: "guide L2033"})
        found[container.name] = needs
    found[APPLICATION] = {REPLICATED: "guide L2033"}
    found[ENGINE] = {}
    found.update({DISK_PREFIX + path: {"tutum-logrotate": "guide L2426"} for path in disks})
    return found


def causes(needs: Graph, failing: Iterable[str]) -> List[Cause]:
    """The failing services none of whose dependencies, direct or not, fails; engine and Replicated come first.

    Services of a circle need one another: none of them is an explanation for another, so all of them are causes when
    nothing outside of the circle fails. So each failing service is a cause or is explained by one. A name that the
    graph does not have depends on nothing.
    """
    sick = set(failing)
    reached = {name: _reachable(needs, name) for name in sick}
    found = []
    for name in sorted(sick):
        proper = {other for other in reached[name] & sick if name not in reached[other]}
        if not proper:
            explains = [other for other in sorted(sick) if other != name and name in reached[other]]
            found.append(Cause(name, tuple(_explained(needs, other, name) for other in explains)))
    return sorted(found, key=_order)


def data_stores_failing(failing: Iterable[str]) -> List[str]:
    """The failing data stores, whether or not an edge leads to them."""
    sick = set(failing)
    return [name for name in DATA_STORES if name in sick]


def dependents(needs: Graph, name: str) -> Tuple[List[str], List[str]]:
    """Who needs a service by the container table or through others: directly, and all (the direct ones among them).

    What needs everything (the ready agent) and what everything needs (application, engine) are left out.
    """
    table = {
        container: {other: source for other, source in wanted.items() if other not in FIRST}
        for container, wanted in needs.items()
        if container not in FIRST and container != READY_AGENT
    }
    direct = [other for other in table if name in table[other]]
    return direct, [other for other in table if other != name and name in _reachable(table, other)]


def _order(cause: Cause) -> Tuple[int, int, int, str]:
    """FIRST, then what explains most, then the loudest."""
    first = FIRST.index(cause.name) if cause.name in FIRST else len(FIRST)
    return first, -len(cause.explains), -rank(severity_of(cause.name)), cause.name


def _reachable(needs: Graph, start: str) -> Set[str]:
    """All that a service needs, directly or through others; itself only when it is on a circle."""
    found: Set[str] = set()
    left = list(needs.get(start, ()))
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(needs.get(name, ()))
    return found


def _explained(needs: Graph, name: str, cause: str) -> Explained:
    """The shortest way from a service to its cause."""
    before: Dict[str, str] = {}
    level = [name]
    while cause not in before:
        following = []
        for here in level:
            for there in needs.get(here, ()):
                if there not in before and there != name:
                    before[there] = here
                    following.append(there)
        level = following
    path = [cause]
    while path[-1] != name:
        path.append(before[path[-1]])
    path.reverse()
    sources = [needs[here][there] for here, there in zip(path, path[1:])]
    return Explained(name, tuple(path), ", ".join(dict.fromkeys(sources)))
