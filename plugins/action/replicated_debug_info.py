# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of replicated_debug_info: writes what the host gathered to a folder of the controller."""

from __future__ import annotations

__all__ = ["ActionModule"]

import os
from pathlib import Path
from typing import Any

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import write_atomic
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_debug_info import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction


class ActionModule(OpsAction):
    """The texts go to files, not into the result: nobody wants megabytes of logs in a log."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result = self.host(arguments, task_vars)
        if result.get("failed"):
            return result
        folder = Path(arguments["dest"]).absolute()
        texts = result.pop("files")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.chmod(folder, 0o700)
        except OSError as error:
            raise OpsError(
                f"the folder cannot be made: {error.strerror}",
                "dest",
                str(folder),
                "Give a folder that you may write to",
            ) from error
        for name, text in texts.items():
            write_atomic(str(folder / name), text.encode("utf-8", "surrogateescape"), 0o600)
        return dict(result, files=sorted(str(folder / name) for name in texts))
