# What role services_host refuses on real hosts, each with option, value and remedy, and nothing is changed.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""All refusals are one run, in which each host is an alias of a lab host with one thing that is wrong."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Play
from tests.integration.hosts import Host, difference
from tests.integration.playbook import ROOT, Outcome, Playbook
from tests.integration.replicated import container_starts, fault, owed, settings_of, starts

FOLDER = ROOT / "tests" / "integration" / "refusals"
HOSTS = ("services", "nomad-client-2")
REFUSALS: dict[str, tuple[str, ...]] = {
    "unknown-item": ("hostnme", "hostname"),
    "wrong-type": ("allow_cluster", "true or false"),
    "plain-file": ("ssl_cert", "file"),
    "missing-file": ("ssl_cert", "/no/such/circleci.pem"),
    "other-github": ("ghe_domain", "elsewhere.example.com", "guide"),
    "short-secret": ("secret_passphrase", "8"),
    "nothing-set": ("hostname", "an import merges"),
    "other-version": ("no-such-script",),
    "no-dictionary": ("services_host_settings", "JSON"),
    "no-licence": ("license_file", "/no/such/licence.rli"),
    "key-as-licence": ("license_file", "PEM"),
    "other-archive": ("airgap_file", "2.34.1", "2.38.6"),
    "no-package": ("airgap_package", "/no/such/circleci.airgap"),
}


@pytest.fixture(scope="module")
def refused(lab: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    before = {name: lab[name].snapshot() for name in HOSTS}
    settings = settings_of(lab["services"], hidden=True)
    playbook, inventory = FOLDER / "services_host.yml", FOLDER / "services_host_inventory.yml"
    run = Playbook(tmp_path_factory.mktemp("refusals"), str(playbook), "--forks", "4", inventory=inventory)
    outcome = run.wait(timeout=300)
    assert {name: difference(before[name], lab[name].snapshot()) for name in HOSTS} == {name: [] for name in HOSTS}
    assert settings_of(lab["services"], hidden=True) == settings
    return outcome


@pytest.mark.parametrize("host", REFUSALS)
def test_refused(refused: Outcome, host: str) -> None:
    message = refused.failures()[host]
    assert [word for word in REFUSALS[host] if word not in message] == [], message


def setting(**values: object) -> tuple[str, ...]:
    return ("--limit", "services", "--tags", "services_host", "-e", json.dumps({"services_host_settings": values}))


def test_an_import_that_is_not_applied_names_the_item_and_not_its_value(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    count, running = starts(services), container_starts(services)
    with fault(services, import_not_applied=["lab_item_03"]):
        failed = play("site.yml", *setting(lab_item_03="not to be shown"), rc=2)
    message = failed.failures()["services"]
    assert "lab_item_03" in message
    assert "not to be shown" not in message
    assert owed(services) == []
    assert (starts(services), container_starts(services)) == (count, running)


def test_a_full_disk_in_the_middle_of_an_import(play: Play, lab: dict[str, Host]) -> None:
    """What took before the disk was full is owed, and the next run completes it."""
    services = lab["services"]
    wanted = setting(lab_item_04="full", lab_item_06="disk")
    with fault(services, disk_full_at_import=True):
        failed = play("site.yml", *wanted, rc=2)
    assert "no space left" in failed.failures()["services"]
    play("site.yml", *wanted)
    assert (settings_of(services)["lab_item_04"], settings_of(services)["lab_item_06"]) == ("full", "disk")
    assert owed(services) == [("replicated", "apply_config")] * len(owed(services))
    assert owed(services)
    count = starts(services)
    play("restart.yml")
    assert starts(services) == count + 1
    assert owed(services) == []


def test_a_daemon_that_is_not_ready_and_a_status_that_flaps_are_waited_for(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    count = starts(services)
    with fault(services, not_ready_seconds=5, status_flaps=6):
        play("restart.yml", "-e", "restart_scope=daemon")
    assert starts(services) == count
