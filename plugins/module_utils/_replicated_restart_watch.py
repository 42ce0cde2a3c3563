# Waits of a restart: the app's state, endpoints, the downtime from outside; what is told when one fails. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Downtime", "Watch", "answering", "web_endpoints"]

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, NoReturn, Optional, Sequence, Tuple, Type

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._http_probe import probe
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import AppStatus
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_containers import (
    Endpoint,
    containers,
    last_lines,
    not_up,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_services import Services

PROBE_SECONDS = 5.0
DOWNTIME_INTERVAL = 0.2
DOWNTIME_PROBE_SECONDS = 2.0
# How often the daemon's service is looked at while the daemon does not answer.
SERVICE_SECONDS = 2.0
# So many restarts by the service manager while we wait are a crash loop.
CRASH_LOOP = 3
# An error in the status may be of the time before the command that we gave.
ERROR_SECONDS = 5.0
SHOWN_CONTAINERS = 5


class Daemon(NamedTuple):
    """The service whose process is Replicated's daemon; how often it was restarted when the restart began."""

    services: Services
    name: str
    restarts: int


class Watch:
    """Waits until the app is as it should be, or raises OpsError that says what stands in the way."""

    def __init__(self, options: Mapping[str, Any], left: Callable[[], float], daemon: Optional[Daemon]) -> None:
        """left: seconds until the deadline. daemon: None where no service of Replicated is known."""
        self.looks = max(1, int(options["looks"]))
        self.interval = float(options["look_interval"])
        self.timeout = options["timeout"]
        self.left = left
        self.daemon = daemon
        self.ran_before: List[str] = []
        self._service_seen = 0.0

    def answer(self) -> Optional[AppStatus]:
        """Wait until the daemon answers N times in a row; None when it has no app."""
        right = 0
        while True:
            seen = self._look()
            right = right + 1 if seen.status is not None or seen.empty else 0
            if right >= self.looks:
                return seen.status
            self._pause("waits until Replicated's daemon answers", seen)

    def settled(self) -> Optional[AppStatus]:
        """Wait until the app is in no transition; None when there is no app."""
        return self.until("waits for the end of the application's present transition", _rests, errors=False)

    def until(self, title: str, right: Callable[[AppStatus], bool], errors: bool = True) -> Optional[AppStatus]:
        """Wait until N looks in a row are right; None when there is no app.

        errors: an error in the status of an app at rest, in N looks in a row, ends the wait.
        """
        began = time.monotonic()
        good = bad = 0
        moved = False
        while True:
            seen = self._look()
            status = seen.status
            if seen.empty:
                return None
            good = good + 1 if status is not None and right(status) else 0
            if status is not None and good >= self.looks:
                return status
            moved = moved or (status is not None and status.transitioning)
            bad = bad + 1 if status is not None and status.error and not status.transitioning else 0
            if errors and bad >= self.looks and (moved or time.monotonic() - began > ERROR_SECONDS):
                self._error(title, seen)
            self._pause(title, seen)

    def leaves(self, state: str, seconds: float) -> bool:
        """Whether the app leaves this state of rest within so many seconds, by any one look."""
        until = time.monotonic() + min(seconds, self.left())
        while True:
            seen = self._look()
            if seen.status is not None and (seen.status.transitioning or seen.status.state != state):
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(self.interval)

    def endpoints(self, title: str, wanted: Sequence[Endpoint]) -> None:
        """Wait until each has answered 200 once."""
        left = list(wanted)
        while left:
            silent = answering(left)[1]
            left = [endpoint for endpoint, _why in silent]
            if left:
                said = "; ".join("{0}: {1}".format(endpoint, why) for endpoint, why in silent)
                self._pause(title, replicated.Look(None, ""), said)

    def _look(self) -> replicated.Look:
        seen = replicated.look(timeout=max(1.0, min(20.0, self.left())))
        if seen.status is None and not seen.empty:
            self._daemon_lives(seen)
        return seen

    def _daemon_lives(self, seen: replicated.Look) -> None:
        """A daemon that only starts slowly is waited for; one that is dead, or dies again and again, is not."""
        if self.daemon is None or time.monotonic() - self._service_seen < SERVICE_SECONDS:
            return
        self._service_seen = time.monotonic()
        services, name, before = self.daemon
        shape = services.shape(name)
        count = shape.restarts - before if shape.restarts >= before else shape.restarts
        what = ""
        if count >= CRASH_LOOP:
            what = "Replicated's daemon is in a crash loop: {0} was restarted {1} times".format(name, count)
        elif shape.failed or (not services.systemd and not shape.runs):
            what = "Replicated's daemon is dead: {0} is {1}".format(name, shape.words)
        if what:
            lines = services.last_lines(name)
            raise OpsError(
                "{0}; replicatedctl says: {1}; the last lines of its journal: {2}".format(
                    what, seen.problem, " | ".join(lines) or "none"
                ),
                remedy="Correct what they say, see that `systemctl status {0}` is active, and run again; what is owed "
                "stays recorded".format(name),
                facts={"journal": lines},
            )

    def _pause(self, title: str, seen: replicated.Look, said: str = "") -> None:
        if self.left() <= 0:
            self._late(title, seen, said)
        time.sleep(min(self.interval, self.left()))

    def _late(self, title: str, seen: replicated.Look, said: str) -> NoReturn:
        status, problem = seen.status, seen.problem
        if said:
            problem = "no 200 from {0}".format(said)
            status = replicated.look().status
        words = [
            "the deadline of {0} seconds has passed at: {1}".format(self.timeout, title),
            _status_words(status, problem),
        ]
        facts, lines = self._sick()
        if status is not None and status.transitioning:
            remedy = (
                "The transition does not end: look at the containers that are not up; `replicatedctl app stop --force` "
                "ends it, then run again"
            )
        elif status is None and not said:
            remedy = (
                "Replicated is not ready: see `systemctl status replicated` and `docker logs replicated`; run again"
            )
        else:
            remedy = "Look at what does not answer (docker logs NAME), then run again"
        facts.update(phase=title, status=_row(status))
        raise OpsError(
            "; ".join(words + lines), option="timeout", value=self.timeout, remedy=remedy + TAIL, facts=facts
        )

    def _error(self, title: str, seen: replicated.Look) -> NoReturn:
        facts, lines = self._sick()
        facts.update(phase=title, status=_row(seen.status))
        raise OpsError(
            "; ".join(
                ["the application reports an error at: {0}".format(title), _status_words(seen.status, "")] + lines
            ),
            remedy="Correct what it names and run again" + TAIL,
            facts=facts,
        )

    def _sick(self) -> Tuple[Dict[str, Any], List[str]]:
        """Which containers are not up and what they said last, as facts and as sentences."""
        try:
            rows = not_up(containers(), self.ran_before)
        except OpsError as error:
            return {"not_up": {}, "logs": {}}, [error.message]
        logs = {docker: last_lines(docker) for _name, docker, _status in rows[:SHOWN_CONTAINERS] if docker}
        facts = {"not_up": {name: status for name, _docker, status in rows}, "logs": logs}
        lines = []
        if rows:
            lines.append("not up: " + ", ".join("{0} ({1})".format(name, status) for name, _docker, status in rows))
        lines += ["{0} said last: {1}".format(name, " | ".join(said) or "nothing") for name, said in logs.items()]
        return facts, lines


class Downtime:
    """Seconds between the first moment that the web application did not answer and the last return, from outside."""

    def __init__(self, checks: Sequence[Endpoint]) -> None:
        self.checks = list(checks)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="downtime", daemon=True)
        self._first = 0.0
        self._back = 0.0
        self._down = False

    def __enter__(self) -> Downtime:
        if self.checks:
            self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._stop.set()
        if self.checks:
            self._thread.join()

    @property
    def seconds(self) -> float:
        """So far; while it does not answer, until now."""
        if not self._first:
            return 0.0
        return round((time.monotonic() if self._down else self._back) - self._first, 1)

    def _measure(self) -> None:
        while not self._stop.is_set():
            asked = time.monotonic()
            good = all(
                probe(check.port, check.path, DOWNTIME_PROBE_SECONDS, check.tls, check.address).status == 200
                for check in self.checks
            )
            if not good:
                self._first = self._first or asked
                self._down = True
            elif self._down:
                self._back, self._down = time.monotonic(), False
            self._stop.wait(DOWNTIME_INTERVAL)


