# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""python -m tests.run PLAN: run a plan, take down what it started, print the counts. Exit code 1: something failed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.run.part import Outcome
from tests.run.places import CHECKOUT, LOGS, environment
from tests.run.plans import LAB_UP, PLANS
from tests.run.suite import Stopped, Suite, catch_signals, summary

__all__ = ["main"]

DEPRECATION = "[DEPRECATION WARNING]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the plan that the first argument names."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1 or given[0] not in PLANS:
        print(f"usage: python -m tests.run PLAN; a plan is one of: {', '.join(PLANS)}", file=sys.stderr)
        return 2
    catch_signals()
    shutil.rmtree(LOGS, ignore_errors=True)
    parts = PLANS[given[0]]
    take_down = LAB_UP in parts and (_in_ci() or not _lab_is_up())
    suite = Suite(parts)
    stopped = ""
    try:
        suite.run()
    except Stopped as signal_name:
        stopped = str(signal_name)
    finally:
        if take_down:
            suite.outcomes.append(_lab_down())
    outcomes = [*suite.outcomes, *_deprecations()]
    print(summary(outcomes), flush=True)
    if stopped:
        print(stopped, file=sys.stderr)
    return 1 if stopped or any(outcome.failed for outcome in outcomes) else 0


def _in_ci() -> bool:
    return os.environ.get("CI") == "true"


def _lab(command: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.lab", command]
    return subprocess.run(
        argv,
        cwd=CHECKOUT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _lab_is_up() -> bool:
    """True when somebody started the lab before us; then it is theirs to end."""
    return _lab("status").returncode == 0


def _lab_down() -> Outcome:
    begun = time.monotonic()
    done = _lab("down")
    seconds = time.monotonic() - begun
    good = done.returncode == 0
    print(f"[{seconds:5.1f} s] {'ok' if good else 'FAILED':6} lab-down", flush=True)
    if not good:
        print(done.stdout, flush=True)
    return Outcome("lab-down", seconds, int(good), int(not good))


def _deprecations() -> list[Outcome]:
    """Any deprecation that Ansible told in any log is a failure: it is an error of the next ansible-core."""
    logs = [path for path in LOGS.rglob("*") if path.is_file()]
    found = [(path, line) for path in logs for line in _lines(path) if DEPRECATION in line]
    for path, line in found:
        print(f"          {path}: {line}", flush=True)
    return [Outcome("deprecations", 0.0, 0, 1)] if found else [Outcome("deprecations", 0.0, 1, 0)]


def _lines(path: os.PathLike[str]) -> list[str]:
    with open(path, errors="replace") as text:
        return text.read().splitlines()


if __name__ == "__main__":
    sys.exit(main())
