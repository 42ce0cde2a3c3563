# The health of the living application: real faults in real containers, and what is said to be their cause.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.conftest import Play
from tests.integration.hosts import Host
from tests.integration.replicated import ask

# What is stopped, and what the cause must be: five edges of the guide's table, then two pairs without an edge.
STOPPED = [
    pytest.param(["postgres", "frontend"], ["postgres"], id="frontend needs postgres"),
    pytest.param(["frontend", "api-service"], ["frontend"], id="api-service needs frontend"),
    pytest.param(["vault-cci", "contexts-service"], ["vault-cci"], id="contexts-service needs vault-cci"),
    pytest.param(["contexts-service", "api-service"], ["contexts-service"], id="api-service needs contexts-service"),
    pytest.param(["frontend", "workflows-conductor"], ["frontend"], id="workflows-conductor needs frontend"),
    pytest.param(["exim", "domain-service"], ["domain-service", "exim"], id="exim and domain-service"),
    pytest.param(["redis", "cron-service"], ["cron-service", "redis"], id="redis and cron-service"),
]


@contextmanager
def stopped(services: Host, names: list[str]) -> Iterator[None]:
    services.run(f"docker kill {' '.join(names)}")
    try:
        yield
    finally:
        services.run(f"docker start {' '.join(names)}")
        assert ask("circleci_health_info", services, {"wait": 60})["sick"] == []


def test_everything_is_healthy(lab: dict[str, Host]) -> None:
    found = ask("circleci_health_info", lab["services"], {"wait": 60})
    assert found["healthy"], found["summary"]
    rows = {row["name"]: row for row in found["services"]}
    assert rows["workflows-conductor-migrator"]["status"] == "healthy", "a migrator that exited 0 is healthy"
    assert rows["vm-service"]["status"] == "not_used"
    random = lab["services"].run("docker ps --format '{{.Names}} {{.Image}}' | grep -E 'poller|logrotate'")
    assert "shutdown-hook-poller " not in random, "Docker gave it a random name"
    assert rows["shutdown-hook-poller"]["status"] == rows["tutum-logrotate"]["status"] == "healthy"


@pytest.mark.parametrize(("names", "causes"), STOPPED)
def test_a_cause_is_found(lab: dict[str, Host], names: list[str], causes: list[str]) -> None:
    with stopped(lab["services"], names):
        found = ask("circleci_health_info", lab["services"], {"fail_severity": "minor"})
    assert sorted(row["name"] for row in found["causes"]) == causes
    assert set(names) <= set(found["sick"])


def test_an_endpoint_that_hangs(play: Play, lab: dict[str, Host]) -> None:
    """The process is stopped, not ended: connections are taken and never answered."""
    services = lab["services"]
    shell = services.run("docker inspect -f '{{.State.Pid}}' permissions-service").strip()
    services.run(f"pkill -STOP -P {shell}")
    try:
        failed = play("health.yml", "-e", "health_request_timeout=2", rc=2)
    finally:
        services.run(f"pkill -CONT -P {shell}")
    message = failed.failures()["services"]
    assert "permissions-service" in message
    assert "timed out after 2 s" in message
    assert "permissions-service" in message.partition("docker logs")[2]
    assert play("health.yml").failures() == {}


def test_a_full_disk_is_a_cause(lab: dict[str, Host]) -> None:
    services = lab["services"]
    services.run("mkdir -p /data/full && mount -t tmpfs -o size=1m tmpfs /data/full")
    try:
        services.ssh("dd if=/dev/zero of=/data/full/zero bs=4k status=none")
        found = ask("circleci_health_info", lab["services"], {"disks": ["/data/full"], "services": ["disk"]})
    finally:
        services.run("umount /data/full && rmdir /data/full")
    assert found["sick"] == ["disk /data/full"], json.dumps(found["services"])


def test_the_document_is_json_and_names_everything(play: Play, lab: dict[str, Host]) -> None:
    outcome = play("health.yml", "-e", "health_format=json")
    start = outcome.output.index("{")
    document, _end = json.JSONDecoder().raw_decode(outcome.output[start:])
    names = {row["name"] for row in document["services"]}
    assert {"frontend", "nomad", "postgres", "ready-agent", "replicated"} <= names
    assert lab["services"].name in outcome.output
