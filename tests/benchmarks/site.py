# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""A second site.yml, which changes nothing, against `setup` on the same hosts; and where its time goes."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import INVENTORY, BenchError, Row, ansible, playbook, run, side_by_side
from tests.run.places import CHECKOUT

__all__ = ["Profile", "measure", "profile"]

SITE = CHECKOUT / "playbooks" / "site.yml"
CALLBACKS = (
    CHECKOUT / "tests" / "benchmarks" / "callback_plugins",
    CHECKOUT / "tests" / "integration" / "callback_plugins",
)


@dataclass(frozen=True)
class Profile:
    """One run of site.yml: module runs of each host, seconds of each task, and what it changed."""

    module_runs: Counter[str]
    tasks: list[tuple[str, float]]
    changed: list[str]

    def slowest(self, count: int = 8) -> list[list[str]]:
        """Rows of a table, the rest summed up."""
        ranked = sorted(self.tasks, key=lambda item: -item[1])
        rows = [[name, f"{seconds:.2f}"] for name, seconds in ranked[:count]]
        rest = ranked[count:]
        return [*rows, [f"{len(rest)} more tasks", f"{sum(seconds for _name, seconds in rest):.2f}"]]


def profile(*arguments: str, inventory: Path = INVENTORY) -> Profile:
    """Run site.yml once, watched."""
    with tempfile.TemporaryDirectory() as folder:
        record, clock = Path(folder, "record"), Path(folder, "clock")
        record.touch()
        run(
            playbook(SITE, *arguments, inventory=inventory),
            ANSIBLE_CALLBACK_PLUGINS=":".join(map(str, CALLBACKS)),
            ANSIBLE_CALLBACKS_ENABLED="record,clock",
            RECORD_FILE=str(record),
            CLOCK_FILE=str(clock),
        )
        rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
        clocked = [json.loads(line) for line in clock.read_text(encoding="utf-8").splitlines()]
    return Profile(
        Counter(row["host"] for row in rows if row["module_run"]),
        [(row["task"], row["seconds"]) for row in clocked],
        sorted({f"{row['host']}: {row['task']}" for row in rows if row["changed"]}),
    )


def measure(hosts: str, rounds: int, aim: float | None, name: str, inventory: Path = INVENTORY) -> Row:
    """The row of the table. `hosts` is a pattern without spaces; those outside it are left alone."""
    ours = playbook(SITE, "--limit", hosts, inventory=inventory)
    peer = ansible(hosts, "setup", inventory=inventory)
    again = profile("--limit", hosts, inventory=inventory).changed
    if again:
        raise BenchError(f"site.yml changed something, so a run that changes nothing cannot be measured: {again}")
    medians = side_by_side([lambda: run(ours), lambda: run(peer)], rounds)
    return Row(f"second site.yml, {name}", medians[0], "setup", medians[1], aim)
