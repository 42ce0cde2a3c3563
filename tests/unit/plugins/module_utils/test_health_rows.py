# Tests of _health_rows and _health_report: every verdict on synthetic sweeps, and what the result says of them.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._health_containers import State
from ansible_collections.circleci_server.ops.plugins.module_utils._health_report import report
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rows import Expectations, Row, rows
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import OWN, STATUSES, worst_of
from ansible_collections.circleci_server.ops.plugins.module_utils._health_sweep import Daemon, Disk, Engine, Sweep
from ansible_collections.circleci_server.ops.plugins.module_utils._http_probe import Answer
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import AppStatus, Look

OK = Answer(200, 0.01, "")
OPEN = Answer(0, 0.01, "")
REFUSED = Answer(0, 0.0, "connection refused")
LEADER = Answer(200, 0.01, "", '"10.0.0.10:4647"')
KILLED = "up for 26 h, a process in it was killed for memory"
CONDITIONAL = ("ldap", "vm_service")
STARTED = AppStatus("app", 1, "started", "started", "", False)


def up(name: str, **more: Any) -> State:
    return State(name, "image:1", **{"status": "running", "since": 93600.0, **more})


def healthy_sweep(**changes: Any) -> Sweep:
    """An installation without LDAP and VM service, all of it well; migrators have ended, as the guide has it."""
    there = [item for item in catalogue.CONTAINERS if item.condition not in CONDITIONAL]
    states = {item.name: up(item.name, status="exited") if item.runs_once else up(item.name) for item in there}
    answers = {name: OK for name in catalogue.health_endpoints() if name in states}
    answers.update({"ready-agent": OK, "nomad": LEADER, "replicated-ui": Answer(302, 0.02, "")})
    answers.update(dict.fromkeys(("postgres", "redis", "rabbitmq", "mongo"), OPEN))
    sweep = Sweep(
        engine=Engine(states, ""),
        daemon=Daemon(True, Look(STARTED, "")),
        answers=answers,
        asked=(*answers, "vm-service", "federations-service"),
        disks={"/": Disk("/", 40.0, 3.0, ("/data",))},
        milliseconds={"frontend": 12, "docker": 80, "application": 90},
        seconds=0.1,
    )
    return sweep._replace(**changes)


def with_state(name: str, **changes: Any) -> Sweep:
    sweep = healthy_sweep()
    sweep.engine.containers[name] = sweep.engine.containers.get(name, up(name))._replace(**changes)
    return sweep


def without(*names: str) -> Sweep:
    sweep = healthy_sweep()
    for name in names:
        sweep.engine.containers.pop(name, None)
    return sweep


def with_answer(name: str, answer: Answer | None) -> Sweep:
    sweep = healthy_sweep()
    if answer is None:
        del sweep.answers[name]
    else:
        sweep.answers[name] = answer
    return sweep


def row(sweep: Sweep, name: str, **expect: Any) -> Row:
    (found,) = [one for one in rows(sweep, Expectations(**expect)) if one.name == name]
    return found


def verdict(sweep: Sweep, name: str, **expect: Any) -> tuple[str, str]:
    return row(sweep, name, **expect)[1:3]


def result(sweep: Sweep, fail_severity: str = "some_jobs", **expect: Any) -> dict[str, Any]:
    return report(rows(sweep, Expectations(**expect)), sweep.engine.containers, fail_severity)


def test_all_is_well() -> None:
    sweep = healthy_sweep()
    found = rows(sweep, Expectations())
    by_status = {status: [one.name for one in found if one.status == status] for status in STATUSES}
    assert by_status["not_used"] == [item.name for item in catalogue.CONTAINERS if item.condition in CONDITIONAL]
    assert len(by_status["healthy"]) == len(found) - len(by_status["not_used"])
    told = result(sweep)
    assert (told["healthy"], told["worst"], told["sick"], told["causes"], told["failure"]) == (True, "none", [], [], "")
    assert told["summary"] == "{0} of {0} healthy".format(len(by_status["healthy"]))
    assert told["containers"] == {
        "missing": [], "unexpected": [], "restarting": [], "out_of_memory": [], "exited": []
    }  # fmt: skip


