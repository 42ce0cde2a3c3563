# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The runner: order, counts, what is said of a failure, and what a signal does."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.run import __main__ as command
from tests.run import part as part_module
from tests.run import suite as suite_module
from tests.run.part import Outcome, Part
from tests.run.places import environment
from tests.run.plans import PLANS
from tests.run.suite import Stopped, Suite, summary

JUNIT = '<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/></testsuites>'


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Logs in a folder of the test."""
    for module in (part_module, suite_module, command):
        monkeypatch.setattr(module, "LOGS", tmp_path)
    return tmp_path


def run(*parts: Part) -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in Suite(parts).run()}


def shell(name: str, text: str, needs: tuple[str, ...] = (), lab: bool = False) -> Part:
    return Part(name, ("sh", "-c", text), needs=needs, lab=lab)


def ends(pid: int, within: float = 30) -> bool:
    """True when a process, anybody's child, is at its end or comes to it in time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


def test_a_part_waits_for_what_it_needs(tmp_path: Path) -> None:
    done = run(shell("second", f"test -e {tmp_path}/made", ("first",)), shell("first", f"touch {tmp_path}/made"))
    assert (done["first"].passed, done["second"].passed) == (1, 1)


def test_a_failure_stops_only_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(shell("bad", "echo the reason; exit 3"), shell("after", "true", ("bad",)), shell("other", "true"))
    assert (done["bad"].failed, done["bad"].why) == (1, "exit code 3")
    assert (done["after"].failed, done["after"].why) == (1, "not run, since bad failed")
    assert done["other"].passed == 1
    assert "    | the reason" in capsys.readouterr().out


def test_two_parts_never_share_the_lab(tmp_path: Path) -> None:
    once = f"mkdir {tmp_path}/busy && rmdir {tmp_path}/busy"
    done = run(*(shell(f"part-{number}", once, lab=True) for number in range(4)))
    assert not any(outcome.failed for outcome in done.values())


def test_a_part_without_its_path_is_told() -> None:
    absent = Part("later", ("false",), wants="no/such/path")
    done = run(absent)
    assert (done["later"].passed, done["later"].failed) == (0, 0)
    assert done["later"].why == "nothing to run: no/such/path is not there"


def test_single_tests_are_counted(logs: Path) -> None:
    writes = f"echo '{JUNIT}' > {logs}/tests.xml; exit 1"
    done = run(Part("tests", ("sh", "-c", writes), counted=True))
    assert (done["tests"].passed, done["tests"].failed, done["tests"].skipped) == (5, 2, 2)


def test_a_run_without_a_test_fails() -> None:
    done = run(Part("tests", ("true",), counted=True))
    assert (done["tests"].failed, done["tests"].why) == (1, "it ran no test")


def test_a_part_over_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    child = f"sleep 600 & echo $! > {tmp_path}/pid; wait"
    done = run(Part("slow", ("sh", "-c", child), limit=3))
    assert (done["slow"].failed, done["slow"].why) == (1, "stopped after its limit of 3 s")
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_signal_ends_the_parts_and_goes_on() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    suite_module.catch_signals()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    begun = time.monotonic()
    try:
        with pytest.raises(Stopped, match="stopped by SIGTERM"):
            run(shell("long", "sleep 600"))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert time.monotonic() - begun < 60


def test_the_summary_ends_with_the_counts() -> None:
    outcomes = [Outcome("quick", 1.0, 1, 0), Outcome("slow", 9.0, 40, 2, skipped=3), Outcome("mid", 5.0, 0, 1)]
    lines = summary(outcomes).splitlines()
    assert lines[1] == "Seconds of each part, slowest first"
    assert [line.split()[1] for line in lines[2:5]] == ["slow", "mid", "quick"]
    assert lines[-2:] == ["Failed: slow, mid", "41 passed, 3 failed, 3 skipped"]


def test_a_deprecation_in_any_log_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "catch_signals", lambda: None)
    monkeypatch.setitem(PLANS, "try", [shell("says", "echo '[DEPRECATION " + "WARNING]: old'")])
    assert command.main(["try"]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == ["Failed: deprecations", "1 passed, 1 failed"]


def test_every_need_of_a_plan_is_in_the_plan() -> None:
    for name, parts in PLANS.items():
        known = {part.name for part in parts}
        assert len(known) == len(parts), name
        assert {need for part in parts for need in part.needs} <= known, name


def test_an_unknown_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["tset"]) == 2
    assert "a plan is one of: check, lint" in capsys.readouterr().err


def test_parts_run_with_our_tools() -> None:
    assert str(Path(sys.executable).parent) in environment()["PATH"]
