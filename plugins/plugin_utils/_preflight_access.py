# Can Ansible work on a host at all: a login, an interpreter, the rights of root. Read without Python there. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["BOOTSTRAPPED", "OLDEST", "Access", "Python", "become_finding", "look_script", "parse", "python_finding"]

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import Finding, finding

# What current versions of ansible-core need on a host.
OLDEST = (3, 8)
BOOTSTRAPPED = "/opt/circleci_server_ops/python/bin/python3"
BOOTSTRAP = (
    "Run playbooks/bootstrap.yml (circleci_server.ops.bootstrap), which gives the host an interpreter of its own"
)

# Prints the version and the host's time; ends with an error when the version is too old, so that the search goes on.
_SHOW = (
    "import sys, time; "
    'sys.stdout.write("%d.%d.%d %.3f\\n" % (tuple(sys.version_info[:3]) + (time.time(),))); '
    "sys.exit(sys.version_info[:2] < ({0}, {1}))"
).format(*OLDEST)


class Python(NamedTuple):
    """An interpreter of the host: how it is called, its version, and the time that it shows."""

    path: str
    version: tuple[int, ...]
    time: float


class Access(NamedTuple):
    """Who we are on the host (-1: unknown), the interpreter that the inventory sets, and those that were found.

    Ansible takes the first one found where the inventory sets none. The search ends at the first that is new enough.
    """

    uid: int
    configured: Python | None
    found: tuple[Python, ...]


def look_script(configured: str, candidates: Sequence[str]) -> str:
    """A line of POSIX shell for parse. configured: the interpreter that the inventory sets, "" where Ansible picks."""
    lines = ['echo "UID $(id -u)"']
    if configured:
        # One word, as for Ansible: an interpreter with arguments does not work there either.
        lines.append('echo "CONFIGURED $({0} -c {1} 2>/dev/null)"'.format(shlex.quote(configured), shlex.quote(_SHOW)))
    lines.append(
        'for p in {0}; do f=$(command -v "$p") || continue; v=$("$f" -c {1} 2>/dev/null); r=$?; '
        'echo "PYTHON $f $v"; [ "$r" -eq 0 ] && break; done; true'.format(
            " ".join(shlex.quote(name) for name in list(candidates) + [BOOTSTRAPPED]), shlex.quote(_SHOW)
        )
    )
    return "; ".join(lines)


def parse(stdout: str, configured: str) -> Access:
    """What look_script printed; other lines (a banner of the login) are passed over."""
    uid = -1
    chosen: Python | None = None
    found: list[Python] = []
    for line in stdout.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "UID" and words[1].isdigit():
            uid = int(words[1])
        elif len(words) == 3 and words[0] == "CONFIGURED":
            chosen = _python(configured, words[1], words[2])
        elif len(words) == 4 and words[0] == "PYTHON":
            found.append(_python(*words[1:]))
    return Access(uid, chosen, tuple(found))


def python_finding(host: str, configured: str, access: Access) -> tuple[Python | None, list[Finding]]:
    """The interpreter that Ansible will take, or why it has none that it could."""
    usual = [python for python in access.found if python.path != BOOTSTRAPPED]
    python = access.configured if configured else (usual[0] if usual else None)
    if python is not None and python.version[:2] >= OLDEST:
        return python, []
    if python is not None:
        problem = "Python {0} is older than {1}.{2}, which Ansible needs".format(_dotted(python.version), *OLDEST)
    else:
        problem = "no Python {0}.{1} or later runs there".format(*OLDEST)
    better = [other for other in access.found if other.version[:2] >= OLDEST]
    if better:
        remedy = "Set ansible_python_interpreter: {0} for this host (Python {1} is there)".format(
            better[0].path, _dotted(better[0].version)
        )
    else:
        remedy = BOOTSTRAP
    value = configured or (python.path if python else "auto")
    return None, [finding("python", host, problem, option="ansible_python_interpreter", value=value, remedy=remedy)]


def become_finding(host: str, method: str, user: str, text: str) -> Finding:
    """Why the rights of root were not had, from what the method (sudo) said. "" for method: the play does not ask."""
    if not method:
        return finding(
            "become",
            host,
            "the login is not root and the play does not become root",
            option="ansible_become",
            value=False,
            remedy="Set it to true, or log in as root",
        )
    said = " ".join(text.split()) or "nothing"
    fitting = [remedy for pieces, remedy in _REMEDIES if any(piece in said.lower() for piece in pieces)]
    remedy = (fitting + ["Let {0} become root by {1}, or set ansible_become_method to what works there"])[0]
    return finding(
        "become",
        host,
        "{0} cannot become root by {1}, which said: {2}".format(user, method, said),
        option="ansible_become_method",
        value=method,
        remedy=remedy.format(user, method),
    )


# What a become method says, and what to do about it; the first that fits counts.
_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("incorrect", "sorry, try again"),
        "The password is wrong: correct ansible_become_password, or what --ask-become-pass (-K) is given",
    ),
    (
        ("password is required", "missing", "waiting for privilege escalation"),
        "Give the password: --ask-become-pass (-K), or ansible_become_password in a vaulted file; "
        "or allow {0} to use {1} without one",
    ),
    (("not in the sudoers", "not allowed", "may not run"), "Allow {0} to run everything as root by {1} (visudo)"),
    (("not found", "no such file"), "Install {1} on the host, or set ansible_become_method to what is there"),
)


def _python(path: str, version: str, time: str) -> Python:
    return Python(path, tuple(int(part) for part in version.split(".")), float(time))


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)
