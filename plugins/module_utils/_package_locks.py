# Says which process holds a lock of the host's package manager. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Holder", "command_of", "first_holder", "lock_error"]

import fcntl
import os
import struct
from typing import Any, Dict, Iterable, NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

# struct flock of 64-bit Linux: type, whence, start, length, pid.
FLOCK = "hhqqi0q"
SHOWN_COMMAND = 160


class Holder(NamedTuple):
    """A process that holds a lock: its id, its command line, and the lock's file."""

    pid: int
    command: str
    path: str

    def __str__(self) -> str:
        return "pid {0} ({1}), which holds {2}".format(self.pid, self.command, self.path)

    def as_row(self) -> Dict[str, Any]:
        return dict(self._asdict())


def first_holder(lock_files: Iterable[str], pid_files: Iterable[str] = ()) -> Optional[Holder]:
    """The process that holds one of these files, or None.

    lock_files: held by fcntl locks (dpkg, apt, rpm). The kernel is asked, nothing is locked here.
    pid_files:  files with the id of a living process (dnf, yum).
    """
    for path in lock_files:
        pid = _fcntl_holder(path)
        if pid:
            return Holder(pid, command_of(pid), path)
    for path in pid_files:
        pid = _written_holder(path)
        if pid:
            return Holder(pid, command_of(pid), path)
    return None


def lock_error(holder: Any, timeout: int) -> OpsError:
    """The error for a lock that another process held until the end of the waiting time."""
    return OpsError(
        "another program works on this host's packages: {0}".format(holder),
        option="lock_timeout",
        value=timeout,
        remedy="Wait until it has ended and run again, or raise lock_timeout (seconds)",
    )


def command_of(pid: int) -> str:
    """The command line of a process, shortened."""
    try:
        with open("/proc/{0}/cmdline".format(pid), "rb") as handle:
            words = handle.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return "unknown"
    return words[:SHOWN_COMMAND] or "unknown"


def _fcntl_holder(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    finally:
        os.close(descriptor)
    return 0 if answer[0] == fcntl.F_UNLCK else int(answer[4])


def _written_holder(path: str) -> int:
    try:
        with open(path, encoding="ascii") as handle:
            pid = int(handle.read().strip())
    except (OSError, ValueError):
        return 0
    return pid if pid > 0 and os.path.exists("/proc/{0}".format(pid)) else 0
