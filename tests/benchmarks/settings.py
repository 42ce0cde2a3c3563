# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""60 settings of Replicated: one call of replicated_settings against one `replicatedctl app-config set` for each."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.measure import BenchError, Row, playbook, run, say, side_by_side
from tests.lab import access, topology
from tests.lab import shell as lab_shell
from tests.run.places import CHECKOUT

__all__ = ["COUNT", "commands", "items", "measure", "options"]

MODULE = "circleci_server.ops.replicated_settings"
PROGRAM = "/usr/local/bin/replicatedctl"
PAGE = CHECKOUT / "tests" / "lab" / "replicated" / "items.json"
COUNT = 60
# GitHub's address never changes on a living installation, so these two are left alone.
LEFT_ALONE = ("ghe_type", "ghe_domain")
FOLDER = "/var/tmp/circleci-server-ops-bench-settings"
PENDING = "/var/lib/circleci_server_ops/pending.json"
STATE = "/var/lib/replicated/replicated.state"

TEXT = "benchmark value {{ bench_value }}"
ENCODED = "{{ ('benchmark value ' ~ bench_value) | b64encode }}"
BOOLEAN = "{{ (bench_value | int) % 2 == 1 }}"
Item = dict[str, Any]


def measure(rounds: int) -> list[Row]:
    """Rows of the table: nothing to change, and everything to change."""
    chosen = items()
    few = max(1, rounds // 3)  # the loop takes long
    with _as_it_was(), tempfile.TemporaryDirectory() as scratch:
        values = itertools.count(2)
        ours = _write_play(Path(scratch), "ours", [{"name": "One call", MODULE: options(chosen)}])
        loop = _write_play(Path(scratch), "loop", [_loop(chosen)])

        def played(play: Path, value: int) -> None:
            run(playbook(play, "-e", json.dumps({"bench_value": value})))

        say(f"{COUNT} settings: one call against a loop of app-config set")
        same = side_by_side([lambda: played(ours, 1), lambda: played(loop, 1)], few)
        new = side_by_side([lambda: played(ours, next(values)), lambda: played(loop, next(values))], few)
    return [
        Row(f"{COUNT} settings, nothing to change", same[0], "app-config set loop", same[1]),
        Row(f"{COUNT} settings, all to change", new[0], "app-config set loop", new[1]),
    ]


def items() -> list[Item]:
    """The items that are set, as the lab's settings page has them."""
    groups = json.loads(PAGE.read_text(encoding="utf-8"))["groups"]
    found = [item for group in groups for item in group["items"] if item["name"] not in LEFT_ALONE]
    if len(found) < COUNT:
        raise BenchError(f"{PAGE} has {len(found)} items that can be set, {COUNT} are measured")
    return found[:COUNT]


def options(chosen: list[Item]) -> dict[str, Any]:
    """The options of our call; the values are templates over `bench_value`."""
    given: dict[str, Any] = {name: {} for name in ("settings", "secret_settings", "files", "secret_files")}
    for item in chosen:
        secret = "secret_" if item.get("hidden") or item["type"] == "password" else ""
        if item["type"] == "file":
            value: Any = {"content": TEXT, "name": item["name"]}
            option = secret + "files"
        else:
            value = BOOLEAN if item["type"] == "bool" else TEXT
            option = secret + "settings"
        given[option][item["name"]] = [value] if item.get("multiple") else value
    return {**given, "owner": "benchmark", "fixed_items": [], "hostname_items": []}


def commands(chosen: list[Item]) -> list[list[str]]:
    """What a user would run instead, for the same values."""
    return [[PROGRAM, "app-config", "set", item["name"], *_flags(item)] for item in chosen]


def _flags(item: Item) -> list[str]:
    if item["type"] == "file":
        return ["--value", item["name"], "--data", ENCODED]
    return ["--value", "{{ (bench_value | int) % 2 }}" if item["type"] == "bool" else TEXT]


def _loop(chosen: list[Item]) -> dict[str, Any]:
    return {
        "name": "An item at a time",
        "ansible.builtin.command": {"argv": "{{ item }}"},
        "loop": commands(chosen),
        "loop_control": {"label": "{{ item[3] }}"},
    }


def _write_play(folder: Path, side: str, tasks: list[dict[str, Any]]) -> Path:
    play = {"name": "Measure", "hosts": "services", "gather_facts": False, "become": True, "tasks": tasks}
    path = folder / f"{side}.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return path


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Afterwards the settings are as before (an import cannot unset one), and what they would owe is forgotten."""
    keep = f"mkdir -p -m 0700 {FOLDER}; [ ! -e {PENDING} ] || cp -p {PENDING} {FOLDER}/pending.json"
    _on_services(f"{keep}; cp -p {STATE} {FOLDER}/state")
    try:
        yield
    finally:
        _on_services(f"systemctl stop replicated; cp -p {FOLDER}/state {STATE}; systemctl start replicated")
        _on_services(f"timeout 120 sh -c 'until {PROGRAM} app status >/dev/null 2>&1; do sleep 0.2; done'")
        _on_services(f"rm -f {PENDING}; [ ! -e {FOLDER}/pending.json ] || mv {FOLDER}/pending.json {PENDING}")
        _on_services(f"rm -rf {FOLDER}")


def _on_services(script: str) -> None:
    host = topology.load().in_role("application")
    lab_shell.run([*access.ssh(host), "sudo -n sh -es"], stdin=script.encode())
