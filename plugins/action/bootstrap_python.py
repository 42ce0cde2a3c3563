# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action bootstrap_python: an interpreter for a host that has none, by plain commands and a file transfer."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from typing import Any, BinaryIO

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.urls import open_url

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_bootstrap_python import (
    ARGUMENT_SPEC,
    REQUIREMENTS,
)
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _bootstrap as bootstrap
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction

TIMEOUT = 60


class ActionModule(OpsAction):
    """Compare the marker on the host with the archive, then deliver and try it."""

    ARGUMENT_SPEC = ARGUMENT_SPEC
    REQUIREMENTS = REQUIREMENTS

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        del task_vars
        dest = arguments["dest"].rstrip("/")
        archive, checksum = self._wanted(arguments)
        found = bootstrap.read_answer(self._command(bootstrap.state_script(dest))["stdout"])
        interpreter = bootstrap.interpreter_of(dest)
        result = {"changed": False, "changes": [], "interpreter": interpreter, "version": found.version}
        if found.checksum != checksum or not found.works:
            before = "Python {0}".format(found.version) if found.works else "no interpreter"
            result.update(
                changed=True,
                changes=["{0} installed in {1}".format(os.path.basename(arguments["file"] or arguments["url"]), dest)],
                diff=[
                    {
                        "before": "{0} (sha256:{1})\n".format(before, found.checksum) if found.works else before + "\n",
                        "after": "Python of sha256:{0}\n".format(checksum),
                        "before_header": dest,
                        "after_header": dest,
                    }
                ],
                version="",
            )
            if not self.check_mode:
                result["version"] = self._install(archive or _download(arguments["url"], checksum), dest, checksum)
        self.progress("set for this host: ansible_python_interpreter: {0}".format(interpreter))
        return result

    def _wanted(self, arguments: dict[str, Any]) -> tuple[str, str]:
        """The archive on the controller ("" when it must be downloaded) and its checksum."""
        given = bootstrap.parse_checksum(arguments["checksum"]) if arguments["checksum"] else ""
        if arguments["url"]:
            return "", given
        try:
            path = str(self._find_needle("files", arguments["file"]))
            actual = _sha256(path)
        except (AnsibleError, OSError) as error:
            raise OpsError(
                "the file cannot be read on this controller: {0}".format(error),
                option="bootstrap_python_file",
                value=arguments["file"],
                remedy="Correct the path",
            ) from error
        if given and given != actual:
            raise _wrong_checksum(path, given, actual)
        return path, actual

    def _install(self, archive: str, dest: str, checksum: str) -> str:
        """Deliver the archive, unpack and try it. Returns the version."""
        self.progress("sends {0} ({1:.0f} MB)".format(os.path.basename(archive), os.path.getsize(archive) / 1e6))
        self._make_tmp_path()
        try:
            remote = self._connection._shell.join_path(self._connection._shell.tmpdir, "python.tar")
            self._transfer_file(archive, remote)
            answer = self._command(bootstrap.install_script(remote, dest, checksum))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        found = bootstrap.read_answer(answer["stdout"])
        if answer["rc"] != 0 or found.checksum != checksum:
            raise OpsError(
                "the interpreter could not be installed on this host: {0}".format(_said(answer)),
                option="bootstrap_python_file",
                value=archive,
                remedy="Give a relocatable CPython 3.8 or later for the host's architecture and C library",
            )
        if not found.ssl:
            self.warn("The new interpreter has no ssl: modules that download something will not work with it.")
        return found.version

    def _command(self, script: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._low_level_execute_command(script)
        return answer


def _said(answer: dict[str, Any]) -> str:
    lines = [line for line in (answer["stderr"] + "\n" + answer["stdout"]).splitlines() if line.strip()]
    return "; ".join(lines[:5]) or "exit code {0}".format(answer["rc"])


def _wrong_checksum(what: str, wanted: str, actual: str) -> OpsError:
    return OpsError(
        "{0} has the checksum sha256:{1}".format(what, actual),
        option="bootstrap_python_checksum",
        value="sha256:" + wanted,
        remedy="Get the archive again, or correct the checksum",
    )


def _download(url: str, checksum: str) -> str:
    """The archive on the controller: the first host of a run downloads it, the others wait and take the same file."""
    path = os.path.join(str(C.DEFAULT_LOCAL_TMP), "circleci-server-ops-python-" + checksum)
    with open(path + ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            _fetch(url, checksum, path)
    return path


def _fetch(url: str, checksum: str, path: str) -> None:
    part = path + ".part"
    try:
        with open_url(url, timeout=TIMEOUT) as source, open(part, "wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise OpsError(
            "the download failed: {0}".format(error),
            option="bootstrap_python_url",
            value=url,
            remedy="Correct the URL, or give bootstrap_python_file",
        ) from error
    actual = _sha256(part)
    if actual != checksum:
        os.unlink(part)
        raise _wrong_checksum(url, checksum, actual)
    os.rename(part, path)


def _sha256(path: str) -> str:
    with open(path, "rb") as handle:
        return _digest(handle)


def _digest(handle: BinaryIO) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: handle.read(1024 * 1024), b""):
        digest.update(block)
    return digest.hexdigest()
