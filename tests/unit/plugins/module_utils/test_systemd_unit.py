# Tests of the reader of systemd's unit files.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._systemd_unit import UnitError, parse_unit

UNIT = """\
[Unit]
Description=Nomad

[Service]
ExecStart=/usr/bin/nomad agent -config /etc/nomad/config.hcl
Restart=always
"""


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("# a comment\n" + UNIT.replace("\n", "\n; and one\n"), id="comments"),
        pytest.param(UNIT.replace("=", " = ").replace("\n", "\r\n"), id="blanks-and-crlf"),
        pytest.param(UNIT.replace(" agent", "  agent \\\n# between\n  "), id="continued"),
        pytest.param(UNIT.replace("Restart=always\n", "") + "[Unit]\n[Service]\nRestart=always", id="section-twice"),
        pytest.param(UNIT + "\n[Install]\n", id="empty-section"),
    ],
)
def test_layout_is_no_meaning(other: str) -> None:
    assert parse_unit(other) == parse_unit(UNIT)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param("A=1\nA=2", {"A": ("1", "2")}, id="repeated"),
        pytest.param("A=1\nA=\nA=2", {"A": ("", "2")}, id="reset"),
        pytest.param("A=\nA=2", {"A": ("", "2")}, id="reset-of-another-file"),
        pytest.param("A=1\nA=\n", {"A": ("",)}, id="reset-at-the-end"),
        pytest.param("A=b=c", {"A": ("b=c",)}, id="equals-sign-inside"),
        pytest.param("A=x  y", {"A": ("x y",)}, id="blanks"),
        pytest.param("A=x \"y  z\" 'u  v'", {"A": ("x \"y  z\" 'u  v'",)}, id="quoted-blanks"),
        pytest.param("A=a person's  text", {"A": ("a person's text",)}, id="apostrophe"),
        pytest.param(r"A=\  x", {"A": (r"\  x",)}, id="escaped-blank"),
        pytest.param("A=x \\\n\\\ny", {"A": ("x y",)}, id="continued-twice"),
        pytest.param("A=x \\\n\nB=1", {"A": ("x",), "B": ("1",)}, id="blank-line-ends-it"),
        pytest.param("A=x \\\n", {"A": ("x",)}, id="continued-into-the-end"),
    ],
)
def test_what_it_reads(text: str, keys: dict[str, Any]) -> None:
    assert parse_unit("[Service]\n" + text) == {"Service": keys}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("A=1", "line 1: is no KEY=VALUE of a section", id="no-section"),
        pytest.param("[S]\n\nA", "line 3: is no KEY=VALUE of a section", id="no-value"),
        pytest.param("[S]\n=1", "line 2: is no KEY=VALUE of a section", id="no-key"),
        pytest.param("[S", "line 1: a section's closing bracket is missing", id="bracket"),
    ],
)
def test_what_it_refuses(text: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_unit(text)
    assert str(caught.value) == message


@given(st.text("A=[]\\\n\"'# ;x", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UnitError):
        assert isinstance(parse_unit(text), dict)
