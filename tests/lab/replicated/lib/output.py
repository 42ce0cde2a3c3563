# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4: most commands take -o json|yaml and --template): prints what a command found."""

from __future__ import annotations

import json
import re
from typing import Any

from .client import Failure
from .template import render

__all__ = ["shown"]

_PLAIN = re.compile(r"[A-Za-z_/][\w ./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def shown(data: Any, output: str, template: str) -> str:
    """The text for stdout."""
    if template:
        return render(template, data)
    if isinstance(data, str):  # no document at all: a fault
        return data + "\n"
    if output == "json":
        return json.dumps(data, indent=4) + "\n"
    if output == "yaml":
        return "\n".join(_yaml(data)) + "\n"
    raise Failure(f"unknown output format {output!r}")


def _yaml(data: Any) -> list[str]:
    if isinstance(data, dict) and data:
        return [line for key, value in data.items() for line in _entry(f"{_scalar(key)}:", value)]
    if isinstance(data, list) and data:
        return [line for value in data for line in _element(value)]
    return [_scalar(data)]


def _entry(head: str, value: Any) -> list[str]:
    lines = _yaml(value)
    if isinstance(value, (dict, list)) and value:
        return [head, *("  " + line for line in lines)]
    return [f"{head} {lines[0]}"]


def _element(value: Any) -> list[str]:
    first, *rest = _yaml(value)
    return [f"- {first}", *("  " + line for line in rest)]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value == value.strip():
        return value
    return json.dumps(value)
