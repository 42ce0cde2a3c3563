# Tests of _services and _systemd: units, the restarts that they owe, and what is refused, with a systemd in memory.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _services, _systemd
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    Entry,
    moment,
    owe,
    read_pending,
    written,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed
from ansible_collections.circleci_server.ops.plugins.module_utils._services import (
    WantedUnit,
    compare,
    settle_services,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._systemd import Unit, unit_name

DOCKER = Entry("unit", "docker", "docker", "/etc/docker/daemon.json changed")
LATER = Entry("unit", "docker.service", "ca_trust", "a CA was added", "with_next")
OTHER = Entry("container", "frontend", "customization", "overrides changed")
BOOT = "boot-1"


class Systemd:
    """systemctl, journalctl and docker, in memory: what they know, and what they were told."""

    def __init__(self) -> None:
        self.units: dict[str, dict[str, str]] = {}
        self.orders: list[str] = []
        self.containers: list[str] = []
        self.appear: dict[str, dict[str, str]] = {}
        self.crash: set[str] = set()
        self.fail: set[str] = set()
        self.conditions: set[str] = set()
        self.clock = moment()[1]

    def add(self, name: str, active: str = "active", file_state: str = "enabled", **more: str) -> None:
        self.clock += 1000
        self.units[name] = {
            "LoadState": "loaded",
            "UnitFileState": file_state,
            "ActiveState": active,
            "SubState": "running" if active == "active" else "dead",
            "ConditionResult": "yes" if active == "active" else "no",
            "ConditionTimestampMonotonic": "0",
            "NeedDaemonReload": "no",
            "ExecMainStartTimestampMonotonic": str(self.clock) if active == "active" else "0",
            "InactiveExitTimestampMonotonic": "0",
            **more,
        }

    def run(self, argv: Sequence[str], timeout: float = 60) -> Completed:
        del timeout
        if argv[0] == "docker":
            return Completed(1 if "docker" in self.fail else 0, "\n".join(self.containers), "engine is down")
        if argv[0] == "journalctl":
            return Completed(0, "first line\nlisten tcp: address in use\n", "")
        if argv[1] == "show":
            return Completed(0, "\n\n".join(self._shown(name) for name in argv[4:]) + "\n", "")
        self.orders.append(" ".join(argv[1:]))
        if argv[1] in self.fail:
            return Completed(1, "", "Access denied\n")
        return self._order(argv[1], argv[2:])

    def _shown(self, name: str) -> str:
        missing = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": "", "SubState": "dead"}
        return "\n".join(f"{key}={value}" for key, value in self.units.get(name, missing).items())

    def _order(self, word: str, names: Sequence[str]) -> Completed:
        if word == "daemon-reload":
            for name, more in self.appear.items():
                self.add(name, **more)
            for unit in self.units.values():
                unit["NeedDaemonReload"] = "no"
        for name in names:
            unit = self.units[name]
            if word in ("enable", "disable"):
                unit["UnitFileState"] = word + "d"
            if word == "stop":
                unit["ActiveState"] = "inactive"
            if word in ("start", "restart"):
                self._start(name, unit)
        return Completed(0, "", "")

    def _start(self, name: str, unit: dict[str, str]) -> None:
        self.clock = moment()[1]
        met = name not in self.conditions
        unit["ConditionResult"] = "yes" if met else "no"
        unit["ConditionTimestampMonotonic"] = str(self.clock)
        unit["ActiveState"] = ("failed" if name in self.crash else "active") if met else "inactive"
        unit["ExecMainStartTimestampMonotonic"] = str(self.clock)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    fake = Systemd()
    monkeypatch.setattr(_systemd, "run", fake.run)
    monkeypatch.setattr(_services, "run", fake.run)
    monkeypatch.setattr(_systemd, "find_program", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(_services, "host_lock", lambda *_arguments: nullcontext())
    return fake


@pytest.fixture
def pending(tmp_path: Path) -> str:
    return str(tmp_path / "pending.json")


def options(*units: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "units": [{"enabled": None, "state": "started", **unit} for unit in units],
        "settle": [],
        "restart": True,
        "daemon_reload": False,
        "refuse_with_containers": [],
        "would_owe": [],
        "timeout": 30,
        "lock_timeout": 5,
        **more,
    }


def test_a_unit_is_enabled_and_started_once(systemd: Systemd, pending: str) -> None:
    systemd.add("nginx.service", active="inactive", file_state="disabled")
    wanted = options({"name": "nginx", "enabled": True})
    predicted = settle_services(wanted, check=True, pending=pending)
    assert systemd.orders == []
    result = settle_services(wanted, pending=pending)
    assert systemd.orders == ["enable nginx.service", "start nginx.service"]
    assert predicted["changes"] == result["changes"] == ["nginx.service is enabled", "nginx.service is started"]
    assert predicted["diff"] == result["diff"]
    assert result["diff"][0]["before"] == "nginx.service: inactive, disabled\n"
    assert result["diff"][0]["after"] == "nginx.service: active, enabled\n"
    assert result["units"]["nginx.service"]["active_state"] == "active"
    assert (result["started"], result["restarted"], result["stopped"]) == (["nginx.service"], [], [])
    again = settle_services(wanted, pending=pending)
    assert (again["changed"], again["changes"], len(systemd.orders)) == (False, [], 2)


def test_a_unit_is_stopped_and_disabled(systemd: Systemd, pending: str) -> None:
    systemd.add("cups.service")
    result = settle_services(options({"name": "cups", "enabled": False, "state": "stopped"}), pending=pending)
    assert systemd.orders == ["disable cups.service", "stop cups.service"]
    assert result["changes"] == ["cups.service is disabled", "cups.service is stopped"]
    missing = settle_services(options({"name": "gone", "enabled": False, "state": "stopped"}), pending=pending)
    assert missing["changed"] is False


def test_what_is_owed_is_settled_by_one_restart(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    owe([DOCKER, LATER, OTHER], pending)
    result = settle_services(options({"name": "docker"}, settle=["docker"]), pending=pending)
    assert systemd.orders == ["restart docker.service"]
    assert result["changes"] == [
        "docker.service is restarted: /etc/docker/daemon.json changed; a CA was added",
    ]
    assert [row["owner"] for row in result["settled"]] == ["docker", "ca_trust"]
    assert [entry.key for entry in read_pending(pending)] == [OTHER.key]
    assert settle_services(options({"name": "docker"}, settle=["docker"]), pending=pending)["changed"] is False
    assert len(systemd.orders) == 1


def test_what_may_wait_starts_no_restart(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    owe([LATER], pending)
    result = settle_services(options(settle=["docker"]), pending=pending)
    assert (result["changed"], systemd.orders) == (False, [])
    assert [(row["target"], row["reason"], row["when"]) for row in result["owed"]] == [
        ("docker.service", "a CA was added", "with_next")
    ]


def test_without_restart_all_stays_owed(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    owe([DOCKER, LATER], pending)
    result = settle_services(options(settle=["docker"], restart=False), pending=pending)
    assert (result["changed"], systemd.orders, len(result["owed"])) == (False, [], 2)
    assert len(read_pending(pending)) == 2


def test_a_start_after_the_write_has_settled_it(systemd: Systemd, pending: str) -> None:
    owe([DOCKER, LATER], pending)
    written([DOCKER, LATER], pending)
    systemd.clock = moment()[1]
    systemd.add("docker.service")
    result = settle_services(options(settle=["docker"]), pending=pending)
    assert (result["changed"], systemd.orders) == (False, [])
    assert len(result["settled"]) == 2
    assert read_pending(pending) == []


def test_a_start_before_the_write_has_not(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service", ExecMainStartTimestampMonotonic="1")
    owe([DOCKER], pending)
    written([DOCKER], pending)
    settle_services(options(settle=["docker"]), pending=pending)
    assert systemd.orders == ["restart docker.service"]


def test_a_write_that_was_never_finished_needs_a_restart(systemd: Systemd, pending: str) -> None:
    owe([DOCKER], pending)
    written([DOCKER], pending)
    owe([DOCKER], pending)  # the next run means to write again, and dies
    systemd.add("docker.service")
    settle_services(options(settle=["docker"]), pending=pending)
    assert systemd.orders == ["restart docker.service"]


def test_a_start_of_ours_settles_what_is_owed(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service", active="inactive")
    owe([DOCKER], pending)
    result = settle_services(options({"name": "docker"}, settle=["docker"]), pending=pending)
    assert systemd.orders == ["start docker.service"]
    assert len(result["settled"]) == 1
    assert read_pending(pending) == []


def test_a_unit_that_does_not_run_owes_nothing(systemd: Systemd, pending: str) -> None:
    owe([DOCKER], pending)
    result = settle_services(options(settle=["docker"]), pending=pending)
    assert (result["changed"], systemd.orders, read_pending(pending)) == (False, [], [])


UNIT = Unit("docker.service", "loaded", "enabled", "active", started=100)
PAID = DOCKER._replace(boot=BOOT, written=50)


@pytest.mark.parametrize(
    ("unit", "entry", "restarted"),
    [
        (UNIT, PAID, False),
        (UNIT, PAID._replace(written=100), True),
        (UNIT, PAID._replace(boot="boot-0", written=900), False),
        (UNIT, DOCKER, True),
        (UNIT._replace(started=0), PAID, True),
        (UNIT._replace(needs_reload=True), PAID, True),
        (UNIT._replace(active_state="activating"), PAID._replace(written=200), True),
        (UNIT._replace(active_state="failed"), DOCKER, False),
    ],
)
def test_when_a_debt_needs_a_restart(unit: Unit, entry: Entry, restarted: bool) -> None:
    plan = compare([], {unit.name: unit}, {unit.name: [entry]}, BOOT)
    assert plan.restart == ([unit.name] if restarted else [])
    assert len(plan.settled) + sum(len(due) for due in plan.due.values()) == 1


@pytest.mark.parametrize(
    ("file_state", "enabled", "enable", "disable"),
    [
        ("disabled", True, True, False),
        ("enabled-runtime", True, True, False),
        ("enabled", True, False, False),
        ("static", True, False, False),
        ("enabled", False, False, True),
        ("static", False, False, False),
        ("", True, True, False),
        ("", False, False, False),
        ("disabled", None, False, False),
    ],
)
def test_when_a_unit_is_enabled(file_state: str, enabled: bool | None, enable: bool, disable: bool) -> None:
    plan = compare([WantedUnit(UNIT.name, enabled)], {UNIT.name: UNIT._replace(file_state=file_state)}, {}, BOOT)
    assert (bool(plan.enable), bool(plan.disable)) == (enable, disable)


def test_changed_unit_files_are_read_before_a_restart(systemd: Systemd, pending: str) -> None:
    systemd.add("nomad.service", NeedDaemonReload="yes")
    owe([DOCKER._replace(target="nomad")], pending)
    result = settle_services(options({"name": "nomad"}, settle=["nomad"]), pending=pending)
    assert systemd.orders == ["daemon-reload", "restart nomad.service"]
    assert result["changes"][0] == "systemd reads the changed unit files of nomad.service"
    forced = settle_services(options({"name": "nomad"}, daemon_reload=True), pending=pending)
    assert (forced["changed"], systemd.orders[2:]) == (True, ["daemon-reload"])


def test_a_condition_that_is_not_met_is_no_error_and_no_change(systemd: Systemd, pending: str) -> None:
    systemd.add("timesyncd.service", active="inactive", file_state="disabled")
    systemd.conditions = {"timesyncd.service"}
    wanted = options({"name": "timesyncd", "enabled": True})
    first = settle_services(wanted, pending=pending)
    assert (first["changes"], first["skipped_start"], first["started"]) == (
        ["timesyncd.service is enabled"],
        ["timesyncd.service"],
        [],
    )
    second = settle_services(wanted, pending=pending)
    assert (second["changed"], second["skipped_start"]) == (False, ["timesyncd.service"])
    assert settle_services(wanted, check=True, pending=pending)["changed"] is False
    systemd.conditions = set()
    third = settle_services(wanted, pending=pending)
    assert (third["changes"], third["skipped_start"]) == (["timesyncd.service is started"], [])


def test_a_restart_under_containers_is_refused(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    systemd.add("nginx.service", active="inactive")
    systemd.containers = ["build-1\tcimg/go:1.16\t2020-05-01 10:00:00 +0000 UTC"]
    owe([DOCKER], pending)
    wanted = options({"name": "nginx"}, settle=["docker"], refuse_with_containers=["docker"])
    with pytest.raises(OpsError) as caught:
        settle_services(wanted, pending=pending)
    message = (
        "docker.service must restart (/etc/docker/daemon.json changed), but a container runs on this host: build-1 "
        "(cimg/go:1.16, since 2020-05-01 10:00:00 +0000 UTC). Wait until they have ended and run again; what is owed "
        "stays recorded."
    )
    assert str(caught.value) == message
    assert systemd.orders == [], "nothing was done, not even the other unit's start"
    assert len(read_pending(pending)) == 1
    checked = settle_services(wanted, check=True, pending=pending)
    assert checked["warnings"] == ["The real run would stop here. " + message]
    systemd.containers = []
    assert settle_services(wanted, pending=pending)["restarted"] == ["docker.service"]


def test_a_stop_under_containers_is_refused(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    systemd.containers = ["a\tx\t1", "b\ty\t2"]
    stop = options({"name": "docker", "state": "stopped"}, refuse_with_containers=["docker"])
    with pytest.raises(OpsError, match=r"docker.service must stop \(it is to be stopped\), but 2 containers run"):
        settle_services(stop, pending=pending)
    systemd.fail = {"docker"}
    with pytest.raises(OpsError, match=r"refuse_with_containers: docker ps fails.*engine is down. Look at the engine"):
        settle_services(stop, pending=pending)


def test_nothing_is_asked_about_containers_without_need(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    systemd.fail = {"docker"}
    same = options({"name": "docker"}, settle=["docker"], refuse_with_containers=["docker"])
    assert settle_services(same, pending=pending)["changed"] is False


def test_a_unit_that_does_not_stay_up_shows_its_journal(systemd: Systemd, pending: str) -> None:
    systemd.add("nomad.service", active="failed")
    systemd.crash = {"nomad.service"}
    with pytest.raises(OpsError) as caught:
        settle_services(options({"name": "nomad"}), pending=pending)
    assert str(caught.value) == (
        "nomad.service is failed (dead) after systemctl start: first line | listen tcp: address in use. Correct what "
        "it says and run again (more: journalctl -u nomad.service); what is owed stays recorded."
    )
    assert systemd.orders == ["reset-failed nomad.service", "start nomad.service"]


def test_a_failed_restart_stays_owed(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    systemd.crash = {"docker.service"}
    owe([DOCKER], pending)
    with pytest.raises(OpsError, match="docker.service is failed"):
        settle_services(options(settle=["docker"]), pending=pending)
    assert len(read_pending(pending)) == 1


def test_a_unit_that_a_later_restart_pulled_down_is_an_error(
    systemd: Systemd, pending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd.add("nomad.service")
    systemd.add("docker.service")
    owe([DOCKER], pending)
    start = systemd._start

    def pull_down(name: str, unit: dict[str, str]) -> None:
        start(name, unit)
        systemd.units["nomad.service"]["ActiveState"] = "inactive"

    monkeypatch.setattr(systemd, "_start", pull_down)
    with pytest.raises(OpsError, match=r"nomad.service is inactive after the change, wanted is started. See"):
        settle_services(options({"name": "nomad"}, settle=["docker"]), pending=pending)


def test_a_missing_unit_is_an_error_but_not_in_check_mode(systemd: Systemd, pending: str) -> None:
    wanted = options({"name": "docker", "enabled": True}, settle=["docker"])
    predicted = settle_services(wanted, check=True, pending=pending)
    assert predicted["changes"] == [
        "docker.service is enabled",
        "docker.service is started once its package is installed",
    ]
    with pytest.raises(OpsError) as caught:
        settle_services(wanted, pending=pending)
    assert str(caught.value) == (
        "units.name = 'docker.service': this host has no such unit. Install the package that brings it."
    )
    assert systemd.orders == ["daemon-reload"]


def test_a_unit_that_appears_by_a_reload_is_started(systemd: Systemd, pending: str) -> None:
    systemd.appear = {"nomad.service": {"active": "inactive"}}
    settle_services(options({"name": "nomad"}), pending=pending)
    assert systemd.orders == ["daemon-reload", "start nomad.service"]


def test_a_masked_unit_is_refused(systemd: Systemd, pending: str) -> None:
    systemd.add("nginx.service", active="inactive", file_state="masked", LoadState="masked")
    with pytest.raises(OpsError) as caught:
        settle_services(options({"name": "nginx"}), pending=pending)
    assert str(caught.value) == (
        "units.name = 'nginx.service': the unit is masked, so it can neither be enabled nor started. Run systemctl "
        "unmask nginx.service when that is not wanted any more."
    )
    assert systemd.orders == []


def test_orders_that_fail_are_quoted(systemd: Systemd, pending: str) -> None:
    systemd.add("nginx.service", file_state="disabled")
    systemd.fail = {"enable"}
    with pytest.raises(OpsError, match=r"systemctl enable nginx.service failed: Access denied"):
        settle_services(options({"name": "nginx", "enabled": True}), pending=pending)


def test_an_enable_without_effect_is_an_error(systemd: Systemd, pending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd.add("nginx.service", file_state="disabled")
    monkeypatch.setattr(systemd, "_order", lambda *_arguments: Completed(0, "", ""))
    with pytest.raises(OpsError, match="nginx.service is not enabled after systemctl enable"):
        settle_services(options({"name": "nginx", "enabled": True}), pending=pending)


def test_check_mode_knows_what_earlier_tasks_would_owe(systemd: Systemd, pending: str) -> None:
    systemd.add("docker.service")
    row = {"scope": "unit", "target": "docker", "owner": "docker", "reason": "daemon.json changed", "when": "now"}
    wanted = options(settle=["docker"], would_owe=[row])
    assert settle_services(wanted, check=True, pending=pending)["changes"] == [
        "docker.service is restarted: daemon.json changed"
    ]
    assert settle_services(wanted, pending=pending)["changed"] is False
    with pytest.raises(OpsError, match=r"would_owe: an entry lacks a key: .*Give what the earlier tasks"):
        settle_services(options(settle=["docker"], would_owe=[{"scope": "unit"}]), check=True, pending=pending)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (options(), "units: neither units nor settle names one. Name one, or leave the task out."),
        (
            options({"name": "a"}, {"name": "a.service"}),
            "units.name = 'a.service': is named twice. Keep one of the entries.",
        ),
        (
            options({"name": "--now"}),
            "units.name = '--now': is not the name of a systemd unit. Give it as systemctl shows it.",
        ),
    ],
)
@pytest.mark.usefixtures("systemd")
def test_bad_names_are_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(OpsError) as caught:
        settle_services(wanted)
    assert str(caught.value) == message


def test_a_host_without_systemd_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_systemd, "find_program", lambda _name: None)
    with pytest.raises(OpsError, match=r"has no systemctl.*Supported are hosts with systemd as their first process"):
        settle_services(options({"name": "a"}))
    monkeypatch.setattr(_systemd, "find_program", lambda name: name)
    offline = "System has not been booted with systemd as init system (PID 1). Can't operate."
    monkeypatch.setattr(_systemd, "run", lambda _argv: Completed(1, "", offline))
    with pytest.raises(OpsError, match=r"systemctl does not answer: System has not been booted .*Supported are hosts"):
        settle_services(options({"name": "a"}))


def test_names_of_units() -> None:
    assert unit_name("docker") == "docker.service"
    assert unit_name("nginx.socket") == "nginx.socket"
    assert unit_name("container@1.2") == "container@1.2.service"


def test_a_unit_without_a_main_process_started_when_it_left_inactive(systemd: Systemd) -> None:
    systemd.add("x.target", ExecMainStartTimestampMonotonic="", InactiveExitTimestampMonotonic="77")
    assert _systemd.read_units(["x.target"])["x.target"].started == 77


def test_a_write_is_noted_with_the_kernels_clock(pending: str) -> None:
    owe([DOCKER, OTHER], pending)
    boot, before = moment()
    written([DOCKER], pending)
    first, second = read_pending(pending)
    assert (first.boot, second.boot, second.written) == (boot, "", 0)
    assert before <= first.written <= moment()[1]
    content = Path(pending).read_bytes()
    written([LATER], pending)
    assert Path(pending).read_bytes() == content
