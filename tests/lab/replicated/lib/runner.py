# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): the app's transitions, one at a time, in a thread; each start is counted.

Of facts 4: the states, that `started` with IsTransitioning is still starting, that apply-config restarts the app, and
that changed settings are in effect only then. Assumed: what a command does in the middle of a transition (refused,
with --force it takes its place), apply-config on a stopped app (starts it), an app that failed (State stopped, Error
filled, its containers left for a look).
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from .application import Container, Definition, load
from .containers import Cancelled, Containers
from .engine import Engine, EngineError
from .faults import Faults
from .places import Places, save
from .state import Refused, Store, now

__all__ = ["Runner", "Task"]


@dataclass
class Task:
    """One transition, for `task` and --attach."""

    name: str
    force: bool = False
    identity: str = field(default_factory=lambda: secrets.token_hex(16))
    created: str = field(default_factory=now)
    messages: list[str] = field(default_factory=list)
    finished: bool = False
    error: str = ""

    def shown(self) -> dict[str, Any]:
        """What `task inspect` prints; assumed."""
        state = ("failed" if self.error else "finished") if self.finished else "running"
        return {"ID": self.identity, "Name": self.name, "State": state, "Error": self.error, "CreatedAt": self.created}


class Runner:
    """Starts and stops the app."""

    def __init__(self, places: Places, store: Store, engine: Engine, faults: Faults, log: logging.Logger) -> None:
        """`store` holds the app's state."""
        self.places = places
        self.store = store
        self.faults = faults
        self.log = log
        self.cancel = threading.Event()
        self.engine = engine
        self.containers = Containers(places, engine, faults, self.cancel)
        self.tasks: dict[str, Task] = {}
        self._thread: threading.Thread | None = None

    def definition(self) -> Definition:
        """What the app consists of now."""
        return load(self.places.on_host("/opt/lab/application.json"))

    def start_own(self) -> None:
        """Start Replicated's own containers that do not run (premkit, statsd, retraced)."""
        path = self.places.on_host("/opt/lab/application.json")
        if path.exists():
            definition = load(path)
            self.containers.prepare_images(definition, self.log.info)
            for name in self.containers.own_up(definition.own):
                self.log.info("started %s", name)

    # -- commands

    def command(self, name: str, force: bool = False, cause: str = "") -> Task | None:
        """Begin start, stop or apply-config; None: nothing to do."""
        with self.store.changed:
            app = self.store.app()
            if app.transitioning and not force:
                raise Refused(f"app is {app.state}, a transition is in progress")
            target = "stopped" if name == "stop" else "started"
            if not app.transitioning and app.state == target and not app.error and name != "apply-config":
                return None
            self._end_running()
            return self._begin(Task(name, force), target, cause or name)

    def _end_running(self) -> None:
        thread = self._thread
        if thread and thread.is_alive():
            self.cancel.set()
            # The thread needs the lock to end.
            while thread.is_alive():
                self.store.changed.wait(0.05)
        self.cancel.clear()

    def _begin(self, task: Task, target: str, cause: str) -> Task:
        with self.store.change_app() as app:
            # Written down before anything is done: a daemon that is killed goes on from here.
            app.desired, app.transitioning, app.error = target, True, ""
            if task.name != "adopt":
                app.state = "stopping" if task.name == "stop" or app.state == "started" else "starting"
            app.cancellable = True
        self.tasks[task.identity] = task
        self._thread = threading.Thread(target=self._work, args=(task, cause), name=task.name, daemon=True)
        self._thread.start()
        return task

    def resume(self) -> None:
        """At the daemon's start: adopt a running app, finish what was interrupted (assumed, facts have nothing)."""
        with self.store.changed:
            app = self.store.state.app
            if app is None:
                return
            there = self.engine.mine("app")
            running = {name for name, look in there.items() if look.running}
            known = self._known()
            complete = all(item.name in (there if item.runs_once else running) for item in known)
            if app.desired == "stopped":
                if app.transitioning:
                    self._begin(Task("stop"), "stopped", "daemon start")
            elif app.transitioning and complete and app.state != "stopping":
                self._begin(Task("adopt"), "started", "daemon start")
            elif app.transitioning or (known and not running and not app.error):
                self.log.info("the app should be started and is not: it is started")
                self._begin(Task("start"), "started", "daemon start")
            else:
                self.log.info("adopted the app: %d containers run", len(running))

    # -- the thread

    def _work(self, task: Task, cause: str) -> None:
        try:
            if self.store.app().state == "stopping":
                self._stop(task)
            if task.name == "adopt":
                self._adopt(task)
            elif task.name != "stop":
                self._start(task, cause)
        except Cancelled:
            self._finish(task, "cancelled", failed=False)
        except (EngineError, Refused, OSError) as error:
            self._finish(task, str(error), failed=True)
        else:
            self._finish(task, "", failed=False)

    def _finish(self, task: Task, error: str, failed: bool) -> None:
        if failed:
            self.log.error("%s failed: %s", task.name, error)
            with self.store.change_app() as app:
                app.state, app.error, app.transitioning, app.cancellable = "stopped", error, False, False
        with self.store.changed:
            task.error, task.finished = error, True
            self.store.changed.notify_all()

    def _say(self, task: Task, text: str) -> None:
        self.log.info("%s: %s", task.name, text)
        with self.store.changed:
            task.messages.append(text)
            self.store.changed.notify_all()

    def _start(self, task: Task, cause: str) -> None:
        with self.store.change_app() as app:
            app.state = "starting"
        self._count(cause)
        env = {"LAB_SETTINGS_DIGEST": self._put_in_effect()}
        definition = self.definition()
        self.containers.prepare_images(definition, lambda text: self._say(task, text))
        self.containers.down(definition.containers, True, lambda text: None)
        ids = self.containers.up(definition.containers, env, lambda text: self._say(task, text))
        self._hold("starting")
        self._become_ready(task, definition, ids)

    def _adopt(self, task: Task) -> None:
        self._become_ready(task, self.definition(), {name: look.id for name, look in self.engine.mine("app").items()})

    def _become_ready(self, task: Task, definition: Definition, ids: dict[str, str]) -> None:
        with self.store.change_app() as app:
            app.state = "started"
        self._say(task, "waiting until the app is ready")
        self.containers.settle_all(definition.containers, ids)
        self._hold("started")
        with self.store.change_app() as app:
            app.transitioning, app.cancellable = False, False
        self._say(task, "started")

    def _stop(self, task: Task) -> None:
        self.containers.down(self._known(), task.force, lambda text: self._say(task, text))
        self._hold("stopping")
        with self.store.change_app() as app:
            app.state = "stopped"
            if task.name == "stop":
                app.transitioning, app.cancellable = False, False
        self._say(task, "stopped")

    def _known(self) -> list[Container]:
        try:
            return self.definition().containers
        except Refused as error:
            self.log.warning("%s", error)
            return []

    def _hold(self, phase: str) -> None:
        """Stay in a phase as long as the control file wants."""
        self.cancel.wait(float(self.faults.get("phase_seconds", 0)))
        while self.faults.holds(phase) and not self.cancel.is_set():
            self.cancel.wait(0.1)
        if self.cancel.is_set():
            raise Cancelled

    def _count(self, cause: str) -> None:
        with open(self.places.state / "lab-starts", "a", encoding="utf-8") as file:
            file.write(f"{now()} {cause}\n")

    def _put_in_effect(self) -> str:
        settings = self.store.state.settings
        save(self.places.state / "lab-effective-settings.json", settings)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
