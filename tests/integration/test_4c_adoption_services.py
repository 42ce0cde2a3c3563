# A services host that lives already, by the vendor's script and clicked settings: named, adopted, not restarted.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Play
from tests.integration.hosts import Host, difference
from tests.integration.playbook import ROOT
from tests.integration.replicated import container_starts, effective_settings, settings_of, starts
from tests.integration.test_4_adoption import lab_command

HOST = "spare"
RUN = ("-i", str(ROOT / "tests" / "integration" / "adoption_services.yml"), "--limit", HOST)
# As a person does it who follows the guide: Docker, the script, the licence and the settings on the console.
BY_HAND = r"""
set -e
export PATH=/usr/local/bin:$PATH DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qqy --no-install-recommends install docker.io > /dev/null
curl -fsS 'http://packages/replicated/docker?replicated_tag=2.34.1' > /root/install.sh
bash /root/install.sh local-address={address} no-proxy no-docker
until replicatedctl system status > /dev/null 2>&1; do sleep 0.2; done
replicatedctl license-load << 'EOT'
{licence}
EOT
replicatedctl app-config import << 'EOT'
{settings}
EOT
replicatedctl app start --attach
"""
CLICKED = {
    "hostname": "clicked.example.com",
    "ghe_type": "github_type_enterprise",
    "ghe_domain": "ghe",
    "license_agreement": "license_agreement_agree",
    "secret_passphrase": "the lab has no secrets",
    "lab_item_05": "nobody's business",
}


@pytest.fixture(scope="module")
def living_host(lab: dict[str, Host]) -> Iterator[Host]:
    lab_command("up", "--hosts", HOST)
    host = lab[HOST]
    licence = (ROOT / "tests" / "lab" / "licence.rli").read_text(encoding="utf-8").strip()
    settings = json.dumps({name: {"value": value} for name, value in CLICKED.items()})
    host.run(BY_HAND.format(address=host.address, licence=licence, settings=settings), timeout=300)
    yield host
    lab_command("down", "--hosts", HOST)


def versions(host: Host) -> str:
    return host.run("dpkg-query -W docker.io; /usr/local/bin/replicatedctl version; cat /etc/default/replicated*")


def test_adoption(play: Play, living_host: Host) -> None:
    host = living_host
    kept, running, before = versions(host), container_starts(host), host.snapshot()
    predicted = play("site.yml", "--check", "--diff", *RUN)
    assert difference(before, host.snapshot()) == []
    real = play("site.yml", *RUN)
    assert real.changed() == predicted.changed()
    assert versions(host) == kept
    assert container_starts(host) == running, "a living host is not restarted for being adopted"
    assert starts(host) == 1
    assert "Import the application's settings" not in {task for _host, task in real.changed()}
    assert settings_of(host)["lab_item_05"] == "nobody's business"
    assert play("site.yml", *RUN).changed() == set()


def test_a_difference_is_named_and_then_applied_once(play: Play, living_host: Host) -> None:
    host = living_host
    wanted = ("-e", json.dumps({"services_host_settings": {"hostname": "adopted.example.com"}}))
    predicted = play("site.yml", "--check", "--diff", *RUN, *wanted)
    assert "-hostname: clicked.example.com" in predicted.output
    assert "+hostname: adopted.example.com" in predicted.output
    assert "does not resolve" in predicted.output or "DNS" in predicted.output, "a name that nobody knows is warned of"
    play("site.yml", *RUN, *wanted)
    assert effective_settings(host)["hostname"]["value"] == "adopted.example.com"
    assert starts(host) == 2


def test_another_github_is_refused(play: Play, living_host: Host) -> None:
    wanted = ("-e", json.dumps({"services_host_settings": {"ghe_domain": "elsewhere.example.com"}}))
    before = settings_of(living_host, hidden=True)
    refused = play("site.yml", *RUN, *wanted, rc=2)
    assert "ghe_domain" in refused.failures()[HOST]
    assert settings_of(living_host, hidden=True) == before
