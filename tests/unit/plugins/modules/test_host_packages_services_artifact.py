# Tests of the modules host_packages, host_services, host_artifact: they answer as modules do, and document it all.
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

MODULES = "ansible_collections.circleci_server.ops.plugins.modules."
CASES = [
    ("host_packages", "settle_packages", {"packages": [{"name": "docker-ce"}]}),
    ("host_services", "settle_services", {"settle": ["docker"]}),
    ("host_artifact", "install_artifact", {"dest": "/usr/bin/nomad"}),
]
RunModule = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(("name", "call", "arguments"), CASES, ids=[case[0] for case in CASES])
def test_a_module_is_one_call(
    name: str, call: str, arguments: dict[str, Any], run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(MODULES + name)
    seen: list[tuple[dict[str, Any], bool]] = []

    def library(params: dict[str, Any], check: bool) -> dict[str, Any]:
        seen.append((params, check))
        if not check:
            raise OpsError("went wrong", option="x", value=1, remedy="Do better")
        return {"changed": False, "warnings": ["take care"]}

    warned: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text, **_more: warned.append(text))
    monkeypatch.setattr(module, call, library)
    assert run_module(name, arguments, check=True) == {"changed": False}
    assert run_module(name, arguments) == {"failed": True, "msg": "x = 1: went wrong. Do better."}
    assert warned == ["take care"]
    assert [check for _params, check in seen] == [True, False]


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_examples_are_tasks_of_this_module(name: str) -> None:
    module = importlib.import_module(MODULES + name)
    for task in yaml.safe_load(module.EXAMPLES):
        assert set(task) == {"name", "circleci_server.ops." + name}
    assert "changes" in yaml.safe_load(module.RETURN)
