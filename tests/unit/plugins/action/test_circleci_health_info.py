# Tests of the action circleci_health_info: one call when that is enough, else short ones that say what is still sick.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.action import circleci_health_info
from ansible_collections.circleci_server.ops.plugins.action.circleci_health_info import ActionModule

WELL = {"sick": [], "installed": True, "sweeps": 2, "waited": 1.5, "seconds": 0.1, "healthy": True}
SICK = {**WELL, "sick": ["frontend"], "healthy": False}


class FakeHost(ActionModule):
    """The action with a host that answers from a list; each call takes as long as it was told to wait."""

    def host(self, arguments: dict[str, Any], *_more: Any, **_options: Any) -> dict[str, Any]:
        self.waits.append(arguments["wait"])
        self.clock[0] += arguments["wait"]
        return dict(self.answers.pop(0))

    waits: list[float]
    clock: list[float]
    answers: list[dict[str, Any]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(circleci_health_info.time, "monotonic", lambda: now[0])
    return now


def action(clock: list[float], answers: list[dict[str, Any]], check: bool = False, **args: Any) -> FakeHost:
    made = FakeHost(
        task=SimpleNamespace(
            args=args, check_mode=check, action="circleci_server.ops.circleci_health_info", async_val=0
        ),
        connection=None,
        play_context=SimpleNamespace(check_mode=check),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    made.waits, made.clock, made.answers = [], clock, answers
    return made


def act(made: FakeHost) -> dict[str, Any]:
    return made._checked_act({"inventory_hostname": "services"})


def test_one_look_is_one_call(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    made = action(clock, [SICK])
    assert act(made) == SICK
    assert made.waits == [0]
    assert capsys.readouterr().err == ""


def test_what_is_well_ends_the_wait(clock: list[float]) -> None:
    made = action(clock, [WELL], wait=300)
    assert act(made) == WELL
    assert made.waits == [15]


def test_a_long_wait_says_what_is_still_sick(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    many = {**SICK, "sick": [f"s{number}" for number in range(10)]}
    made = action(clock, [many, SICK, WELL], wait=300)
    result = act(made)
    assert made.waits == [15, 15, 15]
    assert capsys.readouterr().err.splitlines() == [
        "services: still sick: s0, s1, s2, s3, s4, s5, s6, s7 and 2 more; 285 s are left",
        "services: still sick: frontend; 270 s are left",
    ]
    assert (result["healthy"], result["sweeps"], result["waited"]) == (True, 6, 44.9)


def test_the_wait_ends(clock: list[float]) -> None:
    made = action(clock, [SICK] * 3, wait=40)
    assert act(made)["sick"] == ["frontend"]
    assert made.waits == [15, 15, 10]


def test_no_wait_in_check_mode_or_without_docker(clock: list[float]) -> None:
    assert act(action(clock, [SICK], check=True, wait=300)) == SICK
    bare = {**SICK, "installed": False}
    assert act(action(clock, [bare], wait=300)) == bare


def test_what_the_host_refuses_is_passed_on(clock: list[float]) -> None:
    refused = {"failed": True, "msg": "wait = -1.0: must be 0 seconds or more"}
    made = action(clock, [refused], wait=-1)
    assert act(made) == refused
    assert made.waits == [-1]
    wrong = act(action(clock, [], fail_severity="loud"))
    assert "value of fail_severity must be one of" in wrong["msg"]
