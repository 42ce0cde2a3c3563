# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4, --template): a small part of Go's text/template, as its public reference has it.

Fields, `range`, `if`, `else`, `end`; json, index, len, eq, ne, and, or, not. Anything else is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .client import Failure

__all__ = ["render"]

_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|\(|\)(?:\.\w+)*|[^\s()]+')
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": lambda value: json.dumps(value, separators=(",", ":")),
    "index": lambda value, *keys: _index(value, keys),
    "len": len,
    "eq": lambda first, *others: first in others,
    "ne": lambda first, second: first != second,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "not": lambda value: not value,
}


def render(template: str, data: Any) -> str:
    """The text that a template makes of the data."""
    # Odd parts are what stands between the braces; a dash beside a brace eats the blanks on that side.
    text = re.sub(r"\s*\{\{-\s", "{{", re.sub(r"\s-\}\}\s*", "}}", template))
    parts = re.split(r"\{\{(.*?)\}\}", text, flags=re.DOTALL)
    nodes, position = _block(parts, 0)
    if position < len(parts):
        raise Failure("template: unexpected {{end}}")
    return _write(nodes, data)


def _block(parts: list[str], position: int) -> tuple[list[Any], int]:
    """Texts, expressions, and [keyword, expression, block, other block]; ends behind its `end` or `else`."""
    nodes: list[Any] = []
    while position < len(parts):
        part, action = parts[position], position % 2
        position += 1
        if not action:
            nodes.append(part)
            continue
        keyword, _unused, rest = part.strip().partition(" ")
        if keyword in ("end", "else"):
            return [*nodes, (keyword,)], position
        if keyword in ("range", "if"):
            first, position = _block(parts, position)
            second: list[Any] = []
            if _ending(first) == "else":
                second, position = _block(parts, position)
                _ending(second)
            nodes.append([keyword, rest, first, second])
        else:
            nodes.append([part.strip()])
    return nodes, position


def _ending(nodes: list[Any]) -> str:
    if not nodes or not isinstance(nodes[-1], tuple):
        raise Failure("template: unexpected EOF")
    return str(nodes.pop()[0])


def _write(nodes: list[Any], data: Any) -> str:
    return "".join(node if isinstance(node, str) else _action(node, data) for node in nodes)


def _action(node: Any, data: Any) -> str:
    if isinstance(node, tuple):
        raise Failure(f"template: unexpected {{{{{node[0]}}}}}")
    if len(node) == 1:
        return _text(_evaluate(node[0], data))
    keyword, expression, first, second = node
    value = _evaluate(expression, data)
    if not value:
        return _write(second, data)
    if keyword == "if":
        return _write(first, data)
    return "".join(_write(first, item) for item in (value.values() if isinstance(value, dict) else value))


def _text(value: Any) -> str:
    if value is None:
        return "<no value>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _evaluate(expression: str, data: Any) -> Any:
    words = _WORDS.findall(expression)
    value = _call(words, data)
    if words:
        raise Failure(f"template: unexpected {words[0]!r} in operand")
    return value


def _call(words: list[str], data: Any) -> Any:
    """A function with its operands, or one operand; up to the closing bracket."""
    function = _FUNCTIONS[words.pop(0)] if words and words[0] in _FUNCTIONS else None
    operands = []
    while words and not words[0].startswith(")"):
        operands.append(_operand(words, data))
    if function:
        try:
            return function(*operands)
        except (TypeError, KeyError, IndexError) as error:
            raise Failure(f"template: error calling a function: {error}") from None
    if len(operands) != 1:
        raise Failure("template: missing value for command")
    return operands[0]


def _operand(words: list[str], data: Any) -> Any:
    word = words.pop(0)
    if word == "(":
        value = _call(words, data)
        if not words:
            raise Failure("template: unclosed left paren")
        return _field(value, words.pop(0).removeprefix(")"))
    if word.startswith("."):
        return _field(data, word)
    if word.startswith('"') or re.fullmatch(r"-?\d+|true|false", word):
        return json.loads(word)
    raise Failure(f'template: function "{word}" not defined')


def _field(value: Any, path: str) -> Any:
    for name in path.split("."):
        if name:
            if not isinstance(value, dict):
                raise Failure(f"template: can't evaluate field {name}")
            value = value.get(name)
    return value


def _index(value: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else value[key]
    return value
