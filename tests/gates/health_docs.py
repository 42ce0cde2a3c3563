# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""docs/health.md: its table of faults and verdicts, made by the same pure function that gives the verdicts.

Usage: python -m tests.gates.health_docs [--write]
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from tests.gates.tree import tell
from tests.run.places import CHECKOUT

__all__ = ["filled", "main", "verdicts"]

PAGE = "docs/health.md"
BEGIN, END = "<!-- verdicts:begin -->", "<!-- verdicts:end -->"
LIBRARY = "ansible_collections.circleci_server.ops.plugins.module_utils."
# Faults of two at once that show how causes are told apart.
PAIRS = (
    ("postgres", "frontend"),
    ("postgres", "cron-service-migrator"),
    ("contexts-service-migrator", "api-service"),
    ("mongo", "postgres"),
    ("redis", "frontend"),
    ("permissions-service", "ready-agent"),
    ("tutum-logrotate", "disk /"),
    ("replicated", "frontend"),
    ("docker", "replicated"),
)


def _library(name: str) -> ModuleType:
    collections = str(CHECKOUT / ".collections")
    if collections not in sys.path:
        sys.path.insert(0, collections)
    return importlib.import_module(LIBRARY + name)


def verdicts() -> str:
    """What stands between the marks."""
    needs = _library("_health_causes").graph(["/"])
    waiting = {name: _who_needs(needs, name) for name in needs}
    lines = ["", "| what fails | probable cause, failing data stores | worst |", "|---|---|---|"]
    for name in sorted(needs, key=lambda name: (-len(waiting[name]), name)):
        if waiting[name]:
            lines.append(_row([name, *waiting[name]], f"`{name}` and all that need it"))
    lines += [_row(pair, f"`{pair[0]}` and `{pair[1]}`") for pair in PAIRS]
    lines += ["", "Nothing needs these: each fails for itself, and is its own probable cause.", ""]
    lines += _alone([name for name in needs if not waiting[name]])
    return "\n".join([*lines, ""])


def _who_needs(needs: Mapping[str, Mapping[str, str]], name: str) -> list[str]:
    """All services that need one, directly or not."""
    found: set[str] = set()
    left = [name]
    while left:
        here = left.pop()
        more = {other for other, wanted in needs.items() if here in wanted} - found
        found |= more
        left += sorted(more)
    return sorted(found)


def _row(failing: Sequence[str], said: str) -> str:
    library, rules = _library("_health_causes"), _library("_health_rules")
    parts = []
    for cause in library.causes(library.graph(["/"]), failing):
        count = len(cause.explains)
        named = "the other" if count == 1 else f"all {count}"
        parts.append(f"`{cause.name}`" + (f", explains {named}" if count else ""))
    stores = library.data_stores_failing(failing)
    named = ", ".join(stores) if len(stores) < len(rules.DATA_STORES) else "all"
    text = "; ".join(parts) + (f"; data stores: {named}" if stores else "")
    return f"| {said} | {text} | {rules.worst_of(map(rules.severity_of, failing))} |"


def _alone(names: Sequence[str]) -> Iterator[str]:
    rules = _library("_health_rules")
    for severity in ("data_loss", "some_jobs", "unknown", "minor"):
        listed = ", ".join(f"`{name}`" for name in names if rules.severity_of(name) == severity)
        yield textwrap.fill(f"- {severity}: {listed}", 120, subsequent_indent="  ", break_on_hyphens=False)


def filled(text: str) -> str:
    """The page with the table as it must be. Raises ValueError when its marks are missing."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{PAGE}: the lines {BEGIN} and {END} are missing")
    return text.partition(BEGIN)[0] + BEGIN + "\n" + verdicts() + "\n" + END + text.partition(END)[2]


def main(arguments: Sequence[str]) -> int:
    """Check the page, or write its table."""
    path = CHECKOUT / PAGE
    current = path.read_text() if path.exists() else ""
    try:
        wanted = filled(current)
    except ValueError as error:
        return tell([str(error)])
    if "--write" in arguments:
        path.write_text(wanted)
        return 0
    return tell([] if current == wanted else [f"{PAGE}: the table of verdicts differs. Run: make docs"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
