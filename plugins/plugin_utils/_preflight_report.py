# What preflight says at its end: every error of every host once, and how to go on without the hosts at fault. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Invocation", "limit_pattern", "lost", "report"]

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import Finding, finding


class Invocation(NamedTuple):
    """How this run was started: inventories, playbooks, and its own --limit ("" for none)."""

    inventories: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    limit: str = ""


def lost(host: str) -> Finding:
    """A host that left the play before the gate."""
    return finding(
        "unreachable",
        host,
        "the host could not be reached, or failed before it was checked; its own message is above",
        remedy="Bring it back, or go on without it",
    )


def limit_pattern(limit: str, without: Sequence[str]) -> str:
    """A --limit like the one that was given, less some hosts."""
    separator = "," if "," in limit else ":"
    return separator.join([limit or "all"] + ["!" + host for host in without])


def report(errors: Sequence[Finding], hosts: Sequence[str], services: Sequence[str], invocation: Invocation) -> str:
    """The whole message. hosts: all hosts of the run; services: those of them without which nothing can go on."""
    blocks = [_title(errors)]
    for host, findings in _grouped(errors, hosts).items():
        blocks.append("\n".join(["  " + host] + ["    [{0}] {1}".format(*entry) for entry in findings]))
    blocks.append(_going_on(errors, hosts, services, invocation))
    return "\n".join(blocks)


def _title(errors: Sequence[Finding]) -> str:
    count = len({(error.check, error.message) for error in errors})
    return "Preflight found {0} {1}; nothing was changed on any host.".format(
        count, "problem" if count == 1 else "problems"
    )


def _grouped(errors: Sequence[Finding], hosts: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Host to (check, message); what all hosts of several say in the same words is said once."""
    sayers: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        sayers.setdefault((error.check, error.message), []).append(error.host)
    grouped: dict[str, list[tuple[str, str]]] = {}
    for entry, named in sayers.items():
        for host in ["every host"] if len(hosts) > 1 and set(named) >= set(hosts) else dict.fromkeys(named):
            grouped.setdefault(host, []).append(entry)
    return dict(sorted(grouped.items(), key=lambda item: (item[0] != "every host", item[0])))


def _going_on(errors: Sequence[Finding], hosts: Sequence[str], services: Sequence[str], invocation: Invocation) -> str:
    without = sorted({error.leave_out for error in errors if error.leave_out})
    if any(not error.leave_out for error in errors):
        return "No --limit goes round what is wrong above: correct it, then run again."
    if set(without) >= set(hosts):
        return "No host is left to go on with: correct what is wrong above, then run again."
    if set(without).intersection(services):
        return "Without the services host nothing can go on: correct what is wrong above, then run again."
    words = ["ansible-playbook"]
    for inventory in invocation.inventories:
        words += ["-i", shlex.quote(inventory)]
    words += [shlex.quote(playbook) for playbook in invocation.playbooks]
    words += ["--limit", "'{0}'".format(limit_pattern(invocation.limit, without))]
    return "To go on without {0}, with the other options of this run:\n  {1}".format(
        ", ".join(without), " ".join(words)
    )
