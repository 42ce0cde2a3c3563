# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Parts of the lab's stand-in for Replicated: order of containers, Docker's API, ports, templates, YAML."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab.replicated.lib.application import Container, Definition, Port, in_order, load, published
from tests.lab.replicated.lib.client import Failure
from tests.lab.replicated.lib.containers import Cancelled, Containers
from tests.lab.replicated.lib.engine import DockerEngine, EngineError, Look, body
from tests.lab.replicated.lib.faults import Faults
from tests.lab.replicated.lib.log import open_log
from tests.lab.replicated.lib.output import shown
from tests.lab.replicated.lib.places import Places
from tests.lab.replicated.lib.runner import Runner
from tests.lab.replicated.lib.state import App, Refused, Store
from tests.lab.replicated.lib.template import render

STATUS = [{"State": "started", "IsTransitioning": False, "AppID": "0123"}]


class FakeEngine:
    """Keeps containers in a dictionary; an image `fails:N` exits with N, `once` exits 0."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.tags = {"source:1"}
        self.lock = threading.Lock()

    def images(self) -> set[str]:
        return set(self.tags)

    def load(self, path: Path) -> None:
        self.calls.append(f"load {path.name}")
        self.tags.add("source:2")

    def tag(self, source: str, target: str) -> None:
        self.calls.append(f"tag {source} {target}")
        self.tags.add(target)

    def mine(self, kind: str) -> dict[str, Look]:
        return {name: self.look(name) for name, item in self.there.items() if item["kind"] == kind}

    def create(self, kind: str, container: Container, env: Mapping[str, str]) -> str:
        with self.lock:
            self.calls.append(f"create {container.name}")
            self.there[container.name] = {"kind": kind, "container": container, "env": dict(env), "runs": False}
        return container.name

    def start(self, identity: str) -> None:
        with self.lock:
            self.calls.append(f"start {identity}")
            item = self.there[identity]
            item["runs"] = item["container"].image != "once" and not item["container"].entrypoint

    def look(self, identity: str) -> Look:
        item = self.there[identity]
        return Look(identity, item["runs"], 1 if item["container"].entrypoint else 0, "127.0.0.1")

    def stop(self, identity: str, seconds: int) -> None:
        with self.lock:
            self.calls.append(f"stop {identity} {seconds}")
            self.there[identity]["runs"] = False

    def remove(self, identity: str) -> None:
        with self.lock:
            self.calls.append(f"remove {identity}")
            del self.there[identity]


APP: list[dict[str, Any]] = [
    {"name": "frontend", "image": "i:1", "depends_on": ["migrator", "postgres"], "env": {"NUMBER": 1}, "unknown": 1},
    {"name": "migrator", "image": "once", "depends_on": ["postgres"], "runs_once": True},
    {"name": "postgres", "image": "i:1"},
]
OWN = [{"name": "premkit", "image": "i:1"}]


class World:
    """A runner over the fake engine, in a folder."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root, root / "run", root / "log", root / "host", "none", "2.38.6")
        self.engine = FakeEngine()
        self.write(APP)
        self.store = Store(self.places)
        with self.store.change() as state:
            state.app = App("id")
        self.restart()

    def write(self, containers: list[dict[str, Any]]) -> None:
        path = self.places.on_host("/opt/lab/application.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "images": ["/opt/lab/a.tar"],
            "tags": {"i:1": "source:2"},
            "containers": containers,
            "replicated": OWN,
        }
        path.write_text(json.dumps(content))

    def restart(self) -> None:
        """Another daemon on the same state."""
        self.store = Store(self.places)
        log = open_log(self.places, "replicated")
        self.runner = Runner(self.places, self.store, self.engine, Faults(self.places), log)

    def run(self, name: str, force: bool = False) -> str:
        """A command to its end; its error."""
        task = self.runner.command(name, force)
        assert task
        self.wait(lambda: task.finished)
        return task.error

    def wait(self, wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        with self.store.changed:
            while not wanted():
                assert time.monotonic() < deadline
                self.store.changed.wait(1)

    def faults(self, **wanted: Any) -> None:
        self.places.faults.write_text(json.dumps(wanted))

    def starts(self) -> int:
        path = self.places.state / "lab-starts"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.runner.cancel.set()
    for handler in found.runner.log.handlers[:]:
        found.runner.log.removeHandler(handler)
        handler.close()


# -- containers


def test_containers_start_in_the_order_of_their_dependencies(world: World) -> None:
    assert world.run("start") == ""
    calls = world.engine.calls
    assert calls[:2] == ["load a.tar", "tag source:2 i:1"]
    assert [call for call in calls if call.startswith("start")] == [
        "start postgres",
        "start migrator",
        "start frontend",
    ]
    env = world.engine.there["frontend"]["env"]
    assert len(env["LAB_SETTINGS_DIGEST"]) == 64
    assert world.store.app().status()["State"] == "started"


def test_containers_stop_in_reverse_and_are_removed(world: World) -> None:
    world.run("start")
    world.engine.calls.clear()
    assert world.run("stop") == ""
    assert world.engine.calls == [
        "stop frontend 10", "remove frontend", "remove migrator", "stop postgres 10", "remove postgres"
    ]  # fmt: skip
    assert world.engine.there == {}


def test_force_does_not_wait_for_containers_to_end(world: World) -> None:
    world.run("start")
    world.run("stop", force=True)
    assert not [call for call in world.engine.calls if call.startswith("stop")]


def test_a_start_creates_containers_anew(world: World) -> None:
    world.run("start")
    world.write(APP[2:])
    world.run("apply-config")
    assert set(world.engine.there) == {"postgres"}
    assert world.engine.calls.count("create postgres") == 2
    assert world.starts() == 2


def test_a_container_that_does_not_start_fails_the_start_and_is_left(world: World) -> None:
    world.faults(container_will_not_start=["migrator"])
    assert world.run("start") == "container migrator exited with code 1"
    assert set(world.engine.there) == {"postgres", "migrator"}
    status = world.store.app().status()
    assert (status["State"], status["DesiredState"], status["IsTransitioning"]) == ("stopped", "started", False)
    world.faults()
    assert world.run("start") == ""


def test_a_container_that_never_answers_fails_the_start(world: World) -> None:
    world.write([{"name": "a", "image": "i:1", "ready": {"port": 1, "path": "/"}}])
    world.runner.containers.limit = 0.1
    assert world.run("start") == "container a did not become ready in 0.1 s"


def test_a_container_is_ready_once_its_endpoint_says_so(world: World) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        answers = iter([503, 200])

        def do_GET(self) -> None:
            self.send_response(next(self.answers))
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        inner = server.server_port
        ports = [f"18080:{inner}/tcp"]
        world.write([{"name": "a", "image": "i:1", "ports": ports, "ready": {"port": 18080, "path": "/health"}}])
        assert world.run("start") == ""
        server.shutdown()


def test_a_start_that_is_waited_for_can_be_cancelled(world: World) -> None:
    world.write([{"name": "a", "image": "i:1", "ready": {"port": 1, "path": "/"}}])
    begun = world.runner.command("start")
    assert begun
    world.wait(lambda: "a" in world.engine.there)
    with pytest.raises(Refused, match="a transition is in progress"):
        world.runner.command("stop")
    assert world.run("stop", force=True) == ""
    assert begun.error == "cancelled"
    assert world.store.app().status()["State"] == "stopped"


def test_a_circle_of_dependencies_is_refused(world: World) -> None:
    circle = [Container("a", "i", depends_on=["b"]), Container("b", "i", depends_on=["a"])]
    with pytest.raises(Refused, match="depend on each other or on none: a, b"):
        in_order(circle)
    world.write([{"name": "a", "image": "i:1", "depends_on": ["none"]}])
    assert "a" in world.run("start")


def test_images_that_are_there_are_not_loaded(world: World) -> None:
    world.engine.tags.add("i:1")
    world.runner.containers.prepare_images(Definition(["/x.tar"], {"i:1": "source:2"}, [], []), print)
    assert world.engine.calls == []


def test_replicateds_own_containers_are_started_when_they_do_not_run(world: World) -> None:
    world.runner.start_own()
    world.runner.start_own()
    world.engine.there["premkit"]["runs"] = False
    world.runner.start_own()
    starts = [call for call in world.engine.calls if "premkit" in call]
    assert starts == ["create premkit", "start premkit", "start premkit"]
    world.run("start")
    world.run("stop")
    assert set(world.engine.there) == {"premkit"}


def test_nothing_is_awaited_once_all_is_cancelled(world: World) -> None:
    world.runner.cancel.set()
    containers = Containers(world.places, world.engine, Faults(world.places), world.runner.cancel)
    with pytest.raises(Cancelled):
        containers.up([Container("a", "i:1")], {}, print)


# -- the daemon's return


def test_a_running_app_is_adopted(world: World) -> None:
    world.run("start")
    before = list(world.engine.calls)
    world.restart()
    world.runner.resume()
    assert (world.engine.calls, world.starts()) == (before, 1)


def test_an_app_that_should_run_and_does_not_is_started(world: World) -> None:  # assumed: as after an engine's restart
    world.run("start")
    for item in world.engine.there.values():
        item["runs"] = False
    world.restart()
    world.runner.resume()
    world.wait(lambda: not world.store.app().transitioning)
    assert world.starts() == 2
    assert world.engine.look("frontend").running


def test_one_dead_container_is_no_reason_for_a_start(world: World) -> None:  # assumed
    world.run("start")
    world.engine.there["frontend"]["runs"] = False
    world.restart()
    world.runner.resume()
    assert world.starts() == 1


def test_an_app_that_only_had_to_become_ready_is_adopted(world: World) -> None:
    world.run("start")
    with world.store.change_app() as app:
        app.transitioning = True
    world.restart()
    world.runner.resume()
    world.wait(lambda: not world.store.app().transitioning)
    assert world.starts() == 1


def test_an_app_that_failed_is_left_for_a_look(world: World) -> None:
    world.faults(container_will_not_start=["postgres"])
    world.run("start")
    world.restart()
    world.runner.resume()
    assert world.store.app().error
    assert world.starts() == 1


def test_without_a_definition_a_stop_still_stops(world: World) -> None:
    world.run("start")
    world.places.on_host("/opt/lab/application.json").unlink()
    assert world.run("stop") == ""
    assert world.engine.there == {}
    assert "definition cannot be read" in world.run("start")


# -- Docker's API


class FakeDocker(socketserver.ThreadingUnixStreamServer):
    """Answers as an engine does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.asked: list[tuple[str, Any]] = []
        super().__init__(path, FakeDockerHandler)


class FakeDockerHandler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: FakeDocker
    answers: dict[str, Any] = {
        "GET /images/json": [{"RepoTags": ["a:1", "b:1"]}, {"RepoTags": None}],
        "GET /containers/json": [{"Id": "1", "State": "running", "Labels": {"lab.replicated.name": "frontend"}}],
        "POST /containers/create": {"Id": "2"},
        "GET /containers/2/json": {
            "Id": "2", "State": {"Running": False, "ExitCode": 3}, "NetworkSettings": {"IPAddress": "172.17.0.2"}
        },
    }  # fmt: skip

    def do_GET(self) -> None:
        text = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                text += self.rfile.read(size)
                self.rfile.readline()
        else:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((f"{self.command} {self.path}", text))
        name = f"{self.command} {self.path.partition('?')[0]}"
        failed = "none" in self.path
        answer = {"message": "No such container: none"} if failed else self.answers.get(name)
        content = json.dumps(answer).encode() if answer is not None else b""
        if name == "POST /images/load":
            content = b'{"stream": "a"}\n{"error": "broken"}' if b"broken" in text else b'{"stream": "a"}\n'
        self.send_response(404 if failed else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if content:
            self.wfile.write(content)

    do_POST = do_DELETE = do_GET

    def address_string(self) -> str:
        """A unix socket has none."""
        return ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDocker]:
    path = tmp_path_factory.mktemp("d") / "s"
    with FakeDocker(str(path)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_the_engine_is_asked_in_its_own_words(docker: FakeDocker, tmp_path: Path) -> None:
    engine = DockerEngine(str(docker.server_address))
    assert engine.images() == {"a:1", "b:1"}
    engine.tag("lab:1", "10.0.0.1:9874/circleci-frontend:0.1")
    assert engine.mine("app")["frontend"].running
    assert engine.create("app", Container("frontend", "i:1"), {}) == "2"
    engine.create("app", Container("poller", "i:1", random_name=True), {})
    assert engine.look("2") == Look("2", False, 3, "172.17.0.2")
    engine.start("2")
    engine.stop("2", 7)
    engine.remove("2")
    asked = [call for call, _unused in docker.asked]
    assert "POST /images/lab%3A1/tag?repo=10.0.0.1%3A9874%2Fcircleci-frontend&tag=0.1" in asked
    assert "POST /containers/create?name=frontend" in asked
    assert "POST /containers/create" in asked
    assert asked[-3:] == ["POST /containers/2/start", "POST /containers/2/stop?t=7", "DELETE /containers/2?force=1&v=1"]


def test_what_the_engine_refuses_is_an_error(docker: FakeDocker, tmp_path: Path) -> None:
    engine = DockerEngine(str(docker.server_address))
    with pytest.raises(EngineError, match="No such container: none"):
        engine.look("none")
    archive = tmp_path / "image.tar"
    archive.write_text("fine")
    engine.load(archive)
    assert docker.asked[-1][1] == b"fine"
    archive.write_text("broken")
    with pytest.raises(EngineError, match="did not load"):
        engine.load(archive)
    with pytest.raises(EngineError, match="Docker does not answer"):
        DockerEngine("/nowhere").images()


def test_a_container_is_described_for_the_engine() -> None:
    container = Container(
        "frontend", "i:1", command=["run"], entrypoint=["sh"], env={"A": "1"}, ports=["80:80/tcp", "3000/tcp"],
        volumes=["v:/v"], hostname="frontend",
    )  # fmt: skip
    made = body("app", container, {"B": "2"})
    assert made["Env"] == ["A=1", "B=2"]
    assert made["ExposedPorts"] == {"80/tcp": {}, "3000/tcp": {}}
    assert made["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}
    assert made["HostConfig"]["Binds"] == ["v:/v"]
    assert (made["Cmd"], made["Entrypoint"]) == (["run"], ["sh"])
    assert made["Labels"] == {"lab.replicated": "app", "lab.replicated.name": "frontend"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("80/tcp", [Port("80/tcp")]),
        ("81:80", [Port("80/tcp", True, "", "81")]),
        (":8125/udp", [Port("8125/udp", True)]),
        ("127.0.0.1:4646:4646/tcp", [Port("4646/tcp", True, "127.0.0.1", "4646")]),
        ("8200-8201:8200-8201", [Port("8200/tcp", True, "", "8200"), Port("8201/tcp", True, "", "8201")]),
    ],
)
def test_ports_are_written_as_docker_writes_them(text: str, wanted: list[Port]) -> None:
    assert published([text]) == wanted


def test_a_definition_without_a_file_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        load(tmp_path / "none")
    (tmp_path / "a").write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        load(tmp_path / "a")


# -- what the command lines print


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{(index . 0).State}}", "started"),
        ("{{range .}}{{.State}}={{.IsTransitioning}};{{end}}", "started=false;"),
        ("{{json .}}", '[{"State":"started","IsTransitioning":false,"AppID":"0123"}]'),
        ('{{len .}} {{index . 0 "AppID"}}', "1 0123"),
        ('{{range .}}{{if and (eq .State "started") (not .IsTransitioning)}}up{{else}}down{{end}}{{end}}', "up"),
        ('{{range .}}{{if or (ne .State "started") .IsTransitioning}}down{{else}}up{{end}}{{end}}', "up"),
        ("{{range .}}{{ .Missing }}{{end}}", "<no value>"),
        ("a {{- range . -}} b {{- end -}} c", "abc"),
        ("plain", "plain"),
    ],
)
def test_a_template_is_go_s(template: str, text: str) -> None:
    assert render(template, STATUS) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{.State}}",
        "{{range .}}",
        "{{end}}",
        "{{else}}",
        "{{nonsense .}}",
        "{{index . 9}}",
        "{{(index . 0}}",
        "{{}}",
        "{{. .}}",
    ],
)
def test_a_wrong_template_is_an_error(template: str) -> None:
    with pytest.raises(Failure, match="template: "):
        render(template, STATUS)


def test_yaml_says_the_same_as_json() -> None:
    data = {"a": [{"b": "x", "c": True}, 1], "d": {}, "e": "yes", "f": {"g": None}, "h": "0"}
    assert shown(data, "yaml", "") == ('a:\n  - b: x\n    c: true\n  - 1\nd: {}\ne: "yes"\nf:\n  g: null\nh: "0"\n')
    assert json.loads(shown(data, "json", "")) == data
