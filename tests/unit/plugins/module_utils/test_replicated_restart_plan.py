# Tests of _replicated_restart_plan: what is owed and the host's state in, steps, strikes and what is left out.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_plan as plans
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_plan import (
    Facts,
    Plan,
    Step,
    make_plan,
    scope_of,
)

UNITS = ("replicated-ui", "replicated", "replicated-operator")
APP = Entry("replicated", "app", "proxy", "hosts changed")
APPLY = Entry("replicated", "apply_config", "settings", "settings imported")
DAEMON = Entry("replicated", "daemon", "services_host", "/etc/default/replicated changed")
DOCKER = Entry("unit", "docker", "docker", "daemon.json changed")
FRONTEND = Entry("container", "frontend", "customization", "frontend's file changed")
OTHER = Entry("unit", "nomad", "nomad_client", "config.hcl changed")
STOPPED, DOWN = plans.stopped_by_us(), plans.services_stopped()


def later(entry: Entry) -> Entry:
    return entry._replace(when="with_next")


def plan(*owed: Entry, scope: str = "auto", **facts: Any) -> Plan:
    return make_plan(owed, scope, Facts(**facts), UNITS, "docker")


def kinds(found: Plan) -> list[str]:
    return [step.kind for step in found.steps]


def settled(found: Plan) -> set[Entry]:
    return {entry for step in found.steps for entry in step.settles}


@pytest.mark.parametrize(
    ("entry", "scope"),
    [
        (APP, "app"),
        (APPLY, "apply_config"),
        (DAEMON, "daemon"),
        (Entry("replicated", "docker", "x", "y"), "docker"),
        (Entry("replicated", "installer", "x", "y"), ""),
        (DOCKER, "docker"),
        (DOCKER._replace(target="docker.service"), "docker"),
        (DOCKER._replace(target="replicated-ui.service"), "daemon"),
        (FRONTEND, "containers"),
        (OTHER, ""),
    ],
)
def test_what_an_entry_asks_for(entry: Entry, scope: str) -> None:
    assert scope_of(entry, UNITS, "docker") == scope


CASES = {
    "nothing": ([], [], []),
    "another host's business": ([OTHER], [], []),
    "with_next starts nothing": ([later(DOCKER), later(APP), later(FRONTEND), later(APPLY), later(DAEMON)], [], []),
    "daemon": ([DAEMON], ["daemon"], [DAEMON]),
    "app": ([APP], ["app_stop", "app_start"], [APP]),
    "app settles its containers": ([APP, FRONTEND], ["app_stop", "app_start"], [APP, FRONTEND]),
    "apply_config": ([APPLY], ["apply_config"], [APPLY]),
    "one restart for settings and app": ([APPLY, APP, FRONTEND], ["apply_config"], [APPLY, APP, FRONTEND]),
    "settings that wait go with an app's restart": ([later(APPLY), APP], ["apply_config"], [APPLY, APP]),
    "what waits goes with its like": ([APPLY, later(APP), later(FRONTEND)], ["apply_config"], [APPLY, APP, FRONTEND]),
    "containers only": ([FRONTEND], ["containers"], [FRONTEND]),
    "daemon first": ([APP, DAEMON], ["daemon", "app_stop", "app_start"], [APP, DAEMON]),
    "daemon, then settings": ([APPLY, DAEMON], ["daemon", "apply_config"], [APPLY, DAEMON]),
    "daemon, then containers": ([FRONTEND, DAEMON], ["daemon", "containers"], [FRONTEND, DAEMON]),
    "docker": ([DOCKER], ["app_stop", "docker", "app_start"], [DOCKER]),
    "docker serves all": (
        [DOCKER, DAEMON, APP, FRONTEND],
        ["app_stop", "docker", "app_start"],
        [DOCKER, DAEMON, APP, FRONTEND],
    ),
    "docker with settings": ([DOCKER, APPLY, APP], ["app_stop", "docker", "apply_config"], [DOCKER, APPLY, APP]),
    "docker with settings that wait": ([DOCKER, later(APPLY)], ["app_stop", "docker", "apply_config"], [DOCKER, APPLY]),
    "docker that waits": ([later(DOCKER), APP], ["app_stop", "app_start"], [APP]),
}


@pytest.mark.parametrize("case", CASES, ids=CASES.keys())
def test_auto_does_what_is_due_and_no_more(case: str) -> None:
    owed, steps, gone = CASES[case]
    found = plan(*owed)
    assert kinds(found) == steps
    assert {entry.key for entry in settled(found)} == {entry.key for entry in gone}
    assert {e.key for e in found.left} == {e.key for e in owed if e is not OTHER} - {e.key for e in gone}
    assert found.struck == []


@pytest.mark.parametrize(
    ("scope", "steps", "gone"),
    [
        ("daemon", ["daemon"], [DAEMON]),
        ("app", ["app_stop", "app_start"], [APP, FRONTEND]),
        ("apply_config", ["apply_config"], [APPLY, APP, FRONTEND]),
        ("docker", ["app_stop", "docker", "apply_config"], [DOCKER, DAEMON, APPLY, APP, FRONTEND]),
        ("containers", ["containers"], [FRONTEND]),
    ],
)
def test_a_scope_that_is_asked_for(scope: str, steps: list[str], gone: list[Entry]) -> None:
    owed = [later(DAEMON), later(APP), APPLY, later(DOCKER), later(FRONTEND)]
    found = plan(*owed, scope=scope)
    assert kinds(found) == steps
    assert {entry.key for entry in settled(found)} == {entry.key for entry in gone}
    bare = plan(scope=scope)
    assert kinds(bare) == (steps if scope != "docker" else ["app_stop", "docker", "app_start"])
    if scope != "containers":
        assert bare.steps[0].reasons == ["scope {} was asked for".format(scope)]


