# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Prepare a checkout: the virtual environment .venv and the collection's link. Does nothing when all is there.

Usage: python3 tests/run/setup_env.py controller|dev
controller: requirements.txt, enough for the lab and the playbooks. dev: requirements-dev.txt too.
Runs before anything is installed, so it needs the standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["main"]

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

LEAST_PYTHON = (3, 11)  # what ansible-core 2.19 asks of a controller
FILES = {
    "controller": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-dev.txt"],
}
# Programs of the distribution that the unit tests run: the shells that must read our files back.
PROGRAMS: dict[str, list[str]] = {"controller": [], "dev": ["bash", "dash", "busybox"]}


def main(arguments: list[str]) -> int:
    """Prepare the checkout for a level of work; one clear line when that cannot be."""
    level = arguments[0] if arguments else "dev"
    if level not in FILES:
        return _stop(f"unknown level {level!r}. Give one of: {', '.join(FILES)}.")
    if sys.version_info < LEAST_PYTHON:
        found = ".".join(str(number) for number in sys.version_info[:3])
        return _stop(f"python3 is {found}; 3.11 or newer is needed. Name one: make PYTHON=/usr/bin/python3.11 ...")
    _link_collection()
    problem = _programs(level)
    if problem:
        return _stop(problem)
    if _ready(level):
        return 0
    begun = time.monotonic()
    problem = _make_venv() or _install(level)
    if problem:
        return _stop(problem)
    print(f"[{time.monotonic() - begun:5.1f} s] virtual environment .venv ({', '.join(FILES[level])})", flush=True)
    return 0


def _stop(problem: str) -> int:
    print(f"setup: {problem}", file=sys.stderr, flush=True)
    return 1


def _quiet(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _link_collection() -> None:
    """The checkout under the path that Ansible expects of a collection."""
    link = CHECKOUT / ".collections/ansible_collections/circleci_server/ops"
    if link.is_symlink() and link.resolve() == CHECKOUT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("../../..")


def _stamp(level: str) -> Path:
    from tests.run.places import VENV, fingerprint

    files = [CHECKOUT / name for name in FILES[level]]
    return VENV / f".ready-{level}-{fingerprint(str(VENV), *files)}"


def _ready(level: str) -> bool:
    """True when .venv holds what the level asks for; the larger level holds the smaller one."""
    python = CHECKOUT / ".venv/bin/python"
    return python.exists() and any(_stamp(name).exists() for name in (level, "dev"))


def _make_venv() -> str:
    """Create .venv anew: what was there is for other requirements, or was moved. Returns the problem, if any."""
    from tests.run.places import VENV

    if importlib.util.find_spec("ensurepip") is None:
        # Debian keeps venv's pip in a package of its own.
        problem = _install_packages("python3-venv")
        if problem:
            return f"{sys.executable} has no venv module that works (ensurepip is missing). {problem}"
    shutil.rmtree(VENV, ignore_errors=True)
    made = _quiet([sys.executable, "-m", "venv", str(VENV)])
    return "" if made.returncode == 0 else f"python3 -m venv failed: {(made.stdout + made.stderr).strip()}"


def _programs(level: str) -> str:
    """Install what the level runs and the machine lacks. Returns the problem, or an empty text."""
    missing = [program for program in PROGRAMS[level] if shutil.which(program) is None]
    problem = _install_packages(*missing) if missing else ""
    return f"not on this machine: {', '.join(missing)}. {problem}" if problem else ""


def _install_packages(*names: str) -> str:
    """Install Debian packages where that is possible. Returns the problem, or an empty text."""
    remedy = f"Install it as root: apt-get install {' '.join(names)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return remedy
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    begun = time.monotonic()
    for command in (["update", "-q"], ["install", "-qy", "--no-install-recommends", *names]):
        done = _quiet(["apt-get", *command])
        if done.returncode:
            return f"apt-get {command[0]} failed: {done.stderr.strip().splitlines()[-1:]}. {remedy}"
    print(f"[{time.monotonic() - begun:5.1f} s] packages {', '.join(names)}", flush=True)
    return ""


def _install(level: str) -> str:
    """pip install of the level's files. Returns the problem, or an empty text."""
    from tests.run.places import VENV

    arguments = [part for name in FILES[level] for part in ("-r", str(CHECKOUT / name))]
    pip = [str(VENV / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *arguments], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        return f"pip could not install {' and '.join(FILES[level])}; its own words stand above."
    _stamp(level).touch()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
