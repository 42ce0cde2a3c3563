# Remembers which files are ours, and keeps the first original of a file that was a person's. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["keep_originals", "remember"]

import hashlib
import json
import os
import urllib.parse
from typing import Dict, Iterable, List, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file, write_atomic

# A file name may have 255 bytes; a longer one gets a digest at its end instead.
NAME_LENGTH = 200


def remember(state: str, contents: Iterable[Tuple[str, bytes]]) -> None:
    """Record, before they are written, that these contents (path, bytes) are ours.

    state: the collection's state directory. The last two digests of a path count as ours: a run that is killed
    between this record and the write leaves the older content in place.
    """
    path = _record(state)
    present = _read(path)
    wanted = dict(present)
    for dest, content in contents:
        digest = _digest(content)
        wanted[dest] = [old for old in present.get(dest, []) if old != digest][-1:] + [digest]
    if wanted != present:
        os.makedirs(state, mode=0o755, exist_ok=True)
        document = json.dumps({"version": 1, "files": wanted}, indent=2, sort_keys=True) + "\n"
        write_atomic(path, document.encode("utf-8"), 0o600)


def keep_originals(state: str, contents: Iterable[Tuple[str, bytes]]) -> List[str]:
    """Copy these present contents (path, bytes), where a person wrote them, to originals/; the first one stays.

    Returns the paths of the new copies (0600).
    """
    ours = _read(_record(state))
    directory = os.path.join(state, "originals")
    kept = []
    for dest, content in contents:
        copy = os.path.join(directory, _file_name(dest))
        if _digest(content) in ours.get(dest, []) or os.path.lexists(copy):
            continue
        os.makedirs(state, mode=0o755, exist_ok=True)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        write_atomic(copy, content, 0o600)
        kept.append(copy)
    return kept


def _record(state: str) -> str:
    return os.path.join(state, "files.json")


def _read(path: str) -> Dict[str, List[str]]:
    content = read_file(path)
    if content is None:
        return {}
    try:
        return {
            str(dest): [str(digest) for digest in digests] for dest, digests in json.loads(content)["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpsError(
            "{0} is not a record of this collection: {1}".format(path, error),
            remedy="Move the file away, then run again; files are then kept in originals once more",
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file_name(dest: str) -> str:
    name = urllib.parse.quote(dest, safe="")
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 65] + "-" + _digest(dest.encode("utf-8"))
