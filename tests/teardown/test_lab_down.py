# `make lab-down` leaves nothing, also after a start that was killed. The last tests: they take the lab away.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.engine import CGROUP
from tests.lab.hosts import BRIDGE
from tests.lab.places import CHECKOUT, RUN, STATE

MARK = "circleci-server-ops-lab"
LAB = [sys.executable, "-m", "tests.lab"]


def traces() -> list[str]:
    """All that the lab may leave on the machine: mounts, processes, links, control groups, folders."""
    mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    found = [f"mount {line}" for line in mounts if MARK in line]
    found += [f"process {command}" for command in _processes() if MARK in command or "mmdebstrap" in command]
    found += [f"link {path.name}" for path in Path("/sys/class/net").iterdir() if path.name == BRIDGE]
    found += [f"control group {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{CGROUP}")]
    found += [f"folder {path}" for path in (RUN, STATE) if path.exists()]
    return found


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the two looks
    return found


def down() -> None:
    subprocess.run([*LAB, "down"], cwd=CHECKOUT, check=True, stdin=subprocess.DEVNULL)


def test_down_takes_the_standing_lab_away() -> None:
    down()
    assert traces() == []


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0])
def test_down_after_a_start_that_was_killed(seconds: float) -> None:
    start = subprocess.Popen([*LAB, "up"], cwd=CHECKOUT, stdin=subprocess.DEVNULL, start_new_session=True)
    with pytest.raises(subprocess.TimeoutExpired):
        start.wait(timeout=seconds)
    os.killpg(start.pid, signal.SIGKILL)
    start.wait()
    assert traces() != [], "the start was killed before it had begun"
    down()
    assert traces() == []
