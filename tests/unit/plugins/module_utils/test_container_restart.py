# Tests of _container_restart: what is owed is restarted, reported or kept, with a docker program that keeps its state.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _container_restart
from ansible_collections.circleci_server.ops.plugins.module_utils._container_restart import restart_containers
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry, owe, read_pending, written

# A stand-in for `docker`, from its manual: ls, inspect and restart over a state file. It notes each call.
DOCKER = """#!{python}
import json, sys
path = {state!r}
state = json.load(open(path))
arguments = sys.argv[1:]
state["calls"].append(arguments)
code = 0
if state["down"]:
    print("Cannot connect to the Docker daemon", file=sys.stderr)
    code = 1
elif arguments[:2] == ["container", "ls"]:
    for row in state["containers"]:
        print("\\t".join([row["id"], row["names"], row["image"], row["status"]]))
elif arguments[:2] == ["container", "inspect"]:
    for identity in arguments[4:]:
        (row,) = [row for row in state["containers"] if row["id"] == identity]
        print(row["id"] + "0000", row["pid"])
elif arguments[:2] == ["restart", "-t"]:
    for name in arguments[3:]:
        (row,) = [row for row in state["containers"] if name in row["names"].split(",")]
        if row.get("broken") == "start":
            print("Error response from daemon: Cannot restart container " + name, file=sys.stderr)
            code = 1
        else:
            row["status"] = "Exited (1) 1 second ago" if row.get("broken") else "Up 1 second"
            print(name)
json.dump(state, open(path, "w"))
sys.exit(code)
"""


