# The main job on the lab: check before anything exists, converge, converge again, predict, apply, restart.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Runs first (files in order of their numbers): later tests stand on the converged lab."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.conftest import Play
from tests.integration.containers import environment_of, started_at
from tests.integration.hosts import Host, difference

BANNER = "CIRCLE__OUTER__LOGIN_BANNER_MESSAGE"
SERVICES = ("--limit", "services")
CUSTOMIZATIONS = "/etc/circleconfig/frontend/customizations"
# The bounds of the design: few module runs, since each costs a round trip.
MODULE_RUNS = {"services": 25, "nomad-client-1": 15, "nomad-client-2": 15}


def snapshots(hosts: list[Host]) -> dict[str, list[str]]:
    return {host.name: host.snapshot() for host in hosts}


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    found = {name: difference(before[name], after[name]) for name in before}
    return {name: lines for name, lines in found.items() if lines}


def banner(text: str) -> str:
    return json.dumps({"customization_services": {"frontend": {BANNER: text, "JVM_HEAP_SIZE": "512m"}}})


def test_check_before_the_first_run_changes_nothing(play: Play, site_hosts: list[Host]) -> None:
    if site_hosts[0].succeeds("command -v docker"):
        pytest.fail("this lab was converged before: make lab-down first, the first run must be seen")
    before = snapshots(site_hosts)
    outcome = play("site.yml", "--check", "--diff")
    assert differences(before, snapshots(site_hosts)) == {}
    assert {host for host, _task in outcome.changed()} == {host.name for host in site_hosts}


def test_the_first_run_converges(play: Play, lab: dict[str, Host]) -> None:
    play("site.yml")
    nodes = json.loads(lab["services"].run("curl -fsS http://127.0.0.1:4646/v1/nodes"))
    states = {node["Name"]: (node["Status"], node["SchedulingEligibility"], node["Datacenter"]) for node in nodes}
    assert states == dict.fromkeys(("nomad-client-1", "nomad-client-2"), ("ready", "eligible", "default"))


def test_what_the_guide_asks_for_is_on_the_client(lab: dict[str, Host]) -> None:
    client = lab["nomad-client-1"]
    assert json.loads(client.run("cat /etc/docker/daemon.json"))["userns-remap"] == "default"
    assert "name=userns" in client.run("docker info --format '{{.SecurityOptions}}'")
    assert client.run("apt-mark showhold").split() == ["docker.io"]
    assert client.run("systemctl show nomad -p KillMode,NeedDaemonReload").split() == [
        "KillMode=process",
        "NeedDaemonReload=no",
    ]
    assert client.run("cat /etc/circleci/public-ipv4").strip() == client.address
    assert client.run("docker network inspect -f '{{json .Options}}' ci-privileged").strip() == (
        '{"com.docker.network.bridge.name":"ci-privileged"}'
    )
    assert client.run("systemctl is-enabled systemd-timesyncd").strip() == "enabled"
    assert not client.succeeds("test -e /run/circleci_server_ops/lock && flock -n /run/circleci_server_ops/lock false")


def test_the_second_run_changes_and_touches_nothing(play: Play, site_hosts: list[Host]) -> None:
    before = snapshots(site_hosts)
    outcome = play("site.yml")
    assert outcome.changed() == set()
    assert differences(before, snapshots(site_hosts)) == {}
    too_many = {host: count for host, count in outcome.module_runs().items() if count > MODULE_RUNS[host]}
    assert too_many == {}


def test_check_predicts_exactly_what_the_run_changes(play: Play, site_hosts: list[Host], lab: dict[str, Host]) -> None:
    """One override, one setting of the agents, and a file's mode that somebody changed."""
    client = lab["nomad-client-1"]
    client.run("chmod 0600 /etc/circleci/public-ipv4")
    arguments = ("-e", banner("predicted"), "-e", "nomad_client_log_level=DEBUG", "--diff")
    before = snapshots(site_hosts)
    predicted = play("site.yml", "--check", *arguments)
    assert differences(before, snapshots(site_hosts)) == {}
    real = play("site.yml", *arguments)
    assert real.changed() == predicted.changed()
    assert "predicted" in predicted.output and "DEBUG" in predicted.output
    assert client.run("stat -c %a /etc/circleci/public-ipv4").strip() == "644"
    assert play("site.yml", *arguments).changed() == set()
    play("site.yml")


def test_an_override_arrives_with_the_restart_and_not_before(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    text = "two lines\nand 'quotes' \"$HOME\" `id` \\ #"
    before = {name: started_at(services, name) for name in ("frontend", "workflows-conductor", "nomad")}
    old = environment_of(services, "frontend")[BANNER]
    outcome = play("site.yml", *SERVICES, "--tags", "customization", "-e", banner(text))
    assert environment_of(services, "frontend")[BANNER] == old, "a run with tags must not restart"
    assert started_at(services, "frontend") == before["frontend"]
    owed = json.loads(services.run("cat /var/lib/circleci_server_ops/pending.json"))["entries"]
    assert [(row["scope"], row["target"]) for row in owed] == [("container", "frontend")]
    assert "frontend" in outcome.output

    play("restart.yml", "--check")
    assert started_at(services, "frontend") == before["frontend"]
    play("restart.yml")
    assert environment_of(services, "frontend")[BANNER] == text
    assert started_at(services, "frontend") != before["frontend"]
    for name in ("workflows-conductor", "nomad"):
        assert started_at(services, name) == before[name], f"{name} was restarted for frontend's file"
    assert json.loads(services.run("cat /var/lib/circleci_server_ops/pending.json"))["entries"] == []
    assert play("restart.yml").changed() == set()


def test_no_restart_is_a_run_that_says_what_is_owed(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    before = started_at(services, "frontend")
    outcome = play("site.yml", *SERVICES, "-e", banner("owed"), "-e", "circleci_server_restart=false")
    assert started_at(services, "frontend") == before
    assert re.search(r"frontend.*customizations", outcome.output)
    play("site.yml", *SERVICES)
    assert started_at(services, "frontend") != before
    assert "This is the lab" in environment_of(services, "frontend")[BANNER]


def test_what_a_person_wrote_stays(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    services.run(f"printf '%s\\n' '# by hand' 'export BY_HAND=\"yes\"' >> {CUSTOMIZATIONS}")
    play("site.yml", *SERVICES, "-e", banner("beside a person's line"))
    content = services.run(f"cat {CUSTOMIZATIONS}")
    assert '# by hand\nexport BY_HAND="yes"\n' in content
    assert environment_of(services, "frontend")["BY_HAND"] == "yes"
    services.run(f"sed -i '/by hand/d;/BY_HAND/d' {CUSTOMIZATIONS}")
    play("site.yml", *SERVICES)
