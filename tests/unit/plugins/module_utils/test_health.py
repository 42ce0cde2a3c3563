# Tests of the sweep and of health(): real servers in threads, a docker and a replicatedctl program, options, waiting.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils import _health, _health_sweep
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._health import health
from ansible_collections.circleci_server.ops.plugins.module_utils._health_sweep import Settings, run_all, sweep
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_health_info import ARGUMENT_SPEC

PORTS = ("READY_AGENT_PORT", "NOMAD_PORT", "CONSOLE_PORT")
# Programs from their manuals: docker prints the containers of a state file, replicatedctl a status (facts 4).
DOCKER = """#!{python}
import json, sys
rows = json.load(open({state!r}))
if sys.argv[2] == "ls":
    print("\\n".join(row[0] for row in rows))
else:
    for name, image, status in rows:
        about = {{"Status": status, "ExitCode": 0, "StartedAt": "2020-01-01T00:00:00Z"}}
        print("\\t".join([json.dumps("/" + name), json.dumps(image), "0", json.dumps(about)]))
"""
REPLICATEDCTL = """#!/bin/sh
echo '[{"AppID": "a", "Sequence": 1, "State": "started", "DesiredState": "started", "IsTransitioning": false}]'
"""


class Server:
    """An HTTP server on a port of its own; `status` and `delay` (seconds) may change while it runs."""

    def __init__(self) -> None:
        self.status = 200
        self.body = ""
        self.delay = 0.0
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        with link:
            if link.recv(4096) and not self.over.wait(self.delay):
                head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n\r\n"
                link.sendall((head + self.body).encode())

    def close(self) -> None:
        if not self.over.is_set():
            self.over.set()
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()


