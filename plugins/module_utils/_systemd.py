# Asks systemd about units and gives it orders. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["STARTED_STATES", "Unit", "check_name", "read_units", "require_systemd", "start", "systemctl", "unit_name"]

import re
from typing import Dict, List, NamedTuple, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run

SUFFIX = re.compile(r"\.(?:service|socket|timer|target|path|mount|automount|swap|slice|scope)$")
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*")
PROPERTIES = (
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
    "InactiveExitTimestampMonotonic",
)
STARTED_STATES = ("active", "reloading")
IDLE_STATES = ("inactive", "failed")
JOURNAL_LINES = 10
NO_SYSTEMD = "Supported are hosts with systemd as their first process"


class Unit(NamedTuple):
    """A unit as systemd sees it.

    started: when its process was started, microseconds of the kernel's monotonic clock; 0 when it does not run.
    condition_failed: its last start was skipped because a condition of the unit was not met.
    """

    name: str
    load_state: str = "not-found"
    file_state: str = ""
    active_state: str = "inactive"
    sub_state: str = "dead"
    needs_reload: bool = False
    condition_failed: bool = False
    started: int = 0

    @property
    def exists(self) -> bool:
        return self.load_state != "not-found"

    @property
    def runs(self) -> bool:
        return self.active_state not in IDLE_STATES


def unit_name(name: str) -> str:
    """docker and docker.service are the same unit."""
    return name if SUFFIX.search(name) else name + ".service"


def check_name(name: str) -> None:
    """Refuse what is not a unit's name (it becomes a word of a command line)."""
    if not UNIT_NAME.fullmatch(name):
        raise OpsError(
            "is not the name of a systemd unit",
            option="units.name",
            value=name,
            remedy="Give it as systemctl shows it",
        )


def require_systemd() -> None:
    """Raises OpsError on a host without systemd."""
    if find_program("systemctl") is None:
        raise OpsError("this host has no systemctl, so its services cannot be managed", remedy=NO_SYSTEMD)


def read_units(names: Sequence[str]) -> Dict[str, Unit]:
    """One call for all units: their properties come in blocks, in the order of the names."""
    done = run(["systemctl", "show", "--property", ",".join(PROPERTIES)] + list(names))
    blocks = done.stdout.strip().split("\n\n")
    if done.rc != 0 or len(blocks) != len(names):
        raise OpsError(
            "systemctl does not answer: {0}".format((done.stderr or done.stdout).strip() or "no output"),
            remedy=NO_SYSTEMD,
        )
    return {name: _parse_unit(name, block) for name, block in zip(names, blocks)}


def _parse_unit(name: str, block: str) -> Unit:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    checked = values.get("ConditionTimestampMonotonic", "0") not in ("", "0")
    active = values.get("ActiveState", "inactive")
    started = int(values.get("ExecMainStartTimestampMonotonic") or 0)
    started = started or int(values.get("InactiveExitTimestampMonotonic") or 0)
    return Unit(
        name=name,
        load_state=values.get("LoadState", "not-found"),
        file_state=values.get("UnitFileState", ""),
        active_state=active,
        sub_state=values.get("SubState", ""),
        needs_reload=values.get("NeedDaemonReload") == "yes",
        condition_failed=active == "inactive" and checked and values.get("ConditionResult") == "no",
        started=started if active not in IDLE_STATES else 0,
    )


def start(word: str, name: str, timeout: int, failed: bool = False) -> None:
    """Start or restart a unit and look at once whether it stays up; a condition that is not met is no error.

    failed: it has failed before; systemd would count those starts against its limit.
    """
    if failed:
        systemctl(["reset-failed", name], timeout)
    done = run(["systemctl", word, name], timeout=timeout)
    unit = read_units([name])[name]
    if unit.condition_failed or (done.rc == 0 and unit.active_state in STARTED_STATES):
        return
    journal = run(["journalctl", "--unit", name, "--lines", str(JOURNAL_LINES), "--no-pager", "--output", "cat"])
    said = " | ".join(line.strip() for line in (done.stderr + "\n" + journal.stdout).splitlines() if line.strip())
    raise OpsError(
        "{0} is {1} ({2}) after systemctl {3}: {4}".format(name, unit.active_state, unit.sub_state, word, said),
        remedy="Correct what it says and run again (more: journalctl -u {0}); what is owed stays recorded".format(name),
    )


def systemctl(words: List[str], timeout: int) -> None:
    """An order to systemd; raises OpsError when it fails."""
    done = run(["systemctl"] + words, timeout=timeout)
    if done.rc != 0:
        raise OpsError("systemctl {0} failed: {1}".format(" ".join(words), done.stderr.strip()))
