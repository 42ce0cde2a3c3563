# Tests of _preflight_access: the shell line is run for real; every way to have no Python and no root.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_access as access
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_access import Access, Python

NEW = Python("/usr/bin/python3", (3, 11, 2), 1.0)
OLD = Python("/usr/bin/python3", (3, 5, 2), 1.0)
LATER = Python("/usr/bin/python3.9", (3, 9, 1), 1.0)
OWN = Python(access.BOOTSTRAPPED, (3, 11, 2), 1.0)


def run(configured: str, candidates: list[str]) -> Access:
    script = access.look_script(configured, candidates)
    # As Ansible does: a shell line, to which it adds.
    done = subprocess.run(
        ["/bin/sh", "-c", script + " && sleep 0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    return access.parse("Welcome to this host\n" + done.stdout, configured)


def fake_python(folder: Path, name: str, version: str) -> str:
    path = folder / name
    path.write_text('#!/bin/sh\necho "{0} 5.000"\nexit {1}\n'.format(version, int(version.startswith("3.5"))))
    path.chmod(0o755)
    return str(path)


def test_the_interpreters_are_found_in_order_until_one_is_new_enough(tmp_path: Path) -> None:
    old, new = fake_python(tmp_path, "old", "3.5.2"), sys.executable
    found = run("", [str(tmp_path / "missing"), old, new, fake_python(tmp_path, "other", "3.12.0")])
    assert found.uid == os.geteuid()
    assert found.configured is None
    assert [python.path for python in found.found] == [old, new]
    assert found.found[1].version == tuple(sys.version_info[:3])
    assert abs(found.found[1].time - time.time()) < 30


def test_the_configured_interpreter() -> None:
    found = run(sys.executable, [])
    assert found.configured is not None
    assert found.configured.path == sys.executable
    assert found.configured.version == tuple(sys.version_info[:3])


def test_a_configured_interpreter_with_arguments_does_not_work_as_it_does_not_for_ansible() -> None:
    assert run("/usr/bin/env " + sys.executable, []).configured is None


def test_a_configured_interpreter_that_is_not_there() -> None:
    assert run("/nowhere/python", []).configured is None


def test_no_answer_at_all() -> None:
    assert access.parse("Permission denied\nUID x\nPYTHON /usr/bin/python3\n", "") == Access(-1, None, ())


@pytest.mark.parametrize(
    ("configured", "found", "wanted"),
    [
        pytest.param("", Access(0, None, (NEW,)), NEW, id="found"),
        pytest.param("/usr/bin/python3", Access(0, NEW, ()), NEW, id="configured"),
        pytest.param(access.BOOTSTRAPPED, Access(0, OWN, (OWN,)), OWN, id="bootstrapped"),
    ],
)
def test_python_good(configured: str, found: Access, wanted: Python) -> None:
    assert access.python_finding("h", configured, found) == (wanted, [])


BOOTSTRAP = (
    "Run playbooks/bootstrap.yml (circleci_server.ops.bootstrap), which gives the host an interpreter of its own."
)


@pytest.mark.parametrize(
    ("configured", "found", "message"),
    [
        pytest.param(
            "",
            Access(0, None, ()),
            "ansible_python_interpreter = 'auto': no Python 3.8 or later runs there. " + BOOTSTRAP,
            id="none at all",
        ),
        pytest.param(
            "/gone/python",
            Access(0, None, ()),
            "ansible_python_interpreter = '/gone/python': no Python 3.8 or later runs there. " + BOOTSTRAP,
            id="configured one is gone",
        ),
        pytest.param(
            "",
            Access(0, None, (OLD,)),
            "ansible_python_interpreter = '/usr/bin/python3': Python 3.5.2 is older than 3.8, which Ansible needs. "
            + BOOTSTRAP,
            id="too old",
        ),
        pytest.param(
            "",
            Access(0, None, (OLD, LATER)),
            "ansible_python_interpreter = '/usr/bin/python3': Python 3.5.2 is older than 3.8, which Ansible needs. "
            "Set ansible_python_interpreter: /usr/bin/python3.9 for this host (Python 3.9.1 is there).",
            id="Ansible would take the wrong one",
        ),
        pytest.param(
            "/usr/bin/python3",
            Access(0, OLD, (OWN,)),
            "ansible_python_interpreter = '/usr/bin/python3': Python 3.5.2 is older than 3.8, which Ansible needs. "
            "Set ansible_python_interpreter: {0} for this host (Python 3.11.2 is there).".format(OWN.path),
            id="bootstrapped, not configured",
        ),
        pytest.param(
            "",
            Access(0, None, (OWN,)),
            "ansible_python_interpreter = 'auto': no Python 3.8 or later runs there. "
            "Set ansible_python_interpreter: {0} for this host (Python 3.11.2 is there).".format(OWN.path),
            id="bootstrapped, nothing else",
        ),
    ],
)
def test_python_bad(configured: str, found: Access, message: str) -> None:
    python, findings = access.python_finding("h", configured, found)
    assert python is None
    assert [entry.message for entry in findings] == [message]


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        pytest.param(
            "sudo: a password is required\n",
            "Give the password: --ask-become-pass (-K), or ansible_become_password in a vaulted file; "
            "or allow ops to use sudo without one",
            id="no password",
        ),
        pytest.param("Missing sudo password", "Give the password: --ask-become-pass (-K)", id="missing"),
        pytest.param(
            "Incorrect sudo password",
            "The password is wrong: correct ansible_become_password, or what --ask-become-pass (-K) is given",
            id="incorrect",
        ),
        pytest.param("Sorry, try again.", "The password is wrong: correct", id="sorry"),
        pytest.param(
            "ops is not in the sudoers file.", "Allow ops to run everything as root by sudo (visudo)", id="sudoers"
        ),
        pytest.param(
            "/bin/sh: 1: sudo: not found",
            "Install sudo on the host, or set ansible_become_method to what is there",
            id="not installed",
        ),
        pytest.param(
            "sudo: sorry, you must have a tty to run sudo",
            "Let ops become root by sudo, or set ansible_become_method to what works there",
            id="something else",
        ),
    ],
)
def test_become(said: str, remedy: str) -> None:
    found = access.become_finding("h", "sudo", "ops", said)
    assert found.message.startswith(
        "ansible_become_method = 'sudo': ops cannot become root by sudo, which said: {0}".format(
            said.strip().rstrip(".")
        )
    )
    assert remedy in found.message


def test_become_is_not_asked_for() -> None:
    assert access.become_finding("h", "", "ops", "").message == (
        "ansible_become = False: the login is not root and the play does not become root. "
        "Set it to true, or log in as root."
    )


def test_become_says_nothing() -> None:
    assert "which said: nothing. " in access.become_finding("h", "su", "ops", " \n").message
