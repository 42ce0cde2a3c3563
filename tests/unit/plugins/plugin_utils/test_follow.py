# Tests of _follow: the lines that a user sees, connections that are lost and come back, or do not.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.circleci_server.ops.plugins.action.replicated_restart import ActionModule
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _follow

DONE = {"changed": True, "seconds": 3.0}
LOST = AnsibleConnectionFailure("Shared connection to host closed")
KILLED = {"failed": True, "module_stdout": "", "rc": 137, "msg": "MODULE FAILURE"}


class FakeHost(ActionModule):
    """The action with a host that answers from a list; an exception in it is raised."""

    calls: list[dict[str, Any]]
    answers: list[Any]

    def host(self, arguments: dict[str, Any], *_more: Any, **_options: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def job(phase: str, *messages: str, seen: int = 1, seconds: float = 5, left: Any = (), **more: Any) -> dict[str, Any]:
    news = {"id": "j", "name": "replicated_restart", "phase": phase, "left": list(left), "seconds": seconds}
    return {"job": {**news, "messages": list(messages), "seen": seen, "finished": False, **more}}


class Connection:
    def __init__(self, fails: bool = False) -> None:
        self.resets = 0
        self.fails = fails

    def reset(self) -> None:
        self.resets += 1
        if self.fails:
            raise AnsibleError("cannot reset")


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []
    monkeypatch.setattr(_follow.time, "sleep", naps.append)
    return naps


def action(*answers: Any, connection: Connection | None = None, **args: Any) -> FakeHost:
    made = FakeHost(
        task=SimpleNamespace(args=args, check_mode=False, action="circleci_server.ops.replicated_restart", async_val=0),
        connection=connection or Connection(),
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    made.calls, made.answers = [], list(answers)
    return made


def act(made: FakeHost) -> dict[str, Any]:
    return made._checked_act({"inventory_hostname": "services"})


def test_nothing_to_follow_is_one_call() -> None:
    made = action({"changed": False})
    assert act(made) == {"changed": False}
    (call,) = made.calls
    assert call["handover"] == {"mine": call["handover"]["mine"], "id": "", "seen": 0, "wait": 20}
    assert len(call["handover"]["mine"]) == 32
    assert call["scope"] == "auto", "the spec's defaults are sent"


def test_each_line_is_shown_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    made = action(
        job("stops the application", "waits for the host's lock", "stops the application", left=["starts it"], seen=2),
        job("stops the application", seconds=25, left=["starts it"], seen=2),
        job("starts the application", "starts the application", seconds=65.4, seen=3),
        DONE,
    )
    assert act(made) == DONE
    assert capsys.readouterr().err.splitlines() == [
        "services: waits for the host's lock",
        "services: stops the application (5 s; left: starts it)",
        "services: stops the application (25 s; left: starts it)",
        "services: starts the application (1 min 5 s)",
    ]
    assert [(call["handover"]["id"], call["handover"]["seen"]) for call in made.calls] == [
        ("", 0),
        ("j", 2),
        ("j", 2),
        ("j", 3),
    ]
    assert len({call["handover"]["mine"] for call in made.calls}) == 1


def test_a_joined_job_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    act(action(job("starts", "starts", seconds=90, joined=True), DONE))
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "services: joins replicated_restart, which has been running for 1 min 30 s"


def test_a_failed_result_ends_it() -> None:
    failed = {"failed": True, "msg": "no", "job": {"id": "j"}}
    assert act(action(failed)) == {"failed": True, "msg": "no"}


@pytest.mark.parametrize("lost", [LOST, KILLED], ids=["lost", "killed"])
def test_a_lost_connection_is_made_anew(lost: Any, slept: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    connection = Connection()
    made = action(lost, job("starts", "starts"), lost, lost, DONE, connection=connection)
    assert act(made) == DONE
    assert (connection.resets, slept) == (3, [5, 5, 5])
    assert made.calls[0] == made.calls[1], "the same job is asked for: it is not begun twice"
    assert made.calls[3]["handover"]["id"] == "j"
    assert "attempt 2 of 12 to get it back" in capsys.readouterr().err


def test_a_connection_that_stays_lost_is_ansibles_error(capsys: pytest.CaptureFixture[str]) -> None:
    made = action(*[LOST] * 13, connection=Connection(fails=True))
    with pytest.raises(AnsibleConnectionFailure, match="Shared connection"):
        act(made)
    said = capsys.readouterr().err
    assert "the connection cannot be reset: cannot reset" in said
    assert said.endswith("the connection stays lost; what was begun on the host goes on, and the next run joins it\n")


def test_a_refused_login_is_not_tried_again(slept: list[float]) -> None:
    with pytest.raises(AnsibleAuthenticationFailure):
        act(action(AnsibleAuthenticationFailure("denied")))
    assert slept == []


def test_a_module_that_breaks_by_itself_is_not_tried_again() -> None:
    broken = {"failed": True, "module_stdout": "", "module_stderr": "Traceback", "rc": 1}
    assert act(action(broken)) == broken
