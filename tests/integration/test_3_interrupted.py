# A run that is killed at a named point is completed by the next one, and two runs at once end converged.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.integration.conftest import Play
from tests.integration.containers import environment_of, started_at
from tests.integration.hosts import Host
from tests.integration.playbook import Playbook

BANNER = "CIRCLE__OUTER__LOGIN_BANNER_MESSAGE"
PENDING = "/var/lib/circleci_server_ops/pending.json"

Start = Callable[..., Playbook]


@dataclass(frozen=True)
class Point:
    """A moment of a run: once this task of this host has ended, ansible-playbook is killed."""

    host: str
    task: str
    arguments: tuple[str, ...]


def override(text: str) -> str:
    return json.dumps({"customization_services": {"frontend": {BANNER: text, "JVM_HEAP_SIZE": "512m"}}})


POINTS = [
    pytest.param(
        Point("services", "Write the overrides of CircleCI's services", ("-e", override("killed"))),
        id="between the write of an override and the restart",
    ),
    pytest.param(
        Point("nomad-client-1", "Write the client's configuration", ("-e", "nomad_client_log_level=DEBUG")),
        id="between the write of config.hcl and the restart of the agent",
    ),
    pytest.param(
        Point("nomad-client-1", "Write the engine's configuration", ("-e", '{"docker_daemon": {"debug": true}}')),
        id="between the write of daemon.json and the restart of the engine",
        marks=pytest.mark.full,
    ),
]


def killed(start: Start, point: Point) -> None:
    """A run that dies at the point: no task after it has started on any host."""
    run = start("site.yml", "--limit", point.host, *point.arguments, kill_at=f"{point.host}|{point.task}")
    assert run.wait().rc == -signal.SIGKILL, "the run ended before the point"


def owed(host: Host) -> list[str]:
    text = host.run(f"cat {PENDING} 2>/dev/null || echo '{{\"entries\": []}}'")
    return [row["target"] for row in json.loads(text)["entries"] if row["when"] == "now"]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_is_completed_by_the_next(start: Start, play: Play, lab: dict[str, Host], point: Point) -> None:
    killed(start, point)
    assert owed(lab[point.host]), "what the dead run owes must be on record"
    limit = ("--limit", point.host)
    again = play("site.yml", *limit, *point.arguments)
    assert any("Restart" in task and host == point.host for host, task in again.changed()), again.changed()
    assert owed(lab[point.host]) == []
    assert play("site.yml", *limit, *point.arguments).changed() == set()
    play("site.yml", *limit)


def test_a_killed_runs_override_arrives(start: Start, play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    before = started_at(services, "frontend")
    point = Point("services", "Write the overrides of CircleCI's services", ("-e", override("survives")))
    killed(start, point)
    assert started_at(services, "frontend") == before
    play("restart.yml")
    assert environment_of(services, "frontend")[BANNER] == "survives"
    play("site.yml", "--limit", "services")


def test_two_runs_at_once_end_converged(start: Start, play: Play) -> None:
    runs = [start("site.yml", "-e", override("twice")) for _number in range(2)]
    outcomes = [run.wait() for run in runs]
    assert [outcome.rc for outcome in outcomes] == [0, 0], "\n".join(outcome.output for outcome in outcomes)
    assert play("site.yml", "-e", override("twice")).changed() == set()
    play("site.yml")
