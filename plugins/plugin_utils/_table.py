# Rows as lines of text: columns aligned, long cells wrapped, nothing that a terminal would obey. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["cells", "plain", "render"]

import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

GAP = "  "
# A column is not made narrower than this.
NARROWEST = 8


def plain(value: Any) -> str:
    """A cell as text on one line: lists joined, None empty, control characters (of terminals too) replaced."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(item) for item in value)
    text = " ".join(str(value).split())
    return "".join(character if character.isprintable() else "?" for character in text)


def cells(columns: Sequence[str], rows: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows as texts, all of the same length. Raises ValueError for a row that is neither list nor mapping."""
    heads = list(columns)
    if not heads and rows and isinstance(rows[0], Mapping):
        heads = [str(key) for key in rows[0]]
    texts = [_row(heads, row) for row in rows]
    count = max([len(heads), *map(len, texts)], default=0)
    if heads:
        heads += [""] * (count - len(heads))
    return [plain(head) for head in heads], [row + [""] * (count - len(row)) for row in texts]


def render(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], width: int) -> str:
    """The whole table as text, lines without blanks at their end."""
    lines = [plain(title), ""] if title else []
    widths = _fitted(heads, rows, width)
    if heads:
        lines += _lines(heads, widths)
        lines.append(GAP.join("-" * size for size in widths))
    for row in rows:
        lines += _lines(row, widths)
    if notes and lines:
        lines.append("")
    for note in notes:
        lines += textwrap.wrap(plain(note), width, subsequent_indent=GAP, break_on_hyphens=False) or [""]
    return "\n".join(line.rstrip() for line in lines)


def _row(heads: Sequence[str], row: Any) -> list[str]:
    if isinstance(row, Mapping):
        return [plain(row.get(head)) for head in heads]
    if isinstance(row, (list, tuple)):
        return [plain(cell) for cell in row]
    raise ValueError(f"a row is a list or a dictionary, not {row!r}")


def _fitted(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The width of each column; the widest is made narrower until all fit, if they can."""
    widths = [max(map(len, column)) for column in zip(*([heads] if heads else []), *rows, strict=True)]
    room = width - len(GAP) * (len(widths) - 1)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        second = max([size for size in widths if size < widths[widest]], default=NARROWEST)
        over = sum(widths) - room
        widths[widest] = max(NARROWEST, widths[widest] - over, min(second, widths[widest] - 1))
    return widths


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row, over as many lines as its longest cell needs."""
    wrapped = [
        textwrap.wrap(cell, size, break_on_hyphens=False) if size else []
        for cell, size in zip(row, widths, strict=True)
    ]
    lines = []
    for parts in zip_longest(*wrapped, fillvalue=""):
        lines.append(GAP.join(part.ljust(size) for part, size in zip(parts, widths, strict=True)))
    return lines or [""]
