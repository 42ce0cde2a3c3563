# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Every module's option spec says what its documentation says, and what is secret is marked so."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
LIBRARY = "ansible_collections.circleci_server.ops.plugins.module_utils."
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")


def _texts(path: Path, klass: str | None = None) -> dict[str, str]:
    """The texts that a file (or a class in it) assigns to names."""
    body = ast.parse(path.read_text()).body
    if klass:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == klass).body
    return {
        target.id: node.value.value
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _documented(module: str) -> dict[str, Any]:
    """The options that a module documents, those of its fragments included."""
    about = yaml.safe_load(_texts(PLUGINS / f"modules/{module}.py")["DOCUMENTATION"])
    options: dict[str, Any] = {}
    named = about.get("extends_documentation_fragment", [])
    for fragment in [named] if isinstance(named, str) else named:
        file, *part = fragment.removeprefix("circleci_server.ops.").split(".")
        texts = _texts(PLUGINS / f"doc_fragments/{file}.py", "ModuleDocFragment")
        options.update(yaml.safe_load(texts[part[0].upper() if part else "DOCUMENTATION"]).get("options", {}))
    options.update(about.get("options") or {})
    return options


def _spec(module: str) -> dict[str, Any]:
    spec: dict[str, Any] = importlib.import_module(f"{LIBRARY}_spec_{module}").ARGUMENT_SPEC
    return spec


def _facts(option: Mapping[str, Any], inner: str) -> dict[str, Any]:
    """What a spec and a documentation have in common."""
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "required": bool(option.get("required", False)),
        "default": option.get("default"),
        "choices": list(option["choices"]) if option.get("choices") else None,
        "aliases": sorted(option.get("aliases", [])),
        "options": {name: _facts(item, inner) for name, item in (option.get(inner) or {}).items()},
    }


def _secret(option: Mapping[str, Any]) -> bool:
    """True when an option, or one in it, is kept out of logs."""
    return bool(option.get("no_log")) or any(_secret(item) for item in (option.get("options") or {}).values())


def _named_secret(options: Mapping[str, Any]) -> Iterator[str]:
    for name, option in options.items():
        if name.startswith("secret") and option.get("type") in ("dict", "list") and not _secret(option):
            yield name
        yield from _named_secret(option.get("options") or {})


def test_there_are_modules() -> None:
    assert MODULES


@pytest.mark.parametrize("module", MODULES)
def test_spec_is_what_the_documentation_says(module: str) -> None:
    documented = {name: _facts(option, "suboptions") for name, option in _documented(module).items()}
    assert {name: _facts(option, "options") for name, option in _spec(module).items()} == documented


@pytest.mark.parametrize("module", MODULES)
def test_secret_options_are_kept_out_of_logs(module: str) -> None:
    assert not list(_named_secret(_spec(module)))


@pytest.mark.parametrize("action", sorted(path.stem for path in (PLUGINS / "action").glob("*.py")))
def test_an_action_has_its_module(action: str) -> None:
    assert action in MODULES
