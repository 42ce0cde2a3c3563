# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of circleci_health_info: a long wait is cut into short calls, and says what is still sick."""

from __future__ import annotations

__all__ = ["ActionModule"]

import time
from typing import Any

from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_health_info import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction

# A module's output comes when it ends: one call waits at most this long, so that a line is shown every 30 s or sooner.
CALL_SECONDS = 15
NAMED = 8


class ActionModule(OpsAction):
    """One call when nothing is to be waited for, or when nothing is sick."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        begun = time.monotonic()
        wait = arguments["wait"]
        left, sweeps = wait, 0
        while True:
            # A wait below 0 is for the module to refuse.
            result = self.host(dict(arguments, wait=min(left, CALL_SECONDS)), task_vars)
            left = wait - (time.monotonic() - begun)
            sweeps += result.get("sweeps", 0)
            if result.get("failed") or not result["sick"] or not result["installed"] or self.check_mode or left <= 0:
                break
            self.progress(f"{self._still(result['sick'])}; {left:.0f} s are left")
        if "waited" in result and sweeps > result["sweeps"]:
            result.update(sweeps=sweeps, waited=round(max(0.0, time.monotonic() - begun - result["seconds"]), 1))
        return result

    @staticmethod
    def _still(sick: list[str]) -> str:
        more = f" and {len(sick) - NAMED} more" if len(sick) > NAMED else ""
        return f"still sick: {', '.join(sick[:NAMED])}{more}"
