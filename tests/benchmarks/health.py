# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""A health sweep against its own slowest answer, and our one call against a loop of ansible.builtin.uri tasks."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from tests.benchmarks.measure import BenchError, Row, ansible, playbook, run, say, side_by_side
from tests.run.places import CHECKOUT

__all__ = ["endpoints", "measure", "result_of", "sweep_row", "tasks"]

MODULE = "circleci_server.ops.circleci_health_info"
AIM = 1.2


def measure(rounds: int) -> list[Row]:
    """Rows of the table."""
    say("health: the sweep against its slowest answer")
    sweeps = [result_of(run(_look(), ANSIBLE_CALLBACK_RESULT_FORMAT="json")) for _round in range(rounds)]
    say("health: one call against a loop of uri")
    with tempfile.TemporaryDirectory() as scratch:
        ours, loop = (_write_play(Path(scratch), side) for side in ("ours", "loop"))
        medians = side_by_side([lambda: run(playbook(ours)), lambda: run(playbook(loop))], max(1, rounds // 2))
    count = len(endpoints())
    return [sweep_row(sweeps), Row("health of all services", medians[0], f"uri loop, {count} endpoints", medians[1])]


def sweep_row(sweeps: list[dict[str, Any]]) -> Row:
    """The sweep as the module timed it, against the slowest answer of the same sweep: the median by their ratio."""
    rows = [_row(one) for one in sweeps]
    return sorted(rows, key=lambda row: row.ratio)[len(rows) // 2]


def _row(one: dict[str, Any]) -> Row:
    slowest = one["slowest"]
    seconds = max(slowest["latency_ms"], 1) / 1000
    return Row("health sweep, everything", one["seconds"], f"its slowest ({slowest['name']})", seconds, AIM)


def result_of(output: str) -> dict[str, Any]:
    """The result in what `ansible` prints for one host."""
    _head, arrow, text = output.partition(" => ")
    start = text.find("{")
    if not arrow or start < 0:
        raise BenchError(f"no result in: {output[-300:]}")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text[start:])[0]
    return found


def endpoints() -> list[str]:
    """The addresses that a user would ask by the guide; those of the lab's installation."""
    catalogue = _catalogue()
    return [
        f"http://localhost:{health.port}{health.path}"
        for name, health in catalogue.health_endpoints().items()
        if not catalogue.get(name).condition
    ]


def tasks(side: str) -> list[dict[str, Any]]:
    """What each side does."""
    if side == "ours":
        return [{"name": "Look at everything", MODULE: {}}]
    request = {"url": "{{ item }}", "use_proxy": False, "validate_certs": False, "timeout": 5}
    return [{"name": "Ask one after the other", "ansible.builtin.uri": request, "loop": endpoints()}]


def _look() -> list[str]:
    return ansible("services", MODULE)


def _write_play(folder: Path, side: str) -> Path:
    play = {"name": "Measure", "hosts": "services", "gather_facts": False, "become": True, "tasks": tasks(side)}
    path = folder / f"{side}.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return path


def _catalogue() -> ModuleType:
    path = CHECKOUT / "plugins" / "module_utils" / "_catalogue.py"
    spec = importlib.util.spec_from_file_location("circleci_bench_catalogue", path)
    assert spec is not None and spec.loader is not None
    catalogue = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = catalogue
    spec.loader.exec_module(catalogue)
    return catalogue
