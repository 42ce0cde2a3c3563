# Tests of _package_locks: who holds a lock, asked of the kernel with real processes.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.circleci_server.ops.plugins.module_utils._package_locks import (
    Holder,
    command_of,
    first_holder,
    lock_error,
)

HOLD = """
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print(flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Another process holds the lock, as dpkg does."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        yield process.pid
        process.stdin.close()


def test_the_holder_of_a_lock_is_named(tmp_path: Path) -> None:
    free, taken = tmp_path / "free", tmp_path / "taken"
    free.touch()
    with held(taken) as pid:
        holder = first_holder([str(tmp_path / "missing"), str(free), str(taken)])
        assert holder is not None
        assert (holder.pid, holder.path) == (pid, str(taken))
        assert holder.command.endswith(str(taken)) or len(holder.command) == 160
        assert str(holder) == f"pid {pid} ({holder.command}), which holds {taken}"
        assert holder.as_row() == {"pid": pid, "command": holder.command, "path": str(taken)}
    assert first_holder([str(taken)]) is None


def test_a_pid_file_counts_while_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "dnf.pid"
    assert first_holder([], [str(path)]) is None
    path.write_text("no number")
    assert first_holder([], [str(path)]) is None
    path.write_text("999999999\n")
    assert first_holder([], [str(path)]) is None
    path.write_text(f"{os.getpid()}\n")
    assert first_holder([], [str(path)]) == Holder(os.getpid(), command_of(os.getpid()), str(path))


def test_a_process_that_is_gone_has_an_unknown_command() -> None:
    assert command_of(999999999) == "unknown"


def test_the_error_names_option_holder_and_remedy() -> None:
    assert str(lock_error(Holder(7, "apt-get upgrade", "/var/lib/dpkg/lock"), 600)) == (
        "lock_timeout = 600: another program works on this host's packages: pid 7 (apt-get upgrade), which holds "
        "/var/lib/dpkg/lock. Wait until it has ended and run again, or raise lock_timeout (seconds)."
    )
