# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of host_files: renders templates and reads sources, then runs the module once."""

from __future__ import annotations

__all__ = ["ActionModule"]

import base64
import os
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._host_files import text_of
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_files import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction
from ansible_collections.circleci_server.ops.plugins.plugin_utils._compat import RENDER_ERRORS, render_template


class ActionModule(OpsAction):
    """Sends every file's content as base64, so that the host sees neither templates nor paths of the controller."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        sent = dict(arguments)
        for option, secret in (("files", False), ("secret_files", True)):
            sent[option] = [self._with_content(entry, secret, task_vars) for entry in arguments[option]]
        return self.host(sent, task_vars)

    def _with_content(self, entry: dict[str, Any], secret: bool, task_vars: dict[str, Any]) -> dict[str, Any]:
        content = self._content(entry, secret, task_vars)
        if content is None:
            return entry
        encoded = base64.b64encode(content).decode("ascii")
        if secret:
            self.add_secrets(content, encoded)
        return {
            **entry,
            "content": None,
            "template": None,
            "source": None,
            "content_base64": encoded,
        }

    def _content(self, entry: dict[str, Any], secret: bool, task_vars: dict[str, Any]) -> bytes | None:
        dest = entry["dest"]
        if entry["content"] is not None:
            return text_of(entry["content"], dest).encode("utf-8")
        if entry["template"] is not None:
            return self._render(entry["template"], dest, secret, task_vars).encode("utf-8")
        if entry["source"] is not None:
            return self._read(self._find("files", "source", entry["source"], dest))
        return None

    def _render(self, name: str, dest: str, secret: bool, task_vars: dict[str, Any]) -> str:
        path = self._find("templates", "template", name, dest)
        try:
            text = self._read(path).decode("utf-8")
            rendered = render_template(self._templar, text, task_vars, self._search_path(path, task_vars))
        except UnicodeDecodeError as error:
            raise OpsError(f"{dest}: the template is not UTF-8 text", "template", name, "Save it as UTF-8") from error
        except RENDER_ERRORS as error:
            # What is undefined is a name; what else went wrong may be told with a value of the file.
            shown = str(error) if not secret or isinstance(error, AnsibleUndefinedVariable) else type(error).__name__
            raise OpsError(
                f"{dest}: the template cannot be rendered: {shown}",
                option="template",
                value=name,
                remedy="Set the variable, or correct the template",
            ) from error
        return str(rendered)

    def _find(self, directory: str, option: str, name: str, dest: str) -> str:
        try:
            return str(self._find_needle(directory, name))
        except AnsibleError as error:
            raise OpsError(
                f"{dest}: there is no such file on the controller: {error}",
                option=option,
                value=name,
                remedy=f"Put it into {directory}/ of the role or beside the playbook, or give its whole path",
            ) from error

    def _read(self, path: str) -> bytes:
        real = self._loader.get_real_file(path)  # decrypted, where it is vaulted
        try:
            with open(real, "rb") as handle:
                return handle.read()
        finally:
            self._loader.cleanup_tmp_file(real)

    def _search_path(self, path: str, task_vars: dict[str, Any]) -> list[str]:
        roots = [*task_vars.get("ansible_search_path", []), self._loader.get_basedir(), os.path.dirname(path)]
        return [place for root in roots for place in (os.path.join(root, "templates"), root)]
