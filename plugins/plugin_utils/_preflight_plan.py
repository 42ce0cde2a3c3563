# Which ports preflight tries from where, what an outcome means, and the firewall rows of an inventory. Pure. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = [
    "GITHUB",
    "Host",
    "Target",
    "Verdict",
    "judge_github",
    "judge_host",
    "listen_ports",
    "targets",
]

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.circleci_server.ops.plugins.module_utils._catalogue import PORTS, Port, ports_between
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_probe import (
    OPEN,
    REFUSED,
    TIMEOUT,
    UNKNOWN_NAME,
    UNREACHABLE,
)
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, Finding, finding

GITHUB = "github"
# GitHub's API answers on one of these; the guide's table names both.
WEB_PORTS = (80, 443)


class Host(NamedTuple):
    """A host of the inventory, as far as probing it matters.

    kinds:     services, nomad_clients, or both.
    address:   where the others reach it: circleci_server_address, else ansible_host, else its name.
    in_play:   it is part of this run.
    looked:    the first phase ended well on it, so that what listens there is known.
    answering: ports where something listens for others: a program of its own, or preflight's listener.
    ours:      of these, the ports of preflight's listener.
    until:     when that listener ends by itself (seconds of the controller's clock).
    """

    name: str
    kinds: tuple[str, ...]
    address: str
    in_play: bool = False
    looked: bool = False
    answering: frozenset[int] = frozenset()
    ours: frozenset[int] = frozenset()
    until: float = 0.0


class Target(NamedTuple):
    """One connection to try: the row of the table of ports, the host's name ("" for GitHub), where to connect."""

    row: Port
    host: str
    address: str
    port: int


class Verdict(NamedTuple):
    """What an outcome means: an error, a warning, or neither."""

    error: Finding | None = None
    warning: str = ""


def listen_ports(kinds: Sequence[str]) -> list[int]:
    """The ports of a host of these kinds that other hosts will try."""
    rows = [row for row in PORTS if row.probed and row.to_kind in kinds]
    return sorted({port for row in rows for port in range(row.first, row.last + 1)})


def targets(source: Host, hosts: Sequence[Host], github: str) -> list[Target]:
    """Everything that a host has to reach, but itself and hosts of this run that could not be looked at."""
    found: dict[tuple[str, int], Target] = {}
    for kind in source.kinds:
        for host in hosts:
            if host.name == source.name or (host.in_play and not host.looked):
                continue
            for row in [row for to_kind in host.kinds for row in ports_between(kind, to_kind, probed_only=True)]:
                for port in range(row.first, row.last + 1):
                    found.setdefault((host.name, port), Target(row, host.name, host.address, port))
        for row in ports_between(kind, GITHUB, probed_only=True) if github else []:
            found.setdefault(("", row.first), Target(row, "", github, row.first))
    return list(found.values())


def judge_host(source: Host, target: Target, host: Host, outcome: Mapping[str, Any], now: float) -> Verdict:
    """What the outcome of a probe between two hosts of the inventory means."""
    what = outcome["outcome"]
    if what == OPEN:
        return Verdict()
    known = host.looked and target.port in host.answering
    if what == REFUSED and known and target.port in host.ours and now > host.until:
        return Verdict(warning=_not_told_apart(source, target, "preflight's listener there had ended by then"))
    if what == REFUSED and not known:
        reason = "preflight could not listen there" if host.in_play else "the host is outside of this run's --limit"
        return Verdict(warning=_not_told_apart(source, target, "nothing listens on it, and " + reason))
    if not host.in_play and CLIENTS in host.kinds and what in (TIMEOUT, UNREACHABLE):
        return Verdict(warning=_not_told_apart(source, target, "the host is outside of this run's --limit"))
    return Verdict(error=_closed(source, target, host, outcome))


def judge_github(source: Host, tried: Sequence[tuple[Target, Mapping[str, Any]]], check: str) -> Verdict:
    """GitHub answers a host on port 22, and on 80 or 443. check: refuse or warn."""
    open_ports = {target.port for target, outcome in tried if outcome["outcome"] == OPEN}
    closed = [(target, outcome) for target, outcome in tried if outcome["outcome"] != OPEN]
    if open_ports.intersection(WEB_PORTS):
        closed = [(target, outcome) for target, outcome in closed if target.port not in WEB_PORTS]
    if not closed:
        return Verdict()
    name = closed[0][0].address
    if any(outcome["outcome"] == UNKNOWN_NAME for _target, outcome in closed):
        seen = "the name does not resolve on this host: {0}".format(closed[0][1]["error"])
    else:
        answers = ["{0}: {1}".format(target.port, _answer(outcome)) for target, outcome in closed]
        seen = "{0} does not reach it on every port that is needed (22, and 80 or 443); {1}".format(
            source.name, ", ".join(answers)
        )
    remedy = "Correct that option, or open these ports from this host to GitHub"
    if check == "refuse":
        remedy += "; preflight_github_check: warn only says so, none leaves it out"
    error = finding("github", source.name, seen, option="circleci_server_github_host", value=name, remedy=remedy)
    return Verdict(error=error) if check == "refuse" else Verdict(warning="{0}: {1}".format(source.name, error.message))


def _closed(source: Host, target: Target, host: Host, outcome: Mapping[str, Any]) -> Finding:
    reasons = {
        REFUSED: "although something listens there: a firewall on the way, or on the host, rejects it",
        TIMEOUT: "a firewall on the way, or on the host, drops it, or the address is wrong",
        UNREACHABLE: "no route, or a firewall on the way answers so",
        UNKNOWN_NAME: "the address is a name that does not resolve on {0}".format(source.name),
    }
    seen = "{0} cannot reach {1} on tcp port {2} ({3}): {4}; {5}".format(
        source.name, host.name, target.port, target.row.purpose, _answer(outcome), reasons[outcome["outcome"]]
    )
    return finding(
        "port",
        source.name,
        seen,
        option="circleci_server_address of {0}".format(host.name),
        value=host.address,
        remedy="Allow tcp {0} from {1} ({2}) to {3} ({4}), or correct that address "
        "(playbooks/preflight.yml prints all rows)".format(
            target.port, source.name, source.address, host.name, host.address
        ),
        leave_out=host.name if CLIENTS in host.kinds else source.name,
    )


def _not_told_apart(source: Host, target: Target, reason: str) -> str:
    return "{0} could not reach {1} on tcp port {2} ({3}); that says nothing about a firewall, since {4}".format(
        source.name, target.host, target.port, target.row.purpose, reason
    )


def _answer(outcome: Mapping[str, Any]) -> str:
    return str(outcome["error"]).lower() or str(outcome["outcome"])
