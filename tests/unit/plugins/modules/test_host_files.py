# Tests of the module host_files: its documentation says what its options are, and it answers as a module does.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_files import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.modules import host_files

SHARED = ("type", "elements", "default", "choices", "required")


def described(options: dict[str, Any], inner: str) -> dict[str, Any]:
    """Options of the documentation or of the spec in one form."""
    found = {}
    for name, option in options.items():
        found[name] = {key: option[key] for key in SHARED if option.get(key) not in (None, False)}
        if inner in option:
            found[name]["options"] = described(option[inner], inner)
    return found


def test_documentation_and_spec_agree() -> None:
    documentation = yaml.safe_load(host_files.DOCUMENTATION)
    assert described(documentation["options"], "suboptions") == described(ARGUMENT_SPEC, "options")


def test_returned_keys_are_documented(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    result = call({"files": []}, monkeypatch, capsys)
    assert set(yaml.safe_load(host_files.RETURN)) == set(result) - {"changed", "diff", "invocation"}


def call(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    """Run the module as Ansible does: arguments in, JSON out."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", forbidden, raising=False)
    with pytest.raises(SystemExit):
        host_files.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def forbidden(*_arguments: Any, **_options: Any) -> None:
    raise AssertionError("whole files must not be logged")


def test_check_mode_through_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = {"dest": str(tmp_path / "a"), "content": "canary-0d11"}
    result = call({"secret_files": [secret], "_ansible_check_mode": True}, monkeypatch, capsys)
    assert result["changed"] is True
    assert result["changes"] == [f"{tmp_path}/a: (absent) -> secret file"]
    assert "canary" not in json.dumps(result)
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_a_failed_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OpsError("broken", option="dest", value="/a", facts={"changed_files": ["/b"]})

    monkeypatch.setattr(host_files, "host_files", refuse)
    result = call({}, monkeypatch, capsys)
    assert result["failed"] is True
    assert result["msg"] == "dest = '/a': broken."
    assert result["changed_files"] == ["/b"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param({"dest": "/a"}, "any of the following are missing: content, content_base64", id="no-content"),
        pytest.param({"dest": "/a", "content": "x", "template": "y"}, "are mutually exclusive", id="two-contents"),
        pytest.param({"content": "x"}, "missing required arguments: dest", id="no-dest"),
        pytest.param({"dest": "/a", "content": "x", "compare": "xml"}, "must be one of: text, json, hcl", id="compare"),
    ],
)
def test_options_that_do_not_fit(
    entry: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = call({"files": [entry]}, monkeypatch, capsys)
    assert result["failed"] is True
    assert message in result["msg"]
