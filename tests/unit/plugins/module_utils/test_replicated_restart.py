# Tests of the restart library: order of calls, what is struck off, kills, joins, builds, waits and every fault's words.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue, _detached
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_containers as containers
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_plan as plans
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_services as services
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_steps as steps
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_watch as watch
from ansible_collections.circleci_server.ops.plugins.module_utils._catalogue import Health
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry

from .restart_host import Host

APP = Entry("replicated", "app", "proxy", "hosts changed")
APPLY = Entry("replicated", "apply_config", "settings", "settings imported")
DAEMON = Entry("replicated", "daemon", "services_host", "its environment changed")
DOCKER = Entry("unit", "docker", "docker", "daemon.json changed")
FRONTEND = Entry("container", "frontend", "customization", "its file changed")
LATER = Entry("unit", "docker", "docker", "a longer list", "with_next")
MARK = ("replicated", "app")

STOP, START, APPLY_CONFIG = ("replicatedctl app " + word for word in ("stop", "start", "apply-config"))
DAEMONS = ["systemctl restart {}.service".format(n) for n in ("replicated-ui", "replicated", "replicated-operator")]
STOPS = ["systemctl stop {}.service".format(n) for n in ("replicated-operator", "replicated", "replicated-ui")]
STARTS = ["systemctl start {}.service".format(n) for n in ("replicated-ui", "replicated", "replicated-operator")]
ENGINE = "systemctl restart docker.service"
BUILD = {"ID": "a1b2c3d4e5", "JobID": "build", "NodeID": "n1", "ClientStatus": "running", "DesiredStatus": "run"}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", "{}:/usr/bin:/bin".format(made.bin))
    monkeypatch.setattr(watch, "SERVICE_SECONDS", 0.0)
    monkeypatch.setattr(watch, "ERROR_SECONDS", 0.1)
    # The guide's endpoint of a container that the tests' host has; the catalogue's own ports may be taken here.
    rows = tuple(
        row._replace(health=Health(made.port, "/" + row.name, "test") if row.name in ("nomad", "frontend") else None)
        for row in _catalogue.CONTAINERS
    )
    monkeypatch.setattr(_catalogue, "_BY_NAME", {row.name: row for row in rows})
    yield made
    made.close()


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job in this process; test_detached.py and the kills below use real ones."""
    monkeypatch.setattr(_detached, "_detach", lambda run: run(lambda: None))


def failed(result: dict[str, Any]) -> str:
    assert result["failed"] is True
    return str(result["msg"])


# -- What is due


def test_nothing_due_starts_nothing(host: Host) -> None:
    host.owe(LATER)
    result = host.run()
    assert (result["changed"], result["steps"], host.calls) == (False, [], [])
    assert [row["reason"] for row in result["owed"]] == ["a longer list"]
    assert result["summary"] == ["Nothing was restarted.", "still owed (with_next): unit docker: a longer list"]
    assert not (Path(host.places.run) / "replicated_restart.json").exists(), "no job"
    assert host.owed() == [("unit", "docker")]


CASES: dict[str, tuple[list[Entry], dict[str, Any], list[str], int]] = {
    "app": ([APP], {}, [STOP, START], 1),
    "settings": ([APPLY, APP], {}, [APPLY_CONFIG], 1),
    "daemon": ([DAEMON], {}, DAEMONS, 0),
    "daemon and app": ([DAEMON, APP], {}, [*DAEMONS, STOP, START], 1),
    "docker": ([DOCKER], {}, [STOP, *STOPS, ENGINE, *STARTS, START], 1),
    "docker and settings": ([DOCKER, APPLY], {}, [STOP, *STOPS, ENGINE, *STARTS, APPLY_CONFIG], 1),
    "containers": ([FRONTEND], {}, ["docker restart -t 10 frontend"], 0),
    "daemon and containers": ([DAEMON, FRONTEND], {}, [*DAEMONS, "docker restart -t 10 frontend"], 0),
    "containers with the app": ([FRONTEND, APP], {}, [STOP, START], 1),
    "asked: daemon": ([], {"scope": "daemon"}, DAEMONS, 0),
    "asked: app": ([LATER], {"scope": "app"}, [STOP, START], 1),
    "asked: docker": ([LATER], {"scope": "docker"}, [STOP, *STOPS, ENGINE, *STARTS, START], 1),
    "asked: containers": ([FRONTEND], {"scope": "containers", "stop_timeout": 3}, ["docker restart -t 3 frontend"], 0),
}


@pytest.mark.parametrize("case", CASES, ids=CASES.keys())
def test_the_steps_in_their_order_settle_what_is_owed(host: Host, inline: None, case: str) -> None:
    owed, options, orders, starts = CASES[case]
    host.owe(*owed)
    predicted = host.run(check=True, **options)
    assert (host.calls, len(host.owed())) == ([], len(owed)), "check mode reads only"
    result = host.run(**options)
    assert "failed" not in result, result
    assert host.calls == orders
    assert host.read()["starts"] == starts
    assert host.read()["app"]["state"] == "started"
    kept = [] if options.get("scope") not in ("app",) else [("unit", "docker")]
    assert host.owed() == kept
    assert [(row["scope"], row["target"]) for row in result["owed"]] == kept
    assert len(result["settled"]) == len(owed) - len(kept)
    for key in ("changed", "steps", "scopes", "restarted", "owed"):
        assert predicted[key] == result[key], key
    assert sorted(predicted["reasons"]) == sorted(result["reasons"])
    assert result["changed"] is True
    again = host.run()
    assert (again["changed"], host.calls) == (False, orders)


def test_the_downtime_is_measured_from_outside(host: Host, inline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "DOWNTIME_INTERVAL", 0.02)
    with host.change() as state:
        state["seconds"] = 0.4
    host.owe(APP)
    result = host.run()
    assert 0.2 <= result["downtime_seconds"] <= result["seconds"]
    quiet = host.run(scope="daemon")
    assert quiet["downtime_seconds"] == 0.0
    unmeasured = host.run(scope="app", health_checks=[])
    assert unmeasured["downtime_seconds"] == 0.0


def test_would_owe_counts_in_check_mode_only(host: Host, inline: None) -> None:
    rows = [dict(APPLY._asdict())]
    predicted = host.run(check=True, would_owe=rows)
    assert (predicted["changed"], predicted["steps"], predicted["owed"]) == (True, ["apply_config"], [])
    assert predicted["changes"] == ["applies the settings, which restarts the application: settings imported"]
    assert host.run(would_owe=rows)["changed"] is False


def test_restart_false_lists_and_does_nothing(host: Host) -> None:
    host.owe(APP, LATER)
    result = host.run(restart=False)
    assert (result["changed"], host.calls, len(result["owed"])) == (False, [], 2)
    assert "still owed (now): replicated app: hosts changed" in result["summary"]
    assert len(host.run(check=True, restart=False, would_owe=[dict(APPLY._asdict())])["owed"]) == 3


def test_an_app_that_a_person_has_stopped_stays_so(host: Host, inline: None) -> None:
    with host.change() as state:
        state["app"].update(state="stopped", desired="stopped")
        state["containers"] = []
    host.owe(APP, APPLY, FRONTEND)
    result = host.run()
    assert (host.calls, host.owed()) == ([], [("replicated", "apply_config")])
    assert plans.KEPT_STOPPED in result["notes"]
    assert result["not_restarted"] == {"frontend": "no such container on this host"}
    host.owe(DOCKER)
    assert host.run()["steps"] == ["docker"]
    assert host.read()["app"]["state"] == "stopped"
    assert host.run(scope="apply_config")["steps"] == ["apply_config"]
    assert (host.read()["app"]["state"], host.owed()) == ("started", [])


def test_what_was_started_since_needs_no_job(host: Host) -> None:
    host.owe(DAEMON)
    with host.change() as state:
        for name in state["units"]:
            state["units"][name]["started"] = 2**60
    result = host.run()
    assert (result["changed"], host.calls, host.owed()) == (True, [], [])
    assert result["changes"] == ["replicated daemon: was started since the change; struck off"]


def test_units_that_this_host_lacks_are_left_out(host: Host, inline: None) -> None:
    with host.change() as state:
        del state["units"]["replicated-operator"]
    assert host.run(scope="daemon")["steps"] == ["daemon"]
    assert host.calls == DAEMONS[:2]
    with host.change() as state:
        del state["units"]["replicated-ui"], state["units"]["replicated"]
    assert "this host has none of Replicated's services" in failed(host.run(scope="daemon"))


def test_an_engine_without_replicated(host: Host, inline: None) -> None:
    (host.bin / "replicatedctl").unlink()
    with host.change() as state:
        state["units"] = {"docker": state["units"]["docker"]}
    host.owe(DOCKER)
    assert host.run()["steps"] == ["docker"]
    assert (host.calls, host.owed()) == ([ENGINE], [])


def test_upstart(host: Host, inline: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs = tmp_path / "init"
    jobs.mkdir()
    for name in ("replicated-ui", "replicated", "docker"):
        (jobs / name).touch()
    monkeypatch.setattr(services, "SERVICE_FILES", (str(jobs) + "/{0}",))
    monkeypatch.setattr(services, "BOOTED", str(tmp_path / "none"))
    host.owe(DOCKER)
    assert host.run(service_manager="auto")["steps"] == ["app_stop", "docker", "app_start"]
    assert host.calls == [
        STOP,
        "service replicated stop",
        "service replicated-ui stop",
        "service docker restart",
        "service replicated-ui start",
        "service replicated start",
        START,
    ]


# -- Kills and joins


KILLS = {
    "in the app's stop": ([APP], STOP, 1),
    "in the app's start": ([APP], START, 1),
    "in apply-config": ([APPLY], APPLY_CONFIG, 2),
    "between two services": ([DAEMON], DAEMONS[1], 0),
    "with the services stopped": ([DOCKER], STOPS[2], 1),
    "in the engine's restart": ([DOCKER, APPLY], ENGINE, 1),
    "before the app's start": ([DOCKER], STARTS[2], 1),
    "after docker restart": ([FRONTEND], "docker restart", 0),
}


# A quick run takes one kill in each kind of state; `make test-full` takes them all.
QUICK_KILLS = ("in the app's stop", "in apply-config", "with the services stopped")
PARAMETERS = [pytest.param(c, marks=[] if c in QUICK_KILLS else [pytest.mark.full], id=c) for c in KILLS]


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_killed_restart_is_completed_by_the_next(host: Host, case: str) -> None:
    owed, at, starts = KILLS[case]
    host.owe(*owed, LATER)
    with host.change() as state:
        state["kill_at"] = at
    with pytest.raises(OpsError, match="ended without a word at: .*Run again"):
        host.run()
    assert set(host.owed()) >= {(entry.scope, entry.target) for entry in owed}, "nothing is forgotten"
    result = host.run()
    assert "failed" not in result, result
    state = host.read()
    assert state["app"]["state"] == "started"
    assert all(unit["active"] for unit in state["units"].values())
    assert state["starts"] <= starts + 1
    assert host.owed() in ([], [("unit", "docker")])
    assert host.run()["changed"] is False


def test_a_dead_restart_of_a_scope_that_nobody_owes_is_completed_too(host: Host) -> None:
    with host.change() as state:
        state["kill_at"] = STOP
    with pytest.raises(OpsError):
        host.run(scope="app")
    assert host.owed() == [MARK]
    predicted = host.run(check=True)
    assert predicted["reasons"] == [plans.STOPPED]
    assert host.run()["steps"] == ["app_stop", "app_start"]
    assert (host.read()["app"]["state"], host.owed()) == ("started", [])


def test_a_person_was_faster(host: Host) -> None:
    host.owe(plans.stopped_by_us(), plans.services_stopped())
    result = host.run()
    assert (host.calls, host.owed(), result["steps"]) == ([], [], [])
    assert [change.split(": ")[1] for change in result["changes"]] == ["runs again; struck off"] * 2


def handover(mine: str, job: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"mine": mine, "id": job["id"] if job else "", "seen": job["seen"] if job else 0, "wait": 10}


def to_its_end(host: Host, mine: str, job: dict[str, Any], **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = {"job": job}
    while "job" in result:
        result = host.run(handover=handover(mine, result["job"]), **options)
    return result


def test_a_killed_caller_is_joined_and_nothing_is_done_twice(host: Host) -> None:
    host.owe(APP)
    host.fault(hold=True)

    def caller() -> None:
        host.run(handover=handover("first"))
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=caller)
    process.start()
    process.join()
    job = host.run(handover=handover("second"))["job"]
    assert (job["id"], job["joined"]) == ("first", True)
    notes = host.run(check=True)["notes"]
    assert notes[-1].startswith("A restart is under way and would be joined; it is at: ")
    host.fault(hold=False)
    result = to_its_end(host, "second", job)
    assert (result["joined"], result["steps"]) == (True, ["app_stop", "app_start"])
    assert (host.calls, host.owed()) == ([STOP, START], [])


def test_what_a_joined_restart_did_not_do_is_done_after_it(host: Host) -> None:
    host.fault(hold=True)
    host.owe(APP)
    host.run(handover=handover("first"))
    job = host.run(handover=handover("second"), scope="daemon")["job"]
    assert job["joined"] is True
    host.fault(hold=False)
    result = to_its_end(host, "second", job, scope="daemon")
    assert (result["joined"], result["steps"]) == (False, ["daemon"])
    assert host.calls == [STOP, START, *DAEMONS]


def test_a_joined_restart_that_did_the_same_is_enough(host: Host) -> None:
    host.fault(hold=True)
    host.run(handover=handover("first"), scope="app")
    job = host.run(handover=handover("second"), scope="app")["job"]
    host.fault(hold=False)
    assert to_its_end(host, "second", job, scope="app")["joined"] is True
    assert host.calls == [STOP, START]


def test_a_debt_that_came_meanwhile_stays_and_auto_does_it_next(host: Host) -> None:
    host.fault(hold=True)
    host.owe(APP)
    host.run(handover=handover("first"))
    job = host.run(handover=handover("second"))["job"]
    while not host.calls:
        job = host.run(handover=dict(handover("second", job), wait=0.1))["job"]
    host.owe(APP)  # the same sentence, another write
    host.fault(hold=False)
    result = to_its_end(host, "second", job)
    assert (result["joined"], host.calls, host.owed()) == (False, [STOP, START] * 2, [])


# -- Waits


def test_a_flapping_status_is_waited_for(host: Host, inline: None) -> None:
    host.fault(flaps=9)
    host.owe(APP)
    assert host.run(looks=3)["steps"] == ["app_stop", "app_start"]
    assert host.read()["faults"]["flaps"] == 0


def test_a_daemon_that_is_not_ready_is_waited_for(host: Host, inline: None) -> None:
    host.fault(not_ready=8)
    host.owe(APP)
    assert host.run()["steps"] == ["app_stop", "app_start"]


def test_success_needs_the_services_and_the_web(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(sick=["nomad"])
    said = failed(host.run(timeout=1))
    assert "the deadline of 1 seconds has passed at: waits until the application's services answer" in said
    assert "State started, DesiredState started, IsTransitioning false, Error none" in said
    assert "no 200 from nomad (http://127.0.0.1:{0}/nomad): status 503".format(host.port) in said
    assert host.owed() == [("replicated", "app"), MARK], "not struck off: it was not seen to work"
    host.fault(sick=["frontend"])
    assert "at: waits until the web application answers" in failed(host.run(timeout=1, dependents=False))
    host.fault(sick=[])
    assert host.run()["changed"] is True


def test_containers_and_daemon_wait_for_what_answered_before(host: Host, inline: None) -> None:
    host.fault(sick=["nomad"])
    host.owe(FRONTEND)
    assert host.run()["restarted"] == ["frontend"], "nomad did not answer before either"
    assert host.run(scope="daemon")["steps"] == ["daemon"]


def test_apply_config_on_a_stopped_app_is_followed_by_a_start(host: Host, inline: None) -> None:
    host.fault(apply_needs_running=True)
    host.owe(DOCKER, APPLY)
    host.run(transition_timeout=0.2)
    assert host.calls[-2:] == [APPLY_CONFIG, START]
    assert (host.read()["starts"], host.owed()) == (1, [])


def test_settings_that_do_not_take_effect_stay_owed(host: Host, inline: None) -> None:
    host.fault(apply_does_nothing=True)
    host.owe(APPLY)
    with host.change() as state:
        for row in state["containers"]:
            row["pid"] = os.getpid()  # older than the import
    said = failed(host.run(transition_timeout=0.2))
    assert "began no transition within 0.2 seconds, and its containers are older than the imported settings" in said
    assert host.owed() == [("replicated", "apply_config")]
    result = host.run(scope="apply_config", transition_timeout=0.2)
    assert "they are not in effect" in failed(result)


def test_nothing_to_apply_is_no_error_when_nothing_is_owed_or_it_was_restarted_since(host: Host, inline: None) -> None:
    host.fault(apply_does_nothing=True)
    asked = host.run(scope="apply_config", transition_timeout=0.2)
    assert asked["notes"] == ["app apply-config began no transition: Replicated had nothing to apply"]
    entry = APPLY._replace(boot="an earlier boot", written=1)
    host.owe(entry)
    path = Path(host.places.pending)
    path.write_text(path.read_text().replace(Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "earlier"))
    result = host.run(transition_timeout=0.2)
    assert result["notes"] == ["app apply-config began no transition: the application was restarted since the import"]
    assert host.owed() == []


# -- Builds


def test_builds_are_reported_and_go_on(host: Host, inline: None) -> None:
    with host.change() as state:
        state["allocations"] = [BUILD]
    host.owe(APP)
    row = {"job": "build", "allocation": "a1b2c3d4e5", "node": "n1", "since": ""}
    assert host.run(check=True)["builds"] == [row]
    assert host.run()["builds"] == [row]
    assert host.run(scope="daemon")["builds"] == [], "the server is not stopped"
    host.owe(FRONTEND._replace(target="nomad"))
    assert host.run()["builds"] == [row], "nor is this the app's stop, but the server's"


def test_builds_refuse(host: Host, inline: None) -> None:
    with host.change() as state:
        state["allocations"] = [BUILD]
    host.owe(APP)
    words = "when_builds = 'refuse': nothing was stopped, because of 1 build: build (a1b2c3d4 on n1, since ?)."
    assert host.run(check=True, when_builds="refuse")["warnings"][0].startswith(
        "The real run would stop here. " + words
    )
    assert failed(host.run(when_builds="refuse")).startswith(words)
    assert (host.calls, host.owed()) == ([], [("replicated", "app")])


def test_builds_wait(host: Host) -> None:
    with host.change() as state:
        state["allocations"] = [BUILD, dict(BUILD, ID="b2")]
    host.owe(APP)
    assert host.run(check=True, when_builds="wait")["warnings"][0].startswith("The real run would wait. ")
    job = host.run(handover=handover("m"), when_builds="wait")["job"]
    while not job["phase"].startswith("waits for 2 builds"):
        job = host.run(handover=handover("m", job), when_builds="wait")["job"]
    assert (host.calls, job["left"]) == ([], [steps.TITLES["app_stop"], steps.TITLES["app_start"]])
    with host.change() as state:
        state["allocations"] = []
    result = to_its_end(host, "m", job, when_builds="wait")
    assert (host.calls, result["steps"], result["builds"]) == ([STOP, START], ["app_stop", "app_start"], [])


def test_builds_that_do_not_end(host: Host, inline: None) -> None:
    with host.change() as state:
        state["allocations"] = [BUILD]
    host.owe(APP)
    assert "when_builds = 'wait': nothing was stopped, because of 1 build" in failed(
        host.run(when_builds="wait", builds_timeout=1)
    )
    assert host.calls == []


def test_a_silent_nomad(host: Host, inline: None) -> None:
    host.owe(APP)
    url = "http://127.0.0.1:{0}".format(host.closed)
    assert (
        "Nomad does not say which builds run"
        in host.run(check=True, nomad_url=url, when_builds="refuse")["warnings"][0]
    )
    assert "Nomad does not say which builds run" in failed(host.run(nomad_url=url, when_builds="refuse"))
    assert host.calls == []
    result = host.run(nomad_url=url)
    assert "Connection refused" in result["warnings"][0]
    assert result["changed"] is True


# -- Faults, each with its own words


def test_a_transition_without_end(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(hold=True)
    result = host.run(timeout=1)
    said = failed(result)
    assert "timeout = 1: the deadline of 1 seconds has passed at: waits until the application is stopped" in said
    assert "State stopping, DesiredState stopped, IsTransitioning true, Error none" in said
    assert "`replicatedctl app stop --force` ends it" in said
    assert result["phase"] == "waits until the application is stopped"
    assert (result["status"]["state"], result["status"]["transitioning"]) == ("stopping", True)
    assert (result["steps"], host.owed()) == ([], [("replicated", "app"), MARK])


def test_a_container_that_will_not_start_is_named_with_its_last_lines(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(will_not_start=["nomad"])
    result = host.run(timeout=1)
    said = failed(result)
    assert "not up: nomad (exited, exit code 1); nomad said last: line one | line two | the port is taken" in said
    assert result["not_up"] == {"nomad": "exited, exit code 1"}
    assert result["logs"] == {"nomad": ["line one", "line two", "the port is taken"]}


def test_a_container_that_is_gone_is_named(host: Host, inline: None) -> None:
    host.owe(APP)
    with host.change() as state:
        state["definition"] = state["definition"][:1]
    host.fault(sick=["frontend"])
    assert "not up: nomad (it does not exist), postgres (it does not exist)" in failed(host.run(timeout=1))


def test_an_error_of_the_application(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(error="image not found")
    result = host.run()
    assert "the application reports an error at: waits until the application is up" in failed(result)
    assert "Error image not found" in failed(result)
    host.fault(error="")
    assert host.run()["steps"] == ["app_stop", "app_start"], "it is stopped now; only the start is left to do"


def test_a_dead_daemon(host: Host, inline: None) -> None:
    host.owe(APP)
    with host.change() as state:
        state["units"]["replicated"].update(active=False, dies=True)
    said = failed(host.run())
    assert "Replicated's daemon is dead: replicated is failed (dead)" in said
    assert "connection refused" in said
    assert "the last lines of its journal: Started journalctl. | panic: cannot open state.db" in said
    assert "`systemctl status replicated`" in said
    assert host.calls == []


def test_a_crash_loop(host: Host, inline: None) -> None:
    host.owe(APP)
    with host.change() as state:
        state["units"]["replicated"].update(loops=True)
    host.fault(silent="connection reset by peer")
    assert "in a crash loop: replicated was restarted 3 times; replicatedctl says: connection reset" in failed(
        host.run()
    )


def test_a_daemon_that_dies_at_its_restart(host: Host, inline: None) -> None:
    host.owe(DAEMON)
    with host.change() as state:
        state["units"]["replicated"].update(dies=True)
    assert "replicated.service is failed (dead) after systemctl restart" in failed(host.run())
    assert host.owed() == [("replicated", "daemon")]


def test_a_daemon_that_is_never_ready(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(silent="Replicated is not ready")
    said = failed(host.run(timeout=1))
    assert "has passed at: waits until Replicated's daemon answers" in said
    assert (
        "replicatedctl gives no status: Replicated is not ready. Replicated is not ready: see `systemctl status" in said
    )


def test_no_replicatedctl(host: Host) -> None:
    (host.bin / "replicatedctl").unlink()
    host.owe(APP)
    with pytest.raises(OpsError, match="program replicatedctl was not found on this host"):
        host.run()
    assert host.run(check=True)["steps"] == ["app_stop", "app_start"], "before the first run it is not there yet"


def test_no_application_yet(host: Host, inline: None) -> None:
    with host.change() as state:
        state["no_app"] = True
    host.owe(APP, APPLY)
    result = host.run()
    assert (host.calls, host.owed(), result["notes"]) == (
        [],
        [("replicated", "apply_config")],
        [plans.NO_APPLICATION],
    )
    words = "Replicated has no application, so there is none to restart. Activate the licence"
    assert words in failed(host.run(scope="app"))
    assert words in failed(host.run(scope="apply_config"))
    assert host.run(scope="daemon")["steps"] == ["daemon"]


def test_a_docker_that_hangs_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(argv: list[str], timeout: float = 60) -> None:
        raise OpsError("docker did not end within {0:g} seconds".format(timeout))

    monkeypatch.setattr(containers, "run", hangs)
    with pytest.raises(OpsError, match="Docker does not answer: docker did not end within 1 seconds"):
        containers.require_engine(0)
    assert containers.last_lines("nomad") == ["docker did not end within 60 seconds"]


def test_a_command_that_is_refused(host: Host, inline: None) -> None:
    host.owe(APP)
    host.fault(refuses=["start"])
    said = failed(host.run())
    assert "replicatedctl app start failed: required config items are not set: hostname" in said
    host.fault(refuses=[])
    assert host.run()["changed"] is True
    assert (host.read()["app"]["state"], host.owed()) == ("started", [])


def test_docker_that_does_not_answer(host: Host, inline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    host.fault(docker=True)
    host.owe(APP)
    words = "Docker does not answer: Cannot connect to the Docker daemon"
    assert words in failed(host.run())
    assert host.calls == []
    monkeypatch.setattr(steps, "ENGINE_SECONDS", 1)
    host.owe(DOCKER)
    result = host.run()
    assert words in failed(result)
    assert result["notes"][0].startswith("Before the restart: Docker does not answer"), "its restart may be what helps"
    assert ("replicated", "docker") in host.owed(), "the services were stopped by us"
    host.fault(docker=False)
    assert host.run()["steps"] == ["app_stop", "docker", "app_start"]
    assert host.owed() == []


def test_the_deadline_tells_of_a_silent_docker(host: Host, inline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "containers", list)
    host.fault(docker=True, hold=True)
    host.owe(APP)
    assert "Docker does not answer: Cannot connect" in failed(host.run(timeout=1))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("timeout", 0, "timeout = 0: must be more than 0"),
        ("look_interval", -1.0, "look_interval = -1.0: must be more than 0"),
        ("nomad_url", "nomad:4646", "nomad_url = 'nomad:4646': is no http address"),
        ("health_checks", [{"port": 0, "path": "/", "tls": False}], "health_checks = .*: is no place on this host"),
        ("health_checks", [{"port": 80, "path": "x", "tls": False}], "health_checks = .*: is no place on this host"),
    ],
)
def test_bad_options(host: Host, option: str, value: Any, words: str) -> None:
    host.owe(APP)
    with pytest.raises(OpsError, match=words):
        host.run(**{option: value})
    assert host.calls == []
