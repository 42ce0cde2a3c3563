# Tests of reading, merging and writing JSON.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._differences import differences
from ansible_collections.circleci_server.ops.plugins.module_utils._json_merge import (
    JsonError,
    merge_json,
    read_json,
    write_json,
)

scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
keys = st.sampled_from(["a", "b", "c", "é", "\ud83d"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(keys, values, max_size=3)


@pytest.mark.parametrize(
    ("present", "ours", "merged"),
    [
        pytest.param(
            {"log-driver": "x"},
            {"userns-remap": "default"},
            {"log-driver": "x", "userns-remap": "default"},
            id="others-stay",
        ),
        pytest.param({"o": {"a": 1, "b": 2}}, {"o": {"b": 3}}, {"o": {"a": 1, "b": 3}}, id="nested"),
        pytest.param({"l": [1, 2]}, {"l": [3]}, {"l": [3]}, id="list-wins"),
        pytest.param({"o": {"a": 1}}, {"o": 1}, {"o": 1}, id="scalar-wins"),
        pytest.param({"o": 1}, {"o": {"a": 1}}, {"o": {"a": 1}}, id="object-wins"),
        pytest.param(
            {"a": 1, "o": {"b": 1}}, {"a": None, "o": {"b": None}, "x": None}, {"o": {}}, id="null-takes-away"
        ),
    ],
)
def test_merge(present: Any, ours: Any, merged: Any) -> None:
    assert merge_json(present, ours) == merged


@given(objects, objects)
def test_merging_twice_is_merging_once_and_changes_neither(present: dict[str, Any], ours: dict[str, Any]) -> None:
    before = json.dumps([present, ours])
    merged = merge_json(present, ours)
    assert differences(merged, merge_json(merged, ours)) == []
    assert json.dumps([present, ours]) == before
    assert {key: merged[key] for key in present if key not in ours} == {
        key: value for key, value in present.items() if key not in ours
    }
    assert all(differences(merged[key], value) == [] for key, value in ours.items() if not isinstance(value, dict))


@given(objects)
def test_what_is_written_is_read_again(value: dict[str, Any]) -> None:
    text = write_json(value)
    assert read_json(text.encode("utf-8").decode("utf-8")) == value
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("like", "indent"), [("", "  "), ('{\n\t"a": 1\n}', "\t"), ('{\n    "a": 1\n}', "    "), ("{}", "  ")]
)
def test_the_indent_of_the_file_stays(like: str, indent: str) -> None:
    assert write_json({"a": "é"}, like) == "{\n" + indent + '"a": "é"\n}\n'


@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"a": NaN}', "// c\n{}", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(JsonError):
        read_json(text)


def test_an_empty_file_is_an_empty_object() -> None:
    assert read_json(" \n") == {}
