# Follows a job that a module has started on its host: progress lines, lost connections, the final result. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["follow_job"]

import time
import uuid
from typing import Any

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction

# One call lasts at most this long, so that a line is shown at least every 30 s.
CALL_SECONDS = 20
# A lost connection is tried again this often in a row: a restart of sshd takes seconds, a change of network a minute.
RECONNECTS = 12
RECONNECT_SECONDS = 5


def follow_job(
    action: OpsAction, arguments: dict[str, Any], task_vars: dict[str, Any], module: str = ""
) -> dict[str, Any]:
    """Run a module that does its work in a detached job (module_utils/_detached.py) and return its result.

    A lost connection is made anew; the job goes on meanwhile. When it stays lost, that error goes to Ansible (the host
    is unreachable), and the next run of the same task joins the job.
    """
    handover: dict[str, Any] = {"mine": uuid.uuid4().hex, "id": "", "seen": 0, "wait": CALL_SECONDS}
    while True:
        result = _call(action, dict(arguments, handover=handover), task_vars, module)
        job = result.pop("job", None)
        if job is None or result.get("failed"):
            return result
        if job.get("joined"):
            action.progress(f"joins {job['name']}, which has been running for {_span(job['seconds'])}")
        _show(action, job)
        handover = dict(handover, id=job["id"], seen=job["seen"])


def _call(action: OpsAction, arguments: dict[str, Any], task_vars: dict[str, Any], module: str) -> dict[str, Any]:
    """One call of the module, by a new connection if the present one is lost."""
    for attempt in range(1, RECONNECTS + 1):
        try:
            result = action.host(arguments, task_vars, module)
            if not _was_killed(result):
                return result
            why = f"the module was killed, exit code {result['rc']}"
        except AnsibleAuthenticationFailure:
            raise
        except AnsibleConnectionFailure as error:
            why = str(error)
        action.progress(f"the connection is lost ({why}); attempt {attempt} of {RECONNECTS} to get it back")
        time.sleep(RECONNECT_SECONDS)
        _reset(action)
    try:
        return action.host(arguments, task_vars, module)
    except AnsibleConnectionFailure:
        action.progress("the connection stays lost; what was begun on the host goes on, and the next run joins it")
        raise


def _was_killed(result: dict[str, Any]) -> bool:
    """A module that a signal ended, as when sshd's process for the session dies: no word of it, a code above 128."""
    return bool(result.get("failed")) and "module_stdout" in result and int(result.get("rc") or 0) > 128


def _reset(action: OpsAction) -> None:
    """Ask for a new connection. One that cannot be reset makes a new one by itself."""
    try:
        action._connection.reset()
    except AnsibleError as error:
        action.progress(f"the connection cannot be reset: {error}")


def _show(action: OpsAction, job: dict[str, Any]) -> None:
    """Each new line of the job; without one what it does, since when, and what is left."""
    left = f"; left: {', '.join(job['left'])}" if job["left"] else ""
    for text in job["messages"][:-1]:
        action.progress(text)
    text = job["messages"][-1] if job["messages"] else job["phase"]
    action.progress(f"{text} ({_span(job['seconds'])}{left})")


def _span(seconds: float) -> str:
    """65.2 as 1 min 5 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
