# The builds that run on the Nomad clients, read from the server, and a wait until none does. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Build", "as_rows", "running_builds", "wait_for_none"]

import http.client
import json
import time
import urllib.request
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

# One look; a blocking query gets this beside its own time (Nomad adds up to a sixteenth to that).
LOOK_SECONDS = 10.0
BLOCKING_SECONDS = 60
PAUSE_SECONDS = 0.5
AT_WORK = ("pending", "running")


class Build(NamedTuple):
    """An allocation of a batch job that runs or is about to; since: UTC, empty when Nomad does not say it."""

    job: str
    allocation: str
    node: str
    since: str


def running_builds(url: str, timeout: float = LOOK_SECONDS) -> List[Build]:
    """The builds that run or wait for their start now, by job. Raises OpsError when the server does not answer."""
    return _look(url, "/v1/allocations", timeout)[0]


def wait_for_none(url: str, timeout: float, progress: Callable[[List[Build]], None]) -> List[Build]:
    """Wait until no build runs, by blocking queries; the builds that still run when timeout (seconds) has passed.

    progress: called with the builds whenever they change. Raises OpsError when the server is silent at the end.
    """
    until = time.monotonic() + timeout
    index, before = "0", [Build("", "", "", "")]
    silent: Optional[OpsError] = None
    while True:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            wait = max(1, min(BLOCKING_SECONDS, int(left)))
            builds, index = _look(url, "/v1/allocations?index={0}&wait={1}s".format(index, wait), wait * 17 / 16)
            silent = None
        except OpsError as error:
            silent, index = error, "0"
            time.sleep(min(PAUSE_SECONDS, left))
            continue
        if not builds:
            return []
        if builds != before:
            progress(builds)
        before = builds
    if silent is not None:
        raise silent
    return running_builds(url)


def as_rows(builds: Sequence[Build]) -> List[Dict[str, str]]:
    """Builds as plain dictionaries, for a module's result."""
    return [dict(build._asdict()) for build in builds]


def _look(url: str, path: str, timeout: float) -> Tuple[List[Build], str]:
    allocations, index = _get(url, path, timeout + LOOK_SECONDS)
    at_work = [row for row in allocations if row.get("ClientStatus") in AT_WORK and row.get("DesiredStatus") == "run"]
    if not at_work:
        return [], index
    # The list of allocations names no types in Nomad 0.5 - 0.9. A job that is gone from the list of jobs while its
    # allocation runs counts as a build: what it was is not known.
    types = {row.get("ID"): row.get("Type") for row in _get(url, "/v1/jobs", LOOK_SECONDS)[0]}
    builds = [_build(row) for row in at_work if types.get(row.get("JobID"), "batch") == "batch"]
    return sorted(builds), index


def _build(row: Dict[str, Any]) -> Build:
    tasks = row.get("TaskStates") or {}
    started = sorted(str(task.get("StartedAt") or "") for task in tasks.values() if task.get("StartedAt"))
    since = started[0] if started and not started[0].startswith("0001") else _moment(row.get("CreateTime"))
    return Build(
        str(row.get("JobID", "")), str(row.get("ID", "")), str(row.get("NodeName") or row.get("NodeID", "")), since
    )


def _moment(nanoseconds: Any) -> str:
    if not isinstance(nanoseconds, int) or nanoseconds <= 0:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanoseconds // 1_000_000_000))


def _get(url: str, path: str, timeout: float) -> Tuple[List[Dict[str, Any]], str]:
    """One answer and its index. No proxy: the server is the installation's own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url.rstrip("/") + path, timeout=timeout) as answer:
            rows = json.loads(answer.read().decode("utf-8"))
            index = answer.headers.get("X-Nomad-Index", "0")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _silent(url, path, str(error)) from error
    if not isinstance(rows, list):
        raise _silent(url, path, "the answer is no list")
    return rows, index


def _silent(url: str, path: str, why: str) -> OpsError:
    return OpsError(
        "Nomad does not say which builds run: {0}: {1}".format(path.partition("?")[0], why),
        option="nomad_url",
        value=url,
        remedy="Look whether the container nomad runs and whether the address is right",
    )
