# The hosts of the installation, their addresses and what preflight saw of them, from an action's variables. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["GROUPS", "LOOK", "PROBE", "address", "collected", "divided", "hosts", "values"]

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_plan import Host
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, SERVICES, Finding

# Groups of the inventory and the kinds of host that they hold.
GROUPS: dict[str, str] = {SERVICES: "circleci_services", CLIENTS: "nomad_clients"}
# Where the role registers the results of the two phases.
LOOK = "__preflight_look"
PROBE = "__preflight_probe"


def address(variables: Mapping[str, Any], name: str) -> str:
    """Where the other hosts reach a host: from the inventory, never from facts."""
    return str(variables.get("circleci_server_address") or variables.get("ansible_host") or name)


def hosts(task_vars: Mapping[str, Any]) -> list[Host]:
    """All hosts of the two groups, those outside of --limit too."""
    members = {kind: list(task_vars["groups"].get(group, [])) for kind, group in GROUPS.items()}
    names = list(dict.fromkeys(name for kind in members.values() for name in kind))
    return [_host(task_vars, name, tuple(kind for kind in members if name in members[kind])) for name in names]


def values(task_vars: Mapping[str, Any], kind: str, variable: str) -> dict[str, str]:
    """Host to a variable of it, over all hosts of a kind; a host that does not set it has its address."""
    found = {}
    for name in task_vars["groups"].get(GROUPS[kind], []):
        variables = task_vars["hostvars"][name]
        found[name] = str(variables.get(variable) or address(variables, name))
    return found


def divided(task_vars: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The hosts of the play whose two phases ended well, and the others: dead, or failed before the gate.

    Read from the results, not from ansible_play_hosts, which shrinks while hosts fail at the gate itself.
    """
    checked: list[str] = []
    lost: list[str] = []
    for name in task_vars["ansible_play_hosts_all"]:
        results = _results(task_vars, name)
        (checked if all("preflight_errors" in result for result in results) else lost).append(name)
    return checked, lost


def collected(task_vars: Mapping[str, Any], names: Sequence[str]) -> tuple[list[Finding], list[str]]:
    """The errors and warnings that the first two phases found on these hosts."""
    results = [result for name in names for result in _results(task_vars, name)]
    errors = [Finding(**dict(entry)) for result in results for entry in result["preflight_errors"]]
    warnings = [str(text) for result in results for text in result["preflight_warnings"]]
    return errors, list(dict.fromkeys(warnings))


def _results(task_vars: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    variables = task_vars["hostvars"][name]
    return [variables.get(registered) or {} for registered in (LOOK, PROBE)]


def _host(task_vars: Mapping[str, Any], name: str, kinds: tuple[str, ...]) -> Host:
    variables = task_vars["hostvars"][name]
    look = variables.get(LOOK) or {}
    facts = look.get("preflight_facts") or {}
    listener = look.get("preflight_listener") or {}
    ours = frozenset(listener.get("ports", []))
    return Host(
        name=name,
        kinds=kinds,
        address=address(variables, name),
        in_play=name in task_vars["ansible_play_hosts_all"],
        looked=bool(facts),
        answering=ours | frozenset(facts.get("listening", [])),
        ours=ours,
        until=float(listener.get("until", 0)),
    )
