# Tests of the HCL reader: by hand, and on generated configurations in any layout.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._hcl import HclError, parse_hcl

# As CircleCI's script writes it (facts, section 7), in a person's layout.
SCRIPT = """
log_level="DEBUG"   # as ever
data_dir = "/opt/nomad"
// where
datacenter = "us-east-1"
advertise { http = "10.0.0.5" rpc = "10.0.0.5"
  serf = "10.0.0.5" }
/* the client,
   on two lines */
client {
    enabled = true
    servers = ["10.0.0.2:4647",]
    node_class = "linux-64bit"
    options = {"driver.raw_exec.enable" = "1"}
}
"""


def test_the_configuration_of_the_vendor_s_script() -> None:
    assert parse_hcl(SCRIPT) == {
        "log_level": "DEBUG",
        "data_dir": "/opt/nomad",
        "datacenter": "us-east-1",
        "advertise": {"http": "10.0.0.5", "rpc": "10.0.0.5", "serf": "10.0.0.5"},
        "client": {
            "enabled": True,
            "servers": ["10.0.0.2:4647"],
            "node_class": "linux-64bit",
            "options": {"driver.raw_exec.enable": "1"},
        },
    }


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("# only a comment", {}, id="comment-at-the-end"),
        pytest.param('a "b" "c" { d = 1 }', {"a": {"b": {"c": {"d": 1}}}}, id="labels"),
        pytest.param('"a" b { }', {"a": {"b": {}}}, id="quoted-name"),
        pytest.param("a { x = 1 }\na { x = 2 }", {"a": ({"x": 1}, {"x": 2})}, id="repeated-block"),
        pytest.param("a = 1\na = 2", {"a": (1, 2)}, id="repeated-key"),
        pytest.param("a { x = 1, y = 2 }", {"a": {"x": 1, "y": 2}}, id="commas-between-items"),
        pytest.param("a = [1, [2, {b = 3}], ]", {"a": [1, [2, {"b": 3}]]}, id="list-in-list"),
        pytest.param("a = []", {"a": []}, id="empty-list"),
        pytest.param("a = -0x1F", {"a": -31}, id="hex"),
        pytest.param("a = 017", {"a": 15}, id="octal"),
        pytest.param("a = 0", {"a": 0}, id="zero"),
        pytest.param("a = 1.5e3", {"a": 1500.0}, id="float"),
        pytest.param("a = -2", {"a": -2}, id="negative"),
        pytest.param("a = false", {"a": False}, id="bool"),
        pytest.param('a = "true"', {"a": "true"}, id="string-is-no-bool"),
        pytest.param(r'a = "\n\t\"\\\u00e9\U0001f600\x41\101"', {"a": '\n\t"\\é😀AA'}, id="escapes"),
        pytest.param(
            'a = "${attr.kernel.name} # no comment"', {"a": "${attr.kernel.name} # no comment"}, id="variable"
        ),
        pytest.param('a = "x" /* c */ b-c.d = 2 // e', {"a": "x", "b-c.d": 2}, id="one-line"),
        pytest.param("a\r\n=\r\n1\r\n", {"a": 1}, id="crlf"),
    ],
)
def test_what_it_reads(text: str, meaning: dict[str, Any]) -> None:
    assert parse_hcl(text) == meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a = 1\nb =", "line 2: a value was expected, not the end of the file", id="no-value"),
        pytest.param("a {\n x = 1", "line 2: a name was expected, not the end of the file", id="open-block"),
        pytest.param("}", "line 1: a name was expected, not }", id="closing-only"),
        pytest.param('a "b" = 1', "line 1: = or { was expected, not =", id="label-and-value"),
        pytest.param("true = 1", "line 1: a name was expected, not true", id="boolean-as-name"),
        pytest.param("a 1", "line 1: = or { was expected, not 1", id="no-mark"),
        pytest.param("a = [1 2]", "line 1: , or ] was expected, not 2", id="list-without-comma"),
        pytest.param("a = [1", "line 1: , or ] was expected, not the end of the file", id="open-list"),
        pytest.param("a = yes", "line 1: a value was expected, not yes", id="bare-word"),
        pytest.param("a = 08", "line 1: 08 is no number", id="octal"),
        pytest.param("a = 1x", "line 1: '1x' cannot be read", id="number-and-letter"),
        pytest.param('a = "x\ny"', "line 1: '\"x' cannot be read", id="newline-in-string"),
        pytest.param("a = <<EOF\nx\nEOF\n", "line 1: '<<EOF' cannot be read", id="heredoc"),
        pytest.param("/* open", "line 1: '/* open' cannot be read", id="open-comment"),
        pytest.param(r'a = "\q"', r"line 1: \q is no escape", id="escape"),
        pytest.param(r'a = "\ud83d"', r"line 1: \ud83d is no character", id="half-a-pair"),
        pytest.param(r'a = "\xe9"', r"line 1: \xe9 is no character", id="half-a-character"),
        pytest.param(r'a = "\UFFFFFFFF"', r"line 1: \UFFFFFFFF is no character", id="beyond-unicode"),
        pytest.param(
            r'a = "${b} \n"', "line 1: quotes or escapes beside ${...} cannot be read", id="escape-and-variable"
        ),
        pytest.param('a = "${env("X")}"', "line 1: quotes or escapes beside ${...} cannot be read", id="quotes-inside"),
        pytest.param(", a = 1", "line 1: a name was expected, not ,", id="leading-comma"),
        pytest.param("a = " + "[" * 80, "line 1: nested too deeply", id="deep-lists"),
        pytest.param("a {" * 80, "line 1: nested too deeply", id="deep-blocks"),
    ],
)
def test_what_it_refuses(text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        parse_hcl(text)
    assert str(caught.value) == message


names = st.from_regex(r"\A[a-z_][a-z0-9_]{0,5}\Z")
keys = names | st.text(st.characters(exclude_categories=["Cs"]), max_size=5).filter(lambda text: "${" not in text)
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: "${" not in text)
scalars = st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | strings
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
blanks = st.sampled_from([" ", "\n", "\t", "\r\n", " # c\n", "// c {\n", " /* } \n = */ "])