def test_every_endpoint_and_its_source() -> None:
    told = {one["name"]: (one["endpoint"], one["source"]) for one in result(healthy_sweep())["services"]}
    assert told["frontend"] == ("http://localhost:80/health-check", "guide L2402")
    assert told["workflows-conductor"][0] == "http://localhost:9999/healthcheck"
    assert told["ready-agent"][0] == "http://localhost:8099/"
    assert told["nomad"][0] == "http://localhost:4646/v1/status/leader"
    assert told["replicated-ui"][0] == "https://localhost:8800/"
    assert told["postgres"][0] == "tcp://localhost:5432"
    assert told["replicated"][0] == told["application"][0] == "replicatedctl app status"
    assert told["exim"] == ("", "guide L2396")
    assert told["docker"] == ("docker container ls --all", "guide L2033")
    assert told["disk /"] == ("", "guide L2426")
    assert row(healthy_sweep(), "ready-agent", ready_agent_path="/x").endpoint == "http://localhost:8099/x"


def test_latency() -> None:
    assert row(healthy_sweep(), "frontend").milliseconds == 12
    assert row(healthy_sweep(), "replicated").milliseconds == 90
    assert row(healthy_sweep(), "exim").milliseconds is None


@pytest.mark.parametrize(
    ("name", "answer", "status", "said"),
    [
        ("frontend", OK, "healthy", "answers 200"),
        ("frontend", Answer(500, 0, ""), "failing", "answers 500 (bad configuration, guide L1400)"),
        ("frontend", Answer(404, 0, ""), "failing", "answers 404"),
        ("frontend", Answer(302, 0, "more than 5 redirects"), "failing", "more than 5 redirects"),
        ("frontend", REFUSED, "failing", "connection refused"),
        ("frontend", None, "failing", "no answer in time"),
        ("postgres", OPEN, "healthy", "takes connections"),
        ("postgres", REFUSED, "failing", "connection refused"),
        ("nomad", LEADER, "healthy", "leader 10.0.0.10:4647"),
        ("nomad", Answer(200, 0, "", '""'), "failing", "has no leader"),
        ("nomad", Answer(200, 0, "", "<html>"), "failing", "answers something else than the name of a leader"),
        ("nomad", Answer(500, 0, "", "No cluster leader"), "failing", "answers 500"),
        ("ready-agent", OK, "healthy", "answers 200: all services are up"),
        ("ready-agent", Answer(503, 0, ""), "failing", "answers 503: not all services are up (guide L1392)"),
        ("ready-agent", Answer(404, 0, ""), "unknown", "answers 404, which says nothing: is its path another one?"),
        ("replicated-ui", Answer(500, 0, ""), "healthy", "answers 500"),
        ("replicated-ui", Answer(0, 0, "no TLS: WRONG"), "failing", "no TLS: WRONG"),
    ],
)  # fmt: skip
def test_answers(name: str, answer: Answer | None, status: str, said: str) -> None:
    age = "; up for 26 h" if status == "failing" else ""
    assert verdict(with_answer(name, answer), name) == (status, said + age)


@pytest.mark.parametrize(
    ("name", "changes", "status", "said"),
    [
        ("exim", {}, "healthy", "up for 26 h"),
        ("nomad-metrics", {}, "healthy", "up for 26 h"),
        ("nomad-metrics", {"status": "exited", "exit_code": 1}, "failing", "exited with code 1 26 h ago"),
        (
            "exim",
            {"status": "restarting", "restarts": 4, "exit_code": 2},
            "failing",
            "restarts again and again (4 times), last exit code 2",
        ),
        ("exim", {"out_of_memory": True}, "healthy", KILLED),
        ("frontend", {"out_of_memory": True}, "healthy", "answers 200; " + KILLED),
        ("frontend", {"health": "unhealthy"}, "failing", "up for 26 h, its own health check fails"),
        ("cron-service-migrator", {}, "healthy", "has done its work, exited with code 0 26 h ago"),
        ("cron-service-migrator", {"exit_code": 3}, "failing", "exited with code 3 26 h ago"),
        ("cron-service-migrator", {"status": "running"}, "healthy", "up for 26 h"),
    ],
)  # fmt: skip
def test_states(name: str, changes: dict[str, Any], status: str, said: str) -> None:
    assert verdict(with_state(name, **changes), name) == (status, said)


