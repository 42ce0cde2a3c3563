# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of replicated_restart: follows the restart on the host, also over a lost connection."""

from __future__ import annotations

__all__ = ["ActionModule"]

from typing import Any

from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_restart import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction
from ansible_collections.circleci_server.ops.plugins.plugin_utils._follow import follow_job


class ActionModule(OpsAction):
    """Short calls of the module until its job has ended."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        return follow_job(self, arguments, task_vars)
