# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of host_artifact: verifies the controller's file, and sends it when the host needs it."""

from __future__ import annotations

__all__ = ["ActionModule"]

import os
import tempfile
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.module_utils._artifact_source import (
    copy_hashed,
    member_of,
    parse_checksum,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_artifact import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction


class ActionModule(OpsAction):
    """A URL is the host's affair; a file is hashed here, and unpacked here when only one member of it is wanted."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if not arguments["file"]:
            return self.host(dict(arguments, handover={}), task_vars)
        path = self._find(arguments["file"])
        with tempfile.TemporaryDirectory() as directory:
            return self._deliver(arguments, task_vars, path, os.path.join(directory, "member"))

    def _deliver(
        self, arguments: dict[str, Any], task_vars: dict[str, Any], path: str, unpacked: str
    ) -> dict[str, Any]:
        """Ask the host, and send the file when it has to be installed."""
        known = self._verify(arguments, path) if path else {}
        if path and arguments["member"] and arguments["replace"] == "when_content_differs":
            path, known = unpacked, self._unpack(arguments, path, unpacked)
        result = self.host(dict(arguments, handover=known), task_vars)
        needed = result.pop("needs_file", False)
        if not path and (needed or result.get("source")):
            raise OpsError(
                "there is no such file on the controller",
                option="file",
                value=arguments["file"],
                remedy="Put it into files/ of the role or beside the playbook, or give its whole path",
            )
        if not needed:
            return result
        if arguments["member"] and path != unpacked:
            path, known = unpacked, self._unpack(arguments, path, unpacked)
        self.progress(f"sends {os.path.basename(arguments['file'])} ({known['size'] // 1_000_000} MB)")
        return self.host(dict(arguments, handover={**known, "source": self._send(path)}), task_vars)

    def _find(self, name: str) -> str:
        """The file's path, or an empty string: a missing file matters only where it has to be installed."""
        try:
            return str(self._find_needle("files", name))
        except AnsibleError:
            return ""

    def _verify(self, arguments: dict[str, Any], path: str) -> dict[str, Any]:
        """Checksum and size of the controller's file; refuses one that is not the expected."""
        expected = parse_checksum(arguments["checksum"])
        with open(path, "rb") as handle:
            found = copy_hashed(handle, None)
        if expected and found != expected:
            raise OpsError(
                f"the checksum is sha256:{found}, expected is sha256:{expected}; nothing was replaced",
                option="file",
                value=arguments["file"],
                remedy="Get the file anew, or correct checksum when the file is the right one",
            )
        return {"sha256": found, "size": os.path.getsize(path)}

    def _unpack(self, arguments: dict[str, Any], path: str, target: str) -> dict[str, Any]:
        with open(target, "wb") as stream:
            found = member_of(path, arguments["member"], arguments["file"], stream, os.path.dirname(target))
        return {"sha256": found, "size": os.path.getsize(target)}

    def _send(self, path: str) -> str:
        """The file's path on the host, in the task's private directory, which Ansible removes."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        sent = str(self._transfer_file(path, shell.join_path(shell.tmpdir, "artifact")))
        self._fixup_perms2([shell.tmpdir, sent])
        return sent