def test_a_sick_container_with_a_sick_answer_says_both() -> None:
    sweep = with_state("frontend", status="exited", exit_code=137, out_of_memory=True)
    sweep.answers["frontend"] = REFUSED
    assert verdict(sweep, "frontend") == (
        "failing", "exited with code 137 26 h ago, out of memory; connection refused"
    )  # fmt: skip
    told = result(sweep)
    assert told["containers"]["exited"] == told["containers"]["out_of_memory"] == ["frontend"]


@pytest.mark.parametrize("item", catalogue.CONTAINERS, ids=lambda item: item.name)
def test_every_container_gone(item: catalogue.Container) -> None:
    sweep = without(item.name)
    sweep.answers.pop(item.name, None)
    found = row(sweep, item.name, s3=False)
    if item.runs_once or item.condition in CONDITIONAL:
        assert found.status == "not_used"
    elif item.name in OWN and item.name not in ("replicated", "replicated-ui", "replicated-operator"):
        assert found.status == "unknown"
    elif item.name == "replicated":
        assert found.status == "healthy"  # the daemon answers: then its container has another name
    else:
        assert found.status == "missing"
        assert found.detail.startswith("no such container")
        assert item.name in result(sweep, s3=False)["containers"]["missing"]


def test_an_answer_without_a_container() -> None:
    assert verdict(without("frontend"), "frontend") == ("healthy", "answers 200; there is no container of this name")


def test_conditions() -> None:
    ldap = healthy_sweep()
    ldap.engine.containers["federations-service"] = up("federations-service")
    ldap.answers["federations-service"] = REFUSED
    assert verdict(ldap, "federations-service")[0] == "failing"
    assert verdict(ldap, "federations-service", ldap=False) == ("not_used", "no LDAP here, as the options say")
    plain = healthy_sweep()
    plain.answers["federations-service"] = REFUSED
    assert verdict(plain, "federations-service") == ("not_used", "no LDAP: none of its containers is there")
    assert verdict(plain, "federations-service", ldap=True) == ("missing", "no such container; connection refused")
    assert verdict(plain, "vm-gc", vm_service=True) == ("missing", "no such container")
    # One container of the family makes the others count.
    plain.engine.containers["vm-scaler"] = up("vm-scaler")
    assert verdict(plain, "vm-service")[0] == "missing"


def test_fileserved() -> None:
    gone = without("fileserved")
    assert verdict(gone, "fileserved")[0] == "unknown"
    assert verdict(gone, "fileserved", s3=False)[0] == "missing"
    assert verdict(gone, "fileserved", s3=True)[0] == "not_used"
    assert verdict(healthy_sweep(), "fileserved")[0] == "healthy"
    assert verdict(with_state("fileserved", status="exited"), "fileserved")[0] == "failing"


def test_an_engine_that_does_not_answer() -> None:
    down = healthy_sweep(engine=Engine({}, "docker did not end within 5 seconds"))
    assert row(down, "docker")[1:3] == ("failing", "docker did not end within 5 seconds")
    assert verdict(down, "exim") == ("unknown", "Docker does not answer")
    assert verdict(down, "frontend") == ("healthy", "answers 200")
    down.answers["frontend"] = REFUSED
    assert verdict(down, "frontend") == ("failing", "connection refused")
    down.answers["ready-agent"] = Answer(404, 0, "")
    assert verdict(down, "ready-agent")[0] == "unknown"
    down.answers["vm-service"] = REFUSED
    assert verdict(down, "vm-service")[0] == "unknown"
    assert verdict(down, "vm-service", vm_service=True)[0] == "failing"
    assert [cause["name"] for cause in result(down)["causes"]] == ["docker"]


def test_a_host_on_which_nothing_is_installed() -> None:
    bare = Sweep(Engine({}, "Docker is not installed on this host", False), Daemon(False, None), {}, (), {}, {}, 0.0)
    assert verdict(bare, "docker")[0] == "missing"
    assert verdict(bare, "application")[0] == "absent"
    assert {row(bare, name).status for name in OWN} == {"absent", "not_used"}
    told = result(bare)
    assert told["sick"] == ["docker"]
    assert told["containers"]["missing"] == []
    assert "systemctl status docker" in told["failure"]


