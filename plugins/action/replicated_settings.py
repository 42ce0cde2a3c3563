# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of replicated_settings: reads files, checks all values, tells while the host waits."""

from __future__ import annotations

__all__ = ["ActionModule"]

import base64
import binascii
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import not_ready
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import (
    entries_of,
    requested,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_settings import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction

# The host looks at a daemon that is not ready for this long before it says so.
PATIENCE = 20
NOT_CONTENT = ("path", "name")


class ActionModule(OpsAction):
    """One run of the module, unless Replicated's daemon is not ready yet."""

    # Of secret files the contents are secret. Paths and names are shown, so that a message can name them; as secrets
    # they would also censor every text that they stand in, such as the item's own name.
    ARGUMENT_SPEC = {**ARGUMENT_SPEC, "secret_files": {**ARGUMENT_SPEC["secret_files"], "no_log": False}}

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """As the base does it, with the contents of secret files kept secret from the first moment."""
        self.add_secrets(*_contents(self._task.args.get("secret_files")))
        return super().run(tmp, task_vars)

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.add_secrets(*_contents(arguments["secret_files"]))
        names: dict[str, Any] = {}
        sent = dict(arguments)
        for option in ("files", "secret_files"):
            files = arguments[option]
            sent[option] = {item: self._file(option, str(item), value, names) for item, value in files.items()}
        requested(sent)
        return self._run_when_ready(sent, names, task_vars)

    def _run_when_ready(self, sent: dict[str, Any], names: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + sent["ready_timeout"]
        patience = min(PATIENCE, sent["ready_timeout"])
        while True:
            handover = {"file_names": names, "patience": patience}
            result = self.host({**sent, "handover": handover}, task_vars)
            problem = result.get("waiting_for")
            if problem is None:
                return result
            patience = min(PATIENCE, int(deadline - time.monotonic()))
            if patience <= 0:
                raise not_ready(problem, sent["ready_timeout"])
            self.progress(f"waits for Replicated's daemon ({problem}); {int(deadline - time.monotonic())} s are left")

    def _file(self, option: str, item: str, value: Any, names: dict[str, Any]) -> Any:
        """A file item with its contents as base64; its files' names go into `names`, which is no secret."""
        entries = [self._entry(f"{option}.{item}", entry) for entry in entries_of(value)]
        names[item] = [
            [_name(item, given), bool(isinstance(given, Mapping) and given.get("name"))] for given in entries_of(value)
        ]
        if option == "secret_files":
            self.add_secrets(*_contents({item: entries}))
        return entries if isinstance(value, (list, tuple)) else entries[0]

    def _entry(self, option: str, entry: Any) -> Any:
        """The entry without path and name. One that cannot be right stays as it is: the check of all refuses it."""
        if not isinstance(entry, Mapping):
            return entry
        content, path = entry.get("content"), entry.get("path")
        rest = {key: value for key, value in entry.items() if value is not None and key != "name"}
        if isinstance(path, str) and set(rest) == {"path"}:
            return {"content_base64": _encoded(self._read(option, path))}
        if isinstance(content, str) and set(rest) == {"content"}:
            return {"content_base64": _encoded(content.encode("utf-8"))}
        return dict(entry)

    def _find(self, option: str, path: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as error:
            raise OpsError(
                "there is no such file on the controller",
                option=option + ".path",
                value=path,
                remedy="Put it into files/ of the role or beside the playbook, or give its whole path",
            ) from error

    def _read(self, option: str, path: str) -> bytes:
        found = self._find(option, path)
        try:
            real = self._loader.get_real_file(found)  # decrypted, where it is vaulted
            with open(real, "rb") as handle:
                content = handle.read()
        except (AnsibleError, OSError) as error:
            raise OpsError(
                f"cannot be read on the controller: {error}",
                option=option + ".path",
                value=path,
                remedy="Name a file that you may read; for a vaulted one give Ansible its password",
            ) from error
        self._loader.cleanup_tmp_file(real)
        return content


def _name(item: str, entry: Any) -> str:
    """The name that was asked for, else that of the path, else the item's."""
    given = entry if isinstance(entry, Mapping) else {}
    return str(given.get("name") or os.path.basename(str(given.get("path") or "")) or item)


def _contents(files: Any) -> Iterator[Any]:
    """All of a dictionary of files that is content; of what is no such dictionary, everything."""
    if not isinstance(files, Mapping):
        yield files
        return
    for value in files.values():
        for entry in entries_of(value):
            if not isinstance(entry, Mapping):
                yield entry
                continue
            yield [part for key, part in entry.items() if key not in NOT_CONTENT]
            yield _decoded(entry.get("content_base64"))


def _decoded(encoded: Any) -> bytes | None:
    try:
        return base64.b64decode(str(encoded), validate=False) if encoded is not None else None
    except (binascii.Error, ValueError):
        return None


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
