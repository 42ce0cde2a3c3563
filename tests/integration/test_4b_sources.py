# A fresh client out of a repository of the user's own and a download by URL, while another program works on apt.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.integration.builds import Builds
from tests.integration.conftest import Play
from tests.integration.hosts import Host
from tests.integration.playbook import ROOT

CLIENT = "nomad-client-3"
INVENTORY = ("-i", str(ROOT / "tests" / "integration" / "sources.yml"), "--limit", CLIENT)
# Holds dpkg's lock as an unattended upgrade does; it lets go when the run has said that it waits.
HOLDER = """
import fcntl, time
handle = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep({seconds})
"""
SECONDS = 25


def lab_command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.lab", *arguments], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def fresh_client(lab: dict[str, Host]) -> Iterator[Host]:
    lab_command("up", "--hosts", CLIENT)
    yield lab[CLIENT]
    lab_command("down", "--hosts", CLIENT)
    lab["services"].run("docker exec nomad /bin/nomad system gc")


def test_repository_url_and_a_held_lock(play: Play, fresh_client: Host, builds: Builds) -> None:
    client = fresh_client
    holder = subprocess.Popen(
        [*client.reach, "sudo", "-n", "python3", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None and holder.stdout is not None
    holder.stdin.write(HOLDER.format(seconds=SECONDS))
    holder.stdin.close()
    assert holder.stdout.readline() == "held\n"
    run = play("site.yml", *INVENTORY)
    assert holder.wait() == 0
    assert "waits for" in run.output and "python3" in run.output, "the run must say who holds the lock"
    assert "http://packages/" in client.run("cat /etc/apt/sources.list.d/circleci-server-ops-docker.sources")
    assert client.run("apt-mark showhold").split() == ["docker.io"]
    sums = client.run("curl -fsS http://packages/nomad/SHA256SUMS")
    digest = client.run("sha256sum /usr/bin/nomad").split()[0]
    assert f"{digest}  nomad\n" in sums
    assert builds.ready(CLIENT)["SchedulingEligibility"] == "eligible"
    assert play("site.yml", *INVENTORY).changed() == set()


def test_a_download_with_another_checksum_is_refused(play: Play, lab: dict[str, Host]) -> None:
    client = lab["nomad-client-1"]
    before = client.run("sha256sum /usr/bin/nomad")
    wrong = {
        "nomad_client_version": "0.12.11",
        "nomad_client_binary_file": "",
        "nomad_client_binary_url": "http://packages/nomad/nomad_0.12.12_linux_amd64.zip",
        "nomad_client_binary_checksum": "sha256:" + "0" * 64,
    }
    refused = play("site.yml", "--limit", "nomad-client-1", "-e", json.dumps(wrong), rc=2)
    assert "checksum" in refused.failures()["nomad-client-1"]
    assert client.run("sha256sum /usr/bin/nomad") == before
