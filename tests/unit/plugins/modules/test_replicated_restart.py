# Tests of the module replicated_restart: results, failures and warnings leave it as Ansible wants them.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

MODULE = "ansible_collections.circleci_server.ops.plugins.modules.replicated_restart"
RunModule = Callable[..., dict[str, Any]]


def answer(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any] | OpsError) -> list[Any]:
    """Put an answer in the library's place; what the module gave to it."""
    given: list[Any] = []

    def restart(options: dict[str, Any], check: bool) -> dict[str, Any]:
        given.append((options, check))
        if isinstance(result, OpsError):
            raise result
        return dict(result)

    monkeypatch.setattr(importlib.import_module(MODULE), "restart", restart)
    return given


def test_a_result_and_its_warnings(run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    given = answer(monkeypatch, {"changed": True, "warnings": ["Nomad is silent"]})
    assert run_module("replicated_restart", {"looks": "5"}, check=True) == {"changed": True}
    assert warned == ["Nomad is silent"]
    options, check = given[0]
    assert (options["looks"], options["look_interval"], options["handover"], check) == (5, 0.25, {}, True)
    assert options["health_checks"] == [{"port": 80, "path": "/health-check", "tls": False}]


def test_a_job_in_its_middle_is_no_failure(run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"job": {"id": "j"}})
    assert run_module("replicated_restart", {}) == {"job": {"id": "j"}}


@pytest.mark.parametrize(
    "result", [{"failed": True, "msg": "no.", "seconds": 2}, OpsError("no", facts={"seconds": 2})], ids=["job", "call"]
)
def test_a_failure(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any] | OpsError) -> None:
    answer(monkeypatch, result)
    assert run_module("replicated_restart", {}) == {"failed": True, "msg": "no.", "seconds": 2}


def test_the_documentation_is_whole() -> None:
    module = importlib.import_module(MODULE)
    about = yaml.safe_load(module.DOCUMENTATION)
    assert about["module"] == "replicated_restart"
    assert yaml.safe_load(module.EXAMPLES)
    returned = set(yaml.safe_load(module.RETURN))
    library = importlib.import_module(MODULE.replace("modules.", "module_utils._"))
    places = library.Places(pending="/nowhere/pending.json")
    options = {"replicated_units": [], "nomad_url": ""}
    result = library._result(options, places, [], [], [], [])
    assert set(result) - {"changed", "warnings"} <= returned
