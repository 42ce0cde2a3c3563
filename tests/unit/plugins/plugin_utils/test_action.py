# Tests of the action base class: what is secret never shows, on the good path and on each failing one.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _action
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction, collect_secrets, scrub

CANARY = "canary-7f3a"
OTHER = "canary-9b1c"
SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True, "aliases": ["pass"]},
    "pin": {"type": "int", "no_log": True},
    "tokens": {"type": "dict", "no_log": True},
    "fallback_secret": {"type": "str", "no_log": True, "default": "canary-default"},
    "users": {
        "type": "list",
        "elements": "dict",
        "options": {
            "login": {"type": "str"},
            "key": {"type": "str", "no_log": True},
            "inner": {"type": "dict", "options": {"deep": {"type": "str", "no_log": True}}},
        },
    },
    "single": {"type": "dict", "options": {"login": {"type": "str"}}},
}


class Vaulted:
    """As ansible-core 2.17 hands on a vaulted value: no str, but str() gives it in clear."""

    def __str__(self) -> str:
        return CANARY


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []

    class FakeDisplay:
        def display(self, text: str, stderr: bool = False) -> None:
            lines.append((text, stderr))

    monkeypatch.setattr(_action, "Display", FakeDisplay)
    return lines


def make(act: Callable[..., dict[str, Any]], args: dict[str, Any], **task: Any) -> OpsAction:
    class Example(OpsAction):
        ARGUMENT_SPEC = SPEC
        REQUIREMENTS = {"mutually_exclusive": [["password", "tokens"]]}

        def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            return act(self, arguments, task_vars)

    fields = {"args": args, "action": "circleci_server.ops.example", "async_val": 0, "check_mode": False, **task}
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"), has_pipelining=False)
    return Example(SimpleNamespace(**fields), connection, SimpleNamespace(), None, None, None)


