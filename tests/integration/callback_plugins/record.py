# Callback of the tests: one JSON line a task result, so that tests compare runs by (host, task) and count module runs.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: Record each task result as a JSON line
description:
  - Writes to the file that the environment variable RECORD_FILE names; without it nothing is recorded.
  - Where RECORD_KILL_AT names a task ("HOST|end of the task's name"), the run is killed when that task has reported,
    before the next one can start.
"""

# Actions that run on the controller alone: they cost no module run on a host.
CONTROLLER_ACTIONS = {"assert", "debug", "fail", "include_tasks", "meta", "set_fact", "validate_argument_spec"}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"

    def v2_runner_on_ok(self, result: Any, **_kwargs: Any) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False, **_kwargs: Any) -> None:
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any, **_kwargs: Any) -> None:
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any, **_kwargs: Any) -> None:
        self._record(result, "unreachable")

    def _record(self, result: Any, status: str) -> None:
        path = os.environ.get("RECORD_FILE")
        if not path:
            return
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        facts = getattr(result, "result", None) or result._result
        action = str(task.action).rsplit(".", 1)[-1]
        row = {
            "host": str(host),
            "task": task.get_name(),
            "action": action,
            "status": status,
            "changed": bool(facts.get("changed", False)),
            "module_run": status != "skipped" and action not in CONTROLLER_ACTIONS,
            "msg": str(facts.get("msg", "")),
        }
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")
        self._kill(str(host), task.get_name())

    def _kill(self, host: str, task: str) -> None:
        """SIGKILL ansible-playbook and all its forks at the named point."""
        wanted_host, _bar, wanted_task = os.environ.get("RECORD_KILL_AT", "").partition("|")
        if wanted_task and host == wanted_host and task.endswith(wanted_task):
            os.killpg(os.getpgid(0), signal.SIGKILL)
