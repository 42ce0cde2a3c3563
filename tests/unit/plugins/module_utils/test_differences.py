# Tests of naming what differs.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._differences import differences


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, [], id="order-of-keys"),
        pytest.param({}, {"userns-remap": "default"}, ['userns-remap: (absent) -> "default"'], id="new"),
        pytest.param({"a": None}, {}, ["a: null -> (absent)"], id="gone"),
        pytest.param({"o": {"x.y": 1}}, {"o": {"x.y": 2}}, ['o."x.y": 1 -> 2'], id="nested-key-with-a-dot"),
        pytest.param({"a": True}, {"a": 1}, ["a: true -> 1"], id="true-is-not-1"),
        pytest.param({"a": 1}, {"a": 1.0}, ["a: 1 -> 1.0"], id="1-is-not-1.0"),
        pytest.param({"a": "1"}, {"a": 1}, ['a: "1" -> 1'], id="text-is-no-number"),
        pytest.param({"a": [True]}, {"a": [1]}, ["a: [true] -> [1]"], id="true-in-a-list"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, ["a: [1, 2] -> [2, 1]"], id="order-of-a-list"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, ["a: [1] -> [1, 2]"], id="longer-list"),
        pytest.param({"a": ({"x": 1}, {"x": 2})}, {"a": ({"x": 1}, {"x": 3})}, ["a[1].x: 2 -> 3"], id="blocks"),
        pytest.param({"a": ("x",)}, {"a": ("y", "z")}, ['a: "x" -> ["y", "z"]'], id="one-value-without-brackets"),
        pytest.param({"a": [1]}, {"a": (1,)}, ["a: [1] -> 1"], id="list-is-no-repetition"),
        pytest.param([1], {"a": 1}, ['the whole: [1] -> {"a": 1}'], id="other-kind"),
        pytest.param({"a": ""}, {"a": "x" * 200}, ['a: "" -> "' + "x" * 116 + "..."], id="long-values-are-cut"),
    ],
)
def test_sentences(before: Any, after: Any, sentences: list[str]) -> None:
    assert differences(before, after) == sentences
