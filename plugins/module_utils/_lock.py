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
from typing import Any, Dict, Iterator

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

LOCK_FILE = "/run/circleci_server_ops/lock"
# flock has no deadline of its own, so a held lock is asked for again in this many seconds.
RETRY_SECONDS = 0.2


@contextlib.contextmanager
def host_lock(command: str, timeout: float = 600, path: str = LOCK_FILE) -> Iterator[None]:
    """Hold the host's lock.

    command: what the holder is doing, shown to whoever waits in vain.
    timeout: seconds to wait for another holder (default 600).
    Raises OpsError naming the holder's pid, command and since when. A dead holder's lock is free at once: it is a
    flock, and the text in the file counts for nothing but the message.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path, timeout)
        _describe(descriptor, command)
        yield
    finally:
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
            holder = _holder(path)
            raise OpsError(
                "another run works on this host: pid {0}, {1}, since {2}".format(
                    holder.get("pid", "unknown"), holder.get("command", "unknown"), holder.get("since", "unknown")
                ),
                option="lock_timeout",
                value=timeout,
                remedy="Wait until it has ended and run again, or raise lock_timeout (seconds)",
            )
        time.sleep(RETRY_SECONDS)


def _describe(descriptor: int, command: str) -> None:
    holder = {"pid": os.getpid(), "command": command, "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode("utf-8"), 0)


def _holder(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
