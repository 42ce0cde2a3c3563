# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For the benchmarks: the seconds from the start of each task to the start of the next one, as JSON lines.

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: clock
type: aggregate
short_description: Record the seconds of each task
description: Appends to the file that the environment variable CLOCK_FILE names; without it nothing is recorded.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "clock"

    def __init__(self) -> None:
        super().__init__()
        self._task = "start of the first play"
        self._begun = time.perf_counter()

    def v2_playbook_on_task_start(self, task: Any, **_kwargs: Any) -> None:
        self._next(task.get_name())

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        self._next("")

    def _next(self, task: str) -> None:
        now = time.perf_counter()
        path = os.environ.get("CLOCK_FILE")
        if path:
            with open(path, "a", encoding="utf-8") as handle:
                handle.write(json.dumps({"task": self._task, "seconds": now - self._begun}) + "\n")
        self._task, self._begun = task, now
