# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Rules of this project that no linter knows: what must not be written, and how large things may be.

Usage: python -m tests.gates.house_rules
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.gates.role_docs import SHARED
from tests.gates.tree import files, tell
from tests.run.places import CHECKOUT

__all__ = ["check_python", "check_text", "main"]

LINE = 120
FUNCTION = 60
MODULE = 150  # without its documentation
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
ANY_LENGTH = ("LICENSES/", "tests/lab/nomad/go.sum")
OURS = ("plugins/", "roles/", "playbooks/")  # what users run
# Pattern, where it counts, and what to do instead. A class of one letter keeps the patterns from finding themselves.
FORBIDDEN = [
    (re.compile(r"#\s*no[q]a\b"), ("",), "repair the code, or the rule in pyproject.toml for all"),
    (re.compile(r"#\s*type:\s*igno[r]e"), ("",), "give it the right type"),
    (re.compile(r"^\s*except\s*(?:\(?\s*(?:Base)?Exception\b|:)"), ("plugins/", "roles/"), "name the exceptions"),
    (re.compile(r"suppress\(\s*(?:Base)?Exception\b"), ("plugins/", "roles/"), "name the exceptions"),
    (re.compile(r"ignore_error[s]:"), OURS, "let it fail, or handle the case that is expected"),
    (re.compile(r"builtin[.]reboot|systemctl\W+reboot|shutdown\W+-r"), OURS, "never reboot (guide L143)"),
    (re.compile(r"failed_whe[n]:\s*(?:false|no)\b", re.I), OURS, "say which results are good"),
]
NEVER_CHANGED = re.compile(r"changed_whe[n]:\s*(?:false|no)\s*$", re.I)


def check_text(name: str, text: str) -> Iterator[str]:
    """Faults that stand in single lines."""
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LINE and not name.startswith(ANY_LENGTH):
            yield f"{name}:{number}: {len(line)} characters, at most {LINE}"
        if line != line.rstrip() and not name.startswith(ANY_LENGTH):
            yield f"{name}:{number}: blanks at the end of the line"
        for pattern, where, remedy in FORBIDDEN:
            if name.startswith(where) and pattern.search(line):
                yield f"{name}:{number}: {line.strip()}: {remedy}"
        if name.startswith(OURS) and NEVER_CHANGED.search(line) and not before.strip().startswith("#"):
            yield f"{name}:{number}: {line.strip()}: say why in a comment on the line before, or beside it"
        before = line


def check_python(name: str, text: str) -> Iterator[str]:
    """Faults of size and shape."""
    tree = ast.parse(text, name)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION}"
    if name.startswith("plugins/modules/"):
        yield from _module(name, text, tree)
    if name.startswith(("plugins/module_utils/", "plugins/plugin_utils/")):
        yield from _library(name, tree)


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _module(name: str, text: str, tree: ast.Module) -> Iterator[str]:
    documentation = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1 for node in tree.body if _assigned(node) & DOCUMENTATION
    )
    code = len(text.splitlines()) - documentation
    if code >= MODULE:
        yield f"{name}: {code} lines without documentation, fewer than {MODULE} wanted: move the work to module_utils"


def _library(name: str, tree: ast.Module) -> Iterator[str]:
    if Path(name).name == "__init__.py":
        return
    if not Path(name).name.startswith("_"):
        yield f"{name}: the library is private: its name starts with an underscore"
    if not any("__all__" in _assigned(node) for node in tree.body):
        yield f"{name}: __all__ is missing"


def _scenarios() -> Iterator[str]:
    """Every role has its molecule scenario. The one that only checks the shared variables runs in all of them."""
    names = {path.parts[1] for path in files("molecule/*/molecule.yml")}
    roles = {path.parts[1] for path in files("roles/*/tasks/main.yml")}
    if names:
        yield from (f"roles/{role}: no scenario molecule/{role}" for role in sorted(roles - names - {SHARED}))


def main() -> int:
    """Check every text file of the project."""
    faults: list[str] = []
    for path in files():
        content = (CHECKOUT / path).read_bytes()
        if b"\0" in content:
            continue
        text = content.decode(errors="replace")
        faults += check_text(str(path), text)
        if path.suffix == ".py":
            faults += check_python(str(path), text)
    return tell([*faults, *_scenarios()])


if __name__ == "__main__":
    sys.exit(main())
