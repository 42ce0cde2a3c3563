# A canary for each secret option: not in any output at -vvv, not in a log, a process list, or a world-readable file.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.conftest import Play
from tests.integration.containers import environment_of
from tests.integration.hosts import Host

SECRETS = {
    "customization_secret_services": {"frontend": {"LAB_SECRET": "canary-service-7d0e"}},
    "customization_secret_installation": {"LAB_TOKEN": "canary-installation-7d0e"},
}
MARK = "canary-"
# The brackets keep the search from finding itself.
PATTERN = "[c]anary-"


@contextmanager
def watched_processes(host: Host) -> Iterator[list[str]]:
    """Command lines that showed a canary while the block ran."""
    seen: list[str] = []
    loop = f"while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -a '{PATTERN}'; sleep 0.05; done"
    watcher = subprocess.Popen(
        [*host.reach, "sudo", "-n", "timeout", "600", "sh", "-c", f'"{loop}"'], stdout=subprocess.PIPE, text=True
    )
    yield seen
    watcher.terminate()
    seen += watcher.communicate()[0].splitlines()


def traces(services: Host) -> str:
    """Where a secret must not be: the journal, world-readable files, our records, unit properties."""
    return services.run(
        f"journalctl --no-pager | grep -a '{PATTERN}'; "
        f"find /etc /var/lib/circleci_server_ops /var/log /tmp /run/circleci_server_ops -xdev -type f -perm -o=r "
        f"-exec grep -al '{PATTERN}' {{}} +; "
        f"grep -rl '{PATTERN}' /var/lib/circleci_server_ops; "
        f"systemctl show docker | grep '{PATTERN}'; true"
    )


def test_canaries(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    arguments = ("-vvv", "--diff", "--limit", "services", "-e", json.dumps(SECRETS))
    with watched_processes(services) as seen:
        outcomes = [play("site.yml", "--check", *arguments), play("site.yml", *arguments)]
    environment = environment_of(services, "frontend")
    assert environment["LAB_SECRET"] == "canary-service-7d0e"
    assert environment["LAB_TOKEN"] == "canary-installation-7d0e"
    for outcome in outcomes:
        # The extra variables stand in the command line that ansible-playbook itself prints at -vvv.
        shown = [line for line in outcome.output.splitlines() if MARK in line and "ansible-playbook" not in line]
        assert shown == []
        assert MARK not in json.dumps(outcome.rows)
    assert seen == []
    assert traces(services) == ""
    play("site.yml", "--limit", "services")
    assert "LAB_SECRET" not in environment_of(services, "frontend")


@pytest.mark.parametrize(
    ("services", "message"),
    [
        pytest.param({"frontnd": {"LAB_SECRET": "canary-unknown-7d0e"}}, "frontend", id="an unknown service"),
        pytest.param({"frontend": {"LAB SECRET": "canary-key-7d0e"}}, "LAB SECRET", id="a key that is none"),
    ],
)
def test_a_failure_shows_no_secret(play: Play, services: dict[str, dict[str, str]], message: str) -> None:
    variables = json.dumps({"customization_secret_services": services})
    failed = play("site.yml", "-vvv", "--diff", "--limit", "services", "-e", variables, rc=2)
    assert message in failed.failures()["services"]
    shown = [line for line in failed.output.splitlines() if MARK in line and "ansible-playbook" not in line]
    assert shown == []
