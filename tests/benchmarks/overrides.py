# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""One override for each of the 22 services: our one call, against ping and against a lineinfile loop."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.measure import Row, ansible, playbook, run, say, side_by_side
from tests.lab import access, topology
from tests.lab import shell as lab_shell
from tests.run.places import CHECKOUT

__all__ = ["measure"]

MODULE = "circleci_server.ops.circleci_customization"
KEY = "CIRCLE__BENCHMARK"
# Written beside the real files, so that no service is touched.
FOLDER = "/var/tmp/circleci-server-ops-bench"
PENDING = "/var/lib/circleci_server_ops/pending.json"


def measure(rounds: int) -> list[Row]:
    """Rows of the table: nothing to change, and everything to change."""
    names = _services()
    with _place(names), tempfile.TemporaryDirectory() as scratch:
        values = itertools.count()
        plays = {side: _write_play(Path(scratch), side, names) for side in ("ours", "loop")}

        def ours_alone(value: str) -> None:
            run(ansible("services", MODULE, json.dumps(_options(names, value))))

        def played(side: str, value: str) -> None:
            run(playbook(plays[side], "-e", json.dumps({"bench_value": value})))

        say(f"overrides of {len(names)} services: one call against ping, nothing to change")
        ping = ansible("services", "ping")
        alone = side_by_side([lambda: ours_alone("same"), lambda: run(ping)], rounds)
        say(f"overrides of {len(names)} services: one call against a lineinfile loop")
        same = side_by_side(_both(played, lambda: "same"), max(1, rounds // 2))
        new = side_by_side(_both(played, lambda: f"value {next(values)}"), max(1, rounds // 2))
    count = f"{len(names)} services' overrides"
    return [
        Row(f"{count}, nothing to change", alone[0], "ping", alone[1], 1.5),
        Row(f"{count}, nothing to change", same[0], "lineinfile loop", same[1]),
        Row(f"{count}, all to change", new[0], "lineinfile loop", new[1]),
    ]


def _both(played: Callable[[str, str], None], value: Callable[[], str]) -> list[Callable[[], None]]:
    return [lambda: played("ours", value()), lambda: played("loop", value())]


def _services() -> list[str]:
    path = CHECKOUT / "plugins" / "module_utils" / "_catalogue.py"
    spec = importlib.util.spec_from_file_location("circleci_bench_catalogue", path)
    assert spec is not None and spec.loader is not None
    catalogue = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = catalogue
    spec.loader.exec_module(catalogue)
    return sorted(catalogue.override_directories())


def _options(names: list[str], value: str) -> dict[str, Any]:
    return {
        "services": {name: {KEY: value} for name in names},
        "owner": "benchmark",
        "config_dir": f"{FOLDER}/ours",
        "installation_file": f"{FOLDER}/installation-customizations",
    }


def _write_play(folder: Path, side: str, names: list[str]) -> Path:
    value = "{{ bench_value }}"
    ours = {"name": "One call", MODULE: _options(names, value)}
    loop = {
        "name": "A line at a time",
        "ansible.builtin.lineinfile": {
            "path": f"{FOLDER}/loop/{{{{ item }}}}/customizations",
            "regexp": f"^export {KEY}=",
            "line": f"export {KEY}='{value}'",
            "create": True,
            "mode": "0644",
        },
        "loop": names,
    }
    play = {
        "name": "Measure",
        "hosts": "services",
        "gather_facts": False,
        "become": True,
        "tasks": [ours if side == "ours" else loop],
    }
    path = folder / f"{side}.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return path


@contextmanager
def _place(names: list[str]) -> Iterator[None]:
    """Folders for the measured files; afterwards they are gone, and what they would owe is forgotten."""
    folders = " ".join(f"{FOLDER}/loop/{name}" for name in names)
    _on_services(f"mkdir -p {folders} {FOLDER}/ours; [ ! -e {PENDING} ] || cp -p {PENDING} {FOLDER}/pending.json")
    try:
        yield
    finally:
        _on_services(f"rm -f {PENDING}; [ ! -e {FOLDER}/pending.json ] || mv {FOLDER}/pending.json {PENDING}")
        _on_services(f"rm -rf {FOLDER}")


def _on_services(script: str) -> None:
    host = topology.load().in_role("application")
    lab_shell.run([*access.ssh(host), "sudo -n sh -es"], stdin=script.encode())