def test_reasons_are_told_once_those_that_are_due_first() -> None:
    rows = [later(APPLY)._replace(owner="x", reason="could wait"), APPLY, APPLY._replace(owner="y")]
    assert plan(*rows).steps == [Step("apply_config", ["settings imported", "could wait"], rows)]


def test_an_app_that_a_person_has_stopped_stays_so() -> None:
    found = plan(APP, APPLY, FRONTEND, DOCKER, app="stopped")
    assert kinds(found) == ["docker", "containers"]
    assert found.struck == [(APP, plans.NEXT_START)]
    assert found.left == [APPLY]
    assert found.notes == [plans.KEPT_STOPPED]
    assert kinds(plan(APPLY, scope="apply_config", app="stopped")) == ["apply_config"], "asked for, it is done"
    assert kinds(plan(scope="app", app="stopped")) == ["app_stop", "app_start"]
    assert kinds(plan(scope="docker", app="stopped")) == ["docker"]


def test_without_an_application_or_replicated() -> None:
    found = plan(APP, APPLY, app="none")
    assert (kinds(found), found.left, found.notes) == ([], [APPLY], [plans.NO_APPLICATION])
    assert kinds(plan(DOCKER, app="absent")) == ["docker"], "only the engine is there"


def test_no_docker_no_containers() -> None:
    found = plan(FRONTEND, docker=False)
    assert (kinds(found), found.left, found.notes) == ([], [FRONTEND], [plans.NO_DOCKER])


def test_what_was_started_since_the_write_is_struck_off() -> None:
    written = {"boot": "b", "written": 100}
    daemon, docker = DAEMON._replace(**written), later(DOCKER)._replace(**written)
    young = {"replicated-ui": 101, "replicated": 150, "docker": 200}
    found = plan(daemon, docker, boot="b", started=young)
    assert kinds(found) == []
    assert found.struck == [(daemon, plans.STARTED_SINCE), (docker, plans.STARTED_SINCE)]
    assert kinds(plan(daemon, boot="b", started=dict(young, replicated=99))) == ["daemon"]
    assert kinds(plan(daemon, boot="another", started=dict(young, replicated=1))) == [], "the host was restarted since"
    assert kinds(plan(daemon, boot="b", started={})) == ["daemon"], "nobody knows"
    assert kinds(plan(DAEMON, boot="b", started=young)) == ["daemon"], "nobody knows when it was written"
    assert kinds(plan(daemon, boot="b", started=young, scope="daemon")) == ["daemon"], "asked for"


def test_a_dead_restart_is_completed() -> None:
    found = plan(STOPPED, app="stopped")
    assert kinds(found) == ["app_stop", "app_start"]
    assert settled(found) == {STOPPED}
    assert kinds(plan(STOPPED, APPLY, app="stopped")) == ["apply_config"]
    assert kinds(plan(STOPPED, app="started")) == ["app_stop", "app_start"], "it should run and does not"
    assert plan(STOPPED, app="up").struck == [(STOPPED, plans.RUNS_AGAIN)]
    both = plan(STOPPED, DOWN, app="unknown", services=False)
    assert kinds(both) == ["app_stop", "docker", "app_start"]
    assert settled(both) == {STOPPED, DOWN}


def test_dead_services_under_an_app_that_a_person_had_stopped() -> None:
    assert kinds(plan(DOWN, app="unknown", services=False)) == ["docker"]
    assert plan(DOWN, services=True).struck == [(DOWN, plans.RUNS_AGAIN)]
    assert kinds(plan(DOWN, DOCKER, services=True)) == ["app_stop", "docker", "app_start"]


ENTRIES = [
    entry._replace(when=when, reason=reason)
    for entry in (APP, APPLY, DAEMON, DOCKER, FRONTEND)
    for when, reason in (("now", "a"), ("with_next", "b"))
] + [STOPPED, DOWN]


@given(
    owed=st.lists(st.sampled_from(ENTRIES), unique=True),
    scope=st.sampled_from(plans.SCOPES),
    app=st.sampled_from(["up", "started", "stopped", "none", "unknown", "absent"]),
    services=st.booleans(),
    docker=st.booleans(),
)
def test_every_entry_is_settled_struck_or_left_once(
    owed: list[Entry], scope: str, app: str, services: bool, docker: bool
) -> None:
    found = plan(*owed, scope=scope, app=app, services=services, docker=docker)
    rows = [entry for step in found.steps for entry in step.settles]
    rows += [entry for entry, _why in found.struck] + found.left
    assert sorted(rows) == sorted(owed)
    order = kinds(found)
    assert len(order) == len(set(order))
    starts = [kind for kind in order if kind in ("app_start", "apply_config")]
    assert len(starts) <= 1, "the app is started once at most"
    assert not (starts and "containers" in order)
    if scope == "auto" and not any(entry.when == "now" for entry in owed):
        assert order == []
    if "app_stop" in order:
        assert starts, "an app that is stopped is started"
