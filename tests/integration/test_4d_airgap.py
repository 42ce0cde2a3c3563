# A fresh services host without internet: the air-gap archive, licence and package; and a death in the installer.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Play
from tests.integration.hosts import Host
from tests.integration.playbook import ROOT, Playbook
from tests.integration.replicated import effective_settings, is_up, owed, starts
from tests.integration.test_4_adoption import lab_command

HOST = "spare"
ARCHIVE = "replicated-2.38.6.tar.gz"
PACKAGE = "/opt/circleci.airgap"
JOB = "/run/circleci_server_ops/replicated_install.json"
# Waits in the host itself until the installer's job is at its script, then ends the job as a power cut would.
KILL_IN_THE_SCRIPT = f"""
import json, os, signal, time
until = time.monotonic() + 120
while time.monotonic() < until:
    try:
        state = json.load(open("{JOB}"))
    except (OSError, ValueError):
        state = {{"phase": ""}}
    if "script installs" in state["phase"]:
        os.kill(state["pid"], signal.SIGKILL)
        raise SystemExit(0)
    time.sleep(0.02)
raise SystemExit("the script was not seen")
"""


@pytest.fixture(scope="module")
def fresh_host(lab: dict[str, Host]) -> Iterator[Host]:
    lab_command("up", "--hosts", HOST)
    lab[HOST].run(f"printf 'LAB AIRGAP PACKAGE\\nversion: 2.19.0\\n' > {PACKAGE}")
    yield lab[HOST]
    lab_command("down", "--hosts", HOST)


@pytest.fixture(scope="module")
def files(lab: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an administrator carries in."""
    folder = tmp_path_factory.mktemp("airgap")
    with (folder / ARCHIVE).open("wb") as archive:
        reach = [*lab["packages"].reach, "cat", f"/srv/www/replicated/{ARCHIVE}"]
        subprocess.run(reach, stdout=archive, stdin=subprocess.DEVNULL, check=True, timeout=120)
    (folder / "airgap.rli").write_text("LAB LICENCE\nairgap: yes\n", encoding="utf-8")
    return folder


def test_an_installation_that_died_is_done_again_and_the_app_starts_once(
    start: Callable[..., Playbook], play: Play, fresh_host: Host, files: Path
) -> None:
    host = fresh_host
    variables = {
        "docker_version": "20.10",
        "services_host_airgap_file": str(files / ARCHIVE),
        "services_host_license_file": str(files / "airgap.rli"),
        "services_host_airgap_package": PACKAGE,
        "services_host_settings": {"hostname": "services", "license_agreement": "license_agreement_agree"},
        # No way out: whoever tried to download would fail.
        "services_host_installer_url": "http://no-way-out.invalid/docker",
    }
    inventory = ROOT / "tests" / "integration" / "adoption_services.yml"
    arguments = ("-i", str(inventory), "--limit", HOST, "-e", json.dumps(variables))
    run = start("site.yml", *arguments)
    host.run(f"python3 - <<'EOT'\n{KILL_IN_THE_SCRIPT}\nEOT", timeout=150)
    dead = run.wait()
    assert dead.rc == 2
    assert "ended without a word" in dead.failures()[HOST]
    assert ("replicated", "installer") in owed(host)

    play("site.yml", *arguments)
    assert is_up(host)
    assert starts(host) == 1
    assert effective_settings(host)["hostname"]["value"] == "services"
    assert owed(host) == []
    modes = host.run("stat -c %a /etc/replicated.conf /etc/replicated-settings.json /etc/replicated-license.rli")
    assert modes.split() == ["600", "600", "600"]
    assert play("site.yml", *arguments).changed() == set()
    assert starts(host) == 1
