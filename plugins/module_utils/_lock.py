# One lock a host: every changing module of the collection holds it while it works. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["LOCK_FILE", "host_lock"]

import contextlib
import errno
import fcntl
import json
import os
import time
from typing import Any, Dict, Iterator, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

LOCK_FILE = "/run/circleci_server_ops/lock"
# flock has no deadline of its own, so a held lock is asked for again in this many seconds.
RETRY_SECONDS = 0.2
# A lock belongs to an open file: a process that asks twice would wait for itself. Path and process of what is held.
_HELD: Dict[str, int] = {}


@contextlib.contextmanager
def host_lock(command: str, timeout: float = 600, path: str = LOCK_FILE, job: str = "") -> Iterator[None]:
    """Hold the host's lock. A process that holds it already passes, so that a job may call what a module calls.

    command: what the holder is doing, shown to whoever waits in vain.
    timeout: seconds to wait for another holder (default 600). A holder that is a detached job is waited for until its
             own deadline, if that is later.
    job:     the state file of a detached job that takes the lock (_detached.py).
    Raises OpsError naming the holder's pid, command, since when, and a job's phase. A dead holder's lock is free at
    once: it is a flock, and the text in the file counts for nothing but the message and a job's deadline.
    """
    if _HELD.get(path) == os.getpid():
        yield
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path, timeout)
        _describe(descriptor, command, job)
        _HELD[path] = os.getpid()
        yield
    finally:
        if _HELD.get(path) == os.getpid():
            del _HELD[path]
        os.close(descriptor)


def _acquire(descriptor: int, path: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise OpsError("{0} cannot be locked: {1}".format(path, error.strerror)) from error
        if time.monotonic() >= deadline:
            holder = _read(path)
            until, phase = _job(holder)
            if time.monotonic() >= until:
                raise OpsError(
                    "another run works on this host: pid {0}, {1}, since {2}{3}".format(
                        holder.get("pid", "unknown"),
                        holder.get("command", "unknown"),
                        holder.get("since", "unknown"),
                        "; it is at: {0}".format(phase) if phase else "",
                    ),
                    option="lock_timeout",
                    value=timeout,
                    remedy="Wait until it has ended and run again, or raise lock_timeout (seconds)",
                )
        time.sleep(RETRY_SECONDS)


def _describe(descriptor: int, command: str, job: str) -> None:
    holder = {"pid": os.getpid(), "command": command, "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "job": job}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode("utf-8"), 0)


def _job(holder: Dict[str, Any]) -> Tuple[float, str]:
    """A detached holder's own deadline (of the kernel's monotonic clock) and its phase; 0 for any other holder."""
    state = _read(holder["job"]) if holder.get("job") else {}
    if state.get("pid") != holder.get("pid"):
        return 0.0, ""
    return float(state.get("deadline", 0.0)), str(state.get("phase", ""))


def _read(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
