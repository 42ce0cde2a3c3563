# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Where the runner finds and keeps things. Standard library only, also before the virtual environment exists."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["CACHE", "CHECKOUT", "COLLECTIONS", "DIST", "LOGS", "VENV", "environment", "fingerprint"]

CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / ".venv"
LOGS = CHECKOUT / ".logs"
DIST = CHECKOUT / "dist"
# The checkout as an installed collection: .collections/ansible_collections/circleci_server/ops is a link to it.
COLLECTIONS = CHECKOUT / ".collections"


def _cache() -> Path:
    """What outlives a checkout: shared with the lab for root, in the home of anybody else."""
    if os.environ.get("LAB_CACHE"):
        return Path(os.environ["LAB_CACHE"])
    if os.geteuid() == 0:
        return Path("/var/cache/circleci-server-ops-lab")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "circleci-server-ops"


CACHE = _cache()


def environment() -> dict[str, str]:
    """The environment of every program that we start: our tools first, our collection, no colours, no terminal."""
    own = dict(os.environ)
    own.pop("PYTHONPATH", None)
    own.update(
        PATH=f"{VENV / 'bin'}:{own.get('PATH', '/usr/bin:/bin')}",
        VIRTUAL_ENV=str(VENV),
        ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_NOCOLOR="1",
        NO_COLOR="1",
        PYTHONUNBUFFERED="1",
        OPS_LOGS=str(LOGS),
    )
    return own


def fingerprint(*parts: str | bytes | Path) -> str:
    """A short hash over texts and the contents of files."""
    total = hashlib.sha256()
    for part in parts:
        piece = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(len(piece).to_bytes(8, "big") + piece)
    return total.hexdigest()[:16]
