# Runs programs of the host: no shell, no terminal, a deadline, a known PATH and language. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Completed", "find_program", "run"]

import os
import shutil
import subprocess
from typing import Dict, NamedTuple, Optional, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

# A non-interactive SSH session often lacks these (facts section 4: /usr/local/bin is not always on the PATH).
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Completed(NamedTuple):
    """What a program left: exit code, standard output, standard error (text, undecodable bytes kept)."""

    rc: int
    stdout: str
    stderr: str


def find_program(name: str) -> Optional[str]:
    """The full path of a program of the host, or None."""
    return shutil.which(name, path=_search_path())


def run(
    argv: Sequence[str],
    timeout: float = 60,
    env: Optional[Dict[str, str]] = None,
    input_text: Optional[str] = None,
    cwd: Optional[str] = None,
) -> Completed:
    """Run a program to its end.

    argv:       program and arguments; the program is looked up on a PATH that has the sbin directories.
    timeout:    seconds; the program is killed when they have passed and OpsError is raised.
    env:        variables added to the environment (LC_ALL is always C).
    input_text: standard input; without it the program reads an empty input, so no prompt can hang.
    cwd:        the folder that it is started in; without it the caller's.
    Raises OpsError when the program does not exist or does not end in time. A non-zero exit code is returned.
    """
    program = find_program(argv[0])
    if program is None:
        raise OpsError("the program {0} was not found on this host".format(argv[0]))
    environment = dict(os.environ, LC_ALL="C", PATH=_search_path(), **(env or {}))
    try:
        done = subprocess.run(
            [program] + list(argv[1:]),
            input=input_text if input_text is not None else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            env=environment,
            cwd=cwd,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OpsError("{0} did not end within {1:g} seconds".format(argv[0], timeout)) from error
    except OSError as error:
        raise OpsError("{0} could not be started: {1}".format(argv[0], error)) from error
    return Completed(done.returncode, done.stdout, done.stderr)


def _search_path() -> str:
    own = os.environ.get("PATH", "")
    return own + ":" + SEARCH_PATH if own else SEARCH_PATH