def echo(_self: OpsAction, arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
    return {
        "changed": True,
        "arguments": arguments,
        "diff": [{"before": "", "after": f"password={arguments['password']}\n"}],
        "pair": (arguments["password"],),
    }


def test_result_and_diff_come_without_secrets() -> None:
    args = {
        "name": "frontend",
        "password": CANARY,
        "pin": 731_731,
        "users": [{"login": "ann", "key": OTHER, "inner": {"deep": "canary-deep"}}],
    }
    result = make(echo, args).run(task_vars={})
    text = json.dumps(result)
    assert "canary" not in text and "731731" not in text
    assert result["changed"] is True
    assert result["arguments"]["name"] == "frontend"
    assert result["arguments"]["users"][0]["login"] == "ann"
    assert result["diff"][0]["after"] == "password=********\n"


@pytest.mark.parametrize(
    ("args", "secret"),
    [
        pytest.param({"pass": CANARY}, CANARY, id="alias"),
        pytest.param({"password": Vaulted()}, CANARY, id="vaulted-2.17"),
        pytest.param({"tokens": {"a": [CANARY]}}, CANARY, id="inside-dict"),
        pytest.param({"tokens": json.dumps({"a": CANARY})}, CANARY, id="dict-as-json"),
        pytest.param({"users": [json.dumps({"key": CANARY})]}, CANARY, id="suboption-as-json"),
        pytest.param({"users": [f"key={CANARY}"]}, CANARY, id="suboption-as-pairs"),
        pytest.param({"users": [{"inner": {"deep": CANARY}}]}, CANARY, id="suboption-of-suboption"),
        pytest.param({}, "canary-default", id="default"),
    ],
)
def test_every_way_to_give_a_secret_is_known(args: dict[str, Any], secret: str) -> None:
    def leak(_self: OpsAction, arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        return {"msg": f"sent {secret} on", "all": arguments}

    result = make(leak, {"name": "x", **args}).run(task_vars={})
    assert result["msg"] == "sent ******** on"
    assert secret not in json.dumps(result)


def test_options_that_do_not_fit_are_refused_without_their_secrets() -> None:
    args = {"password": CANARY, "pin": f"x{OTHER}", "unknown": 1}
    result = make(echo, args).run(task_vars={})
    assert result["failed"] is True and result["changed"] is False
    assert "missing required arguments: name" in result["msg"]
    assert "unknown" in result["msg"]
    assert "canary" not in json.dumps(result)


def test_requirements_are_checked() -> None:
    result = make(echo, {"name": "x", "password": CANARY, "tokens": {"a": "b"}}).run(task_vars={})
    assert "mutually exclusive: password|tokens" in result["msg"]


def test_unreadable_suboptions_are_a_secret_as_a_whole() -> None:
    args = {"name": "x", "users": [f"{{broken {CANARY}"]}
    result = make(echo, args).run(task_vars={})
    assert result["failed"] is True
    assert CANARY not in json.dumps(result)


def test_an_ops_error_is_a_failed_result_with_its_facts() -> None:
    def fail(_self: OpsAction, _arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        raise OpsError(f"no entry for {CANARY}", option="name", value="x", remedy="Set it", facts={"seen": [CANARY]})

    result = make(fail, {"name": "x", "password": CANARY}).run(task_vars={})
    assert result == {
        "changed": False,
        "failed": True,
        "msg": "name = 'x': no entry for ********. Set it.",
        "seen": ["VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"],
    }


def test_another_exception_goes_on_without_the_secret_and_without_its_cause() -> None:
    def crash(_self: OpsAction, _arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        try:
            raise ValueError(f"inner {CANARY}")
        except ValueError as error:
            raise RuntimeError("outer") from error

    with pytest.raises(AnsibleError) as caught:
        make(crash, {"name": "x", "password": CANARY}).run(task_vars={})
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert CANARY not in shown
    assert str(caught.value) == "RuntimeError: outer"


def test_an_exception_without_a_secret_stays_what_it_is() -> None:
    def lost(_self: OpsAction, _arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        raise AnsibleConnectionFailure("unreachable")

    with pytest.raises(AnsibleConnectionFailure, match="unreachable"):
        make(lost, {"name": "x", "password": CANARY}).run(task_vars={})


def test_progress_goes_to_stderr_scrubbed(shown: list[tuple[str, bool]]) -> None:
    def speak(self: OpsAction, _arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        self.progress(f"logs in with {CANARY}")
        self.add_secrets({"learned": ["late-secret"]}, None)
        self.progress("has late-secret")
        self.warn(f"old password {CANARY}")
        return {"changed": False, "warnings": ["first"]}

    result = make(speak, {"name": "x", "password": CANARY}).run(task_vars={"inventory_hostname": "services"})
    assert shown == [("services: logs in with ********", True), ("services: has ********", True)]
    assert result["warnings"] == ["first", "old password ********"]


def test_progress_without_a_host_name(shown: list[tuple[str, bool]]) -> None:
    make(echo, {"name": "x"}).progress("starts")
    assert shown == [("starts", True)]


def test_host_runs_the_module_of_the_same_name_and_drops_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def execute(_self: OpsAction, **call: Any) -> dict[str, Any]:
        calls.append(call)
        return {"failed": True, "msg": f"host says {CANARY}", "invocation": {"module_args": call["module_args"]}}

    def act(self: OpsAction, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.host({"a": 1}, task_vars, module="other_info")
        return self.host(arguments, task_vars)

    monkeypatch.setattr(OpsAction, "_execute_module", execute, raising=False)
    args = {"name": "x", "password": CANARY, "users": [{"login": "ann"}], "single": {"login": "bob"}}
    result = make(act, args).run(task_vars={"v": 1})
    assert [call["module_name"] for call in calls] == [
        "circleci_server.ops.other_info",
        "circleci_server.ops.example",
    ]
    # To a module an option that is None counts as given, against mutually_exclusive for one.
    assert calls[1]["module_args"] == {**args, "fallback_secret": "canary-default"}
    assert calls[1]["task_vars"] == {"v": 1}
    assert result == {"failed": True, "msg": "host says ********"}


def test_check_mode_is_the_task_s() -> None:
    assert make(echo, {}, check_mode=True).check_mode is True
    assert make(echo, {}).check_mode is False


def test_the_base_class_does_nothing_by_itself() -> None:
    with pytest.raises(NotImplementedError, match="defines act"):
        make(OpsAction.act, {"name": "x"}).run(task_vars={})


class TestCollectSecrets:
    def test_forms_in_which_messages_show_a_secret(self) -> None:
        found = collect_secrets(SPEC, {"password": " a\n\"é' \n"})
        assert {" a\n\"é' \n", "a\n\"é'"} <= found
        assert repr("a\n\"é'")[1:-1] in found
        assert json.dumps("a\n\"é'")[1:-1] in found

    def test_long_lines_count_alone_short_ones_and_comments_do_not(self) -> None:
        long, short = "MIIEvQIBADANBgkqhkiG9w0B", "Zg=="
        key = f"-----BEGIN PRIVATE KEY-----\n{long}\n{short}\n# a long comment line"
        found = collect_secrets(SPEC, {"password": key})
        assert long in found
        assert not {short, "-----BEGIN PRIVATE KEY-----", "# a long comment line"} & found

    @pytest.mark.parametrize("value", [None, True, False, "", "  \n"])
    def test_nothing_to_hide(self, value: Any) -> None:
        assert collect_secrets(SPEC, {"password": value}) == set()

    def test_bytes_and_numbers(self) -> None:
        assert "1234" in collect_secrets(SPEC, {"pin": 1234})
        assert "raw" in collect_secrets(SPEC, {"password": b"raw"})

    def test_options_that_are_no_mapping(self) -> None:
        assert collect_secrets(SPEC, {"users": 7, "single": "login=ann"}) == set()


class TestScrub:
    def test_objects_of_ansible_core_lose_their_secret_or_stay(self) -> None:
        loud = SimpleNamespace(text=f"says {CANARY}")
        quiet = SimpleNamespace(text="says nothing")
        result = scrub({"exception": loud, "warnings": [quiet]}, {CANARY})
        assert CANARY not in str(result["exception"])
        assert result["warnings"][0] is quiet

    def test_plain_values_stay(self) -> None:
        value = {"a": None, "b": True, "c": 1, "d": 1.5, "e": "x", "f": b"y"}
        assert scrub(value, {CANARY}) == value
