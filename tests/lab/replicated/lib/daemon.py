# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated's daemon (facts 4): its socket, its start and its end. Its protocol is the stand-in's own.

A request is a line `{"command": …, "arguments": {…}}`; the answer is a line `{"data": …}` or `{"error": …}`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socketserver
import threading
import time
from typing import Any

from . import bootstrap
from .commands import Commands
from .engine import DockerEngine, Engine, EngineError, NoEngine
from .faults import Faults
from .log import open_log
from .places import Places
from .runner import Runner
from .state import Refused, Store

__all__ = ["main"]

_ALWAYS = ("system status", "version")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    commands: Commands
    faults: Faults
    log: logging.Logger

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request, with whatever fault is wanted."""
        name = str(request.get("command"))
        if self.faults.dies("at request"):
            self.log.error("lab fault: the daemon dies at a request (%s)", name)
            os._exit(70)
        time.sleep(float(self.faults.get("slow_seconds", 0)))
        if self.faults.not_ready() and name not in _ALWAYS:
            return {"error": "Replicated is not ready"}
        try:
            return {"data": self.commands.find(name)(request.get("arguments") or {})}
        except (Refused, EngineError, OSError) as error:
            return {"error": str(error)}


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline()
        if line:
            self.wfile.write(json.dumps(self.server.answer(json.loads(line))).encode() + b"\n")


def _listen(places: Places, commands: Commands, log: logging.Logger) -> _Server:
    places.run.mkdir(parents=True, exist_ok=True)
    places.socket.unlink(missing_ok=True)
    before = os.umask(0o177)
    server = _Server(str(places.socket), _Handler)
    os.umask(before)
    server.commands, server.faults, server.log = commands, commands.faults, log
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return server


def _tend(runner: Runner, fresh: bool) -> None:
    """The app, by itself or as it was left: before anybody can ask, so that no answer is of an earlier life."""
    try:
        if fresh:
            runner.command("start", cause="first start")
        else:
            runner.resume()
    except (EngineError, Refused, OSError) as error:
        runner.log.error("%s", error)


def _own(runner: Runner) -> None:
    try:
        runner.start_own()
    except (EngineError, Refused, OSError) as error:
        runner.log.error("%s", error)


def main() -> int:
    """Run until told to end; the app goes on running."""
    places = Places.from_environment()
    places.state.mkdir(parents=True, exist_ok=True)
    log = open_log(places, "replicated")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    faults = Faults(places)
    if faults.dies("at start"):
        log.error("lab fault: the daemon dies at its start")
        return 1
    log.info("Replicated %s starts (a stand-in)", places.version)
    store = Store(places)
    engine: Engine = NoEngine() if places.engine == "none" else DockerEngine(places.engine)
    runner = Runner(places, store, engine, faults, log)
    fresh = bootstrap.first_start(places, store, log)
    _tend(runner, fresh)
    server = _listen(places, Commands(places, store, runner, faults, log), log)
    log.info("listening on %s", places.socket)
    threading.Thread(target=_own, args=(runner,), daemon=True).start()
    ended.wait()
    log.info("Replicated ends; the app is left as it is")
    server.server_close()
    places.socket.unlink(missing_ok=True)
    return 0
