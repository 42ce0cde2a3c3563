# The containers of this host, running or not, by their name in the catalogue; what their state says of them. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["State", "read_containers", "trouble", "words"]

import calendar
import json
import time
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed, run

# Only these: the whole of `docker inspect` has each container's environment, secrets included.
FORMAT = "{{json .Name}}\t{{json .Config.Image}}\t{{.RestartCount}}\t{{json .State}}"
# A container may be removed between the list and the look at it; then both are done again.
ATTEMPTS = 3
# Docker takes a container that has run for so long out of its back-off; one that is younger may still be in a loop.
SETTLED_SECONDS = 10


class State(NamedTuple):
    """One container as `docker inspect` tells it.

    name:          Docker's name of it.
    image:         as it was given when the container was created.
    status:        created, running, paused, restarting, removing, exited or dead.
    exit_code:     of its last end.
    out_of_memory: it, or a process in it, was killed for memory.
    restarts:      how often Docker has started it again by itself.
    health:        of its own health check: "" (it has none), starting, healthy, unhealthy.
    since:         seconds since it was started or ended; None when Docker does not say.
    """

    name: str
    image: str
    status: str
    exit_code: int = 0
    out_of_memory: bool = False
    restarts: int = 0
    health: str = ""
    since: Optional[float] = None

    @property
    def restarting(self) -> bool:
        """Whether it is started again and again."""
        young = self.since is not None and self.since < SETTLED_SECONDS
        return self.status == "restarting" or (self.status == "running" and self.restarts > 0 and young)


def read_containers(timeout: float) -> Dict[str, State]:
    """The containers by name: the catalogue's where it knows one, else their own.

    Raises OpsError when Docker is not there, does not answer within timeout (seconds), or answers nonsense.
    """
    deadline = time.monotonic() + timeout
    failure = ""
    for _attempt in range(ATTEMPTS):
        listed = _docker(["container", "ls", "--all", "--quiet", "--no-trunc"], deadline)
        if listed.rc != 0:
            raise OpsError("docker container ls failed: {0}".format(_last_line(listed.stderr)))
        identities = listed.stdout.split()
        if not identities:
            return {}
        seen = _docker(["container", "inspect", "--format", FORMAT, *identities], deadline)
        if seen.rc == 0:
            return _by_name([_state(line) for line in seen.stdout.splitlines() if line.strip()])
        failure = _last_line(seen.stderr)
    raise OpsError("docker container inspect failed: {0}".format(failure))


def trouble(state: State, runs_once: bool = False) -> str:
    """What is wrong with a container by its state alone, in words; "" for nothing."""
    if runs_once and state.status == "exited":
        return "" if state.exit_code == 0 else words(state)
    if state.restarting or state.status != "running" or state.health in ("unhealthy", "starting"):
        return "" if runs_once and state.status == "created" else words(state)
    return ""


def words(state: State) -> str:
    """A container's state as one reads it."""
    parts = [_status_words(state)]
    if state.restarts and state.status != "restarting":
        parts.append("Docker restarted it {0} times".format(state.restarts))
    if state.out_of_memory:
        parts.append("out of memory" if state.status != "running" else "a process in it was killed for memory")
    if state.health == "unhealthy":
        parts.append("its own health check fails")
    elif state.health == "starting":
        parts.append("its own health check has not passed yet")
    return ", ".join(parts)


def _status_words(state: State) -> str:
    age = "" if state.since is None else _span(state.since)
    if state.status == "running":
        return "up for {0}".format(age) if age else "up"
    if state.status == "restarting":
        return "restarts again and again ({0} times), last exit code {1}".format(state.restarts, state.exit_code)
    if state.status in ("exited", "dead"):
        return "{0} with code {1}{2}".format(state.status, state.exit_code, " {0} ago".format(age) if age else "")
    if state.status == "created":
        return "created, never started"
    return state.status


def _docker(arguments: List[str], deadline: float) -> Completed:
    return run(["docker", *arguments], timeout=max(0.1, deadline - time.monotonic()))


def _by_name(states: List[State]) -> Dict[str, State]:
    found: Dict[str, State] = {}
    for state in states:
        known = catalogue.resolve(state.name) or catalogue.by_image(state.image)
        key = known.name if known is not None else state.name
        # Two containers of one service (an old one, renamed): the one that runs counts.
        if key not in found or (state.status == "running" and found[key].status != "running"):
            found[key] = state
    return found


def _state(line: str) -> State:
    try:
        name, image, restarts, text = line.split("\t", 3)
        about = json.loads(text)
        ended = about["Status"] in ("exited", "dead")
        return State(
            name=str(json.loads(name)).lstrip("/"),
            image=str(json.loads(image)),
            status=str(about["Status"]),
            exit_code=int(about.get("ExitCode") or 0),
            out_of_memory=bool(about.get("OOMKilled")),
            restarts=int(restarts),
            health=_health(about),
            since=_since(about.get("FinishedAt" if ended else "StartedAt")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpsError("docker container inspect printed something else than was asked for") from error


def _health(about: Dict[str, Any]) -> str:
    status = (about.get("Health") or {}).get("Status") or ""
    return "" if status == "none" else str(status)


def _since(moment: Any) -> Optional[float]:
    """Seconds since one of Docker's moments (UTC); None for the year 1, by which Docker says "never"."""
    try:
        then = calendar.timegm(time.strptime(str(moment)[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None
    return max(0.0, time.time() - then) if then > 0 else None


def _span(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return "{0:.0f} {1}".format(seconds // length, unit)
    return "{0:.0f} s".format(seconds)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
