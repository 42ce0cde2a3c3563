# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Runs programs for the lab: no terminal, no shell, a deadline, and an error that shows what the program said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.report import LabError

__all__ = ["attempt", "confined", "run"]

# Everything that a killed lab leaves behind would have to be found again. So what builds for minutes dies with us
# (setpriv --pdeathsig), together with its children and its mounts (PID and mount namespaces of its own).
_CONFINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def confined(argv: Sequence[str]) -> list[str]:
    """The same command, in namespaces of its own that vanish when this process dies."""
    return [*_CONFINED, *argv]


def run(
    argv: Sequence[str],
    *,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program; its standard output. LabError with the end of what it said when it fails."""
    done = attempt(argv, timeout=timeout, env=env, stdin=stdin, cwd=cwd)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise LabError(f"{_shown(argv)} failed with exit code {done.returncode}:\n  " + "\n  ".join(said))
    return done.stdout


def attempt(
    argv: Sequence[str],
    *,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it left, whatever its exit code."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"the program {argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{_shown(argv)} did not end within {timeout:g} seconds") from error
    text = [part.decode("utf-8", "replace") for part in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess(done.args, done.returncode, text[0], text[1])


def _shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 160 else text[:157] + "..."
