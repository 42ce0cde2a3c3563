# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What the lab tells the person who runs it: steps and their seconds, tables, one clear line when it cannot go on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["LabError", "Step", "step", "table"]

_lock = threading.Lock()


class LabError(Exception):
    """The lab cannot go on; the message says what is missing or wrong, and what to do."""


class Step:
    """One step under way; `note` becomes the word in brackets at its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.note = ""

    def takes(self, text: str) -> None:
        """Say now that this will take a while."""
        _print(f"[   ...  ] {self.name}: {text}")


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Time a step and print a line at its end; one that fails is named with its seconds, too."""
    begun = time.monotonic()
    current = Step(name)
    try:
        yield current
    except BaseException:
        _print_line(begun, name, "failed")
        raise
    _print_line(begun, name, current.note)


def _print_line(begun: float, name: str, note: str) -> None:
    _print(f"[{time.monotonic() - begun:6.1f} s] {name}" + (f" ({note})" if note else ""))


def _print(text: str) -> None:
    with _lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their head, columns aligned, no trailing blanks."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, rule, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)
