# A services host for the tests of a restart: programs of the host over one state file, a web server, a pending record.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart as library
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry, owe, read_pending, written
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart import Places
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_restart import ARGUMENT_SPEC

# docker, systemctl, service, journalctl, tail and replicatedctl (facts 4) in one program, told apart by its name. A
# transition of the app takes `seconds`, or lasts while `hold` is set. `kill_at` kills whoever calls at these words.
STUB = "#!{python} -S\nimport sys\nsys.path[0] = {folder!r}\nimport restart_program\n"
PROGRAM = """import fcntl, json, os, signal, sys, time
path = {state!r}
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
handle = open(path + ".lock", "w")
fcntl.flock(handle, fcntl.LOCK_EX)
state = json.load(open(path))
app, units, faults = state["app"], state["units"], state["faults"]
code = 0

def fail(text):
    global code
    print(text, file=sys.stderr)
    code = 1

def create():
    state["made"] += 1
    rows = [row for row in state["definition"] if row["name"] not in faults.get("will_not_start", [])]
    bad = [row for row in state["definition"] if row not in rows]
    state["containers"] = [dict(row, id=row["name"] + str(state["made"]), status="running", pid=1) for row in rows]
    state["containers"] += [dict(row, id=row["name"] + "bad", status="exited", exit=1, pid=0) for row in bad]

def advance():
    if not app["transitioning"] or faults.get("hold") or time.monotonic() < app["until"]:
        return
    app.update(transitioning=False, state=app["target"], error=faults.get("error", ""))
    if app["target"] == "stopped":
        state["containers"] = []
    elif faults.get("error"):
        app["state"] = "stopped"
    else:
        create()

def move(word, target):
    if app["state"] == target and word != "apply-config":
        return
    state["starts"] += target == "started"
    if word == "apply-config" and target == "started":
        state["containers"] = []
    app.update(transitioning=True, desired=target, target=target, error="", until=time.monotonic() + state["seconds"])
    app["state"] = "stopping" if target == "stopped" else "starting"

def replicatedctl():
    if not units["replicated"]["active"] or faults.get("silent"):
        return fail(faults.get("silent") or "dial unix replicated-cli.sock: connect: connection refused")
    if faults.get("not_ready"):
        faults["not_ready"] -= 1
        return fail("Replicated is not ready")
    if words == ["app", "status"]:
        advance()
        shown = dict(app)
        if faults.get("flaps"):
            faults["flaps"] -= 1
            if faults["flaps"] % 2:
                shown.update(state="starting", transitioning=True)
        rows = [] if state["no_app"] else [{{"AppID": "a", "Sequence": 1, "State": shown["state"], "Error":
            shown["error"], "DesiredState": shown["desired"], "IsTransitioning": shown["transitioning"]}}]
        return print(json.dumps(rows))
    if words[1] in faults.get("refuses", []):
        return fail("required config items are not set: hostname")
    if words[1] == "stop":
        return move("stop", "stopped")
    if words[1] == "start":
        return move("start", "started")
    if words[1] == "apply-config" and not faults.get("apply_does_nothing") and (
        app["state"] == "started" or not faults.get("apply_needs_running")
    ):
        move("apply-config", "started")

def unit_of(word):
    return units.get(word[:-8] if word.endswith(".service") else word)

def up(unit):
    unit.update(active=not unit.get("dies"), started=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

def systemctl():
    if words[0] == "show":
        names = [word for word in words[3:]]
        if words[2] == "NRestarts":
            unit = unit_of(names[0]) or {{}}
            if unit.get("loops"):
                unit["restarts"] = unit.get("restarts", 0) + 1
            return print("NRestarts=" + str(unit.get("restarts", 0)))
        blocks = []
        for word in names:
            unit = unit_of(word)
            if unit is None:
                blocks.append("LoadState=not-found\\nActiveState=inactive\\nSubState=dead")
                continue
            active = "active" if unit["active"] else ("failed" if unit.get("dies") else "inactive")
            blocks.append("LoadState=loaded\\nActiveState=" + active + "\\nSubState=" + ("running" if unit["active"]
                else "dead") + "\\nExecMainStartTimestampMonotonic=" + str(unit["started"]))
        return print("\\n\\n".join(blocks))
    if words[0] == "reset-failed":
        return None
    unit = unit_of(words[1])
    if words[0] in ("stop", "restart"):
        unit["active"] = False
        if words[1].startswith("docker") and any(units[n]["active"] for n in units if n != "docker"):
            fail("the engine was stopped under Replicated")
    if words[0] in ("start", "restart"):
        up(unit)
        if unit.get("dies"):
            fail("Job for " + words[1] + " failed")

def service():
    unit = units[words[0]]
    if words[1] == "status":
        return print(words[0] + (" start/running, process 7" if unit["active"] else " stop/waiting"))
    if words[1] in ("stop", "restart") and not unit["active"]:
        return fail("stop: Unknown instance:")
    unit["active"] = False
    if words[1] != "stop":
        up(unit)

def docker():
    if faults.get("docker") or not units["docker"]["active"]:
        return fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock")
    rows = state["containers"]
    if words[0] == "version":
        return print("17.12.1-ce")
    if words[:2] == ["container", "ls"] and "--quiet" in words:
        return print("\\n".join(row["id"] for row in rows))
    if words[:2] == ["container", "ls"]:
        for row in rows:
            print("\\t".join([row["id"], row["name"], row["image"], "Up 1 s" if row["pid"] else "Exited (1)"]))
    elif words[:2] == ["container", "inspect"] and words[3].startswith("{{{{.Id}}}}"):
        for row in rows:
            if row["id"] in words[4:]:
                print(row["id"] + "0000", row["pid"])
    elif words[:2] == ["container", "inspect"]:
        for row in rows:
            if row["id"] in words[4:]:
                bound = {{"80/tcp": [{{"HostIp": row.get("ip", ""), "HostPort": str(row["port"])}}]}} if row.get(
                    "port") else None
                print(json.dumps({{"id": row["id"], "name": "/" + row["name"], "image": row["image"], "ports": bound,
                    "state": {{"Status": row["status"], "Pid": row["pid"], "ExitCode": row.get("exit", 0)}}}}))
    elif words[0] == "logs":
        print("\\x1b[31mline one\\x1b[0m\\nline two")
        print("the port is taken", file=sys.stderr)
    elif words[0] == "restart":
        for name in words[3:]:
            (row,) = [row for row in rows if row["name"] == name]
            row.update(status="running", restarts=row.get("restarts", 0) + 1)
            print(name)

if name == "journalctl" or name == "tail":
    print("Started " + name + ".\\npanic: cannot open state.db")
else:
    globals()[name]()
call = " ".join([name] + words)
if not any(word in call for word in ("app status", " show ", " ls ", "inspect", " version", " status", "journalctl")):
    state["calls"].append(call)
if state["kill_at"] and call.startswith(state["kill_at"]):
    state["kill_at"] = ""
    os.kill(os.getppid(), signal.SIGKILL)
temporary = path + ".new"
json.dump(state, open(temporary, "w"))
os.rename(temporary, path)
handle.close()
sys.exit(code)
"""
# What the containers serve, as far as the state says that they run: the health paths, and Nomad's two lists.
WEB = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
path = sys.argv[1]

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        state = json.load(open(path))
        running = {row["name"] for row in state["containers"] if row["pid"]}
        status, rows = 200, []
        place = self.path.partition("?")[0]
        if place == "/v1/allocations":
            status, rows = 200 if "nomad" in running else 503, state["allocations"]
        elif place == "/v1/jobs":
            rows = [{"ID": "build", "Type": "batch"}]
        else:
            name = place.split("/")[1]
            status = 200 if name in running and name not in state["faults"].get("sick", []) else 503
        body = json.dumps(rows).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
