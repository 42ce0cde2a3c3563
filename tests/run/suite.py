# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Runs the parts of a plan, some side by side, shows their progress, and ends with the counts."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Sequence
from types import FrameType

from tests.run.part import Outcome, Part, Running
from tests.run.places import LOGS

__all__ = ["Stopped", "Suite", "catch_signals", "summary"]

BESIDE = 2  # parts at once
HEARTBEAT = 30  # seconds between two signs of life
TAIL = 60  # lines that are shown of a part that failed


class Stopped(Exception):
    """Somebody asked the run to end."""


def catch_signals() -> None:
    """SIGTERM and SIGHUP end the run as Ctrl-C does: what was started is taken down."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(f"stopped by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


class Suite:
    """A plan under way."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._waiting = list(parts)
        self._running: dict[str, Running] = {}
        self._ended: queue.Queue[Outcome] = queue.Queue()
        self.outcomes: list[Outcome] = []

    def run(self) -> list[Outcome]:
        """Run everything; a failure does not stop the rest. On a signal, end what runs and pass the signal on."""
        LOGS.mkdir(exist_ok=True)
        try:
            while self._waiting or self._running:
                self._start_ready()
                self._take_one()
        except Stopped:
            self._stop_all()
            raise
        return self.outcomes

    def _start_ready(self) -> None:
        for part in list(self._waiting):
            blocker = self._blocker(part)
            if part.absent:
                self._settle(part, f"nothing to run: {part.wants} is not there", failed=0)
            elif blocker:
                self._settle(part, f"not run, since {blocker} failed", failed=1)
            elif self._may_start(part):
                self._start(part)

    def _settle(self, part: Part, why: str, failed: int) -> None:
        """End a part that never ran."""
        self._waiting.remove(part)
        self._note(Outcome(part.name, 0.0, 0, failed, 0, why))

    def _blocker(self, part: Part) -> str:
        return next((done.name for done in self.outcomes if done.name in part.needs and done.failed), "")

    def _may_start(self, part: Part) -> bool:
        open_parts = {item.name for item in self._waiting} | set(self._running)
        if open_parts & set(part.needs) or len(self._running) >= BESIDE:
            return False
        return not (part.lab and any(running.part.lab for running in self._running.values()))

    def _start(self, part: Part) -> None:
        self._waiting.remove(part)
        running = Running(part)
        self._running[part.name] = running
        threading.Thread(target=lambda: self._ended.put(running.wait()), daemon=True).start()
        _say(f"          started {part.name}")

    def _take_one(self) -> None:
        """Wait until a part ends; say what is under way meanwhile."""
        if not self._running:
            return
        try:
            outcome = self._ended.get(timeout=HEARTBEAT)
        except queue.Empty:
            under_way = [f"{name} {running.seconds:.0f} s" for name, running in self._running.items()]
            _say(f"          running {', '.join(under_way)}; {len(self._waiting)} to come")
            return
        running = self._running.pop(outcome.name)
        self._note(outcome)
        if outcome.failed:
            _say(_tail(running.part))
        elif running.part.shown:
            _say(running.part.log.read_text(errors="replace"))

    def _note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        verdict = "FAILED" if outcome.failed else "ok" if outcome.passed else "--"
        counts = f" {outcome.passed} passed, {outcome.failed} failed" if outcome.passed + outcome.failed > 1 else ""
        counts += f", {outcome.skipped} skipped" if outcome.skipped else ""
        why = f" ({outcome.why})" if outcome.why else ""
        _say(f"[{outcome.seconds:5.1f} s] {verdict:6} {outcome.name}{counts}{why}")

    def _stop_all(self) -> None:
        for running in self._running.values():
            running.stop()


def _say(text: str) -> None:
    print(text, flush=True)


def _tail(part: Part) -> str:
    lines = part.log.read_text(errors="replace").splitlines()
    shown = [f"    | {line}" for line in lines[-TAIL:]]
    left = f"    | ... {len(lines) - TAIL} lines before\n" if len(lines) > TAIL else ""
    return left + "\n".join(shown) + f"\n    `-- whole output: {part.log}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """Seconds of each part, what failed, and the counts as the last line."""
    lines = ["", "Seconds of each part, slowest first"]
    for outcome in sorted(outcomes, key=lambda item: -item.seconds):
        lines.append(f"  {outcome.seconds:7.1f}  {outcome.name}")
    failed = [outcome.name for outcome in outcomes if outcome.failed]
    if failed:
        lines.append(f"Failed: {', '.join(failed)}")
    skipped = sum(outcome.skipped for outcome in outcomes)
    counts = f"{sum(item.passed for item in outcomes)} passed, {sum(item.failed for item in outcomes)} failed"
    return "\n".join([*lines, counts + (f", {skipped} skipped" if skipped else "")])
