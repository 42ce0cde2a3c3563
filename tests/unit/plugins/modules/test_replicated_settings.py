# Tests of the module replicated_settings as Ansible runs it: options in, a result without secrets out.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated
from ansible_collections.circleci_server.ops.plugins.modules import replicated_settings
from tests.unit.plugins.module_utils.replicated_host import ReplicatedHost

CANARY = "canary-2be6"
SECRETS = {
    "secret_settings": {"secret_passphrase": CANARY},
    "secret_files": {"ssl_private_key": {"content_base64": base64.b64encode(CANARY.encode()).decode()}},
    "handover": {"file_names": {"ssl_private_key": [["ssl_private_key", False]]}, "patience": 0},
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplicatedHost:
    monkeypatch.setattr(_replicated, "LOOK_SECONDS", 0.01)
    return ReplicatedHost(tmp_path, monkeypatch)


@pytest.fixture
def call(
    host: ReplicatedHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Run the module as Ansible does: arguments in, JSON out, with a record and a lock of its own."""

    def forbidden(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("settings and whole files must not be logged")

    settle = functools.partial(replicated_settings.settle_settings, pending=host.pending, lock=host.lock)
    monkeypatch.setattr(replicated_settings, "settle_settings", settle)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", forbidden, raising=False)

    def run(**arguments: Any) -> dict[str, Any]:
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        with pytest.raises(SystemExit):
            replicated_settings.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_check_apply_apply(host: ReplicatedHost, call: Callable[..., dict[str, Any]]) -> None:
    settings = {"hostname": "circleci.lab", "cloudwatch_enabled": True}
    predicted = call(settings=settings, _ansible_check_mode=True)
    assert predicted["changed"] is True and host.imports == 0
    applied = call(settings=settings)
    assert applied["changes"] == predicted["changes"]
    assert host.settings["cloudwatch_enabled"] == {"value": "1"}
    assert call(settings=settings)["changed"] is False
    assert set(yaml.safe_load(replicated_settings.RETURN)) == set(applied) - {"changed", "diff", "invocation"}


def test_secrets_and_names(host: ReplicatedHost, call: Callable[..., dict[str, Any]]) -> None:
    result = call(**SECRETS)
    assert host.settings["ssl_private_key"]["value"] == "ssl_private_key"
    assert result["changed_items"] == ["secret_passphrase", "ssl_private_key"], "item names are no secrets"
    assert CANARY not in json.dumps({**result, "invocation": None})
    host.change(ignored=["secret_passphrase"], refusal="Error: bad VALUES")
    failed = call(secret_settings={"secret_passphrase": CANARY + "-new"})
    assert failed["failed"] is True
    assert "Error: bad" in failed["msg"] and CANARY not in failed["msg"]


def test_warnings_are_passed_on(call: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text, **_more: warned.append(text))
    call(settings={"hostname": "nowhere.example.com"})
    assert warned == ["hostname: this host's DNS does not know the name 'nowhere.example.com'"]


def test_waiting(host: ReplicatedHost, call: Callable[..., dict[str, Any]]) -> None:
    host.change(not_ready=10**6)
    result = call(settings={"hostname": "circleci.lab"}, handover={"patience": 0})
    assert (result["changed"], result["waiting_for"]) == (False, "Error: daemon is not ready")
