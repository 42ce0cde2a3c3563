# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated: an app's containers come up in the order of their dependencies and go down in reverse.

The order at startup is the guide's (container table, "dependencies at startup"). How long things take, that containers
are created anew at each start, and what is in `Error` when one fails is assumed.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import replace

from .application import Container, Definition, in_order
from .engine import Engine, EngineError, Look
from .faults import Faults
from .places import Places

__all__ = ["Cancelled", "Containers"]

_AT_ONCE = 4  # calls that make the engine work; more only wait for each other on two cores
_POLL = 0.2


class Cancelled(Exception):
    """Another command took the place of this transition."""


class Containers:
    """The containers of one kind: the app's, or Replicated's own."""

    def __init__(self, places: Places, engine: Engine, faults: Faults, cancel: threading.Event) -> None:
        """`cancel` ends every wait."""
        self.places = places
        self.engine = engine
        self.faults = faults
        self.cancel = cancel
        self.limit = 180.0  # seconds for all to become ready
        self._images = threading.Lock()
        self._slots = threading.Semaphore(_AT_ONCE)
        self._failed = threading.Event()  # one container failed: nobody waits for the others

    def prepare_images(self, definition: Definition, say: Callable[[str], None]) -> None:
        """Load and tag what is missing; stands for the pull."""
        with self._images:
            there = self.engine.images()
            if any(source not in there for target, source in definition.tags.items() if target not in there):
                for image in definition.images:
                    say(f"loading {image}")
                    self.engine.load(self.places.on_host(image))
            for target, source in definition.tags.items():
                if target not in there:
                    self.engine.tag(source, target)

    def up(self, wanted: Sequence[Container], env: dict[str, str], say: Callable[[str], None]) -> dict[str, str]:
        """Create and start all; each after those that it depends on are ready. Returns name to id."""
        in_order(wanted)  # refuses a circle
        made: dict[str, str] = {}
        done: set[str] = set()
        needed = {name for item in wanted for name in item.depends_on}
        waiting = list(wanted)
        deadline = time.monotonic() + self.limit

        def bring_up(item: Container) -> str:
            with self._slots:
                self._check_cancelled()
                made[item.name] = self.engine.create("app", self._faulty(item), env)
                self.engine.start(made[item.name])
            if item.name in needed:
                self.settle(item, made[item.name], deadline)
            return item.name

        with self._together(wanted) as pool:
            running: set[Future[str]] = set()
            while waiting or running:
                for item in [item for item in waiting if set(item.depends_on) <= done]:
                    waiting.remove(item)
                    running.add(pool.submit(bring_up, item))
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                done |= {future.result() for future in ended}
                say(f"{len(done)} of {len(wanted)} containers started")
        return made

    def settle_all(self, wanted: Sequence[Container], ids: dict[str, str]) -> None:
        """Wait until every container is as it should be."""
        deadline = time.monotonic() + self.limit
        with self._together(wanted) as pool:
            for future in as_completed([pool.submit(self.settle, item, ids[item.name], deadline) for item in wanted]):
                future.result()

    @contextmanager
    def _together(self, wanted: Sequence[Container]) -> Iterator[ThreadPoolExecutor]:
        self._failed.clear()
        with ThreadPoolExecutor(max(len(wanted), 1)) as pool:
            try:
                yield pool
            except (EngineError, Cancelled):
                self._failed.set()
                raise

    def settle(self, item: Container, identity: str, deadline: float) -> None:
        """Wait until one is: it exited 0 when it runs once, else it runs and its `ready` endpoint says 200."""
        while not self._settled(item, self.engine.look(identity)):
            if time.monotonic() > deadline:
                raise EngineError(f"container {item.name} did not become ready in {self.limit:g} s")
            self.cancel.wait(_POLL)
            self._check_cancelled()

    def _settled(self, item: Container, look: Look) -> bool:
        if not look.running and not (item.runs_once and look.exit_code == 0):
            raise EngineError(f"container {item.name} exited with code {look.exit_code}")
        if item.runs_once:
            return not look.running
        return not item.ready or _answers(look.address, item.ready_port, item.ready["path"])

    def down(self, wanted: Sequence[Container], force: bool, say: Callable[[str], None]) -> None:
        """Stop and remove the app's containers, those that depend on others first; then what is in no definition."""
        there = self.engine.mine("app")
        total = len(there)
        waves: list[list[str]] = [[item.name for item in wave] for wave in reversed(in_order(wanted))]
        waves.append([name for name in there if name not in {item.name for item in wanted}])
        seconds = {item.name: 0 if force else item.stop_timeout for item in wanted}
        for wave in waves:
            names = [name for name in wave if name in there]
            with ThreadPoolExecutor(max(len(names), 1)) as pool:
                for future in [pool.submit(self._take_down, there[name], seconds.get(name, 0)) for name in names]:
                    future.result()
            for name in names:
                del there[name]
            if names:
                say(f"{total - len(there)} of {total} containers stopped")

    def _take_down(self, look: Look, seconds: int) -> None:
        if look.running and seconds:
            self.engine.stop(look.id, seconds)
        with self._slots:
            self.engine.remove(look.id)

    def own_up(self, wanted: Sequence[Container]) -> list[str]:
        """Start those of Replicated's own containers that do not run; they stay when the app stops."""
        there = self.engine.mine("own")
        started = []
        for item in (item for wave in in_order(wanted) for item in wave):
            look = there.get(item.name)
            if look is None or not look.running:
                self.engine.start(look.id if look else self.engine.create("own", item, {}))
                started.append(item.name)
        return started

    def _faulty(self, item: Container) -> Container:
        if item.name not in self.faults.get("container_will_not_start", ()):
            return item
        words = "echo 'lab fault: this container does not start' >&2; exit 1"
        return replace(item, entrypoint=["/bin/sh", "-c", words], command=[])

    def _check_cancelled(self) -> None:
        if self.cancel.is_set() or self._failed.is_set():
            raise Cancelled


def _answers(address: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
