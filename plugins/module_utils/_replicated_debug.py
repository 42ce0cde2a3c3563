# Gathers what the guide's chapter on debugging Replicated asks for (L1978-2267), without secrets. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["gather"]

import os
from collections import deque
from typing import Any, Dict, List, Mapping, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._redact import redact, secret_values
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run

# A file of the folder, and the commands whose output it holds. `replicated` is an alias for a program in the container
# (facts 4), reached without a terminal.
INSIDE = ["docker", "exec", "-i", "replicated", "replicated"]
UNITS = ["replicated-ui", "replicated", "replicated-operator"]
COMMANDS: Dict[str, List[List[str]]] = {
    "1-version.txt": [["replicatedctl", "version"], INSIDE + ["-version"], ["docker", "version"]],
    "2-services.txt": [
        ["systemctl", "show", "-p", "Id,ActiveState,SubState,NRestarts,ExecMainStatus,ActiveEnterTimestamp"] + UNITS,
        [
            "journalctl",
            "--no-pager",
            "-n",
            "200",
            "-u",
            "replicated",
            "-u",
            "replicated-ui",
            "-u",
            "replicated-operator",
        ],
    ],
    "3-apps.txt": [
        INSIDE + ["apps"],
        ["replicatedctl", "app", "status"],
        ["replicatedctl", "system", "status"],
        ["replicatedctl", "task", "ls"],
    ],
    "5-containers.txt": [
        ["docker", "ps", "--all", "--no-trunc"],
        ["docker", "system", "df"],
        ["df", "-h"],
        ["df", "-i"],
    ],
}
LOGS = "4-logs.txt"
SETTINGS = "settings.json"
LOG_BYTES = 8 * 1024 * 1024
UNAUTHORIZED = "request returned Unauthorized for API route"


def gather(options: Mapping[str, Any]) -> Dict[str, Any]:
    """File name to text, all redacted; notes: what a person should know. Nothing on the host changes.

    A program that is missing or fails is told in its file: what is broken is why this is read.
    """
    secrets, notes = _secrets(options)
    texts = {name: _outputs(commands, options["timeout"]) for name, commands in COMMANDS.items()}
    texts[LOGS] = _logs(options["log_directory"], options["log_lines"])
    texts[SETTINGS] = _outputs([["replicatedctl", "app-config", "export"]], options["timeout"])
    if UNAUTHORIZED in texts["3-apps.txt"]:
        notes.append(
            "replicated says Unauthorized (guide L2025): log in on the host with `replicated login`, run again"
        )
    return {"files": {name: redact(text, secrets) for name, text in texts.items()}, "notes": notes}


def _secrets(options: Mapping[str, Any]) -> Tuple[List[str], List[str]]:
    given = list(options["secrets"])
    if find_program("replicatedctl") is None:
        return given, ["replicatedctl is not on this host"]
    try:
        shown = replicated.export_settings(False, options["timeout"])
        hidden = replicated.export_settings(True, options["timeout"])
    except OpsError as error:
        return given, [
            "the hidden settings could not be read, only what looks like a secret is redacted: " + str(error)
        ]
    return given + secret_values(shown, hidden), []


def _outputs(commands: List[List[str]], timeout: int) -> str:
    return "\n".join(_output(argv, timeout) for argv in commands)


def _output(argv: List[str], timeout: int) -> str:
    try:
        done = run(argv, timeout=timeout)
    except OpsError as error:
        return "$ {0}\n{1}\n".format(" ".join(argv), error)
    ended = "" if done.rc == 0 else "(ended with {0})\n".format(done.rc)
    return "$ {0}\n{1}{2}{3}".format(" ".join(argv), done.stdout, done.stderr, ended)


def _logs(directory: str, lines: int) -> str:
    """The last lines of every log; the guide does not say whether the path is a file or a directory (L2029)."""
    if not os.path.exists(directory):
        return "{0} does not exist\n".format(directory)
    paths = [directory]
    if os.path.isdir(directory):
        paths = [os.path.join(place, name) for place, _folders, names in os.walk(directory) for name in sorted(names)]
    return "\n".join("==> {0}\n{1}".format(path, _tail(path, lines)) for path in paths)


def _tail(path: str, lines: int) -> str:
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - LOG_BYTES))
            last = deque(handle, maxlen=lines)
    except OSError as error:
        return "cannot be read: {0}\n".format(error.strerror)
    return b"".join(last).decode("utf-8", "replace")
