# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The files of the project as git sees them, and programs run on them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.run.places import CHECKOUT, environment

__all__ = ["call", "copy_to", "files", "tell"]


def files(*patterns: str) -> list[Path]:
    """Files that are in git or could be added to it, relative to the checkout; all of them, or those that match."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(argv, cwd=CHECKOUT, check=False, capture_output=True, text=True)
    if listed.returncode:
        raise SystemExit(f"the gates ask git for the project's files: {listed.stderr.strip()}")
    names = sorted({name for name in listed.stdout.split("\0") if name})
    return [Path(name) for name in names if (CHECKOUT / name).is_file()]


def copy_to(target: Path) -> None:
    """A copy of the project's files, without anything that tools left."""
    for name in files():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, place, follow_symlinks=False)


def call(argv: Sequence[str | Path], cwd: Path = CHECKOUT, env: Mapping[str, str] | None = None) -> int:
    """Run a program with our tools on its PATH; its output is ours."""
    own = {**environment(), **(env or {})}
    words = [str(part) for part in argv]
    print("+", " ".join(words), flush=True)
    return subprocess.run(words, cwd=cwd, env=own, stdin=subprocess.DEVNULL, check=False).returncode


def tell(faults: Sequence[str]) -> int:
    """Print the faults, each on a line. Returns the exit code."""
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else "no fault", file=sys.stderr)
    return 1 if faults else 0
