# Tests of _lock: one holder, a deadline that names it, a dead holder's lock is free.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock


def _hold(path: str, held: Event, release: Event) -> None:
    with host_lock("a long job", path=path):
        held.set()
        release.wait(30)


def _holder(path: str) -> tuple[multiprocessing.Process, Event]:
    held, release = multiprocessing.Event(), multiprocessing.Event()
    process = multiprocessing.Process(target=_hold, args=(path, held, release))
    process.start()
    assert held.wait(10)
    return process, release


def test_waiting_in_vain_names_the_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "run" / "lock")
    process, release = _holder(path)
    with pytest.raises(OpsError) as caught, host_lock("me", timeout=0, path=path):
        pass
    release.set()
    process.join()
    expected = r"lock_timeout = 0: another run works on this host: pid {0}, a long job, since \d{{4}}-".format(
        process.pid
    )
    assert re.search(expected, str(caught.value))
    assert "raise lock_timeout" in str(caught.value)


def test_a_released_lock_is_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    process, release = _holder(path)
    release.set()
    with host_lock("me", timeout=30, path=path):
        process.join()
    assert process.exitcode == 0


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    process, _release = _holder(path)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with host_lock("me", timeout=0, path=path):
        assert str(os.getpid()) in Path(path).read_text(encoding="utf-8")


def test_an_unreadable_holder_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process, release = _holder(str(path))
    path.write_text("no json", encoding="utf-8")
    with pytest.raises(OpsError, match="pid unknown, unknown, since unknown"), host_lock("me", 0, str(path)):
        pass
    release.set()
    process.join()


def test_a_process_that_holds_it_passes(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with host_lock("a job", path=path):
        with host_lock("a module's library in it", timeout=0, path=path):
            pass
        assert "a job" in Path(path).read_text(encoding="utf-8")
        assert _refused(path), "the inner one has not let it go"
    assert not _refused(path)


def _refused(path: str) -> bool:
    """Whether another process is refused the lock."""
    process = multiprocessing.get_context("fork").Process(target=_try, args=(path,))
    process.start()
    process.join()
    return process.exitcode == 1


def _try(path: str) -> None:
    try:
        with host_lock("another", timeout=0, path=path):
            os._exit(0)
    except OpsError:
        os._exit(1)


@pytest.mark.parametrize("state", ["{", '{"pid": 1, "deadline": 9e9}', "[]"], ids=["broken", "another's", "no state"])
def test_a_job_state_that_is_not_the_holders_counts_for_nothing(tmp_path: Path, state: str) -> None:
    (tmp_path / "job.json").write_text(state, encoding="utf-8")
    path = str(tmp_path / "lock")
    process, release = _holder(path)
    Path(path).write_text(
        '{{"pid": {0}, "command": "c", "since": "s", "job": "{1}"}}'.format(process.pid, tmp_path / "job.json"),
        encoding="utf-8",
    )
    with pytest.raises(OpsError, match="pid {0}, c, since s. Wait".format(process.pid)), host_lock("me", 0, path):
        pass
    release.set()
    process.join()
