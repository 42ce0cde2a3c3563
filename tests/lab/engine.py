# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The container engine under the lab: one that already answers, otherwise one of the lab's own.

The lab's own dockerd has its own data root, run directory, socket and pid file, touches neither iptables nor sysctls
(the lab's network is internal), and is started in a session of its own.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.places import ENGINE_DATA, RUN, STATE
from tests.lab.report import LabError, step
from tests.lab.shell import attempt, run

__all__ = ["CGROUP", "OWN_SOCKET", "Engine", "connect", "find", "own_processes", "start_own", "stop_own"]

OWN_SOCKET = f"unix://{RUN}/docker.sock"
NAMESPACE = "circleci-lab"
CGROUP = "circleci-lab"
MACHINE_SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True)
class Engine:
    """An engine that answers at `address`; `own` when the lab started it."""

    address: str
    own: bool

    def __call__(self, *arguments: str, timeout: float = 120, stdin: bytes | None = None) -> str:
        """Run `docker ARGUMENTS` on this engine; its standard output."""
        return run([_client(), *arguments], env={"DOCKER_HOST": self.address}, timeout=timeout, stdin=stdin)

    def attempt(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run `docker ARGUMENTS`, whatever its exit code."""
        return attempt([_client(), *arguments], env={"DOCKER_HOST": self.address}, timeout=timeout)

    def has_image(self, tag: str) -> bool:
        """Whether the image is there."""
        return self.attempt("image", "inspect", tag).returncode == 0


def _client() -> str:
    # Another `docker` earlier on the PATH may be newer than the engine or know other contexts.
    debian = Path("/usr/bin/docker")
    return str(debian) if debian.exists() else shutil.which("docker") or str(debian)


def find() -> Engine | None:
    """The engine that answers now: the lab's own, DOCKER_HOST's, the machine's; None when none does."""
    named = os.environ.get("DOCKER_HOST")
    if _answers(OWN_SOCKET):
        return Engine(OWN_SOCKET, own=True)
    if named:
        if not Path(_client()).exists():
            raise LabError("DOCKER_HOST is set but there is no docker client; install docker.io or unset it")
        if not _answers(named):
            raise LabError(f"DOCKER_HOST={named} does not answer; start that engine or unset the variable")
        return Engine(named, own=False)
    address = f"unix://{MACHINE_SOCKET}"
    return Engine(address, own=False) if MACHINE_SOCKET.exists() and _answers(address) else None


def connect() -> Engine:
    """An engine that answers; starts the lab's own when there is none."""
    with step("engine") as current:
        engine = find()
        current.note = "the lab's own, running" if engine and engine.own else "the machine's own"
        if engine is None:
            stop_own()  # what a killed start may have left: an engine that does not answer
            engine = start_own()
            current.note = "the lab's own, started"
    return engine


def _answers(address: str) -> bool:
    if address.startswith("unix://") and not Path(address.removeprefix("unix://")).exists():
        return False
    if not Path(_client()).exists():
        return False
    return attempt([_client(), "version"], env={"DOCKER_HOST": address}, timeout=20).returncode == 0


def start_own() -> Engine:
    """Start the lab's own dockerd and wait until it answers."""
    dockerd = shutil.which("dockerd", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
    if dockerd is None:
        raise LabError("no dockerd on this machine and docker.io is not installed")
    for folder in (RUN, ENGINE_DATA, STATE):
        folder.mkdir(parents=True, exist_ok=True)
    (RUN / "docker.pid").unlink(missing_ok=True)
    (RUN / "docker.sock").unlink(missing_ok=True)
    argv = [
        dockerd, "--host", OWN_SOCKET, "--pidfile", str(RUN / "docker.pid"),
        "--data-root", str(ENGINE_DATA), "--exec-root", str(RUN / "exec"),
        "--containerd-namespace", NAMESPACE, "--containerd-plugins-namespace", f"{NAMESPACE}-plugins",
        "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{CGROUP}",
        "--bridge", "none", "--iptables=false", "--ip-masq=false", "--ip-forward=false", "--userland-proxy=false",
        "--config-file", str(RUN / "no-daemon.json"), "--log-level", "warn",
    ]  # fmt: skip
    (RUN / "no-daemon.json").write_text("{}\n")
    # dockerd looks for iptables and for its own helpers on the PATH.
    environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    environment.pop("DOCKER_HOST", None)
    with open(STATE / "engine.log", "ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment, cwd="/"
        )
    _wait_until_it_answers(process)
    return Engine(OWN_SOCKET, own=True)


def _wait_until_it_answers(process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    ended = os.pidfd_open(process.pid)
    try:
        while not _answers(OWN_SOCKET):
            # The end of the process is the event that is waited for; its socket announces nothing.
            if select.select([ended], [], [], 0.1)[0]:
                raise LabError(f"dockerd ended at once; it said (.lab/engine.log):\n{_log_end()}")
            if time.monotonic() > deadline:
                raise LabError(f"dockerd did not answer within {seconds:g} s; it said (.lab/engine.log):\n{_log_end()}")
    finally:
        os.close(ended)


def _log_end() -> str:
    return "\n".join("  " + line for line in (STATE / "engine.log").read_text("utf-8", "replace").splitlines()[-10:])


def own_processes() -> dict[int, str]:
    """Processes of the lab's own engine, pid to command line: dockerd, its containerd and the containers' shims."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it ended in the meantime
        name = Path(words[0]).name
        ours = any(word.startswith((str(RUN), str(ENGINE_DATA))) or word in (NAMESPACE, OWN_SOCKET) for word in words)
        if ours and name.startswith(("dockerd", "containerd", "docker-proxy", "runc")):
            found[int(entry.name)] = " ".join(words).strip()
    return found


def _contained() -> Iterator[int]:
    """Processes in containers of the lab's own engine, by the control group that it puts them into."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"/{CGROUP}/" in (entry / "cgroup").read_text():
                yield int(entry.name)
        except OSError:
            continue  # it ended in the meantime


def stop_own() -> None:
    """End the lab's own engine, all of its processes, and whatever a killed one left mounted."""
    processes = own_processes()
    daemons = [pid for pid, line in processes.items() if Path(line.split()[0]).name == "dockerd"]
    _end(daemons, signal.SIGTERM, 30)
    _end(list(own_processes()), signal.SIGKILL, 10)
    # A container outlives a shim that was killed; the end of its first process is the end of all in it.
    _end(list(_contained()), signal.SIGKILL, 10)
    _unmount()
    shutil.rmtree(RUN, ignore_errors=True)


def _end(pids: list[int], number: signal.Signals, seconds: float) -> None:
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            signal.pidfd_send_signal(handle, number)
            select.select([handle], [], [], seconds)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def _unmount() -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    for point in reversed(points):
        if any(Path(point).is_relative_to(place) for place in (RUN, ENGINE_DATA)):
            run(["umount", "--lazy", point])
