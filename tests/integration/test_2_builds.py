# No run kills a build: restarts and upgrades of the agent keep it, a restart of Docker is refused while it runs.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json

from tests.integration.builds import Builds, events, exit_codes
from tests.integration.conftest import Play
from tests.integration.hosts import Host

CLIENT = "nomad-client-1"
LIMIT = ("--limit", CLIENT)
# How a running build is found on the host: its shell has this variable.
MARK = "LAB_SECONDS"

# Another build of Nomad in the place of ours: it says so when it is asked for its version, and else is the same.
OTHER_BUILD = r"""
cp /usr/bin/nomad /usr/bin/nomad.real
cat > /usr/bin/nomad.new <<'END'
#!/bin/sh
if [ "$1" = version ]; then echo Nomad v0.12.11; else exec /usr/bin/nomad.real "$@"; fi
END
chmod 0755 /usr/bin/nomad.new
mv /usr/bin/nomad.new /usr/bin/nomad
systemctl restart nomad
"""


def build_processes(client: Host) -> list[str]:
    """The pids of running builds' shells with their start times: a build that was started anew has others."""
    return client.run(
        f"for pid in $(pgrep -x sh); do tr '\\0' '\\n' < /proc/$pid/environ | grep -q ^{MARK}= "
        "&& echo $pid $(cut -d' ' -f22 /proc/$pid/stat); done; true"
    ).splitlines()


def test_builds_outlive_a_restart_of_the_agent(play: Play, lab: dict[str, Host], builds: Builds) -> None:
    """A build in a container and one on the host itself, at once."""
    client = lab[CLIENT]
    allocations = [builds.start(driver, CLIENT) for driver in ("docker", "raw_exec")]
    processes = build_processes(client)
    agent = client.run("systemctl show nomad -p MainPID --value")
    outcome = play("site.yml", *LIMIT, "-e", "nomad_client_log_level=DEBUG")
    assert any(task.endswith("Restart the agent for its new configuration") for _host, task in outcome.changed())
    assert client.run("systemctl show nomad -p MainPID --value") != agent, "the agent was not restarted"
    assert len(processes) == 2 and build_processes(client) == processes
    for ended in [builds.end(allocation) for allocation in allocations]:
        assert events(ended).count("Started") == 1
        assert exit_codes(ended) == ["0"]


def test_a_build_outlives_an_upgrade_of_the_binary(play: Play, lab: dict[str, Host], builds: Builds) -> None:
    """The host has another build of Nomad; naming the version moves it to the one of the controller."""
    client = lab[CLIENT]
    client.run(OTHER_BUILD)
    play("site.yml", "--check", *LIMIT)
    allocation = builds.start("raw_exec", CLIENT)
    processes = build_processes(client)
    play("site.yml", *LIMIT)
    assert client.run("nomad version").startswith("Nomad v0.12.12")
    assert "/usr/bin/nomad " in client.run("ps -o args= -p $(systemctl show nomad -p MainPID --value)") + " "
    assert processes and build_processes(client) == processes
    ended = builds.end(allocation)
    assert events(ended).count("Started") == 1
    assert exit_codes(ended) == ["0"]
    client.run("rm /usr/bin/nomad.real")


def test_docker_is_not_restarted_under_a_build(play: Play, lab: dict[str, Host], builds: Builds) -> None:
    client = lab[CLIENT]
    allocation = builds.start("docker", CLIENT)
    engine = client.run("systemctl show docker -p MainPID --value")
    arguments = (*LIMIT, "-e", json.dumps({"docker_daemon": {"max-concurrent-uploads": 4}}))
    refused = play("site.yml", *arguments, rc=2)
    message = refused.failures()[CLIENT]
    assert "docker" in message and allocation in message and "Wait until" in message, message
    assert client.run("systemctl show docker -p MainPID --value") == engine
    assert exit_codes(builds.end(allocation)) == ["0"]

    play("site.yml", *arguments)
    assert client.run("systemctl show docker -p MainPID --value") != engine, "what was owed is settled by the next run"
    assert client.run("docker info --format '{{.Name}}'")
    client.run('echo \'{"userns-remap": "default"}\' > /etc/docker/daemon.json')