@pytest.mark.parametrize(
    ("look", "status", "said"),
    [
        (Look(STARTED, ""), "healthy", "started"),
        (Look(STARTED._replace(transitioning=True), ""), "failing", "state started, wanted started, in transition"),
        (Look(STARTED._replace(state="stopped", desired="stopped"), ""), "failing", "state stopped, wanted stopped"),
        (Look(STARTED._replace(error="no space"), ""), "failing", "state started, wanted started: no space"),
        (Look(None, "none", True), "missing", "Replicated has no application yet: no licence is activated"),
        (Look(None, "not ready"), "unknown", "Replicated does not answer"),
        (None, "unknown", "Replicated does not answer"),
    ],
)
def test_the_application(look: Look | None, status: str, said: str) -> None:
    assert verdict(healthy_sweep(daemon=Daemon(True, look)), "application") == (status, said)


def test_replicated() -> None:
    silent = healthy_sweep(daemon=Daemon(True, Look(None, "connection refused")))
    assert verdict(silent, "replicated") == (
        "failing", "replicatedctl app status: connection refused; up for 26 h"
    )  # fmt: skip
    late = healthy_sweep(daemon=Daemon(True, None))
    assert verdict(late, "replicated") == ("failing", "replicatedctl app status: no answer in time; up for 26 h")
    assert verdict(healthy_sweep(daemon=Daemon(True, Look(None, "", True))), "replicated")[0] == "healthy"
    # Its program is gone, its containers are there: what they do is all that is known.
    half = healthy_sweep(daemon=Daemon(False, None))
    assert verdict(half, "replicated") == ("healthy", "up for 26 h")
    assert verdict(half, "application") == ("unknown", "replicatedctl is not on this host")
    assert verdict(healthy_sweep(daemon=None), "application") == ("unknown", "not asked")


def test_an_application_without_replicated() -> None:
    """Containers that were started by something else: neither Replicated nor what is its own is missed."""
    alone = without(*OWN)._replace(daemon=Daemon(False, None))
    for name in ("replicated", "replicated-ui", "replicated-operator"):
        alone.answers.pop(name, None)
        assert verdict(alone, name) == ("absent", "Replicated is not installed")
    assert verdict(alone, "retraced-api")[0] == "not_used"
    told = result(alone)
    assert told["healthy"]
    assert "not in use, or gone after the start: application, federations-service" in told["table"]["notes"][0]


def test_unexpected_containers() -> None:
    sweep = healthy_sweep()
    sweep.engine.containers["restic"] = State("restic", "registry/restic:1", "running", since=5.0)
    sweep.engine.containers["web_1"] = State("web_1", "nginx:1", "exited", since=None)
    told = result(sweep)
    assert told["containers"]["unexpected"] == ["restic", "web_1"]
    assert (told["healthy"], told["worst"], told["sick"], told["causes"]) == (False, "minor", [], [])
    assert verdict(sweep, "restic") == ("unexpected", "image registry/restic:1, up for 5 s")
    assert result(sweep, "minor")["sick"] == ["restic", "web_1"]
    assert result(sweep, expected=("web_*", "registry/restic:*"))["healthy"]


@pytest.mark.parametrize(
    ("disk", "status", "said"),
    [
        (Disk("/", 89.9, 1), "healthy", "89.9 % of its space and 1 % of its inodes are used"),
        (Disk("/", 90.0, 1), "failing", "90 % of its space and 1 % of its inodes are used (space, limit 90 %)"),
        (Disk("/", 1.0, 95), "failing", "1 % of its space and 95 % of its inodes are used (inodes, limit 95 %)"),
        (Disk("/", 1.0, 2, ("/data",)), "healthy", "1 % of its space and 2 % of its inodes are used; also /data"),
        (Disk("/", problem="no answer within 10 s"), "failing", "no answer within 10 s"),
    ],
)
def test_disks(disk: Disk, status: str, said: str) -> None:
    sweep = healthy_sweep(disks={"/": disk})
    assert verdict(sweep, "disk /", inode_percent=95) == (status, said)
    told = result(sweep, inode_percent=95)
    assert told["healthy"] == (status == "healthy")
    if status == "failing":
        assert told["causes"] == [
            {"name": "disk /", "severity": "some_jobs", "advice": "df -h /; df -i /", "explains": []}
        ]


