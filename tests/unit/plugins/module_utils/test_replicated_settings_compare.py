# Tests of _replicated_settings_compare: what an import would change, and what must not be imported.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import FormItem
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_compare import (
    HIDDEN,
    NOT_KNOWN,
    UNSET,
    Known,
    Plan,
    compare,
    document_of,
    same,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import requested

CANARY = "canary-5b1e"
FORM = {
    "text": FormItem("text", False),
    "area": FormItem("textarea"),
    "flag": FormItem("bool", False),
    "secret": FormItem("password", False),
    "hidden": FormItem("text", False, True),
    "file": FormItem("file", False),
    "files": FormItem("file", True),
    "several": FormItem("text", True),
    "untold": FormItem("text"),
    "choice": FormItem("select", False, False, ("first_choice", "second_choice")),
    "odd": FormItem("something_new"),
    "head": FormItem("heading"),
    "ghe_domain": FormItem("text", False),
}


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def plan(
    present: dict[str, Any] | None = None,
    plain: dict[str, Any] | None = None,
    form: bool = True,
    unknown_items: str = "refuse",
    **options: Any,
) -> Plan:
    nothing: dict[str, Any] = {"settings": {}, "secret_settings": {}, "files": {}, "secret_files": {}}
    wanted = requested({**nothing, "allow_short_secrets": False, **options})
    hidden = present if present is not None else {}
    known = Known(hidden, hidden if plain is None else plain, FORM if form else None)
    return compare(wanted, known, ["ghe_domain"], unknown_items)


NAMES = st.sampled_from(["text", "area", "odd", "untold", "several", "flag", "file", "files"])
VALUES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
CONTENTS = st.builds(
    lambda content, name: {"content_base64": encoded(content), **({"name": name} if name else {})},
    st.binary(max_size=12),
    st.sampled_from(["", "a.pem", "b.pem"]),
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Options that fit the form."""
    settings: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for name in draw(st.sets(NAMES)):
        if name == "file":
            files[name] = draw(CONTENTS)
        elif name == "files":
            files[name] = draw(st.lists(CONTENTS, max_size=3))
        elif name == "several":
            settings[name] = draw(st.lists(VALUES, max_size=3))
        elif name == "flag":
            settings[name] = draw(st.sampled_from([True, False, "1", "0", "yes", "False", 1, 0, ""]))
        else:
            settings[name] = draw(VALUES)
    return {"settings": settings, "files": files}


@given(requests(), requests())
def test_an_import_of_what_differs_leaves_nothing_that_differs(first: dict[str, Any], second: dict[str, Any]) -> None:
    present = document_of(plan(**first).items)
    step = plan(present, **second)
    after = {**present, **document_of(step.changed)}
    assert plan(after, **second).changed == []
    # Without the settings page a text such as "yes" is a text.
    second["settings"].pop("flag", None)
    assert plan(after, form=False, **second).changed == []


@given(requests())
def test_what_is_imported_reads_back_as_what_was_wanted(options: dict[str, Any]) -> None:
    document = document_of(plan(**options).items)
    assert set(document) == {*options["settings"], *options["files"]}
    for name, value in options["settings"].items():
        entry = document[name]
        if isinstance(value, list):
            assert entry == {"multi_value": value}
        elif name == "flag":
            assert entry == {"value": {"True": "1", "yes": "1", "1": "1", "": ""}.get(str(value), "0")}
        else:
            assert entry == {"value": value}
    for name, value in options["files"].items():
        several = value if isinstance(value, list) else [value]
        entry = document[name]
        data = entry["multi_data"] if isinstance(value, list) else [entry["data"]]
        assert data == [part["content_base64"] for part in several]


@given(requests(), requests())
def test_before_and_after_differ_where_something_changes(first: dict[str, Any], second: dict[str, Any]) -> None:
    for one in plan(document_of(plan(**first).items), **second).items:
        assert one.changed == (one.before != one.after), one
        assert one.changed == (not same(one.entry, document_of(plan(**first).items).get(one.item, {}), one.boolean))


@pytest.mark.parametrize(
    ("one", "other", "boolean", "equal"),
    [
        ({"value": "1"}, {"value": "true"}, True, True),
        ({"value": "1"}, {"value": "true"}, False, False),
        ({"value": "0"}, {"value": "1"}, True, False),
        ({"value": True}, {"value": "1"}, False, True),
        ({"value": "maybe"}, {"value": "maybe"}, True, True),
        ({}, {"value": ""}, False, True),
        ({}, {"value": None}, False, True),
        ({}, {"multi_value": []}, False, True),
        ({}, {"value": "0"}, True, False),
        ({"multi_value": ["a", "b"]}, {"multi_value": ["b", "a"]}, False, False),
        ({"multi_value": "ab", "value": "c"}, {"value": "c"}, False, True),
        ({"value": "n", "data": "YQ=="}, {"value": "n", "data": "YQ==\n"}, False, True),
        ({"value": "n", "data": "YQ=="}, {"value": "m", "data": "YQ=="}, False, False),
        ({"value": "n", "data": "YQ=="}, {"value": "n", "data": "Yg=="}, False, False),
        ({"value": "n", "data": "?"}, {"value": "n", "data": "?"}, False, True),
        ({"value": "n", "data": "YQ=="}, {"value": "n"}, False, False),
    ],
)
def test_what_is_the_same(one: dict[str, Any], other: dict[str, Any], boolean: bool, equal: bool) -> None:
    for left, right in ((one, other), (other, one)):
        assert same(left, right, boolean) is equal


def test_a_file_keeps_its_name_unless_another_is_asked_for() -> None:
    present = {"file": {"value": "clicked.pem", "data": encoded(b"content")}}
    assert plan(present, files={"file": {"content": "content"}}).changed == []
    renamed = plan(present, files={"file": {"content": "content", "name": "new.pem"}})
    assert document_of(renamed.changed) == {"file": {"value": "new.pem", "data": encoded(b"content")}}
    rewritten = plan(present, files={"file": {"content": "other"}})
    assert document_of(rewritten.changed) == {"file": {"value": "file", "data": encoded(b"other")}}
    nameless = plan({"file": {"data": encoded(b"content")}}, files={"file": {"content": "content"}})
    assert document_of(nameless.changed) == {"file": {"value": "file", "data": encoded(b"content")}}


def test_how_values_are_shown() -> None:
    present = {
        "text": {"value": "old"},
        "several": {"multi_value": ["a"]},
        "file": {"value": "a.pem", "data": encoded(b"abc")},
        "files": {"multi_data": [encoded(b"x")]},
        "secret": {"value": "same-secret"},
    }
    found = plan(
        present,
        settings={"text": "new", "several": ["a", "b"], "flag": False, "area": "x" * 200, "secret": "same-secret"},
        files={"file": {"content": "abc"}, "files": [{"content": "x", "name": "n"}]},
        secret_settings={"untold": "long-enough"},
    )
    before = {one.item: one.before for one in found.items}
    after = {one.item: one.after for one in found.items}
    assert before == {
        "text": "old",
        "several": ["a"],
        "flag": UNSET,
        "area": UNSET,
        "secret": HIDDEN,
        "untold": UNSET,
        "file": "a.pem (3 bytes, sha256 ba7816bf8f01)",
        "files": ["(no name) (1 bytes, sha256 2d711642b726)"],
    }
    assert after == {
        **before,
        "text": "new",
        "several": ["a", "b"],
        "flag": "0",
        "area": "x" * 200,
        "untold": HIDDEN,
        "files": ["n (1 bytes, sha256 2d711642b726)"],
    }
    sentences = [one.sentence for one in found.changed]
    assert sentences[:3] == ['text: "old" -> "new"', 'several: ["a"] -> ["a", "b"]', 'flag: (unset) -> "0"']
    assert sentences[3].endswith("...")
    assert sentences[4] == "untold: (unset) -> VALUE HIDDEN"


@pytest.mark.parametrize(
    ("item", "plain", "form", "secret"),
    [
        pytest.param("text", {"text": {"value": CANARY}}, FORM, False, id="shown"),
        pytest.param("secret", {"secret": {"value": CANARY}}, FORM, True, id="password"),
        pytest.param("hidden", {"hidden": {"value": CANARY}}, FORM, True, id="hidden-on-the-page"),
        pytest.param("text", {}, FORM, True, id="absent-from-the-plain-export"),
        pytest.param("text", {"text": {}}, FORM, True, id="empty-in-the-plain-export"),
        pytest.param("text", {"text": {"value": "*****"}}, FORM, True, id="masked-in-the-plain-export"),
        pytest.param("text", {"text": {"value": CANARY}}, None, False, id="no-page"),
        pytest.param("github_client_secret", {"github_client_secret": {"value": CANARY}}, None, True, id="by-name"),
    ],
)
def test_what_is_secret_though_it_was_not_given_as_one(
    item: str, plain: dict[str, Any], form: dict[str, FormItem] | None, secret: bool
) -> None:
    (one,) = plan({item: {"value": CANARY}}, plain, form, settings={item: CANARY + "-new"}).items
    assert one.secret is secret
    shown = f"{one.sentence} {one.before} {one.after}"
    assert (CANARY in shown) is not secret
    assert one.changed


def test_a_hidden_item_that_is_not_set_yet_is_secret() -> None:
    (one,) = plan({"odd": {}}, {}, None, settings={"odd": CANARY}).items
    assert one.sentence == "odd: (unset) -> VALUE HIDDEN"


def test_without_an_installation_everything_changes() -> None:
    wanted = requested(
        {
            "settings": {"a": "x", "b_token": CANARY},
            "secret_settings": {},
            "files": {},
            "secret_files": {},
            "allow_short_secrets": False,
        }
    )
    found = compare(wanted, Known(), ["a"])
    assert [one.sentence for one in found.changed] == [
        'a: (not known) -> "x"',
        "b_token: (not known) -> VALUE HIDDEN",
    ]
    assert found.items[0].before == NOT_KNOWN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"settings": {"txet": "x"}},
            "settings.txet: the application has no such setting. Did you mean text? `replicatedctl app-config view` on "
            "the host lists all.",
            id="unknown",
        ),
        pytest.param({"settings": {"zzzzzz": "x"}}, "No name is near to it. `replicatedctl", id="unknown-and-far"),
        pytest.param({"settings": {"flag": "maybe"}}, "settings.flag = 'maybe': must be true or false", id="bool"),
        pytest.param({"settings": {"flag": 2}}, "settings.flag = '2': must be true or false", id="bool-number"),
        pytest.param(
            {"settings": {"text": True}},
            "settings.text: is an item of type text, and a boolean was given. Put the value in quotes",
            id="boolean-for-a-text",
        ),
        pytest.param(
            {"settings": {"file": "x"}},
            "settings.file: is a file item, and a plain value was given. Give it in files, with path or content.",
            id="plain-for-a-file",
        ),
        pytest.param(
            {"secret_settings": {"file": CANARY}}, "Give it in secret_files, with path", id="secret-plain-for-a-file"
        ),
        pytest.param(
            {"files": {"text": {"content": "x"}}},
            "files.text: is an item of type text, not a file. Give its value in settings.",
            id="file-for-a-text",
        ),
        pytest.param(
            {"secret_files": {"secret": {"content": CANARY}}}, "Give its value in secret_settings.", id="secret-file"
        ),
        pytest.param(
            {"settings": {"text": ["x"]}}, "settings.text: takes one value, not a list. Write the one value", id="list"
        ),
        pytest.param({"settings": {"several": "x"}}, "settings.several: takes several values. Write a list", id="one"),
        pytest.param(
            {"settings": {"choice": "frist_choice"}},
            "settings.choice = 'frist_choice': is none of the values that can be chosen: first_choice, second_choice. "
            "Did you mean first_choice?",
            id="choice",
        ),
        pytest.param({"settings": {"choice": "zzz"}}, "Take one of them.", id="choice-far"),
        pytest.param(
            {"secret_settings": {"choice": CANARY}}, "settings.choice: is none of the values", id="secret-choice"
        ),
        pytest.param({"settings": {"head": "x"}}, "is a heading of the settings page and has no value", id="heading"),
        pytest.param(
            {"settings": {"ghe_domain": "new.example.com"}},
            "settings.ghe_domain = 'new.example.com': is \"ghe.example.com\" on this installation and must not change: "
            "CircleCI does not support changing GitHub's URL or backend after set-up, and doing so corrupts the "
            "installation (guide L183, L1928). Set it to the present value, or leave it out.",
            id="fixed",
        ),
        pytest.param({"settings": {"ghe_domain": ""}}, "must not change", id="fixed-emptied"),
        pytest.param({"secret_settings": {"ghe_domain": CANARY}}, "settings.ghe_domain: is VALUE HIDDEN", id="fixed2"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OpsError) as refused:
        plan({"ghe_domain": {"value": "ghe.example.com"}}, **options)
    assert message in str(refused.value)
    assert CANARY not in str(refused.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(OpsError) as refused:
        plan(settings={"txet": "x", "flag": "maybe", "file": "y"})
    text = str(refused.value)
    assert text.count("settings.") == 3
    assert text.index("settings.txet") < text.index("settings.flag") < text.index("settings.file")


def test_a_fixed_item_may_be_set_once_and_stays_what_it_is() -> None:
    assert len(plan({"ghe_domain": {}}, settings={"ghe_domain": "ghe.example.com"}).changed) == 1
    present = {"ghe_domain": {"value": "ghe.example.com"}}
    assert plan(present, settings={"ghe_domain": "ghe.example.com"}).changed == []


def test_an_unknown_item_may_be_left_out() -> None:
    found = plan(settings={"txet": "x", "text": "y"}, unknown_items="warn")
    assert [one.item for one in found.items] == ["text"]
    assert found.warnings == [
        "settings.txet: the application has no such setting. Did you mean text? `replicatedctl app-config view` on the "
        "host lists all. It was left out."
    ]


def test_where_the_page_does_not_tell_the_present_value_tells_whether_it_is_a_list() -> None:
    with pytest.raises(OpsError, match="takes one value"):
        plan({"untold": {"value": "x"}}, settings={"untold": ["x"]})
    with pytest.raises(OpsError, match="takes several values"):
        plan({"untold": {"multi_value": ["x"]}}, settings={"untold": "x"})
    assert len(plan({"untold": {}}, settings={"untold": ["x"]}).changed) == 1


def test_without_the_page_nothing_is_checked() -> None:
    found = plan(form=False, settings={"anything": "x", "flag": "maybe"})
    assert len(found.changed) == 2
