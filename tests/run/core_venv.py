# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""A virtual environment with a given line of ansible-core, for `make matrix`; kept in the cache.

Usage: python -m tests.run.core_venv 2.17
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.run.places import CACHE, CHECKOUT, fingerprint

__all__ = ["main", "place"]

FILES = [CHECKOUT / "requirements.txt", CHECKOUT / "requirements-dev.txt"]


def place(core: str) -> Path:
    """Where the environment of that line of ansible-core is, or will be."""
    return CACHE / f"core-{core}-{fingerprint(sys.version, *FILES)}"


def main(arguments: Sequence[str]) -> int:
    """Make it, if it is not there yet. It is ready when its mark is."""
    core = arguments[0]
    folder = place(core)
    mark = folder / ".ready"
    if mark.exists():
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    listed = [part for path in FILES for part in ("-r", str(path))]
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([*pip, f"ansible-core~={core}.0", *listed], check=True)
    mark.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
