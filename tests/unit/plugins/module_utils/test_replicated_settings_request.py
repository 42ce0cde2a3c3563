# Tests of _replicated_settings_request: options become values, and what cannot be one is refused by name.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import Wanted, requested

CANARY = "canary-77aa"


def request(**options: Any) -> dict[str, Wanted]:
    nothing: dict[str, Any] = {"settings": {}, "secret_settings": {}, "files": {}, "secret_files": {}}
    return requested({**nothing, "allow_short_secrets": False, **options})


def test_plain_values() -> None:
    found = request(settings={"a": True, "b": False, "c": 12, "d": "x", "e": ["y", 2, True], "f": [], "g": ""})
    assert {item: (one.values, one.multiple, one.booleans) for item, one in found.items()} == {
        "a": (("1",), False, True),
        "b": (("0",), False, True),
        "c": (("12",), False, False),
        "d": (("x",), False, False),
        "e": (("y", "2", "1"), True, False),
        "f": ((), True, False),
        "g": (("",), False, False),
    }
    assert not any(one.secret or one.is_file for one in found.values())


def test_files() -> None:
    found = request(
        files={"a": {"content": "é", "name": "a.pem"}, "b": [{"content_base64": "/w==\n"}, {"content": "x"}]},
        secret_files={"c": {"content_base64": "MTIzNDU2Nzg="}},
    )
    assert found["a"] == Wanted("files.a", False, False, ("a.pem",), ("é".encode(),), named=(True,))
    assert found["b"] == Wanted("files.b", False, True, ("b", "b"), (b"\xff", b"x"), named=(False, False))
    assert found["c"] == Wanted("secret_files.c", True, False, ("c",), (b"12345678",), named=(False,))


def test_names_that_the_controller_knows() -> None:
    handover = {"file_names": {"a": [["server.pem", False]]}}
    found = request(files={"a": {"content": "x"}}, handover=handover)
    assert (found["a"].values, found["a"].named) == (("server.pem",), (False,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"settings": {"a": None}},
            "settings.a: has no value, and an import merges: whether it can take a value away is not known. Leave the "
            "item out to keep what is set, or give an empty text to blank it.",
            id="null",
        ),
        pytest.param({"settings": {"a": ["x", None]}}, "settings.a: has no value", id="null-in-a-list"),
        pytest.param({"settings": {"a": {"path": "x"}}}, "Give a file item in files or secret_files", id="dictionary"),
        pytest.param({"settings": {"a": 1.5}}, "settings.a = 1.5: must be a text, a whole number", id="float"),
        pytest.param({"settings": {"a": [["x"]]}}, "a list of these, not list. Put the value in quotes.", id="nested"),
        pytest.param({"settings": {" ": "x"}}, "an item needs a name", id="no-name"),
        pytest.param(
            {"settings": {"a": "x"}, "files": {"a": {"content": "y"}}},
            "files.a: the same item is given twice, also as settings.a. Remove one of the two.",
            id="twice",
        ),
        pytest.param(
            {"files": {"a": "x"}}, "files.a = 'x': is a file item, so it must be a dictionary", id="plain-file"
        ),
        pytest.param({"files": {"a": {"pth": "x"}}}, "'pth' is no key of a file item. Did you mean path?", id="key"),
        pytest.param({"files": {"a": {"zzz": "x"}}}, "file item. Known are: path, content, content_base64", id="key2"),
        pytest.param({"files": {"a": {}}}, "needs one of path, content, content_base64, and has none", id="empty"),
        pytest.param({"files": {"a": {"content": "x", "path": "y"}}}, "and has path and content", id="two"),
        pytest.param({"files": {"a": {"content": 5}}}, "files.a: content must be a text, not int", id="number"),
        pytest.param({"files": {"a": {"content_base64": "?"}}}, "content_base64 is no base64", id="base64"),
        pytest.param({"files": {"a": {"path": "/x"}}}, "files.a = '/x': a path is read on the controller", id="path"),
        pytest.param(
            {"secret_settings": {"a": "1234567"}},
            "secret_settings.a: a secret of fewer than 8 characters would censor every text that contains it. Take a "
            "longer one, give it in settings, or set allow_short_secrets: true",
            id="short",
        ),
        pytest.param({"secret_settings": {"a": True}}, "fewer than 8 characters", id="short-boolean"),
        pytest.param({"secret_files": {"a": {"content": "x"}}}, "fewer than 8 characters", id="short-file"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OpsError) as refused:
        request(**options)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"secret_settings": {"a": {"b": CANARY}}},
        {"secret_settings": {"a": [[CANARY]]}},
        {"secret_files": {"a": CANARY}},
        {"secret_files": {"a": {"content": CANARY, "content_base64": CANARY}}},
        {"secret_files": {"a": {"content_base64": CANARY + "?"}}},
    ],
)
def test_refusals_show_no_secret(options: dict[str, Any]) -> None:
    with pytest.raises(OpsError) as refused:
        request(**options)
    assert CANARY not in str(refused.value)


def test_short_secrets_where_they_are_allowed() -> None:
    assert request(secret_settings={"a": "x"}, allow_short_secrets=True)["a"].values == ("x",)
    assert request(secret_settings={"a": ""})["a"].values == ("",)