class Writer:
    """Writes data as HCL, with a layout drawn anew at each place where one is free."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def blank(self) -> str:
        return str(self.draw(blanks))

    def string(self, text: str) -> str:
        quoted = json.dumps(text, ensure_ascii=False)
        return quoted.replace("\x7f", "\\x7f") if self.draw(st.booleans()) else quoted

    def key(self, text: str) -> str:
        bare = text not in ("", "true", "false") and all(letter in "abcdefghijklmnopqrstuvwxyz_" for letter in text)
        return text if bare and self.draw(st.booleans()) else self.string(text)

    def value(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + self.items(value) + "}"
        if isinstance(value, list):
            inner = ",".join(self.blank() + self.value(item) + self.blank() for item in value)
            return "[" + inner + ("," if value and self.draw(st.booleans()) else "") + "]"
        return self.string(value) if isinstance(value, str) else json.dumps(value)

    def items(self, data: dict[str, Any]) -> str:
        text = ""
        for key, value in self.draw(st.permutations(list(data.items()))):
            mark = "" if isinstance(value, dict) and self.draw(st.booleans()) else "="
            text += self.blank() + self.key(key) + self.blank() + mark + self.blank() + self.value(value) + self.blank()
        return text


@given(st.dictionaries(keys, values, max_size=4), st.data())
def test_any_layout_of_a_configuration_has_one_meaning(data: dict[str, Any], draws: Any) -> None:
    assert parse_hcl(Writer(draws.draw).items(data)) == data


@given(st.text(max_size=40) | st.text('abc{}[]=,"\\\n#/*1.- ', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(HclError):
        assert isinstance(parse_hcl(text), dict)
