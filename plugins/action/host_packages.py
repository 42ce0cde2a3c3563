# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of host_packages: sends the package files that are needed, says for whom the host waits."""

from __future__ import annotations

__all__ = ["ActionModule"]

import os
import time
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._package_locks import Holder, lock_error
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_packages import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction

# The host looks at a foreign lock for this long before it tells who holds it.
PATIENCE = 20


class ActionModule(OpsAction):
    """One run of the module, unless files have to be sent or another program works on the packages."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + arguments["lock_timeout"]
        result = self.host(dict(arguments, handover={"look": True, "patience": 0}), task_vars)
        needed = result.pop("needs_files", [])
        paths = {row["name"]: self._find(row["file"]) for row in arguments["packages"] if row["name"] in needed}
        if self.check_mode or result.get("failed") or not (needed or "waiting_for" in result):
            return result
        files = self._send(paths)
        while True:
            left = self._left(result, deadline, arguments["lock_timeout"])
            handover = {"files": files, "patience": min(PATIENCE, left)}
            result = self.host(dict(arguments, handover=handover), task_vars)
            if "waiting_for" not in result:
                return result

    def _left(self, result: dict[str, Any], deadline: float, lock_timeout: int) -> int:
        """Seconds that may still be waited; says for whom."""
        left = max(0, int(deadline - time.monotonic()))
        if "waiting_for" in result:
            holder = Holder(**result["waiting_for"])
            if not left:
                raise lock_error(holder, lock_timeout)
            self.progress(f"waits for {holder}; {left} s are left")
        return left

    def _find(self, name: str) -> str:
        try:
            return str(self._find_needle("files", name))
        except AnsibleError as error:
            raise OpsError(
                "there is no such file on the controller",
                option="packages.file",
                value=name,
                remedy="Put it into files/ of the role or beside the playbook, or give its whole path",
            ) from error

    def _send(self, paths: dict[str, str]) -> dict[str, str]:
        """Package name → path on the host, in the task's private directory, which Ansible removes."""
        if not paths:
            return {}
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        sent = {}
        for name, path in paths.items():
            self.progress(f"sends {os.path.basename(path)}")
            sent[name] = self._transfer_file(path, shell.join_path(shell.tmpdir, name + os.path.splitext(path)[1]))
        self._fixup_perms2([shell.tmpdir, *sent.values()])
        return sent
