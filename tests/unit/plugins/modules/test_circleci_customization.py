# Tests of the module circleci_customization as Ansible runs it.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.circleci_server.ops.plugins.modules import circleci_customization

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls a module's main() as Ansible does, with a record and a lock of its own; gives its result."""

    def call(module: Any, function: str, **arguments: Any) -> dict[str, Any]:
        document = {"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": str(tmp_path), **arguments}}
        places = {"pending_file": str(tmp_path / "pending.json"), "lock_file": str(tmp_path / "lock")}
        with monkeypatch.context() as patch:
            patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(document).encode())
            patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
            patch.setattr(module, function, functools.partial(getattr(module, function), **places))
            with pytest.raises(SystemExit):
                module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return call


@pytest.fixture
def customize(run: Run, tmp_path: Path) -> Run:
    places = {"config_dir": str(tmp_path / "circleconfig"), "installation_file": str(tmp_path / "installation")}
    return functools.partial(run, circleci_customization, "customize", **places)


def test_check_apply_apply(tmp_path: Path, customize: Run) -> None:
    services = {"frontend": {"JVM_HEAP_SIZE": "2g"}}
    path = tmp_path / "circleconfig" / "frontend" / "customizations"
    assert customize(services=services, _ansible_check_mode=True)["changed"]
    assert not path.exists()
    applied = customize(services=services)
    assert applied["changed"]
    assert applied["changed_services"] == ["frontend"]
    assert path.read_text() == "export JVM_HEAP_SIZE='2g'  # circleci_server.ops: administrator\n"
    assert not customize(services=services)["changed"]


def test_a_refusal_names_option_value_and_remedy(customize: Run) -> None:
    result = customize(services={"frontend": {"JVM_HEAP_SIZE": "2 gigs"}})
    assert result["failed"]
    assert result["msg"].startswith("services.frontend.JVM_HEAP_SIZE = '2 gigs': is not a heap size")
    assert result["msg"].endswith("Write for example 2g or 1536m.")


def test_no_secret_in_a_result_or_a_refusal(tmp_path: Path, customize: Run) -> None:
    canary = "canary-7f3a9c"
    secrets = {"secret_services": {"frontend": {"TOKEN": canary}}, "_ansible_diff": True}
    assert canary not in json.dumps(customize(**secrets))
    path = tmp_path / "circleconfig" / "frontend" / "customizations"
    assert canary in path.read_text()
    path.write_text("export TOKEN=$(echo {})\n".format(canary))
    result = customize(**secrets)
    assert result["failed"]
    assert canary not in json.dumps(result)


def test_short_secrets_leave_only_changed(customize: Run) -> None:
    secrets = {"secret_services": {"frontend": {"PIN": "e"}}, "allow_short_secrets": True}
    result = customize(**secrets)
    assert result["changed"] is True
    assert set(result) <= {"changed", "invocation"}


def test_examples_and_returns_are_yaml() -> None:
    assert len(yaml.safe_load(circleci_customization.EXAMPLES)) >= 2
    assert "changes" in yaml.safe_load(circleci_customization.RETURN)
