# Reads, merges and writes JSON files that others also have a share in. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["JsonError", "merge_json", "read_json", "write_json"]

import json
import re
from typing import Any, NoReturn


class JsonError(ValueError):
    """A text that is no JSON; the message says where."""


def read_json(text: str) -> Any:
    """The value of a JSON text; an empty text counts as {}. Raises JsonError, also for NaN and Infinity."""
    try:
        return json.loads(text, parse_constant=_refuse) if text.strip() else {}
    except RecursionError as error:
        raise JsonError("nested too deeply") from error
    except ValueError as error:
        raise JsonError(str(error)) from error


def merge_json(present: Any, ours: Any) -> Any:
    """Ours laid over what is there (as RFC 7396 has it): others' keys stay, also in nested objects.

    Our scalars and lists take the place of what was there; our null takes the key away.
    """
    if not isinstance(ours, dict):
        return ours
    merged = dict(present) if isinstance(present, dict) else {}
    for key, value in ours.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_json(merged.get(key), value)
    return merged


def write_json(value: Any, like: str = "") -> str:
    """A JSON text with a newline at its end, indented as the text that it replaces (two blanks without one)."""
    found = re.search(r"^([ \t]+)\S", like, re.MULTILINE)
    indent = found.group(1) if found else "  "
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        # Half a surrogate pair, which JSON can escape and UTF-8 cannot hold.
        text = json.dumps(value, indent=indent)
    return text + "\n"


def _refuse(name: str) -> NoReturn:
    raise JsonError("{0} is no JSON".format(name))
