# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""docs/reference.md: every module with its options and results, out of the modules' own documentation.

Usage: python -m tests.gates.reference [--write]
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.gates.role_docs import options_text, plain
from tests.gates.tree import files, tell
from tests.run.places import CHECKOUT

__all__ = ["main", "page"]

PAGE = "docs/reference.md"
WIDTH = 118
HEAD = """\
<!-- The modules and roles, with every option. Generated: make docs. -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- SPDX-FileCopyrightText: circleci_server.ops contributors -->

# Reference

Generated from the documentation in `plugins/modules` and the roles' `meta/argument_specs.yml` by `make docs`. The same
by command: `ansible-doc circleci_server.ops.NAME`, `ansible-doc -t role circleci_server.ops.NAME`.
"""


def _documentation(path: Path) -> dict[str, Any]:
    """DOCUMENTATION and RETURN of a module file."""
    texts = {
        target.id: str(node.value.value)
        for node in ast.parse((CHECKOUT / path).read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    try:
        return {name: yaml.safe_load(texts.get(name, "")) or {} for name in ("DOCUMENTATION", "RETURN")}
    except yaml.YAMLError as error:
        raise SystemExit(f"{path}: its documentation is not YAML: {error}") from error


def _as_role_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """A module's options in the words of argument_specs."""
    return {name: {**option, "options": _as_role_options(option.get("suboptions") or {})}
            for name, option in options.items()}  # fmt: skip


def _module(path: Path) -> Iterator[str]:
    found = _documentation(path)
    about = found.get("DOCUMENTATION", {})
    yield f"\n### {path.stem}\n\n{plain(str(about.get('short_description', '')))}."
    yield options_text(_as_role_options(about.get("options") or {}))
    results = found.get("RETURN") or {}
    if results:
        yield textwrap.fill("Returns " + ", ".join(f"`{name}`" for name in results) + ".", WIDTH)


def _roles() -> Iterator[str]:
    yield "\n## Roles\n\n| role | what it does |\n|---|---|"
    for path in files("roles/*/meta/argument_specs.yml"):
        main_entry = (yaml.safe_load((CHECKOUT / path).read_text()) or {})["argument_specs"].get("main", {})
        role = path.parts[1]
        yield f"| [{role}](../roles/{role}/README.md) | {plain(str(main_entry.get('short_description', '')))} |"


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n"), *_roles(), "\n## Modules"]
    for path in files("plugins/modules/*.py"):
        lines += _module(path)
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Check the page, or write it."""
    wanted, path = page(), CHECKOUT / PAGE
    if "--write" in arguments:
        path.write_text(wanted)
        return 0
    current = path.read_text() if path.exists() else ""
    return tell([] if current == wanted else [f"{PAGE}: differs from the modules' documentation. Run: make docs"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
