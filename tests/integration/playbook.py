# Runs playbooks against the lab for the tests, and reads what happened from the record callback.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab"
DEPRECATION = "[DEPRECATION WARNING]"


@dataclass(frozen=True)
class Outcome:
    """A finished run: exit code, all output, and one row a task result."""

    rc: int
    output: str
    rows: list[dict[str, Any]]

    def changed(self) -> set[tuple[str, str]]:
        """The (host, task) pairs that reported a change."""
        return {(row["host"], row["task"]) for row in self.rows if row["changed"]}

    def failures(self) -> dict[str, str]:
        """The message of each host that failed or was unreachable."""
        return {row["host"]: row["msg"] for row in self.rows if row["status"] in ("failed", "unreachable")}

    def module_runs(self) -> Counter[str]:
        """How many modules ran on each host."""
        return Counter(row["host"] for row in self.rows if row["module_run"])


class Playbook:
    """A playbook run under way. With kill_at ("HOST|TASK") it is killed when that task has reported."""

    def __init__(
        self, directory: Path, playbook: str, *arguments: str, inventory: Path = INVENTORY, kill_at: str = ""
    ) -> None:
        self.record = directory / f"record-{len(list(directory.iterdir()))}.jsonl"
        self.record.touch()
        self.log = self.record.with_suffix(".log")
        command = [program("ansible-playbook"), "-i", str(inventory), str(ROOT / "playbooks" / playbook), *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment(self.record), RECORD_KILL_AT=kill_at),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text(encoding="utf-8").splitlines()]

    def wait(self, timeout: float = 900) -> Outcome:
        rc = self.process.wait(timeout=timeout)
        output = self.log.read_text(encoding="utf-8", errors="replace")
        assert DEPRECATION not in output, f"a deprecation warning:\n{output}"
        return Outcome(rc, output, self.rows())


def program(name: str) -> str:
    """A program of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def environment(record: Path) -> dict[str, str]:
    """The caller's environment, with the checkout's collection and the record callback."""
    return dict(
        os.environ,
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "integration" / "callback_plugins"),
        ANSIBLE_CALLBACKS_ENABLED="record",
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"),
        ANSIBLE_NOCOLOR="1",
        RECORD_FILE=str(record),
    )
