# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of replicated_install: looks at files that will be sent, follows the job on the host."""

from __future__ import annotations

__all__ = ["ActionModule"]

from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_install import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction
from ansible_collections.circleci_server.ops.plugins.plugin_utils._follow import follow_job

# What a licence is like is not public. What is certainly none: a web page, a PEM file, a disk image.
LICENSE_LIMIT = 1024 * 1024
NO_LICENSE = {b"<": "it is a web page", b"-----BEGIN": "it is a PEM file"}


class ActionModule(OpsAction):
    """Everything that is wrong with a file of the controller is said before anything is written on the host."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = follow_job(self, arguments, task_vars)
        if arguments["phase"] == "look" and not result.get("failed") and not result["installed"]:
            self._look_at_license(arguments["license_file"])
            self._find("airgap_file", arguments["airgap_file"])
        return result

    def _look_at_license(self, name: str) -> None:
        path = self._find("license_file", name)
        if not path:
            return
        with open(path, "rb") as handle:
            content = handle.read(LICENSE_LIMIT + 1)
        why = next((why for start, why in NO_LICENSE.items() if content.lstrip().startswith(start)), "")
        if not content.strip():
            why = "it is empty"
        elif len(content) > LICENSE_LIMIT:
            why = f"it is larger than {LICENSE_LIMIT // 1024} KB"
        if why:
            raise OpsError(
                f"is no licence: {why}",
                option="license_file",
                value=name,
                remedy="Give the .rli file that CircleCI sent you, as it came",
            )

    def _find(self, option: str, name: str) -> str:
        if not name:
            return ""
        try:
            return str(self._find_needle("files", name))
        except AnsibleError as error:
            raise OpsError(
                "there is no such file on the controller",
                option=option,
                value=name,
                remedy="Put it into files/ of the role or beside the playbook, or give its whole path",
            ) from error
