# Tests of _preflight: the two phases on a host, and a call without the action plugin.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import socket
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _preflight
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight import preflight


def test_look_listens_where_nothing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def remember(token: str, seconds: float, ports: list[int]) -> dict[str, Any]:
        calls.append((token, seconds, ports))
        return {"ports": ports, "failed": {}}

    monkeypatch.setattr(_preflight, "hold", remember)
    monkeypatch.setattr(_preflight, "gather", lambda *_arguments: {"listening": [22, 80], "loopback": [4646]})
    work = {
        "names": [],
        "disk_path": "/",
        "timeout": 1,
        "token": "t",
        "seconds": 120,
        "ports": [80, 4646, 4647],
    }
    assert preflight("look", work) == {
        "changed": False,
        "facts": {"listening": [22, 80], "loopback": [4646]},
        "listener": {"ports": [4647], "failed": {}},
    }
    assert calls == [("t", 120.0, [4647])]


def test_probe() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        port = listening.getsockname()[1]
        result = preflight("probe", {"targets": [["127.0.0.1", port]], "timeout": 5})
    assert result["changed"] is False
    assert [entry["outcome"] for entry in result["outcomes"]] == ["open"]


@pytest.mark.parametrize("phase", ["look", "probe", "gate", "rows"])
def test_a_call_without_the_action_plugin(phase: str) -> None:
    with pytest.raises(OpsError) as caught:
        preflight(phase, {})
    assert str(caught.value).startswith("phase = '{0}': this phase needs ".format(phase))
    assert "Call circleci_server.ops.preflight_check as a task of a play" in str(caught.value)