TAIL = "; what is owed stays recorded"


def answering(wanted: Sequence[Endpoint]) -> Tuple[List[Endpoint], List[Tuple[Endpoint, str]]]:
    """Those that answer 200, and the others each with what they do instead; all asked at once."""
    if not wanted:
        return [], []
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        answers = list(pool.map(lambda end: probe(end.port, end.path, PROBE_SECONDS, end.tls, end.address), wanted))
    good = [endpoint for endpoint, answer in zip(wanted, answers) if answer.status == 200]
    silent = [
        (endpoint, answer.problem or "status {0}".format(answer.status))
        for endpoint, answer in zip(wanted, answers)
        if answer.status != 200
    ]
    return good, silent


def web_endpoints(options: Mapping[str, Any]) -> List[Endpoint]:
    """The web application's own health endpoints, as the option has them."""
    return [Endpoint("web", row["port"], row["path"], row["tls"]) for row in options["health_checks"]]


def _rests(status: AppStatus) -> bool:
    return not status.transitioning


def _status_words(status: Optional[AppStatus], problem: str) -> str:
    if status is None:
        return "replicatedctl gives no status: {0}".format(problem) if problem else "no status"
    words = "State {0}, DesiredState {1}, IsTransitioning {2}, Error {3}".format(
        status.state, status.desired or "not told", str(status.transitioning).lower(), status.error or "none"
    )
    return "{0}; {1}".format(words, problem) if problem else words


def _row(status: Optional[AppStatus]) -> Dict[str, Any]:
    return dict(status._asdict()) if status is not None else {}
