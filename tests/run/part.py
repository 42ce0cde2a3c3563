# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""One part of a plan: a command with its log, its limits, and how its tests are counted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.run.places import CHECKOUT, LOGS, environment

__all__ = ["Outcome", "Part", "Running"]

GRACE = 20  # seconds that a part gets to clean up after SIGTERM


@dataclass(frozen=True)
class Part:
    """A command that passes or fails.

    needs:   parts that must have passed before.
    lab:     it works on the lab, so it runs alone there.
    counted: it writes LOGS/NAME.xml (JUnit), whose tests are counted; otherwise the part counts as one.
    wants:   a path without which there is nothing to run.
    shown:   its output is what the person wants to see, so it is printed at its end.
    """

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    lab: bool = False
    counted: bool = False
    wants: str = ""
    shown: bool = False
    limit: int = 900
    env: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return LOGS / f"{self.name}.log"

    @property
    def junit(self) -> Path:
        """Where it tells its single tests."""
        return LOGS / f"{self.name}.xml"

    @property
    def absent(self) -> bool:
        """True when what it would run is not there."""
        return bool(self.wants) and not (CHECKOUT / self.wants).exists()


@dataclass(frozen=True)
class Outcome:
    """What a part left."""

    name: str
    seconds: float
    passed: int
    failed: int
    skipped: int = 0
    why: str = ""


class Running:
    """A part under way, in a process group of its own."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.begun = time.monotonic()
        self._stopped = False
        part.junit.unlink(missing_ok=True)
        with part.log.open("wb") as log:
            self._process = subprocess.Popen(
                part.argv,
                cwd=CHECKOUT,
                env={**environment(), **part.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun

    def wait(self) -> Outcome:
        """Wait for its end, or end it when its time is over."""
        why = ""
        try:
            code = self._process.wait(self.part.limit)
        except subprocess.TimeoutExpired:
            why = f"stopped after its limit of {self.part.limit} s"
            self.stop()
            code = 1
        if self._stopped and not why:
            why = "stopped"
        return self._outcome(code, why)

    def stop(self) -> None:
        """SIGTERM to its whole group, SIGKILL when that does not help."""
        self._stopped = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(GRACE)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def _outcome(self, code: int, why: str) -> Outcome:
        passed, failed, skipped = _junit_counts(self.part.junit) if self.part.counted else (0, 0, 0)
        if code and not failed:
            failed = 1
            why = why or f"exit code {code}"
        if not code and not self.part.counted:
            passed = 1
        if not code and self.part.counted and passed + failed == 0:
            failed, why = 1, "it ran no test"
        return Outcome(self.part.name, self.seconds, passed, failed, skipped, why)


def _junit_counts(path: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of a JUnit file; nothing when it was not written."""
    if not path.exists():
        return 0, 0, 0
    total = failed = skipped = 0
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return max(total - failed - skipped, 0), failed, skipped