PROGRAMS = ("docker", "systemctl", "service", "journalctl", "tail", "replicatedctl")
UNITS = ("replicated-ui", "replicated", "replicated-operator", "docker")


class Host:
    """The host: its state, what was done to it, and a call of the library."""

    def __init__(self, root: Path) -> None:
        self.path = root / "state.json"
        self.bin = root / "bin"
        self.bin.mkdir()
        # Imported, so that it is compiled once.
        (root / "restart_program.py").write_text(PROGRAM.format(state=str(self.path)))
        for name in PROGRAMS:
            program = self.bin / name
            program.write_text(STUB.format(python=sys.executable, folder=str(root)))
            program.chmod(0o755)
        self.places = Places(str(root / "state" / "pending.json"), str(root / "lock"), str(root / "run"))
        self.write(self._fresh())
        self.web = subprocess.Popen([sys.executable, "-c", WEB, str(self.path)], stdout=subprocess.PIPE, text=True)
        assert self.web.stdout is not None
        self.port = int(self.web.stdout.readline())
        with self.change() as state:
            for row in state["containers"] + state["definition"]:
                row["port"] = self.port
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.closed = probe.getsockname()[1]

    def close(self) -> None:
        self.web.kill()
        self.web.wait()
        if self.web.stdout is not None:
            self.web.stdout.close()

    @staticmethod
    def _fresh() -> dict[str, Any]:
        names = ("frontend", "nomad", "postgres")
        definition: list[dict[str, Any]] = [{"name": name, "image": name + ":1"} for name in names]
        app = {"state": "started", "desired": "started", "transitioning": False, "error": "", "until": 0}
        return {
            "app": app,
            "units": {name: {"active": True, "started": 1} for name in UNITS},
            "definition": definition,
            "containers": [dict(row, id=row["name"] + "0", status="running", pid=1) for row in definition],
            "allocations": [],
            "faults": {},
            "calls": [],
            "seconds": 0.05,
            "starts": 0,
            "made": 0,
            "no_app": False,
            "kill_at": "",
        }

    def read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.path.read_text())
        return state

    def write(self, state: dict[str, Any]) -> None:
        new = self.path.with_suffix(".json.new")
        new.write_text(json.dumps(state))
        new.rename(self.path)

    @contextlib.contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        with open(str(self.path) + ".lock", "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            state = self.read()
            yield state
            self.write(state)

    def fault(self, **faults: Any) -> None:
        with self.change() as state:
            state["faults"].update(faults)

    @property
    def calls(self) -> list[str]:
        """Every order that was given to a program, without questions."""
        return list(self.read()["calls"])

    def owe(self, *entries: Entry) -> None:
        owe(entries, self.places.pending)
        written(entries, self.places.pending)

    def owed(self) -> list[tuple[str, str]]:
        return [(entry.scope, entry.target) for entry in read_pending(self.places.pending)]

    def options(self, **given: Any) -> dict[str, Any]:
        options = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
        options.update(
            looks=2,
            look_interval=0.02,
            timeout=20,
            transition_timeout=5,
            lock_timeout=10,
            service_manager="systemd",
            nomad_url="http://127.0.0.1:{0}".format(self.port),
            health_checks=[{"port": self.port, "path": "/frontend", "tls": False}],
        )
        return dict(options, **given)

    def run(self, check: bool = False, **given: Any) -> dict[str, Any]:
        return library.restart(self.options(**given), check, self.places)
