# A client that lives already, made by the vendor's script: differences are named, versions kept, its build goes on.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.integration.builds import Builds, events, exit_codes
from tests.integration.conftest import Play
from tests.integration.hosts import Host, difference
from tests.integration.playbook import ROOT

CLIENT = "nomad-client-3"
RUN = ("-i", str(ROOT / "tests" / "integration" / "adoption.yml"), "--limit", CLIENT)


def lab_command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.lab", *arguments], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def living_client(lab: dict[str, Host], builds: Builds) -> Iterator[Host]:
    """The client as the script left it: other formatting, no KillMode."""
    lab_command("up", "--hosts", CLIENT)
    lab_command("adopt-client", CLIENT)
    builds.ready(CLIENT)
    yield lab[CLIENT]
    # Other tests count two clients: the node goes, and the server forgets it.
    lab_command("down", "--hosts", CLIENT)
    lab["services"].run("docker exec nomad /bin/nomad system gc")


def versions(client: Host, builds: Builds) -> tuple[str, str]:
    return client.run("dpkg-query -W docker.io; nomad version"), builds.ready(CLIENT)["Datacenter"]


def test_adoption(play: Play, living_client: Host, builds: Builds) -> None:
    client = living_client
    before, kept = client.snapshot(), versions(client, builds)
    engine = client.run("systemctl show docker -p MainPID --value")
    daemon = client.run("cat /etc/docker/daemon.json; stat -c '%i %Y' /etc/docker/daemon.json")
    assert "KillMode=control-group" in client.run("systemctl show nomad -p KillMode")

    predicted = play("site.yml", "--check", "--diff", *RUN)
    assert difference(before, client.snapshot()) == []
    assert "KillMode=process" in predicted.output
    assert "/etc/docker/daemon.json" not in "".join(
        line for line in predicted.output.splitlines() if line.startswith("+++")
    ), "other formatting alone is no difference"

    allocation = builds.start("raw_exec", CLIENT)
    real = play("site.yml", *RUN)
    assert {row for row in real.changed() if row[0] == CLIENT} == {
        row for row in predicted.changed() if row[0] == CLIENT
    }
    ended = builds.end(allocation)
    assert events(ended).count("Started") == 1
    assert exit_codes(ended) == ["0"]

    assert versions(client, builds) == kept
    assert client.run("systemctl show docker -p MainPID --value") == engine, "Docker was restarted for nothing"
    assert client.run("cat /etc/docker/daemon.json; stat -c '%i %Y' /etc/docker/daemon.json") == daemon
    assert "KillMode=process" in client.run("systemctl show nomad -p KillMode")
    assert play("site.yml", *RUN).changed() == set()
