# A canary for each secret option: not in any output at -vvv, not in a log, a process list, or a world-readable file.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import Play
from tests.integration.containers import environment_of
from tests.integration.hosts import Host
from tests.integration.replicated import settings_of

SECRETS = {
    "customization_secret_services": {"frontend": {"LAB_SECRET": "canary-service-7d0e"}},
    "customization_secret_installation": {"LAB_TOKEN": "canary-installation-7d0e"},
    "services_host_secret_settings": {"lab_item_19": "canary-setting-7d0e"},
    "services_host_secret_setting_files": {"ssl_private_key": {"content": "canary-file-7d0e\n", "name": "lab.key"}},
    "services_host_console_password": "canary-console-7d0e",
    "services_host_installer_environment": {"https_proxy": "http://user:canary-proxy-7d0e@proxy.invalid:3128"},
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
        f"systemctl show docker replicated | grep '{PATTERN}'; "
        f"docker ps -aq | xargs docker inspect | grep '{PATTERN}'; "
        f"docker logs replicated 2>&1 | grep '{PATTERN}'; true"
    )


def assert_no_canary_in_the_debug_folder(play: Play, folder: Path) -> None:
    """What support gets: every step of the guide, none of the hidden settings."""
    play("replicated_debug.yml", "-e", f"replicated_debug_dest={folder}")
    found = {path.name: path.read_text(errors="replace") for path in (folder / "services").iterdir()}
    assert len(found) == 6
    assert "Up " in found["5-containers.txt"]
    assert [name for name, text in found.items() if MARK in text] == []
    assert {(folder / "services" / name).stat().st_mode & 0o777 for name in found} == {0o600}


def test_canaries(play: Play, lab: dict[str, Host], tmp_path: Path) -> None:
    services = lab["services"]
    arguments = ("-vvv", "--diff", "--limit", "services", "-e", json.dumps(SECRETS))
    with watched_processes(services) as seen:
        outcomes = [play("site.yml", "--check", *arguments), play("site.yml", *arguments)]
    environment = environment_of(services, "frontend")
    assert environment["LAB_SECRET"] == "canary-service-7d0e"
    assert environment["LAB_TOKEN"] == "canary-installation-7d0e"
    settings = settings_of(services, hidden=True)
    assert (settings["lab_item_19"], settings["ssl_private_key"]) == ("canary-setting-7d0e", "lab.key")
    for outcome in outcomes:
        # The extra variables stand in the command line that ansible-playbook itself prints at -vvv.
        shown = [line for line in outcome.output.splitlines() if MARK in line and "ansible-playbook" not in line]
        assert shown == []
        assert MARK not in json.dumps(outcome.rows)
    assert seen == []
    assert traces(services) == ""
    assert_no_canary_in_the_debug_folder(play, tmp_path)
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


def test_a_refused_setting_shows_no_secret(play: Play) -> None:
    variables = json.dumps({"services_host_secret_settings": {"lab_item_91": "canary-refused-7d0e"}})
    failed = play("site.yml", "-vvv", "--diff", "--limit", "services", "-e", variables, rc=2)
    assert "lab_item_91" in failed.failures()["services"]
    shown = [line for line in failed.output.splitlines() if MARK in line and "ansible-playbook" not in line]
    assert shown == []
