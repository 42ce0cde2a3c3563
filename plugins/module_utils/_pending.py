# The pending record: what a run owes this host (a restart, a reload) until somebody settles it. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = [
    "PENDING_FILE",
    "STATE_DIRECTORY",
    "Entry",
    "as_rows",
    "from_rows",
    "moment",
    "owe",
    "read_pending",
    "settle",
    "settle_as_read",
    "started_since",
    "written",
]

import json
import os
import time
from typing import Any, Dict, Iterable, List, NamedTuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file, write_atomic

STATE_DIRECTORY = "/var/lib/circleci_server_ops"
PENDING_FILE = STATE_DIRECTORY + "/pending.json"
WHEN = ("now", "with_next")


class Entry(NamedTuple):
    """One thing that is owed.

    scope:  "unit" (a systemd unit's restart), "container" (a container's restart) or "replicated" (what Replicated
            or its application needs).
    target: the unit's or container's name. Of the scope "replicated": "apply_config" (settings were imported and not
            applied), "app" (the application stops and starts), "daemon" (Replicated's own services restart) or
            "docker" (the engine restarts under a stopped application). On the services host the unit docker means
            the same as the last.
    owner:  who owes it: a role or module.
    reason: a sentence for the person who reads what is owed.
    when:   "now", or "with_next" (settled with the next restart of that scope and target, starts none by itself).
    since:  ISO 8601 time of the first debt; filled in by owe().
    boot, written: when the write that causes the debt was done, filled in by written(): the kernel's boot id and
            its monotonic clock in microseconds. Whatever started later has read what was written. Empty until then.
    """

    scope: str
    target: str
    owner: str
    reason: str
    when: str = "now"
    since: str = ""
    boot: str = ""
    written: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.scope, self.target, self.owner, self.reason)


def read_pending(path: str = PENDING_FILE) -> List[Entry]:
    """All that is owed, oldest first. Raises OpsError for a file that is not ours."""
    content = read_file(path)
    if content is None:
        return []
    try:
        rows = json.loads(content.decode("utf-8"))["entries"]
        return [Entry(**row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise OpsError(
            "{0} is not a pending record of this collection: {1}".format(path, error),
            remedy="Move the file away after reading what it says is owed, then run again",
        ) from error


def owe(entries: Iterable[Entry], path: str = PENDING_FILE) -> None:
    """Record debts before the write that causes them; one that stands already keeps its time.

    A debt that is due now replaces the same debt that could wait. Call written() after the write.
    """
    present = {entry.key: entry for entry in read_pending(path)}
    changed = False
    for entry in entries:
        if entry.when not in WHEN:
            raise OpsError("must be now or with_next", option="when", value=entry.when)
        old = present.get(entry.key)
        when = "now" if old is not None and old.when == "now" else entry.when
        since = old.since if old is not None else time.strftime("%Y-%m-%dT%H:%M:%S%z")
        new = entry._replace(when=when, since=since, boot="", written=0)
        if new != old:
            present[entry.key] = new
            changed = True
    if changed:
        _write(list(present.values()), path)


def written(entries: Iterable[Entry], path: str = PENDING_FILE) -> None:
    """Note that the write behind these debts is done now: a unit that starts from here on owes nothing for it."""
    keys = {entry.key for entry in entries}
    present = read_pending(path)
    boot, now = moment()
    after = [entry._replace(boot=boot, written=now) if entry.key in keys else entry for entry in present]
    if after != present:
        _write(after, path)


def moment() -> tuple[str, int]:
    """This moment as the kernel counts: the boot's id, microseconds of its monotonic clock."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
        return handle.read().strip(), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def settle(entries: Iterable[Entry], path: str = PENDING_FILE) -> None:
    """Strike these debts off the record; others, also ones that came in meanwhile, stay."""
    settled = {entry.key for entry in entries}
    present = read_pending(path)
    left = [entry for entry in present if entry.key not in settled]
    if len(left) != len(present):
        _write(left, path)


def settle_as_read(entries: Iterable[Entry], path: str = PENDING_FILE) -> None:
    """Strike debts off as they were read; one that was made again meanwhile (another write behind it) stays."""
    read = {(entry.key, entry.boot, entry.written) for entry in entries}
    present = read_pending(path)
    left = [entry for entry in present if (entry.key, entry.boot, entry.written) not in read]
    if len(left) != len(present):
        _write(left, path)


def started_since(pid: int, entry: Entry) -> bool:
    """Whether a process began after the write behind a debt, by the kernel's clock (the wall clock may jump)."""
    if not entry.boot or not pid:
        return False
    boot, _now = moment()
    if entry.boot != boot:
        return True
    try:
        with open("/proc/{0}/stat".format(pid), encoding="utf-8", errors="replace") as handle:
            ticks = int(handle.read().rpartition(")")[2].split()[19])
    except OSError:
        return False
    # The process's start counts from the boot with the time asleep; the debt's moment without it.
    asleep = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK") > entry.written + asleep // 1000


def as_rows(entries: Iterable[Entry]) -> List[Dict[str, Any]]:
    """Entries as plain dictionaries, for a module's result."""
    return [dict(entry._asdict()) for entry in entries]


def from_rows(rows: Iterable[Dict[str, Any]]) -> List[Entry]:
    """The entries of a module's result, given to a later task; a row that is none is refused."""
    try:
        return [Entry(**{key: value for key, value in row.items() if key in Entry._fields}) for row in rows]
    except TypeError as error:
        raise OpsError(
            "an entry lacks a key: {0}".format(error),
            option="would_owe",
            remedy="Give what the earlier tasks of this run returned as owed: scope, target, owner, reason, when",
        ) from error


def _write(entries: List[Entry], path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    document = {"version": 1, "entries": as_rows(entries)}
    write_atomic(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode("utf-8"), 0o600)
