# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The files that a host container gets before its first start, as one tar stream with a digest."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.places import digest

__all__ = ["Entry", "Payload", "archive", "fingerprint", "tree"]


@dataclass(frozen=True)
class Entry:
    """One file: its text, or a file to copy, or the target of a symbolic link; mode and owner."""

    content: bytes | Path = b""
    mode: int = 0o644
    owner: int = 0
    link: str = ""
    folder: bool = False


Payload = dict[str, Entry]


def tree(root: Path) -> Payload:
    """Every file below `root` at its path; executable ones stay so."""
    found: Payload = {}
    for path in sorted(item for item in root.rglob("*") if item.is_file()):
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        found[f"/{path.relative_to(root)}"] = Entry(path.read_bytes(), mode)
    return found


def fingerprint(payload: Mapping[str, Entry]) -> str:
    """Changes when a file does. Files that are copied come from the cache, where the path tells the content."""
    parts: list[str | bytes] = []
    for path, entry in sorted(payload.items()):
        parts += [path, f"{entry.mode:o} {entry.owner} {entry.link}"]
        parts.append(str(entry.content) if isinstance(entry.content, Path) else entry.content)
    return digest(*parts)


def archive(payload: Mapping[str, Entry]) -> bytes:
    """The files as a tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, entry in sorted(payload.items()):
            _add(tar, path.lstrip("/"), entry)
    return stream.getvalue()


def _add(tar: tarfile.TarFile, path: str, entry: Entry) -> None:
    info = tarfile.TarInfo(path)
    info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
    if entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
    elif entry.folder:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif isinstance(entry.content, Path):
        info.size = entry.content.stat().st_size
        with open(entry.content, "rb") as file:
            tar.addfile(info, file)
    else:
        info.size = len(entry.content)
        tar.addfile(info, io.BytesIO(entry.content))
