# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The plans: which parts `make check`, `make test` and the others run, in the order in which they should start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tests.run.core_venv import place
from tests.run.part import Part
from tests.run.places import LOGS

__all__ = ["LAB_UP", "PLANS"]

PYTHON = sys.executable
QUICK = ("-m", "not full")


def _gate(name: str, *argv: str, needs: tuple[str, ...] = ()) -> Part:
    return Part(name, argv, needs=needs, limit=600)


def _our_gate(name: str, needs: tuple[str, ...] = ()) -> Part:
    return _gate(name, PYTHON, "-m", f"tests.gates.{name.replace('-', '_')}", needs=needs)


def _pytest(name: str, *arguments: str) -> tuple[str, ...]:
    """pytest with a JUnit file where the runner looks for it."""
    return PYTHON, "-m", "pytest", "-q", "-o", "junit_family=xunit2", f"--junitxml={LOGS / name}.xml", *arguments


LINT = [
    _gate("ansible-lint", "ansible-lint", "--offline"),
    _gate("mypy", "mypy", "-p", "ansible_collections.circleci_server.ops.plugins", "-p", "tests.lab", "-p", "tests.run",
          "-p", "tests.gates", "-p", "tests.integration"),
    _gate("ruff", "ruff", "check", "."),
    _gate("ruff-format", "ruff", "format", "--check", "."),
    _gate("vermin", "vermin", "--target=3.8-", "--violations", "--no-tips", "plugins/modules", "plugins/module_utils"),
    _gate("yamllint", "yamllint", "--strict", "."),
    _gate("reuse", "reuse", "lint"),
    _gate("changelog", "antsibull-changelog", "lint"),
    _gate("plugin-docs", "antsibull-docs", "lint-collection-docs", "--plugin-docs", "."),
    _our_gate("house-rules"),
    _our_gate("role-docs"),
    _our_gate("reference"),
    _our_gate("health-docs"),
    _our_gate("coverage-rows"),
]  # fmt: skip
SANITY = _our_gate("sanity")
BUILD = _gate("build", PYTHON, "-m", "tests.gates.build")
GALAXY = _our_gate("galaxy-importer", needs=("build",))
TARBALL = _our_gate("tarball", needs=("build",))
LAB_UP = Part("lab-up", (PYTHON, "-m", "tests.lab", "up"), lab=True, wants="tests/lab/__main__.py", limit=1200)


def _unit(*which: str) -> Part:
    return Part("unit", _pytest("unit", "-n", "2", "--cov", "--cov-report=term", *which), counted=True, limit=600)


def _integration(*which: str) -> Part:
    argv = _pytest("integration", *which, "tests/integration")
    return Part("integration", argv, ("lab-up",), lab=True, counted=True, wants="tests/integration", limit=3600)


MOLECULE_TEST = ("molecule", "-c", ".config/molecule/config.yml", "test")
DEFAULT = (*MOLECULE_TEST, "--scenario-name", "default")
MOLECULE = Part("molecule", (*MOLECULE_TEST, "--all"), ("lab-up",), lab=True, wants="molecule", limit=1800)
# The last on the lab: it takes the lab away and looks for what is left.
TEARDOWN = Part("teardown", _pytest("teardown", "tests/teardown"), ("lab-up",), lab=True, counted=True, limit=300)
BENCH = Part(
    "bench", (PYTHON, "-m", "tests.benchmarks"), ("lab-up",), lab=True, wants="tests/benchmarks", shown=True, limit=1800
)


def _on_core(core: str) -> list[Part]:
    """Unit tests and the default scenario on a line of ansible-core, the hosts anew."""
    venv, unit, hosts = f"venv-{core}", f"unit-{core}", f"hosts-{core}"
    env = {"PATH": f"{place(core)}/bin:{os.environ.get('PATH', '')}", "VIRTUAL_ENV": str(place(core))}
    python = str(place(core) / "bin/python")
    return [
        Part(venv, (PYTHON, "-m", "tests.run.core_venv", core)),
        Part(unit, (python, *_pytest(unit)[1:], *QUICK), needs=(venv,), counted=True, env=env),
        Part(hosts, (PYTHON, "-m", "tests.lab", "reset"), needs=("lab-up", venv), lab=True),
        Part(f"default-{core}", DEFAULT, needs=(hosts,), lab=True, wants="molecule/default", limit=1800, env=env),
    ]


def _on_suite(suite: str) -> list[Part]:
    """The default scenario with clients of another Debian."""
    hosts, env = f"hosts-{suite}", {"LAB_SUITE": suite}
    return [
        Part(hosts, (PYTHON, "-m", "tests.lab", "reset"), needs=("lab-up",), lab=True, limit=1200, env=env),
        Part(f"default-{suite}", DEFAULT, needs=(hosts,), lab=True, wants="molecule/default", limit=1800, env=env),
    ]


def _everything(*which: str) -> list[Part]:
    """The lab's chain first, since it is the longest; the gates run beside it."""
    return [LAB_UP, _integration(*which), MOLECULE, TEARDOWN, SANITY, _unit(*which), BUILD, *LINT, GALAXY, TARBALL]


# The newest core, on a Debian 13 host that is the controller.
CONTROLLER = Part("controller-trixie", (PYTHON, "-m", "tests.run.newest_core"), ("lab-up",), lab=True, limit=1800)
MATRIX = [LAB_UP, *_on_core("2.17"), *_on_core("2.19"), CONTROLLER, *_on_suite("bullseye"), *_on_suite("trixie")]
PLANS: dict[str, Sequence[Part]] = {
    "check": [SANITY, _unit(*QUICK), BUILD, *LINT, GALAXY, TARBALL],
    "lint": LINT,
    "sanity": [SANITY],
    "unit": [_unit(*QUICK)],
    "build": [BUILD],
    "test": _everything(*QUICK),
    "test-full": _everything(),
    "integration": [LAB_UP, _integration(*QUICK)],
    "molecule": [LAB_UP, MOLECULE],
    "bench": [LAB_UP, BENCH],
    "matrix": MATRIX,
}
