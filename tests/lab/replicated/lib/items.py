# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): the items of the settings page, and the shapes in which settings come and go.

Of facts 4: the export's shapes, booleans as "0" and "1", what --hidden is for. Assumed: which values an import refuses
and its words, `app-config view` (in `view` alone), and that an export without --hidden leaves hidden items out.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .state import Refused

__all__ = ["Item", "decoded", "export", "missing", "one", "items", "problem", "view"]

_TEXTS = {"value": str, "data": str, "multi_value": list, "multi_data": list}


@dataclass(frozen=True)
class Item:
    """One item: types are text, bool, password, select, file, textarea."""

    name: str
    type: str
    title: str
    group: str
    hidden: bool = False
    multiple: bool = False
    required: bool = False

    @property
    def secret(self) -> bool:
        """Comes out with --hidden only."""
        return self.hidden or self.type == "password"


@cache
def _groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((Path(__file__).resolve().parent.parent / "items.json").read_text())[
        "groups"
    ]
    return found


@cache
def items() -> dict[str, Item]:
    """All items by name, in the page's order."""
    listed = [Item(group=group["name"], **item) for group in _groups() for item in group["items"]]
    return {item.name: item for item in listed}


def export(settings: dict[str, dict[str, Any]], hidden: bool) -> dict[str, dict[str, Any]]:
    """What `app-config export` prints: item name to `{}` (unset) or its value."""
    return {name: settings.get(name, {}) for name, item in items().items() if hidden or not item.secret}


def view(group: str = "") -> list[dict[str, Any]]:
    """What `app-config view` prints. No fact has its shape: ASSUMED, here and nowhere else."""
    if group and group not in (known["name"] for known in _groups()):
        raise Refused(f"config group {group!r} not found")
    return [
        {"name": known["name"], "title": known["title"], "items": [_shown(item) for item in known["items"]]}
        for known in _groups()
        if group in ("", known["name"])
    ]


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    flags = {flag: item.get(flag, False) for flag in ("required", "hidden", "multiple")}
    return {"name": item["name"], "type": item["type"], "title": item["title"], **flags}


def missing(settings: dict[str, dict[str, Any]]) -> list[str]:
    """Required items without a value."""
    return [name for name, item in items().items() if item.required and not settings.get(name, {}).get("value")]


def decoded(text: str) -> dict[str, dict[str, Any]]:
    """The document of an import; refused as a Go program refuses what does not fit its types."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Refused(f"failed to decode config: invalid JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused("failed to decode config: json: cannot unmarshal into a map of config items")
    for name, entry in found.items():
        if not isinstance(entry, dict):
            raise Refused(f"failed to decode config: json: cannot unmarshal item {name}: an object is wanted")
        for key, kind in _TEXTS.items():
            _check_type(name, key, entry.get(key), kind)
    return found


def _check_type(name: str, key: str, value: Any, kind: type) -> None:
    parts = value if isinstance(value, list) else [value]
    fits = value is None or (isinstance(value, kind) and all(isinstance(part, str) for part in parts))
    if not fits:
        wanted = "string" if kind is str else "[]string"
        raise Refused(f"failed to decode config: json: cannot unmarshal {name}.{key} into Go value of type {wanted}")
    if key.endswith("data") and value is not None:
        try:
            for part in parts:
                base64.b64decode(part, validate=True)
        except binascii.Error:
            raise Refused(f"failed to decode config: {name}.{key}: illegal base64 data") from None


def one(name: str) -> Item:
    """The item of this name, or a refusal."""
    try:
        return items()[name]
    except KeyError:
        raise Refused(f"config item {name!r} not found") from None


def problem(name: str, entry: dict[str, Any]) -> str:
    """What validation says of a value ("" when nothing). Never the value itself."""
    item = items().get(name)
    if item is None:
        return f"config item {name!r} not found"
    if item.multiple != any(key.startswith("multi_") for key in entry) and entry:
        return f"config item {name!r}: " + ("multi_value is wanted" if item.multiple else "multi_value is not wanted")
    if item.type == "bool" and entry.get("value", "0") not in ("0", "1"):
        return f'config item {name!r}: a bool is "0" or "1"'
    if item.type != "file" and any(key.endswith("data") for key in entry):
        return f"config item {name!r}: data is for file items"
    if item.required and entry.get("value") == "":
        return f"config item {name!r} is required"
    return ""