def test_a_full_result() -> None:
    sweep = without("postgres")
    sweep.answers["postgres"] = REFUSED
    for name in ("frontend", "cron-service"):
        sweep.answers[name] = Answer(500, 0, "")
    told = result(sweep)
    assert told["sick"] == ["postgres", "cron-service", "frontend"]
    assert told["data_stores_failing"] == ["postgres"]
    (cause,) = told["causes"]
    assert (cause["name"], cause["severity"]) == ("postgres", "data_loss")
    assert cause["explains"] == [
        {"name": "cron-service", "path": ["cron-service", "postgres"], "source": "guide L2392"},
        {"name": "frontend", "path": ["frontend", "postgres"], "source": "guide L2402"},
    ]
    answer = "(failing, some_jobs): answers 500 (bad configuration, guide L1400); up for 26 h"
    assert told["failure"] == (
        "3 services are sick with the severity some_jobs or worse: postgres (missing, data_loss): no such container; "
        f"connection refused; cron-service {answer}; frontend {answer}. Probable causes: postgres explains "
        "cron-service, frontend (guide L2392, guide L2402). On the host `docker logs --tail 100 postgres` tells more; "
        "docs/health.md says how to read this."
    )
    assert told["summary"].endswith("2 failing, 1 missing; the worst of it: data_loss; probable cause: postgres")
    table = told["table"]
    assert [line[0] for line in table["rows"][:3]] == ["postgres", "cron-service", "frontend"]
    assert table["rows"][0][:5] == ["postgres", "missing", "data_loss", "", str(len(dependents_of(told, "postgres")))]
    assert table["notes"][0].startswith("probable cause: postgres explains cron-service, frontend")
    assert table["notes"][1].startswith("failing data stores: postgres")
    assert table["notes"][-1] == told["summary"]


def dependents_of(told: dict[str, Any], name: str) -> list[str]:
    (found,) = [one["dependents"] for one in told["services"] if one["name"] == name]
    return list(found)


def test_thresholds() -> None:
    sweep = with_answer("ready-agent", Answer(503, 0, ""))
    assert result(sweep)["sick"] == []
    assert result(sweep)["healthy"] is False
    assert result(sweep, "minor")["sick"] == ["ready-agent"]
    assert result(sweep, "none")["sick"] == []
    unknown = without("dispatcher")
    assert result(unknown)["sick"] == ["dispatcher"]
    assert result(unknown)["worst"] == "unknown"
    assert result(unknown, "data_loss")["sick"] == []
    lost = without("picard-output-processor")
    assert result(lost, "data_loss")["sick"] == ["picard-output-processor"]
    assert result(lost, "data_loss")["failure"].startswith("1 service is sick with the severity data_loss or worse")
    assert result(lost, "none")["failure"] == ""


def test_long_lists_are_cut() -> None:
    sweep = healthy_sweep()
    for name in catalogue.health_endpoints():
        sweep.answers[name] = REFUSED
    sweep.engine.containers["postgres"] = up("postgres", status="exited")
    for name in ("picard-dispatcher", "picard-scheduler", "test-results", "slanger"):
        sweep.engine.containers[name] = up(name, status="exited")
    told = result(sweep)
    assert (
        "and 2 more. Probable causes: postgres explains api-service, contexts-service, cron-service" in told["failure"]
    )


def test_the_advice_names_a_random_container() -> None:
    sweep = healthy_sweep()
    sweep.engine.containers["tutum-logrotate"] = State("hardcore_cray", "tutum-logrotate", "exited", 1)
    assert result(sweep)["causes"][0]["advice"] == "docker logs --tail 100 hardcore_cray"
    assert "systemctl status replicated-ui" in result(with_answer("replicated-ui", REFUSED), "minor")["failure"]
    stopped = healthy_sweep(daemon=Daemon(True, Look(STARTED._replace(state="stopped"), "")))
    assert result(stopped)["causes"][0]["advice"] == "replicatedctl app status"


def test_the_worst_of_severities() -> None:
    assert worst_of([]) == "none"
    assert worst_of(["minor", "unknown"]) == "unknown"
    assert worst_of(["unknown", "some_jobs"]) == "some_jobs"
    assert worst_of(["some_jobs", "data_loss", "minor"]) == "data_loss"
