# Reads the HCL (version 1) that Nomad's configurations are written in. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["HclError", "parse_hcl"]

import re
from typing import Any, Dict, List, NamedTuple, NoReturn

# Deeper nesting is no configuration of Nomad's; the limit keeps a hostile file from exhausting the interpreter.
MAX_DEPTH = 50
BOOLEANS = {"true": True, "false": False}
TOKEN = re.compile(
    r"""
      (?P<space>  [ \t\r\n]+ | \#[^\n]* | //[^\n]* | /\*.*?\*/ )
    | (?P<string> "(?:[^"\\\n]|\\[^\n])*" )
    | (?P<number> -?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.]) )
    | (?P<name>   [^\W\d][\w.\-]* )
    | (?P<mark>   [{}\[\]=,] )
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)
SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


class HclError(ValueError):
    """A text that this reader does not take for HCL; the message has the line's number."""


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def parse_hcl(text: str) -> Dict[str, Any]:
    """The meaning of a text as plain data: comments, order of keys and layout are gone.

    A block is a dictionary under its name, its labels are dictionaries between (`a "b" {}` is {"a": {"b": {}}}, as
    `a = {b = {}}` is). A key that stands several times is a tuple of its values; a list is a list.
    Heredocs and escapes or quotes inside `${...}` are refused. Raises HclError.
    """
    parser = _Parser(_tokens(text))
    return parser.items("end", 0)


class _Parser:
    def __init__(self, tokens: List[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def items(self, end: str, depth: int) -> Dict[str, Any]:
        """Items up to the closing mark, which is taken too."""
        self._not_too_deep(depth)
        found: Dict[str, List[Any]] = {}
        while True:
            token = self._next()
            if token.text == end and token.kind in ("mark", "end"):
                return {key: values[0] if len(values) == 1 else tuple(values) for key, values in found.items()}
            if token.text == "," and token.kind == "mark" and found and depth > 0:
                continue
            found.setdefault(self._key(token), []).append(self._item(depth))

    def _item(self, depth: int) -> Any:
        """What follows a key: `= value`, or labels and a block."""
        token = self._next()
        if token.kind == "mark" and token.text == "=":
            return self._value(self._next(), depth)
        labels = []
        while token.kind in ("name", "string"):
            labels.append(self._key(token))
            token = self._next()
        if token.kind != "mark" or token.text != "{":
            self._unexpected(token, "= or {")
        value: Any = self.items("}", depth + 1)
        for label in reversed(labels):
            value = {label: value}
        return value

    def _value(self, token: _Token, depth: int) -> Any:
        if token.kind == "string":
            return _unquote(token)
        if token.kind == "number":
            return _number(token)
        if token.kind == "name" and token.text in BOOLEANS:
            return BOOLEANS[token.text]
        if token.kind == "mark" and token.text == "{":
            return self.items("}", depth + 1)
        if token.kind == "mark" and token.text == "[":
            return self._list(depth + 1)
        return self._unexpected(token, "a value")

    def _list(self, depth: int) -> List[Any]:
        self._not_too_deep(depth)
        found: List[Any] = []
        while True:
            token = self._next()
            if token.kind == "mark" and token.text == "]":
                return found
            found.append(self._value(token, depth))
            token = self._next()
            if token.kind == "mark" and token.text == "]":
                return found
            if token.kind != "mark" or token.text != ",":
                self._unexpected(token, ", or ]")

    def _key(self, token: _Token) -> str:
        if token.kind == "name" and token.text not in BOOLEANS:
            return token.text
        if token.kind == "string":
            return _unquote(token)
        return self._unexpected(token, "a name")

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _not_too_deep(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise HclError("line {0}: nested too deeply".format(self._tokens[self._at].line))

    @staticmethod
    def _unexpected(token: _Token, wanted: str) -> NoReturn:
        got = "the end of the file" if token.kind == "end" else token.text
        raise HclError("line {0}: {1} was expected, not {2}".format(token.line, wanted, got))


def _tokens(text: str) -> List[_Token]:
    found = []
    at, line = 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise HclError("line {0}: {1!r} cannot be read".format(line, text[at : at + 20].split("\n")[0]))
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return found + [_Token("end", "end", line)]


def _number(token: _Token) -> Any:
    digits = token.text.lstrip("-")
    sign = -1 if token.text.startswith("-") else 1
    try:
        if digits[:2] in ("0x", "0X"):
            return sign * int(digits, 16)
        if any(mark in digits for mark in ".eE"):
            return sign * float(digits)
        # As Nomad's own reader has it: a leading zero means octal.
        return sign * int(digits, 8 if digits.startswith("0") else 10)
    except ValueError as error:
        raise HclError("line {0}: {1} is no number".format(token.line, token.text)) from error


def _unquote(token: _Token) -> str:
    inner = token.text[1:-1]
    if "${" in inner:
        # Inside ${...} the reader of Nomad takes everything as it stands, quotes and backslashes too.
        if "\\" in inner or inner.count("${") > inner.count("}"):
            raise HclError("line {0}: quotes or escapes beside ${{...}} cannot be read".format(token.line))
        return inner

    def plain(match: re.Match[str]) -> str:
        short, long, pair, octal, letter = match.groups()
        if letter is not None:
            if letter not in SIMPLE_ESCAPES:
                raise HclError("line {0}: \\{1} is no escape".format(token.line, letter))
            return SIMPLE_ESCAPES[letter]
        code = int(octal, 8) if octal else int(short or long or pair, 16)
        # One byte of a longer character, half a pair, or beyond Unicode: no text of its own.
        if ((octal or pair) and code > 0x7F) or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            raise HclError("line {0}: {1} is no character".format(token.line, match.group()))
        return chr(code)

    return ESCAPE.sub(plain, inner)
