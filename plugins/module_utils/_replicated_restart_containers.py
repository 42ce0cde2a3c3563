# The application's containers as a restart sees them: which are up, where they answer, what they said last. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Endpoint", "Seen", "containers", "endpoints", "last_lines", "not_up", "require_engine"]

import json
import time
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_services import clean
from ansible_collections.circleci_server.ops.plugins.module_utils._run import run

DOCKER_TIMEOUT = 60
LOG_LINES = 5
LOOK_SECONDS = 0.5
ROW = (
    '{"id": {{json .Id}}, "name": {{json .Name}}, "image": {{json .Config.Image}}, "state": {{json .State}},'
    ' "ports": {{json .HostConfig.PortBindings}}}'
)
EVERYWHERE = ("", "0.0.0.0", "::")


class Endpoint(NamedTuple):
    """Where something on this host answers by HTTP."""

    name: str
    port: int
    path: str
    tls: bool = False
    address: str = "127.0.0.1"

    def __str__(self) -> str:
        return "{0} ({1}://{2}:{3}{4})".format(
            self.name, "https" if self.tls else "http", self.address, self.port, self.path
        )


class Seen(NamedTuple):
    """A container of this host.

    name:      its name in the catalogue; Docker's where the catalogue has none.
    docker:    Docker's name for it.
    status:    created, running, restarting, exited, …
    identity:  Docker's id of it.
    pid:       its process, 0 when it does not run.
    exit_code: of its last run.
    bindings:  host port to the address that it is published on.
    """

    name: str
    docker: str
    status: str
    pid: int
    exit_code: int
    bindings: Dict[int, str]
    identity: str
    known: Optional[catalogue.Container] = None

    @property
    def up(self) -> bool:
        """Whether it is as it should be: it runs, or it runs once and has ended well."""
        done = self.known is not None and self.known.runs_once and self.status == "exited" and self.exit_code == 0
        return self.status == "running" or done


def require_engine(timeout: float) -> None:
    """Wait until Docker answers. Raises OpsError when timeout (seconds) passes, with what it said last."""
    until = time.monotonic() + timeout
    while True:
        said = ""
        try:
            done = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=max(1.0, min(20.0, timeout)))
            if done.rc == 0:
                return
            said = done.stderr.strip() or "exit code {0}".format(done.rc)
        except OpsError as error:
            said = error.message
        if time.monotonic() + LOOK_SECONDS >= until:
            raise _engine_silent(said)
        time.sleep(LOOK_SECONDS)


def containers() -> List[Seen]:
    """All containers of this host. Raises OpsError when Docker does not answer."""
    identities = _docker("container", "ls", "--all", "--quiet", "--no-trunc").split()
    if not identities:
        return []
    # One that is removed between the two calls is no error: the others are printed all the same.
    text = run(["docker", "container", "inspect", "--format", ROW] + identities, timeout=DOCKER_TIMEOUT).stdout
    rows = []
    for line in text.splitlines():
        if line.strip():
            rows.append(_seen(json.loads(line)))
    return rows


def _seen(row: Dict[str, Any]) -> Seen:
    name = str(row["name"]).lstrip("/")
    known = catalogue.resolve(name) or catalogue.by_image(str(row["image"]))
    bindings = {}
    for published in (row["ports"] or {}).values():
        for place in published or []:
            if str(place.get("HostPort", "")).isdigit():
                address = str(place.get("HostIp") or "")
                bindings[int(place["HostPort"])] = "127.0.0.1" if address in EVERYWHERE else address
    state = row["state"]
    return Seen(
        known.name if known is not None else name,
        name,
        str(state.get("Status", "")),
        int(state.get("Pid") or 0),
        int(state.get("ExitCode") or 0),
        bindings,
        str(row["id"]),
        known,
    )


def endpoints(seen: Iterable[Seen], ran_before: Sequence[str]) -> List[Endpoint]:
    """The health endpoints of the guide that this installation has: of containers that run or ran before.

    Only those that the container publishes; an old container that did not run anyway has none.
    """
    found = []
    for container in seen:
        health = container.known.health if container.known is not None else None
        if health is None or health.port not in container.bindings:
            continue
        if container.status == "running" or container.name in ran_before:
            address = container.bindings[health.port]
            found.append(Endpoint(container.name, health.port, health.path, address=address))
    return found


def not_up(seen: Sequence[Seen], ran_before: Sequence[str]) -> List[Tuple[str, str, str]]:
    """Containers of the catalogue that should run and do not: name, Docker's name ("": it is gone), its state."""
    rows = [
        (container.name, container.docker, "{0}, exit code {1}".format(container.status, container.exit_code))
        for container in seen
        if container.known is not None and not container.up
    ]
    present = {container.name for container in seen}
    gone = [name for name in ran_before if name not in present and catalogue.resolve(name) is not None]
    return rows + [(name, "", "it does not exist") for name in gone]


def last_lines(name: str) -> List[str]:
    """The last lines that a container wrote; what Docker says instead when it has none to give."""
    try:
        done = run(["docker", "logs", "--tail", str(LOG_LINES), name], timeout=DOCKER_TIMEOUT)
    except OpsError as error:
        return [error.message]
    lines = [clean(line) for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    return lines[-LOG_LINES:]


def _docker(*arguments: str) -> str:
    done = run(["docker"] + list(arguments), timeout=DOCKER_TIMEOUT)
    if done.rc != 0:
        raise _engine_silent(done.stderr.strip() or "exit code {0}".format(done.rc))
    return done.stdout


def _engine_silent(said: str) -> OpsError:
    return OpsError(
        "Docker does not answer: {0}".format(clean(said)),
        remedy="See `systemctl status docker` and `journalctl -u docker`; what is owed stays on record, run again when "
        "Docker answers",
    )
