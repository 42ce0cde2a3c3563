# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Check docs/coverage.md: every statement of the guide stands there once, and what "done" names exists.

Usage: python tests/gates/coverage_rows.py [CHECKOUT]
Exit code 0: nothing to say. Exit code 1: each fault on a line of its own, with the line of the page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "check", "check_page", "main", "parse", "ranges"]

PAGE = "docs/coverage.md"
FIRST, LAST = 1, 360
ONE_BY_ONE = range(125, 144)  # the VM service: the reason is given statement by statement
COLUMNS = 5
AREAS = frozenset({
    "backup", "ca_trust", "diagnose", "fleet", "health", "ldap", "monitoring", "proxy", "restart", "settings", "tls",
    "user_admin",
})  # fmt: skip
PLAIN_STATUSES = frozenset({"done", "fact", "not done"})
AREA_STATUS = re.compile(r"(?:later|part) \((?P<area>[a-z_]+)\)")
TOP_FOLDERS = ("docs", "inventories", "molecule", "playbooks", "plugins", "roles", "tests")
NAMED_PATH = re.compile(r"`((?:" + "|".join(TOP_FOLDERS) + r")/[^`\s]+)`")
ROW_CELL = re.compile(r"(\d+)(?:-(\d+))?")
GUIDE_LINES = re.compile(r"L\d+(?:-\d+)?(?:, L\d+(?:-\d+)?)*")


@dataclass(frozen=True)
class Entry:
    """One line of a table of the page."""

    line: int
    rows: tuple[int, ...]
    says: str
    guide: str
    status: str
    where: str

    @property
    def name(self) -> str:
        """The first cell as it is written: "16" or "61-64"."""
        return ranges(self.rows)

    @property
    def claims(self) -> bool:
        """True where the line says that something exists today."""
        return self.status == "done" or self.status.startswith("part ")


def ranges(rows: Sequence[int]) -> str:
    """Row numbers for a reader: [3, 4, 5, 9] is "3-5, 9"."""
    groups: list[list[int]] = []
    for row in sorted(rows):
        if groups and row == groups[-1][-1] + 1:
            groups[-1].append(row)
        else:
            groups.append([row])
    return ", ".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip().strip("|").split("|")]


def _is_frame(cells: Sequence[str]) -> bool:
    """The header of a table and the rule below it."""
    return cells[0] == "Row" or all(set(cell) <= set("-:") for cell in cells)


def parse(text: str) -> tuple[list[Entry], list[str]]:
    """The entries of all tables of the page, and the faults of lines that are none."""
    entries: list[Entry] = []
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("|"):
            continue
        cells = _cells(line)
        if _is_frame(cells):
            continue
        if len(cells) != COLUMNS:
            faults.append(f"{PAGE}:{number}: {len(cells)} cells, not {COLUMNS}; write a pipe in a cell as a word")
            continue
        match = ROW_CELL.fullmatch(cells[0])
        first = int(match.group(1)) if match else 0
        last = int(match.group(2) or first) if match else 0
        if match is None or last < first:
            faults.append(f'{PAGE}:{number}: row "{cells[0]}" is neither a number nor a range; write 16 or 61-64')
            continue
        entries.append(Entry(number, tuple(range(first, last + 1)), *cells[1:]))
    return entries, faults


def _row_faults(entries: Sequence[Entry]) -> Iterator[str]:
    seen: dict[int, int] = {}
    for entry in entries:
        unknown = [row for row in entry.rows if not FIRST <= row <= LAST]
        if unknown:
            yield f"{PAGE}:{entry.line}: unknown rows: {ranges(unknown)}; the guide has {FIRST}-{LAST}"
        twice = [row for row in entry.rows if row in seen]
        if twice:
            yield f"{PAGE}:{entry.line}: duplicate rows: {ranges(twice)}; first on line {seen[twice[0]]}"
        if len(entry.rows) > 1 and set(entry.rows) & set(ONE_BY_ONE):
            yield f"{PAGE}:{entry.line}: rows {entry.name}: give each of {ranges(ONE_BY_ONE)} a line of its own"
        for row in entry.rows:
            seen.setdefault(row, entry.line)
    missing = [row for row in range(FIRST, LAST + 1) if row not in seen]
    if missing:
        yield f"{PAGE}: missing rows: {ranges(missing)}; give each a line"


def _status_faults(entry: Entry) -> Iterator[str]:
    place = f"{PAGE}:{entry.line}: row {entry.name}"
    match = AREA_STATUS.fullmatch(entry.status)
    known = entry.status in PLAIN_STATUSES or (match is not None and match["area"] in AREAS)
    if not known:
        yield (
            f'{place}: unknown status "{entry.status}"; known: {", ".join(sorted(PLAIN_STATUSES))}, '
            f"later (AREA), part (AREA), AREA one of {', '.join(sorted(AREAS))}"
        )
    if match is not None and "planned: " not in entry.where:
        yield f'{place}: status "{entry.status}" without what is planned; write "planned: NAME"'
    if not GUIDE_LINES.fullmatch(entry.guide):
        yield f'{place}: lines of the guide "{entry.guide}" cannot be read; write L12, L12-14 or both with a comma'
    if not entry.says or not entry.where:
        yield f"{place}: an empty cell; say what the guide says, and where it is done or why not"


def _path_faults(entry: Entry, checkout: Path) -> Iterator[str]:
    if not entry.claims:
        return
    place = f"{PAGE}:{entry.line}: row {entry.name}"
    paths = NAMED_PATH.findall(entry.where)
    if not paths:
        yield f'{place}: status "{entry.status}" names nothing that does it; name a path such as `roles/preflight`'
    for path in paths:
        if not (checkout / path).exists():
            yield f"{place}: {path} does not exist in the checkout; correct the path or the status"


def check_page(text: str, checkout: Path) -> list[str]:
    """All faults of the page; none is an empty list."""
    entries, faults = parse(text)
    faults += _row_faults(entries)
    for entry in entries:
        faults += _status_faults(entry)
        faults += _path_faults(entry, checkout)
    return faults


def check(checkout: Path) -> list[str]:
    """All faults of the page of this checkout."""
    page = checkout / PAGE
    if not page.is_file():
        return [f"{PAGE} does not exist below {checkout}; give the folder of the checkout"]
    return check_page(page.read_text(encoding="utf-8"), checkout)


def main(arguments: Sequence[str]) -> int:
    """Print the faults; the exit code says whether there are any."""
    checkout = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    faults = check(checkout)
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{PAGE}: rows {FIRST}-{LAST}, each once")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
