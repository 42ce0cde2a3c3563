# Tests of _health_containers: what a docker program prints, by name of the catalogue, and what a state says.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._health_containers import (
    State,
    read_containers,
    trouble,
    words,
)

# A stand-in for `docker`: ls and inspect over a state file; "vanish" makes the first so many inspects fail.
DOCKER = """#!{python}
import json, sys, time
path = {state!r}
state = json.load(open(path))
arguments = sys.argv[1:]
time.sleep(state.get("sleep", 0))
if state.get("down"):
    sys.exit("\\nCannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
if arguments == ["container", "ls", "--all", "--quiet", "--no-trunc"]:
    for number in range(len(state["containers"])):
        print("id%d" % number)
elif arguments[:3] == ["container", "inspect", "--format"]:
    assert "Env" not in arguments[3]
    if state.get("vanish", 0) > 0:
        state["vanish"] -= 1
        json.dump(state, open(path, "w"))
        sys.exit("Error: No such container: id0")
    for identity in arguments[4:]:
        row = state["containers"][int(identity[2:])]
        print(row if isinstance(row, str) else "\\t".join(row))
"""


class Engine:
    """The stand-in on the PATH."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = root / "docker.json"
        self.rows: list[Any] = []
        program = root / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER.format(python=sys.executable, state=str(self.path)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", "{}:/usr/bin:/bin".format(program.parent))
        self.save()

    def save(self, **more: Any) -> None:
        self.path.write_text(json.dumps({"containers": self.rows, **more}))

    def add(self, name: str, image: str = "img:1", restarts: int = 0, **state: Any) -> None:
        about = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "StartedAt": moment(7200), **state}
        self.rows.append([json.dumps("/" + name), json.dumps(image), str(restarts), json.dumps(about)])
        self.save()


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds)) + ".123456789Z"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(tmp_path, monkeypatch)


def test_containers_by_their_name_in_the_catalogue(engine: Engine) -> None:
    engine.add("frontend", "172.31.72.162:9874/circleci-frontend:0.1.203321-501fada")
    engine.add("nomad_server")
    engine.add("musing_volhard", "172.31.72.162:9874/circleci-shutdown-hook-poller:0.1.32-9c553b4")
    engine.add("hardcore_cray", "172.31.72.162:9874/tutum-logrotate:latest")
    engine.add("backup", "restic:1")
    found = read_containers(10)
    assert list(found) == ["frontend", "nomad", "shutdown-hook-poller", "tutum-logrotate", "backup"]
    assert found["shutdown-hook-poller"].name == "musing_volhard"
    assert found["frontend"].status == "running"
    assert 7190 < (found["frontend"].since or 0) < 7300


def test_no_containers(engine: Engine) -> None:
    assert read_containers(10) == {}


def test_what_docker_tells(engine: Engine) -> None:
    engine.add("postgres", restarts=3, Status="exited", ExitCode=137, OOMKilled=True, FinishedAt=moment(300))
    engine.add("redis", Health={"Status": "unhealthy", "Log": []})
    engine.add("mongo", Health={"Status": "none"})
    engine.add("exim", Status="created", StartedAt="0001-01-01T00:00:00Z")
    engine.add("slanger", StartedAt=None)
    found = read_containers(10)
    assert found["postgres"]._replace(since=None) == State("postgres", "img:1", "exited", 137, True, 3)
    assert found["redis"].health == "unhealthy"
    assert found["mongo"].health == ""
    assert found["exim"].since is None
    assert found["slanger"].since is None


@pytest.mark.parametrize("order", [("running", "exited"), ("exited", "running")])
def test_of_two_of_one_service_the_one_that_runs_counts(engine: Engine, order: tuple[str, str]) -> None:
    for name, status in zip(("nomad", "nomad_server"), order, strict=True):
        engine.add(name, Status=status, FinishedAt=moment(5))
    assert read_containers(10)["nomad"].status == "running"


def test_a_container_that_goes_away_in_between(engine: Engine) -> None:
    engine.add("frontend")
    engine.save(vanish=2)
    assert list(read_containers(10)) == ["frontend"]
    engine.save(vanish=3)
    with pytest.raises(OpsError, match="docker container inspect failed: Error: No such container: id0"):
        read_containers(10)


def test_an_engine_that_is_down(engine: Engine) -> None:
    engine.save(down=True)
    with pytest.raises(OpsError, match="docker container ls failed: Cannot connect to the Docker daemon"):
        read_containers(10)


def test_an_engine_that_hangs(engine: Engine) -> None:
    engine.save(sleep=20)
    begun = time.monotonic()
    with pytest.raises(OpsError, match="docker did not end within"):
        read_containers(0.5)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "row",
    ["nonsense", '"/a"\t"b"\t0\t[]', '"/a"\t"b"\t0\t{}', '"/a"\t"b"\tx\t{"Status": "running"}', '"/a"\t"b"\t0\t{'],
)
def test_an_engine_that_talks_nonsense(engine: Engine, row: str) -> None:
    engine.rows = [row]
    engine.save()
    with pytest.raises(OpsError, match="something else"):
        read_containers(10)


def state(status: str = "running", **more: Any) -> State:
    return State("name", "image", status, **{"since": 7200.0, **more})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (state(), ""),
        (state(restarts=5), ""),
        (state(out_of_memory=True), ""),
        (state(health="healthy"), ""),
        (state(since=None), ""),
        (state(restarts=5, since=3.0), "up for 3 s, Docker restarted it 5 times"),
        (state("restarting", restarts=2, exit_code=1), "restarts again and again (2 times), last exit code 1"),
        (state("exited", exit_code=137, out_of_memory=True), "exited with code 137 2 h ago, out of memory"),
        (state("exited", since=None), "exited with code 0"),
        (state("dead", since=400000.0), "dead with code 0 4 d ago"),
        (state("created", since=None), "created, never started"),
        (state("paused"), "paused"),
        (state("removing"), "removing"),
        (state(health="unhealthy", since=150.0), "up for 2 min, its own health check fails"),
        (state(health="starting", since=20.0), "up for 20 s, its own health check has not passed yet"),
    ],
)
def test_trouble(given: State, said: str) -> None:
    assert trouble(given) == said


def test_what_runs_once() -> None:
    assert trouble(state("exited"), runs_once=True) == ""
    assert trouble(state("exited", exit_code=1), runs_once=True) == "exited with code 1 2 h ago"
    assert trouble(state(), runs_once=True) == ""
    assert trouble(state("created"), runs_once=True) == ""
    assert trouble(state("restarting"), runs_once=True) != ""


def test_words_of_a_running_container() -> None:
    assert words(state(out_of_memory=True, since=None)) == "up, a process in it was killed for memory"
