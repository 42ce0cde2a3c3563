# Fixtures of the integration tests: the lab's hosts, and playbook runs against them.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.builds import Builds
from tests.integration.hosts import Host, lab_hosts
from tests.integration.playbook import Outcome, Playbook
from tests.lab.places import STATE
from tests.lab.topology import load

SITE_HOSTS = ("services", "nomad-client-1", "nomad-client-2")

Play = Callable[..., Outcome]


@pytest.fixture(scope="session")
def lab() -> dict[str, Host]:
    """The hosts of the standing lab."""
    if not (STATE / "id_ed25519").exists():
        pytest.fail("the lab is not up: run make lab-up")
    return lab_hosts()


@pytest.fixture
def site_hosts(lab: dict[str, Host]) -> list[Host]:
    """The hosts that site.yml converges."""
    return [lab[name] for name in SITE_HOSTS]


@pytest.fixture
def start(lab: dict[str, Host], tmp_path: Path) -> Callable[..., Playbook]:
    """Start a playbook and leave it running: start("site.yml", "--check")."""

    def run(playbook: str, *arguments: str, kill_at: str = "") -> Playbook:
        return Playbook(tmp_path, playbook, *arguments, kill_at=kill_at)

    return run


@pytest.fixture
def play(start: Callable[..., Playbook]) -> Play:
    """Run a playbook to its end: play("site.yml", "--check")."""

    def run(playbook: str, *arguments: str, rc: int = 0) -> Outcome:
        outcome = start(playbook, *arguments).wait()
        assert outcome.rc == rc, f"ansible-playbook ended with {outcome.rc}:\n{outcome.output}"
        return outcome

    return run


@pytest.fixture(scope="session")
def builds(lab: dict[str, Host]) -> Builds:
    """Real builds on the lab's Nomad clients."""
    return Builds(load())
