# One sweep: everything is asked at the same time, and what has no answer at the deadline has none. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Daemon", "Disk", "Engine", "Settings", "Sweep", "run_all", "sweep"]

import os
import threading
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._health_containers import State, read_containers
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import (
    APPLICATION,
    CONSOLE,
    CONSOLE_PORT,
    DISK_PREFIX,
    ENGINE,
    NOMAD,
    NOMAD_LEADER_PATH,
    NOMAD_PORT,
    OWN,
    READY_AGENT,
    READY_AGENT_PORT,
    TCP_PORTS,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._http_probe import Answer, connect, probe
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program

BODY_BYTES = 256
DOCKER = "docker"


class Settings(NamedTuple):
    """How a sweep is done.

    timeout:          seconds for the whole sweep.
    request_timeout:  seconds for one endpoint or program.
    ready_agent_path: the path of the ready agent's answer.
    disks:            paths whose file systems are looked at, where they exist.
    wanted:           which services are asked (None: all).
    """

    timeout: float = 10
    request_timeout: float = 5
    ready_agent_path: str = "/"
    disks: Tuple[str, ...] = ("/", "/var/lib/docker", "/data")
    wanted: Optional[Tuple[str, ...]] = None

    def wants(self, name: str) -> bool:
        """Whether a service is asked."""
        return self.wanted is None or name in self.wanted


class Engine(NamedTuple):
    """Docker's answer. problem: "" for one. installed: whether its program is on this host."""

    containers: Dict[str, State]
    problem: str
    installed: bool = True


class Daemon(NamedTuple):
    """Replicated's answer. installed: whether replicatedctl is on this host; look None: there was no answer at all."""

    installed: bool
    look: Optional[replicated.Look]


class Disk(NamedTuple):
    """A file system: percent of its space and of its inodes in use; also: other paths on it; problem: "" for none."""

    path: str
    space: float = 0.0
    inodes: float = 0.0
    also: Tuple[str, ...] = ()
    problem: str = ""


class Sweep(NamedTuple):
    """Everything that came back.

    daemon:         None when it was not asked.
    answers:        service to the answer of its port.
    asked:          the services whose ports were asked; without an answer: none came in time.
    disks:          path to its file system; each file system once, paths that do not exist left out.
    milliseconds:   what each question took.
    seconds:        what all took.
    """

    engine: Engine
    daemon: Optional[Daemon]
    answers: Dict[str, Answer]
    asked: Tuple[str, ...]
    disks: Dict[str, Disk]
    milliseconds: Dict[str, int]
    seconds: float


class _Timed(NamedTuple):
    value: Any
    seconds: float


def run_all(questions: Mapping[str, Callable[[], Any]], timeout: float) -> Dict[str, _Timed]:
    """Ask everything at once; what has no answer when timeout (seconds) has passed is left out.

    The threads are daemons, so that one that hangs in the kernel (a dead mount) holds nothing up.
    """
    answers: Dict[str, _Timed] = {}

    def ask(name: str, question: Callable[[], Any]) -> None:
        begun = time.monotonic()
        value = question()
        answers[name] = _Timed(value, time.monotonic() - begun)

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in questions.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def sweep(settings: Settings, unused: Iterable[str] = ()) -> Sweep:
    """Look at everything once. unused: services that are known not to be part of this installation."""
    begun = time.monotonic()
    left_out = set(unused)
    ports = {name: ask for name, ask in _ports(settings).items() if settings.wants(name) and name not in left_out}
    paths = [path for path in settings.disks if settings.wants(DISK_PREFIX + path)]
    questions: Dict[str, Callable[[], Any]] = dict(ports)
    questions[ENGINE] = lambda: _engine(settings.timeout)
    asks_daemon = any(settings.wants(name) for name in (APPLICATION, *OWN))
    if asks_daemon:
        questions[APPLICATION] = lambda: _daemon(settings.request_timeout)
    questions.update({DISK_PREFIX + path: _disk_question(path) for path in paths})
    found = run_all(questions, settings.timeout)
    silent = Engine({}, "no answer from docker within {0:g} s".format(settings.timeout))
    daemon = found[APPLICATION].value if APPLICATION in found else Daemon(True, None)
    return Sweep(
        engine=found[ENGINE].value if ENGINE in found else silent,
        daemon=daemon if asks_daemon else None,
        answers={name: found[name].value for name in ports if name in found},
        asked=tuple(ports),
        disks=_disks(paths, found, settings.timeout),
        milliseconds={name: round(timed.seconds * 1000) for name, timed in found.items()},
        seconds=time.monotonic() - begun,
    )


def _ports(settings: Settings) -> Dict[str, Callable[[], Answer]]:
    """Service to the question to its port."""
    seconds = min(settings.request_timeout, settings.timeout)
    asked: Dict[str, Callable[[], Answer]] = {}
    for name, health in catalogue.health_endpoints().items():
        asked[name] = _http(health.port, health.path, seconds)
    asked[READY_AGENT] = _http(READY_AGENT_PORT, settings.ready_agent_path, seconds)
    asked[NOMAD] = _http(NOMAD_PORT, NOMAD_LEADER_PATH, seconds)
    asked[CONSOLE] = lambda: probe(CONSOLE_PORT, "/", seconds, tls=True)
    for name, port in TCP_PORTS.items():
        asked[name] = _tcp(port, seconds)
    return asked


def _http(port: int, path: str, seconds: float) -> Callable[[], Answer]:
    return lambda: probe(port, path, seconds, body_limit=BODY_BYTES)


def _tcp(port: int, seconds: float) -> Callable[[], Answer]:
    return lambda: connect(port, seconds)


def _engine(timeout: float) -> Engine:
    if find_program(DOCKER) is None:
        return Engine({}, "Docker is not installed on this host", installed=False)
    try:
        return Engine(read_containers(timeout), "")
    except OpsError as error:
        return Engine({}, error.message)


def _daemon(timeout: float) -> Daemon:
    if find_program(replicated.PROGRAM) is None:
        return Daemon(False, None)
    return Daemon(True, replicated.look(timeout))


def _disk_question(path: str) -> Callable[[], Optional[Tuple[int, Disk]]]:
    return lambda: _disk(path)


def _disk(path: str) -> Optional[Tuple[int, Disk]]:
    """The device of a path, and how full its file system is, as `df` counts it; None when there is no such path."""
    try:
        device = os.stat(path).st_dev
        status = os.statvfs(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return 0, Disk(path, problem=error.strerror or str(error))
    used = status.f_blocks - status.f_bfree
    space = _percent(used, used + status.f_bavail)
    return device, Disk(path, space, _percent(status.f_files - status.f_ffree, status.f_files))


def _percent(used: int, whole: int) -> float:
    """Some file systems count no inodes: then none of them is used."""
    return round(100.0 * used / whole, 1) if whole > 0 else 0.0


def _disks(paths: List[str], found: Mapping[str, _Timed], timeout: float) -> Dict[str, Disk]:
    """Each file system once, under the first of its paths."""
    disks: Dict[str, Disk] = {}
    devices: Dict[int, str] = {}
    for path in paths:
        timed = found.get(DISK_PREFIX + path)
        if timed is None:
            disks[path] = Disk(path, problem="no answer within {0:g} s".format(timeout))
        elif timed.value is not None:
            device, disk = timed.value
            first = path if disk.problem else devices.setdefault(device, path)
            before = disks.get(first)
            disks[first] = disk if before is None else before._replace(also=before.also + (path,))
    return disks
