# The health of a services host: one look, or looks until nothing is sick any more. Changes nothing. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["health"]

import time
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._health_report import report
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rows import Expectations, Row, rows
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import (
    APPLICATION,
    DISK_PREFIX,
    ENGINE,
    UNEXPECTED,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._health_sweep import Settings, Sweep, sweep

# Between two sweeps while something is sick: what is down refuses at once, and there is nothing to wait on.
PAUSE_SECONDS = 1
DISKS = DISK_PREFIX.strip()


def health(options: Mapping[str, Any], check: bool = False) -> Dict[str, Any]:
    """Look at everything that this installation uses; the module's result.

    Raises OpsError for a wrong option only: nothing that is sick is an error. With options["wait"] the looks go on
    until nothing is sick at options["fail_severity"] or worse, for at most so many seconds; in check mode, and where
    Docker is not installed, there is one look.
    """
    settings, expect, chosen = _settings(options), _expectations(options), _Choice(options)
    settings = settings._replace(wanted=tuple(sorted(chosen.known)))
    unused = [item.name for item in catalogue.CONTAINERS if item.condition and not _possible(item.condition, expect)]
    begun = time.monotonic()
    deadline = begun + (0 if check else options["wait"])
    sweeps = 0
    while True:
        found = sweep(settings, unused)
        sweeps += 1
        judged = [row for row in rows(found, expect) if chosen.keeps(row)]
        result = report(judged, found.engine.containers, options["fail_severity"])
        over = time.monotonic() + PAUSE_SECONDS > deadline
        if not result["sick"] or over or not found.engine.installed:
            break
        time.sleep(PAUSE_SECONDS)
    waited = time.monotonic() - begun - found.seconds if sweeps > 1 else 0.0
    return dict(result, changed=False, sweeps=sweeps, waited=round(waited, 1), **_times(found))


def _times(found: Sweep) -> Dict[str, Any]:
    slowest = max(found.milliseconds, key=lambda name: found.milliseconds[name], default="")
    return {
        "installed": found.engine.installed,
        "seconds": round(found.seconds, 3),
        "slowest": {"name": slowest, "latency_ms": found.milliseconds.get(slowest, 0)},
    }


def _possible(condition: str, expect: Expectations) -> bool:
    return expect.condition(condition) is not False


class _Choice:
    """The services that were chosen: those of `services` (all of them when there are none) without those of `skip`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        disks = [DISK_PREFIX + path for path in options["disks"]]
        everything = {ENGINE, APPLICATION, *disks, *(container.name for container in catalogue.CONTAINERS)}
        named = options["services"] or []
        self._all = not named
        self._skipped = _resolved("skip", options["skip"] or [], disks)
        self.known = (_resolved("services", named, disks) if named else everything) - self._skipped

    def keeps(self, row: Row) -> bool:
        """Whether a row is part of the result. A container that no catalogue knows is, unless services were named."""
        return self._all if row.status == UNEXPECTED else row.name in self.known


def _resolved(option: str, names: Iterable[str], disks: List[str]) -> Set[str]:
    """The services that names mean, in any spelling of the guide. Raises OpsError for a name that means none."""
    found: Set[str] = set()
    for name in names:
        known = catalogue.resolve(name)
        if known is not None:
            found.add(known.name)
        elif name in (ENGINE, APPLICATION) or name in disks:
            found.add(name)
        elif name == DISKS:
            found.update(disks)
        else:
            raise _unknown(option, name, disks)
    return found


def _unknown(option: str, name: str, disks: List[str]) -> OpsError:
    every = [container.name for container in catalogue.CONTAINERS] + [ENGINE, APPLICATION, DISKS] + disks
    near = catalogue.near(name, among=every)
    return OpsError(
        "there is no such service{0}".format("; near ones: {0}".format(", ".join(near)) if near else ""),
        option=option,
        value=name,
        remedy="Give names of the guide's container table, or docker, application, disk",
    )


def _settings(options: Mapping[str, Any]) -> Settings:
    for name in ("timeout", "request_timeout"):
        if options[name] <= 0:
            raise OpsError("must be more than 0 seconds", name, options[name], "Leave it out for the default")
    if options["wait"] < 0:
        raise OpsError("must be 0 seconds or more", "wait", options["wait"], "0 looks once")
    if not options["ready_agent_path"].startswith("/"):
        raise OpsError("must begin with a slash", "ready_agent_path", options["ready_agent_path"], "Give a path as /")
    for path in options["disks"]:
        if not path.startswith("/"):
            raise OpsError("must be absolute paths", "disks", path, "Give it from the root on, as /data")
    return Settings(
        timeout=options["timeout"],
        request_timeout=min(options["request_timeout"], options["timeout"]),
        ready_agent_path=options["ready_agent_path"],
        disks=tuple(dict.fromkeys(options["disks"])),
    )


def _expectations(options: Mapping[str, Any]) -> Expectations:
    for name in ("disk_percent", "inode_percent"):
        if not 0 < options[name] <= 100:
            raise OpsError("must be a percentage above 0, at most 100", name, options[name], "90 is the default")
    return Expectations(
        ldap=_given(options, "ldap"),
        vm_service=_given(options, "vm_service"),
        s3=_given(options, "s3"),
        expected=tuple(options["expected"] or []),
        disk_percent=options["disk_percent"],
        inode_percent=options["inode_percent"],
        ready_agent_path=options["ready_agent_path"],
    )


def _given(options: Mapping[str, Any], name: str) -> Optional[bool]:
    value = options.get(name)
    return None if value is None else bool(value)
