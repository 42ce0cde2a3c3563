# Reads systemd's unit files as systemd does: what they mean, without layout and comments. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["UnitError", "parse_unit"]

import re
from typing import Dict, Iterator, List, Tuple

COMMENTS = ("#", ";")
# A quoted piece stays as it is; blanks outside of quotes count as one.
PIECE = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\.|[ \t]+|[^ \t"'\\]+|["'\\]""", re.DOTALL)


class UnitError(ValueError):
    """A text that is no unit file; the message has the line's number."""


def parse_unit(text: str) -> Dict[str, Dict[str, Tuple[str, ...]]]:
    """Section -> key -> all its values in their order.

    An empty assignment forgets what stood before it and stays as a first empty value, because in a drop-in it also
    forgets the unit's own. Continued lines are joined; blanks outside of quotes count as one. Raises UnitError.
    """
    found: Dict[str, Dict[str, List[str]]] = {}
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            if not line.endswith("]"):
                raise UnitError("line {0}: a section's closing bracket is missing".format(number))
            section = line[1:-1]
            found.setdefault(section, {})
            continue
        key, mark, value = line.partition("=")
        if not mark or not section or not key.strip():
            raise UnitError("line {0}: is no KEY=VALUE of a section".format(number))
        values = found[section].setdefault(key.strip(), [])
        if not value.strip():
            values.clear()
        values.append(_squeezed(value.strip()))
    return {name: {key: tuple(values) for key, values in keys.items()} for name, keys in found.items() if keys}


def _logical_lines(text: str) -> Iterator[Tuple[int, str]]:
    """Lines with their first number: comments gone, also between continued lines, these joined by a blank."""
    joined, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith(COMMENTS) or (not line and not joined):
            continue
        start = start if joined else number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        if joined or line:
            yield start, (joined + line).strip()
        joined = ""
    if joined.strip():
        yield start, joined.strip()


def _squeezed(value: str) -> str:
    return "".join(" " if piece.isspace() else piece for piece in PIECE.findall(value))
