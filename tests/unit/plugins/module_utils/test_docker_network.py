# Tests of _docker_network: created once, never replaced.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _docker_network
from ansible_collections.circleci_server.ops.plugins.module_utils._docker_network import ensure_network
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed

BRIDGE = "com.docker.network.bridge.name"


class FakeDocker:
    """The docker program: remembers its calls, answers from a dictionary of networks."""

    def __init__(self, networks: dict[str, Any], ls_rc: int = 0, create_rc: int = 0) -> None:
        self.networks = networks
        self.calls: list[list[str]] = []
        self.ls_rc = ls_rc
        self.create_rc = create_rc

    def run(self, argv: list[str]) -> Completed:
        self.calls.append(argv)
        if argv[2] == "ls":
            return Completed(self.ls_rc, "\n".join(self.networks), "engine is down")
        if argv[2] == "inspect":
            return Completed(0, json.dumps([self.networks[argv[3]]]), "")
        return Completed(self.create_rc, "", "bad bridge name")

    def created(self) -> list[list[str]]:
        return [call for call in self.calls if call[2] == "create"]


@pytest.fixture
def params() -> dict[str, Any]:
    return {"name": "ci", "driver": "bridge", "driver_options": {BRIDGE: "ci"}, "lock_timeout": 0}


@pytest.fixture(autouse=True)
def own_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = _docker_network.host_lock
    monkeypatch.setattr(_docker_network, "host_lock", lambda what, wait: lock(what, wait, str(tmp_path / "lock")))
    monkeypatch.setattr(_docker_network, "find_program", lambda _name: "/usr/bin/docker")


def fake(monkeypatch: pytest.MonkeyPatch, docker: FakeDocker) -> FakeDocker:
    monkeypatch.setattr(_docker_network, "run", docker.run)
    return docker


def test_missing_network_is_created_with_its_options(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = fake(monkeypatch, FakeDocker({"bridge": {}}))
    result = ensure_network(params)
    assert result["changed"] and result["changes"] == ["the Docker network ci is created"]
    assert docker.created() == [["docker", "network", "create", "--driver", "bridge", "--opt", BRIDGE + "=ci", "ci"]]
    assert result["diff"][0]["before"] == "" and result["diff"][0]["after"] == "ci (bridge)\n"


def test_check_mode_creates_nothing(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = fake(monkeypatch, FakeDocker({}))
    assert ensure_network(params, check=True)["changed"]
    assert docker.created() == []


def test_check_mode_works_before_docker_is_installed(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_docker_network, "find_program", lambda _name: None)
    assert ensure_network(params, check=True)["changed"]


def test_an_equal_network_is_left_alone(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = fake(monkeypatch, FakeDocker({"ci": {"Driver": "bridge", "Options": {BRIDGE: "ci", "mtu": "1400"}}}))
    result = ensure_network(params)
    assert not result["changed"] and result["changes"] == [] and docker.created() == []


def test_another_bridge_is_refused(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    docker = fake(monkeypatch, FakeDocker({"ci": {"Driver": "bridge", "Options": None}}))
    with pytest.raises(OpsError, match="name = 'ci': the Docker network exists with .*drain the client"):
        ensure_network(params)
    assert docker.created() == []


def test_a_dead_engine_is_named(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, FakeDocker({}, ls_rc=1))
    with pytest.raises(OpsError, match="networks cannot be listed: engine is down. Start the engine"):
        ensure_network(params)


def test_a_refused_creation_is_named(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, FakeDocker({}, create_rc=1))
    with pytest.raises(OpsError, match="the Docker network ci cannot be created: bad bridge name"):
        ensure_network(params)
