# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Roles: argument_specs, defaults and the README's options say the same.

Usage: python -m tests.gates.role_docs [--write]
--write: write the options into each README, between <!-- options:begin --> and <!-- options:end -->.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.gates.tree import tell
from tests.run.places import CHECKOUT

__all__ = ["SHARED", "check_role", "main", "options_text", "plain"]

BEGIN, END = "<!-- options:begin -->", "<!-- options:end -->"
# A longer row sends its reader to the file that has the default.
WIDTH = 120
SILHOUETTE = ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml",
              "vars/main.yml")  # fmt: skip
SHARED = "circleci_server"  # the role whose options all others may read
MARKUP = re.compile(r"\b(?:RV|[BCEIMOPV])\(((?:[^()]|\([^()]*\))*)\)")
LINK = re.compile(r"\bL\(([^,()]+),\s*([^()]+)\)")


def plain(text: str) -> str:
    """Ansible's markup as Markdown: O(some.plugin#module:option) is `option`."""

    def code(match: re.Match[str]) -> str:
        inner = match.group(1).replace("\\", "")
        where, mark, name = inner.partition("#")
        if mark:
            inner = name.partition(":")[2] or where
        return f"`{inner}`"

    return LINK.sub(r"[\1](\2)", MARKUP.sub(code, text))


def _sentences(option: Mapping[str, Any]) -> str:
    given = option.get("description", "")
    return plain(" ".join(" ".join(part.split()) for part in ([given] if isinstance(given, str) else given)))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value)
    return f"`{text}`".replace("|", "\\|")


def _kind(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", ""))
    if kind == "list":
        kind = f"list of {option.get('elements', '?')}"
    choices = option.get("choices")
    return f"{kind}: {', '.join(_shown(choice) for choice in choices)}" if choices else kind


def _rows(options: Mapping[str, Any]) -> Iterator[str]:
    yield "| option | type | default |"
    yield "|---|---|---|"
    for name, option in options.items():
        default = _shown(option["default"]) if "default" in option else "(required)" if option.get("required") else ""
        row = f"| `{name}` | {_kind(option)} | {default} |"
        yield row if len(row) <= WIDTH else f"| `{name}` | {_kind(option)} | in `defaults/main.yml` |"


def _meanings(options: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for name, option in options.items():
        about = f"`{name}`"
        if depth:
            facts = ["required" if option.get("required") else "", _kind(option)]
            facts.append(f"default {_shown(option['default'])}" if "default" in option else "")
            about += f" ({', '.join(fact for fact in facts if fact)})"
        indent = "  " * depth
        yield textwrap.fill(
            f"{about}: {_sentences(option)}",
            width=120,
            initial_indent=f"{indent}- ",
            subsequent_indent=f"{indent}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from _meanings(option.get("options", {}), depth + 1)


def options_text(options: Mapping[str, Any]) -> str:
    """What stands between the marks: a table, then what each option means."""
    if not options:
        return "\nNo options.\n"
    return "\n".join(["", *_rows(options), "", *_meanings(options), ""])


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) or {}


def _undescribed(options: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, option in options.items():
        yield from (f"{where}: {name} has no {key}" for key in ("type", "description") if not option.get(key))
        yield from _undescribed(option.get("options", {}), f"{where}: {name}")


def _differences(role: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """argument_specs against defaults/main.yml."""
    defaults = _load(role / "defaults/main.yml")
    where = f"roles/{role.name}"
    for name in sorted(set(defaults) - set(options)):
        yield f"{where}/meta/argument_specs.yml: {name} is missing (defaults/main.yml has it)"
    for name, option in options.items():
        if option.get("required") and (name in defaults or "default" in option):
            yield f"{where}: {name} is required, so it has no default"
        elif not option.get("required") and name not in defaults:
            yield f"{where}/defaults/main.yml: {name} is missing (argument_specs.yml has it)"
        elif not option.get("required") and "default" not in option:
            yield f"{where}/meta/argument_specs.yml: {name} has no default (defaults/main.yml: {defaults[name]!r})"
        elif "default" in option and option["default"] != defaults[name]:
            yield f"{where}: {name}: defaults/main.yml has {defaults[name]!r}, argument_specs.yml {option['default']!r}"


def _readme(role: Path, options: Mapping[str, Any], write: bool) -> Iterator[str]:
    path = role / "README.md"
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        yield f"roles/{role.name}/README.md: the lines {BEGIN} and {END} are missing"
        return
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    wanted = head + BEGIN + "\n" + options_text(options) + "\n" + END + tail
    if write and wanted != text:
        path.write_text(wanted)
        print(f"wrote roles/{role.name}/README.md")
    elif wanted != text:
        yield f"roles/{role.name}/README.md: the options differ from argument_specs.yml. Run: make docs"


def _dependency(role: Path) -> Iterator[str]:
    """Every role depends on the one that checks the shared variables."""
    named = [item.get("role") for item in _load(role / "meta/main.yml").get("dependencies", [])]
    if role.name != SHARED and f"circleci_server.ops.{SHARED}" not in named:
        yield f"roles/{role.name}/meta/main.yml: the dependency circleci_server.ops.{SHARED} is missing"


def check_role(role: Path, write: bool = False) -> list[str]:
    """Everything that is wrong with one role."""
    missing = [f"roles/{role.name}/{name} is missing" for name in SILHOUETTE if not (role / name).is_file()]
    if missing:
        return missing
    specs = _load(role / "meta/argument_specs.yml").get("argument_specs", {})
    options = specs.get("main", {}).get("options", {})
    where = f"roles/{role.name}/meta/argument_specs.yml"
    faults = [f"{where}: no entry point main"] if "main" not in specs else []
    faults += _undescribed(options, where)
    faults += _differences(role, options)
    faults += _dependency(role)
    return faults + list(_readme(role, options, write))


def main(arguments: Sequence[str]) -> int:
    """Check every role, or write its README."""
    roles = sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir() and any(path.iterdir()))
    return tell([fault for role in roles for fault in check_role(role, write="--write" in arguments)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
