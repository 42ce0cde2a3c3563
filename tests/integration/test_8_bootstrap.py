# A host whose system Python was taken away: told to bootstrap, given an interpreter of its own, then checked with it.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hosts import Host
from tests.integration.playbook import ROOT, Outcome, Playbook
from tests.lab.bootstrap_python import build
from tests.lab.places import CACHE
from tests.lab.topology import load

INVENTORY = ROOT / "tests" / "integration" / "bootstrap" / "hosts.yml"
DEST = "/opt/circleci_server_ops/python"
INTERPRETER = f"{DEST}/bin/python3"
NAME = "spare-python"


def lab_command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.lab", *arguments], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def spare(lab: dict[str, Host]) -> Iterator[Host]:
    """The lab's host without Python, fresh, and gone afterwards."""
    lab_command("reset", "--hosts", NAME)
    yield lab[NAME]
    lab_command("down", "--hosts", NAME)


@pytest.fixture(scope="module")
def archive() -> Path:
    return build(CACHE / "bootstrap-python.tar.gz")


def run(directory: Path, playbook: str, *arguments: str) -> Outcome:
    return Playbook(directory, playbook, *arguments, inventory=INVENTORY).wait(timeout=300)


def test_from_no_python_to_one_of_its_own(spare: Host, archive: Path, tmp_path: Path) -> None:
    assert load().host(NAME).address == spare.address
    assert not spare.succeeds("command -v python3")

    refused = run(tmp_path, "preflight.yml")
    assert (
        "[python] ansible_python_interpreter = 'auto': no Python 3.8 or later runs there. " in refused.failures()[NAME]
    )
    assert "Run playbooks/bootstrap.yml (circleci_server.ops.bootstrap)" in refused.failures()[NAME]

    file = ("-e", f"bootstrap_python_file={archive}")
    predicted = run(tmp_path, "bootstrap.yml", "--check", "--diff", *file)
    assert predicted.changed() == {(NAME, "Install the interpreter")}
    assert not spare.succeeds(f"test -e {DEST}")

    assert run(tmp_path, "bootstrap.yml", *file).changed() == predicted.changed()
    assert spare.run(f"{INTERPRETER} -c 'import json, ssl, sys; print(sys.prefix)'").startswith(DEST)
    assert not spare.succeeds("command -v python3")
    before = spare.run(f"stat -c '%i %Y' {DEST}")

    again = run(tmp_path, "bootstrap.yml", *file)
    assert (again.rc, again.changed()) == (0, set())
    assert f"{NAME}: set for this host: ansible_python_interpreter: {INTERPRETER}" in again.output
    assert spare.run(f"stat -c '%i %Y' {DEST}") == before

    told = run(tmp_path, "preflight.yml")
    assert f"Set ansible_python_interpreter: {INTERPRETER} for this host" in told.failures()[NAME]
    assert run(tmp_path, "preflight.yml", "-e", f"ansible_python_interpreter={INTERPRETER}").rc == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["-e", "bootstrap_python_checksum=sha256:" + "0" * 64],
            "bootstrap_python_checksum = 'sha256:" + "0" * 64,
            id="wrong checksum",
        ),
        pytest.param(["-e", "bootstrap_python_file=/no/such/file"], "the file cannot be read on this", id="no file"),
    ],
)
def test_refused(spare: Host, archive: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    before = spare.run("ls -la /opt; ls /opt/* /home/ops/.ansible/tmp 2>/dev/null; true")
    outcome = run(tmp_path, "bootstrap.yml", "-e", f"bootstrap_python_file={archive}", *arguments)
    assert words in outcome.failures()[NAME]
    assert spare.run("ls -la /opt; ls /opt/* /home/ops/.ansible/tmp 2>/dev/null; true") == before