class Host:
    """A services host: a server for each port that the sweep asks, programs on the PATH, a folder as the only disk."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.state = root / "containers.json"
        self.bin = root / "bin"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setattr("ansible_collections.circleci_server.ops.plugins.module_utils._run.SEARCH_PATH", "")
        self.servers = {name: Server() for name in (*catalogue.health_endpoints(), *_health_sweep.TCP_PORTS, *PORTS)}
        endpoints = {
            name: known._replace(port=self.servers[name].port) for name, known in catalogue.health_endpoints().items()
        }
        monkeypatch.setattr(catalogue, "health_endpoints", lambda: endpoints)
        for name in PORTS:
            monkeypatch.setattr(_health_sweep, name, self.servers[name].port)
        ports = {name: self.servers[name].port for name in _health_sweep.TCP_PORTS}
        monkeypatch.setattr(_health_sweep, "TCP_PORTS", ports)
        self.servers["NOMAD_PORT"].body = '"10.0.0.10:4647"'
        self.program("docker", DOCKER.format(python=sys.executable, state=str(self.state)))
        self.program("replicatedctl", REPLICATEDCTL)
        self.containers(item.name for item in catalogue.CONTAINERS)

    def containers(self, names: Any) -> None:
        ended = {item.name for item in catalogue.CONTAINERS if item.runs_once}
        self.state.write_text(json.dumps([[name, "image", "exited" if name in ended else "running"] for name in names]))

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def look(self, check: bool = False, **given: Any) -> dict[str, Any]:
        options = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
        # The console speaks TLS; its own tests are those of _http_probe.
        return health({**options, "disks": [str(self.root)], "skip": ["replicated-ui"], **given}, check)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path, monkeypatch)
    yield made
    for server in made.servers.values():
        server.close()


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["status"] for row in result["services"]}


def test_a_healthy_host(host: Host) -> None:
    result = host.look()
    assert result["failure"] == ""
    assert (result["healthy"], result["installed"], result["changed"], result["sweeps"]) == (True, True, False, 1)
    assert set(statuses(result).values()) == {"healthy"}
    assert len(result["services"]) == len(catalogue.CONTAINERS) - 1 + 3  # docker, application and the disk
    assert result["waited"] == 0.0
    asked = {row["name"]: row["latency_ms"] for row in result["services"]}
    assert isinstance(asked["frontend"], int)
    assert asked["exim"] is None


def test_what_is_sick(host: Host) -> None:
    host.servers["frontend"].status = 500
    host.servers["postgres"].close()
    host.servers["READY_AGENT_PORT"].status = 503
    host.containers(item.name for item in catalogue.CONTAINERS if item.name != "postgres")
    result = host.look()
    found = statuses(result)
    assert (found["frontend"], found["postgres"], found["ready-agent"]) == ("failing", "missing", "failing")
    assert [cause["name"] for cause in result["causes"]] == ["postgres"]
    assert result["sick"] == ["postgres", "frontend"]


def test_the_sweep_takes_as_long_as_its_slowest_answer(host: Host) -> None:
    """All others answer at once; on a busy machine the programs take their time too."""
    for server in host.servers.values():
        server.delay = 0.2
    host.servers["frontend"].delay = 1.5
    result = host.look()
    assert result["healthy"]
    assert result["slowest"]["name"] == "frontend"
    assert result["seconds"] <= 1.2 * 1.5


def test_one_that_hangs_is_cut_off(host: Host) -> None:
    host.servers["frontend"].delay = 30
    begun = time.monotonic()
    result = host.look(request_timeout=0.5)
    assert time.monotonic() - begun < 5
    assert statuses(result)["frontend"] == "failing"
    detail = next(row["detail"] for row in result["services"] if row["name"] == "frontend")
    assert detail.startswith("timed out after 0.5 s; up for")


def test_the_deadline_of_the_whole_sweep(host: Host) -> None:
    """A docker and a replicatedctl that hang, and everything else too: over in time all the same."""
    for name in ("docker", "replicatedctl"):
        host.program(name, "#!/bin/sh\nexec /bin/sleep 30\n")
    for server in host.servers.values():
        server.delay = 30
    begun = time.monotonic()
    result = host.look(timeout=0.7)
    assert time.monotonic() - begun < 4
    found = statuses(result)
    assert (found["docker"], found["frontend"], found["exim"]) == ("failing", "failing", "unknown")
    assert result["causes"][0]["name"] == "docker"


def test_a_host_without_anything(host: Host) -> None:
    for name in ("docker", "replicatedctl"):
        (host.bin / name).unlink()
    for server in host.servers.values():
        server.close()
    result = host.look(wait=60)
    assert result["installed"] is False
    assert result["sweeps"] == 1  # waiting installs nothing
    found = statuses(result)
    assert (found["docker"], found["application"], found["frontend"]) == ("missing", "absent", "failing")


def test_services_and_skip(host: Host) -> None:
    host.servers["frontend"].close()
    host.containers(["frontend", "redis", "stranger"])
    chosen = host.look(services=["frontend", "outputRunningRedis"], skip=[])
    assert statuses(chosen) == {"frontend": "failing", "redis": "healthy"}
    assert "replicated" not in chosen["slowest"]["name"]
    skipped = host.look(services=["Frontend", "redis"], skip=["frontend"])
    assert statuses(skipped) == {"redis": "healthy"}
    assert statuses(host.look(services=["disk"], skip=[])) == {"disk " + str(host.root): "healthy"}
    assert list(statuses(host.look(services=["docker", "application"], skip=[]))) == ["docker", "application"]
    everything = host.look(skip=["replicated-ui", "disk " + str(host.root)], expected=["stranger"])
    assert "stranger" not in statuses(everything)
    assert statuses(host.look())["stranger"] == "unexpected"


def test_options_that_are_known_to_be_off_are_not_asked(host: Host) -> None:
    host.servers["vm-service"].delay = 30
    begun = time.monotonic()
    result = host.look(vm_service=False)
    assert time.monotonic() - begun < 4
    assert statuses(result)["vm-service"] == "not_used"


def test_waiting_ends_when_nothing_is_sick(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_health, "PAUSE_SECONDS", 0.1)
    host.servers["frontend"].status = 503
    sweeps: list[int] = []
    real = _health.sweep

    def watched(*arguments: Any) -> Any:
        sweeps.append(1)
        if len(sweeps) == 3:
            host.servers["frontend"].status = 200
        return real(*arguments)

    monkeypatch.setattr(_health, "sweep", watched)
    result = host.look(wait=60)
    assert (result["healthy"], result["sweeps"]) == (True, 3)
    assert 0.2 <= result["waited"] < 30


def test_waiting_ends_with_its_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_health, "PAUSE_SECONDS", 0.2)
    host.servers["frontend"].status = 503
    result = host.look(wait=1)
    assert result["sick"] == ["frontend"]
    assert result["sweeps"] > 1
    assert host.look(wait=60, check=True)["sweeps"] == 1
    # What is sick below the threshold is not waited for.
    assert host.look(wait=60, fail_severity="data_loss")["sweeps"] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"services": ["fronted"]}, "services = 'fronted': there is no such service; near ones: frontend"),
        ({"skip": ["zzzz"]}, "skip = 'zzzz': there is no such service. Give names of the guide's container table"),
        ({"timeout": 0}, "timeout = 0: must be more than 0 seconds"),
        ({"request_timeout": -1}, "request_timeout = -1: must be more than 0 seconds"),
        ({"wait": -1}, "wait = -1: must be 0 seconds or more"),
        ({"ready_agent_path": "ready"}, "ready_agent_path = 'ready': must begin with a slash"),
        ({"disks": ["data"]}, "disks = 'data': must be absolute paths"),
        ({"disk_percent": 0}, "disk_percent = 0: must be a percentage"),
        ({"inode_percent": 101}, "inode_percent = 101: must be a percentage"),
    ],
)
def test_wrong_options(host: Host, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OpsError) as caught:
        host.look(**given)
    assert message in str(caught.value)


def test_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tmp_path / "folder"
    folder.mkdir()
    wanted = ("docker",)
    paths = (str(tmp_path), str(folder), str(tmp_path / "nothing"))
    chosen = (*wanted, *("disk " + path for path in paths))
    found = sweep(Settings(disks=paths, wanted=chosen)).disks
    assert list(found) == [str(tmp_path)]
    disk = found[str(tmp_path)]
    assert disk.also == (str(folder),)
    status = os.statvfs(tmp_path)
    used = status.f_blocks - status.f_bfree
    assert abs(disk.space - 100 * used / (used + status.f_bavail)) < 2
    assert 0 <= disk.inodes <= 100


def test_a_disk_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(_path: str) -> Any:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "statvfs", stale)
    found = sweep(Settings(disks=(str(tmp_path),), wanted=("disk " + str(tmp_path),))).disks
    assert found[str(tmp_path)].problem == "Stale file handle"


def test_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(_health_sweep, "_disk", lambda path: over.wait(20))
    found = sweep(Settings(timeout=0.3, disks=(str(tmp_path),), wanted=("disk " + str(tmp_path),)))
    over.set()
    assert found.disks[str(tmp_path)].problem == "no answer within 0.3 s"
    assert found.seconds < 3


def test_a_file_system_without_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = os.statvfs_result((4096, 4096, 100, 50, 50, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: values)
    disk = sweep(Settings(disks=(str(tmp_path),), wanted=("disk " + str(tmp_path),))).disks[str(tmp_path)]
    assert (disk.space, disk.inodes) == (50.0, 0.0)


def test_everything_is_asked_at_once() -> None:
    together = threading.Barrier(8, timeout=10)
    questions: dict[str, Callable[[], Any]] = {str(number): together.wait for number in range(8)}
    assert len(run_all(questions, 10)) == 8
