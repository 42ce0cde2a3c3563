# Tests of the module circleci_health_info: its result, what it refuses, and that what is sick is no failure.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.circleci_server.ops.plugins.modules import circleci_health_info
from tests.unit.conftest import RunModule


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("ansible_collections.circleci_server.ops.plugins.module_utils._run.SEARCH_PATH", "")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("check", [False, True])
def test_a_sick_host_is_a_result(run_module: RunModule, check: bool) -> None:
    result = run_module("circleci_health_info", {"services": ["docker", "application", "disk"], "disks": ["/"]}, check)
    assert "failed" not in result
    assert (result["changed"], result["installed"], result["healthy"]) == (False, False, False)
    found = {row["name"]: row["status"] for row in result["services"]}
    assert (found["docker"], found["application"]) == ("missing", "absent")
    documented: dict[str, Any] = yaml.safe_load(circleci_health_info.RETURN)
    assert set(documented) == set(result) - {"changed"}


@pytest.mark.usefixtures("bare")
def test_a_wrong_option_fails(run_module: RunModule) -> None:
    result = run_module("circleci_health_info", {"services": ["postgresql"]})
    assert result["failed"] is True
    assert "near ones: postgres" in result["msg"]
