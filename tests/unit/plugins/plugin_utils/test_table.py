# Tests of _table: alignment, wrapping, cells of any kind, and nothing that a terminal would obey.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.plugin_utils._table import NARROWEST, cells, plain, render


def test_a_table() -> None:
    heads, rows = cells(["service", "ms"], [["frontend", 12], ["exim", None]])
    assert render("Health", heads, rows, ["2 of 2 healthy"], 100).split("\n") == [
        "Health",
        "",
        "service   ms",
        "--------  --",
        "frontend  12",
        "exim",
        "",
        "2 of 2 healthy",
    ]


def test_long_cells_are_wrapped_and_the_widest_column_gives_way() -> None:
    heads, rows = cells(["name", "detail"], [["frontend", "the connection was closed without an answer"], ["b", "ok"]])
    assert render("", heads, rows, [], 32).split("\n") == [
        "name      detail",
        "--------  ----------------------",
        "frontend  the connection was",
        "          closed without an",
        "          answer",
        "b         ok",
    ]


def test_a_word_that_is_too_long_is_broken() -> None:
    text = render("", *cells([], [["x" * 30, "y"]]), [], 20)
    assert text.split("\n") == ["x" * 17 + "  y", "x" * 13]


def test_columns_stay_readable_even_when_they_do_not_fit() -> None:
    text = render("", *cells(list("abcdef"), [["word " * 6] * 6]), [], 20)
    assert max(map(len, text.split("\n"))) == 6 * NARROWEST + 5 * 2


def test_notes_are_wrapped() -> None:
    assert render("", [], [], ["one two three four", ""], 10).split("\n") == ["one two", "  three", "  four", ""]


def test_nothing_at_all() -> None:
    assert render("", *cells([], []), [], 100) == ""
    assert render("", *cells(["a"], []), [], 100) == "a\n-"


def test_rows_of_any_kind() -> None:
    assert cells([], [{"a": 1, "b": True}, {"b": False, "c": 2}]) == (["a", "b"], [["1", "yes"], ["", "no"]])
    assert cells(["b"], [{"a": 1, "b": ["x", "y"]}]) == (["b"], [["x, y"]])
    assert cells(["a", "b"], [["1"], ("1", "2", "3")]) == (["a", "b", ""], [["1", "", ""], ["1", "2", "3"]])
    with pytest.raises(ValueError, match="a row is a list or a dictionary, not 'text'"):
        cells([], ["text"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\n b\tc", "a b c"),
        ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        (None, ""),
        (1.5, "1.5"),
        (["a", None], "a, "),
        ("é✓", "é✓"),
    ],
)
def test_plain(value: Any, text: str) -> None:
    assert plain(value) == text


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=5), max_size=5),
    st.integers(20, 120),
)
def test_any_table(rows: list[list[str]], width: int) -> None:
    heads, texts = cells([], rows)
    text = render("", heads, texts, [], width)
    columns = max(map(len, texts), default=0)
    for line in text.split("\n"):
        assert line == line.rstrip()
        assert all(character.isprintable() for character in line)
        assert len(line) <= max(width, columns * (NARROWEST + 2))
    shown = sorted("".join(text.split()))
    assert shown == sorted("".join("".join(row) for row in texts).replace(" ", ""))
