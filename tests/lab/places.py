# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Where the lab keeps things: small files in the checkout, caches and the engine's data outside it.

A cache entry's name holds a hash of everything that it is built from, so it is never stale, only unused.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["CACHE", "CHECKOUT", "ENGINE_DATA", "LAB", "RUN", "STATE", "cached", "clear_scratch", "digest", "scratch"]

LAB = Path(__file__).resolve().parent
CHECKOUT = LAB.parents[1]
STATE = CHECKOUT / ".lab"
CACHE = Path(os.environ.get("LAB_CACHE", "/var/cache/circleci-server-ops-lab"))
ENGINE_DATA = CACHE / "engine"
# Sockets live here: their paths may not be longer than 108 characters, a checkout's may.
RUN = Path("/run/circleci-server-ops-lab")


def digest(*parts: str | bytes | Path) -> str:
    """A short hash over texts and the contents of files and folders (names and modes of their files included)."""
    total = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            total.update(len(piece).to_bytes(8, "big") + piece)
    return total.hexdigest()[:16]


def _pieces(part: str | bytes | Path) -> list[bytes]:
    if isinstance(part, str):
        return [part.encode()]
    if isinstance(part, bytes):
        return [part]
    if part.is_file():
        return [part.read_bytes()]
    found: list[bytes] = []
    for path in sorted(item for item in part.rglob("*") if item.is_file()):
        found += [str(path.relative_to(part)).encode(), oct(path.stat().st_mode & 0o111).encode(), path.read_bytes()]
    return found


def scratch(name: str) -> Path:
    """A new empty folder for something half built; `clear_scratch` removes what a killed run left."""
    path = CACHE / "tmp" / f"{name}.{os.getpid()}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def clear_scratch() -> None:
    """Remove what earlier runs left half built."""
    shutil.rmtree(CACHE / "tmp", ignore_errors=True)


def cached(name: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
    """The folder CACHE/name; built in a scratch folder and renamed when it is not there yet. True: it was there."""
    final = CACHE / name
    if final.exists():
        return final, True
    draft = scratch(name)
    build(draft)
    draft.rename(final)
    return final, False