class Engine:
    """A host with the stand-in on its PATH and a pending record."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = root / "docker.json"
        self.pending = str(root / "state" / "pending.json")
        self.lock = str(root / "run" / "lock")
        self.rows: list[dict[str, Any]] = []
        self.save()
        program = root / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER.format(python=sys.executable, state=str(self.state)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", "{}:/usr/bin:/bin".format(program.parent))

    def save(self, down: bool = False) -> None:
        self.state.write_text(json.dumps({"containers": self.rows, "calls": [], "down": down}))

    def container(self, names: str, status: str = "Up 26 hours", image: str = "img", **more: Any) -> None:
        identity = "id{}".format(len(self.rows))
        self.rows.append({"id": identity, "names": names, "status": status, "image": image, "pid": 1, **more})
        self.save()

    def owe(self, *targets: str, when: str = "now") -> None:
        owe([Entry("container", target, "administrator", "a file changed", when) for target in targets], self.pending)

    def owed(self) -> list[str]:
        return [entry.target for entry in read_pending(self.pending)]

    def calls(self, first: str = "restart") -> list[list[str]]:
        return [call for call in json.loads(self.state.read_text())["calls"] if call[0] == first]

    def run(self, check: bool = False, **given: Any) -> dict[str, Any]:
        options = {"restart": True, "names": None, "would_owe": [], "stop_timeout": 10, "lock_timeout": 5, **given}
        return restart_containers(options, check, self.pending, self.lock)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(tmp_path, monkeypatch)


def test_nothing_owed_asks_docker_nothing(engine: Engine) -> None:
    result = engine.run()
    assert (result["changed"], result["restarted"], result["owed"], result["seconds"]) == (False, [], [], 0.0)
    assert engine.calls("container") == []


def test_owed_containers_are_restarted_in_order_by_one_call(engine: Engine) -> None:
    for name in ("api-service", "frontend", "picard-scheduler", "postgres"):
        engine.container(name)
    engine.owe("api-service", "picard-scheduler", "frontend")
    predicted = engine.run(check=True)
    assert engine.calls() == []
    assert engine.owed() == ["api-service", "picard-scheduler", "frontend"]
    result = engine.run(stop_timeout=3)
    assert engine.calls() == [["restart", "-t", "3", "frontend", "api-service", "picard-scheduler"]]
    assert result["restarted"] == predicted["restarted"] == ["frontend", "api-service", "picard-scheduler"]
    assert result["changes"] == predicted["changes"]
    assert result["owed"] == predicted["owed"] == []
    assert engine.owed() == []
    assert not engine.run()["changed"]


def test_containers_are_found_under_other_names(engine: Engine) -> None:
    engine.container("musing_volhard", image="172.31.72.162:9874/circleci-shutdown-hook-poller:0.1")
    engine.container("frontend/alias,nomad_server")
    engine.container("own-one")
    engine.owe("shutdown-hook-poller", "nomad", "own-one")
    assert engine.run()["restarted"] == ["musing_volhard", "nomad_server", "own-one"]


def test_the_running_one_of_two_counts(engine: Engine) -> None:
    engine.container("nomad", "Exited (0) 2 days ago")
    engine.container("server-nomad")
    engine.owe("nomad")
    assert engine.run()["restarted"] == ["server-nomad"]


def test_what_needs_no_restart_is_struck_off(engine: Engine) -> None:
    engine.container("cron-service-migrator", "Up 2 seconds")
    engine.container("frontend", "Exited (137) 3 minutes ago")
    engine.owe("cron-service-migrator", "domain-service-migrator", "frontend", "vm-gc")
    predicted = engine.run(check=True)
    assert len(engine.owed()) == 4
    result = engine.run()
    assert result["not_restarted"] == {
        "cron-service-migrator": "runs at the application's next start",
        "domain-service-migrator": "runs at the application's next start",
        "frontend": "does not run; it reads the change at its next start",
    }
    assert result["absent"] == ["vm-gc"]
    assert "vm-gc: no such container on this host; struck off" in result["changes"]
    assert predicted["changes"] == result["changes"]
    assert engine.calls() == []
    assert engine.owed() == []


def test_a_container_that_started_after_the_write_owes_nothing(engine: Engine) -> None:
    engine.container("frontend", pid=os.getpid())
    engine.container("api-service", pid=os.getpid())
    engine.owe("frontend", "api-service")
    entries = read_pending(engine.pending)
    written(entries[1:], engine.pending)
    stored = json.loads(Path(engine.pending).read_text())
    boot = stored["entries"][1]["boot"]
    stored["entries"][0].update(boot=boot, written=1)
    Path(engine.pending).write_text(json.dumps(stored))
    result = engine.run()
    assert result["not_restarted"] == {"frontend": "was started since the change"}
    assert result["restarted"] == ["api-service"]


def test_a_container_that_runs_after_a_reboot_owes_nothing(engine: Engine) -> None:
    engine.container("frontend")
    engine.owe("frontend")
    stored = json.loads(Path(engine.pending).read_text())
    stored["entries"][0].update(boot="another", written=time.monotonic_ns())
    Path(engine.pending).write_text(json.dumps(stored))
    assert engine.run()["not_restarted"] == {"frontend": "was started since the change"}


@pytest.mark.parametrize("pid", [0, 2**22 + 1])
def test_without_a_process_to_ask_it_is_restarted(engine: Engine, pid: int) -> None:
    engine.container("frontend", pid=pid)
    engine.owe("frontend")
    written(read_pending(engine.pending), engine.pending)
    assert engine.run()["restarted"] == ["frontend"]


def test_what_can_wait_goes_with_what_is_due(engine: Engine) -> None:
    engine.container("frontend")
    engine.container("api-service")
    engine.owe("frontend", "api-service", when="with_next")
    waiting = engine.run()
    assert not waiting["changed"]
    assert [row["target"] for row in waiting["owed"]] == ["frontend", "api-service"]
    owe([Entry("container", "frontend", "proxy", "another file changed")], engine.pending)
    assert engine.run()["restarted"] == ["frontend"]
    assert engine.owed() == ["api-service"]


def test_check_mode_tells_what_earlier_tasks_would_have_owed(engine: Engine) -> None:
    engine.container("frontend", pid=os.getpid())
    engine.container("api-service")
    engine.owe("frontend")
    stored = json.loads(Path(engine.pending).read_text())
    stored["entries"][0].update(boot="another", written=1)
    Path(engine.pending).write_text(json.dumps(stored))
    assert engine.run(check=True)["restarted"] == []
    rows = [
        dict(read_pending(engine.pending)[0]._asdict(), when="with_next"),
        {
            "scope": "container",
            "target": "api-service",
            "owner": "proxy",
            "reason": "a file changed",
            "when": "with_next",
        },
    ]
    assert engine.run(check=True, would_owe=rows)["restarted"] == ["frontend"]
    rows[1]["when"] = "now"
    assert engine.run(check=True, would_owe=rows)["restarted"] == ["frontend", "api-service"]


def test_names_limit(engine: Engine) -> None:
    engine.container("picard-scheduler")
    engine.container("frontend")
    engine.owe("picard-scheduler", "frontend")
    result = engine.run(names=["schedulerer", "unknown"])
    assert result["restarted"] == ["picard-scheduler"]
    assert [row["target"] for row in result["owed"]] == ["frontend"]
    assert engine.owed() == ["frontend"]
    assert not engine.run(names=[])["changed"]


def test_without_restart_it_lists_what_is_owed(engine: Engine) -> None:
    engine.container("frontend")
    engine.owe("frontend")
    result = engine.run(restart=False)
    assert not result["changed"]
    assert [row["target"] for row in result["owed"]] == ["frontend"]
    assert engine.calls("container") == []
    assert not os.path.exists(engine.lock)


def test_debts_of_units_stay(engine: Engine) -> None:
    owe([Entry("unit", "docker", "docker", "daemon.json changed")], engine.pending)
    assert engine.run()["owed"] == []
    assert engine.owed() == ["docker"]


def test_without_docker_everything_stays_owed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.owe("frontend")
    monkeypatch.setattr(_container_restart, "find_program", lambda _name: None)
    result = engine.run()
    assert not result["changed"]
    assert result["msg"] == "Docker is not installed: everything stays owed"
    assert [row["target"] for row in result["owed"]] == engine.owed() == ["frontend"]


def test_a_daemon_that_does_not_answer_is_an_error(engine: Engine) -> None:
    engine.owe("frontend")
    engine.save(down=True)
    with pytest.raises(OpsError) as caught:
        engine.run()
    assert str(caught.value) == (
        "docker container ls failed: Cannot connect to the Docker daemon. See `systemctl status docker`; what is owed "
        "stays on record, run again when Docker answers."
    )
    assert engine.owed() == ["frontend"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [("start", "; docker says: Error response from daemon: Cannot restart container frontend"), ("later", "")],
)
def test_a_container_that_does_not_run_again_stays_owed(engine: Engine, broken: str, said: str) -> None:
    engine.container("frontend", broken=broken)
    engine.container("api-service")
    engine.owe("frontend", "api-service", "vm-gc")
    with pytest.raises(OpsError) as caught:
        engine.run()
    assert str(caught.value) == (
        "after docker restart these containers do not run: frontend{}. Read `docker logs frontend`; they stay owed, "
        "run again after the cause is removed.".format(said)
    )
    assert caught.value.facts == {"restarted": ["api-service"]}
    assert engine.owed() == ["frontend"]
