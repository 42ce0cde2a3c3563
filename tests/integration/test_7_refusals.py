# Bad input on real hosts: refused by preflight with option, value and remedy, and nothing is touched anywhere.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""All refusals are one run of site.yml, in which each host is an alias of a lab host with one thing that is wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hosts import Host, difference
from tests.integration.playbook import ROOT, Outcome, Playbook

INVENTORY = ROOT / "tests" / "integration" / "refusals" / "hosts.yml"
SITE_HOSTS = ("services", "nomad-client-1", "nomad-client-2")
TAKE_THE_RISK = "Give the host more, or set that option to take the risk."

# Host: what the message says of it; the ellipsis stands for what depends on the machine.
REFUSALS: dict[str, list[str]] = {
    "small-services": [
        "[size] preflight_services_minimum.cores = 512: the host has … cores, at least needed are 512. "
        + TAKE_THE_RISK,
        "[size] preflight_services_minimum.memory_gb = 4096: the host has … GB of memory, at least needed are 4096. "
        + TAKE_THE_RISK,
        "[size] preflight_services_minimum.disk_gb = 90000: the host has … GB of disk (file system of /var/lib), "
        f"at least needed are 90000. {TAKE_THE_RISK}",
    ],
    "table-services": [
        f"[size] preflight_services_minimum.cores = 24: the host has … cores, at least needed are 24. {TAKE_THE_RISK}"
    ],
    "odd-release": [
        "[release] circleci_server_release = '2.20': not a release that this collection knows. "
        'Set it to "2.17" or "2.19", in quotes (YAML reads 2.20 as the number 2.2).'
    ],
    "no-name": [
        "[name] circleci_server_hostname = 'no-such-name.invalid': the name does not resolve on this host: …. "
        "Correct the option, or add the name to the DNS or to /etc/hosts of the host."
    ],
    "no-github": [
        "[github] circleci_server_github_host = '10.217.4.99': no-github does not reach it on every port "
        "that is needed (22, and 80 or 443); 22: …, 80: …, 443: …. "
        "Correct that option, or open these ports from this host to GitHub; "
        "preflight_github_check: warn only says so, none leaves it out."
    ],
    "small-client": [
        f"[size] preflight_client_minimum.cores = 512: the host has … cores, at least needed are 512. {TAKE_THE_RISK}"
    ],
    "large-client": [
        "[size] preflight_client_maximum.cores = 0.5: the host has … cores, more than the largest allowed, 0.5. "
        "Use more and smaller clients: …, or set that option to take the risk.",
        "[size] preflight_client_maximum.memory_gb = 0.1: the host has … GB of memory, "
        "more than the largest allowed, 0.1. Use more and smaller clients: …",
    ],
    "other-machine": [
        "[architecture] the host's architecture is i686; CircleCI Server runs on x86_64 only. Use an x86_64 machine."
    ],
    "other-system": [
        "[os] preflight_supported_os: the host runs Debian GNU/Linux … (ID=debian, VERSION_ID=…); "
        "these and later are supported: ubuntu 20.04. "
        "Use a supported system, or add it there to take the risk: {debian: '…'}."
    ],
    "late-clock": [
        "[clock] preflight_max_skew = 5: the host's clock is … s behind this controller's (measured to … s). "
        "Synchronise the clocks (timedatectl set-ntp true); …"
    ],
    "full-disk": [
        "[disk] preflight_disk_free_gb = 5: the file system of /home/ops/odd/full has … GB free. "
        "Make room there, or lower that limit."
    ],
    "no-sudo": [
        "[become] ansible_become_method = 'sudo': opspw cannot become root by sudo, which said: …. "
        "Give the password: --ask-become-pass (-K), or ansible_become_password in a vaulted file; …"
    ],
    "wrong-password": [
        "[become] ansible_become_method = 'sudo': opspw cannot become root by sudo, which said: …. "
        "The password is wrong: correct ansible_become_password, or what --ask-become-pass (-K) is given."
    ],
    "no-python": [
        "[python] ansible_python_interpreter = '/usr/local/bin/python-that-is-not-there': "
        "no Python 3.8 or later runs there. Set ansible_python_interpreter: … for this host (Python … is there)."
    ],
    "first-twin": [
        "[advertise] nomad_client_advertise_address = '10.0.0.1': first-twin advertises the same address "
        "as second-twin; Nomad would see one node where there are two. Give each client its own address …"
    ],
    "inventory-parallel": [
        "[extra_only] max_parallel = 2: set in the inventory, where it has no effect: "
        "a play's serial sees extra variables only. "
        "Remove it from the inventory and give it on the command line: -e max_parallel=2."
    ],
    "odd-nomad": [
        "[nomad_version] nomad_client_version = '0.12.12': release 2.19 runs on nomad 0.9.3 or 0.11.3 there. "
        "Set it to one of these, or nomad_client_version_check: warn to take the risk."
    ],
    "odd-docker": [
        "[docker_version] docker_version = '20.10': release 2.19 runs on docker 18.09.9 there. "
        "Set it to one of these, or docker_version_check: warn to take the risk."
    ],
    "odd-binary": [
        "[binary] nomad_client_binary_checksum = 'sha256:0000…': …/hosts.yml has the checksum sha256:…. "
        "Get the file again, or correct the checksum (sha256:...)."
    ],
    "no-binary": [
        "[binary] nomad_client_binary_file = '/no/such/file': the file cannot be read on this controller: …. "
        "Correct the path (it is a file of the machine that runs ansible-playbook)."
    ],
    "dead-client": [
        "[unreachable] the host could not be reached, or failed before it was checked; its own message is above. "
        "Bring it back, or go on without it."
    ],
    "cut-off-client": [
        "[port] circleci_server_address of good-services = '10.217.4.10': cut-off-client cannot reach good-services "
        "on tcp port 8585 (…): connection refused; although something listens there: a firewall on the way, "
        "or on the host, rejects it. Allow tcp 8585 from cut-off-client (10.217.4.22) to good-services (10.217.4.10), "
        "or correct that address (playbooks/preflight.yml prints all rows)."
    ],
    "good-services": [
        "[port] circleci_server_address of cut-off-client = '10.217.4.22': good-services cannot reach cut-off-client "
        "on tcp port 4646 (…): no answer within 5 seconds; a firewall on the way, or on the host, drops it, "
        "or the address is wrong. Allow tcp 4646 from good-services (10.217.4.10) to cut-off-client (10.217.4.22), …"
    ],
}


def run(directory: Path, playbook: str, *arguments: str) -> Outcome:
    return Playbook(directory, playbook, *arguments, inventory=INVENTORY).wait(timeout=300)


def block_of(message: str, host: str) -> str:
    """What the message says of one host."""
    found = re.search(rf"^  {re.escape(host)}\n((?:    .*\n)*)", message, re.MULTILINE)
    return found.group(1) if found else ""


def says(text: str, wanted: str) -> bool:
    """The text has the words; an ellipsis stands for anything."""
    return re.search(".*?".join(re.escape(part) for part in wanted.split("…")), text) is not None


# Interpreters of another architecture (what the kernel says of itself) and of a late clock (Debian's faketime, unpacked
# but not installed), and a file system that is full.
ODD = r"""
set -e
mkdir -p /home/ops/odd/full
cd /home/ops/odd
apt-get -qq update
apt-get -qq -o APT::Sandbox::User=root download libfaketime
dpkg -x libfaketime_*.deb .
library=$(find "$PWD" -name libfaketime.so.1)
printf '#!/bin/sh\nexec setarch i686 /usr/bin/python3 "$@"\n' > python-i686
printf '#!/bin/sh\nLD_PRELOAD=%s FAKETIME=-60s exec /usr/bin/python3 "$@"\n' "$library" > python-late
chmod 755 python-*
mount -t tmpfs -o size=1m tmpfs full
dd if=/dev/zero of=full/zero bs=4k status=none || test -s full/zero
"""


@pytest.fixture(scope="module")
def prepared(lab: dict[str, Host]) -> Iterator[None]:
    """Odd interpreters and a full disk on one client, ports closed both ways on the other."""
    client, cut_off, services = lab["nomad-client-1"], lab["nomad-client-2"], lab["services"].address
    rules = (
        f"OUTPUT -p tcp -d {services} --dport 8585 -j REJECT --reject-with tcp-reset",
        f"INPUT -p tcp -s {services} --dport 4646 -j DROP",
    )
    client.run(ODD)
    for rule in rules:
        cut_off.run(f"iptables -I {rule}")
    yield
    for rule in rules:
        cut_off.run(f"iptables -D {rule}")
    client.run("umount /home/ops/odd/full && rm -rf /home/ops/odd")


@pytest.fixture(scope="module")
def refused(lab: dict[str, Host], prepared: None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The run, and what it left: nothing."""
    del prepared
    before = {name: lab[name].snapshot() for name in SITE_HOSTS}
    outcome = run(tmp_path_factory.mktemp("refusals"), "site.yml")
    changes = {name: difference(before[name], lab[name].snapshot()) for name in SITE_HOSTS}
    assert {name: lines for name, lines in changes.items() if lines} == {}
    return outcome


def message(outcome: Outcome) -> str:
    """What the first host says for all."""
    return outcome.failures()["good-services"]


@pytest.mark.parametrize("host", REFUSALS)
def test_refused(refused: Outcome, host: str) -> None:
    block = block_of(message(refused), host)
    for wanted in REFUSALS[host]:
        assert says(block, wanted), block or message(refused)


def test_each_host_is_refused_for_its_own_fault_only(refused: Outcome) -> None:
    """Nobody else is blamed for what one host has: the others see the closed ports and nothing more."""
    for host in ("good-client", "aws-provider", "good-services", "small-client"):
        checks = re.findall(r"\[(\w+)\]", block_of(message(refused), host))
        assert set(checks) - {"port", *(["size"] if host == "small-client" else [])} == set()


def test_all_hosts_are_stopped_the_good_ones_too(refused: Outcome) -> None:
    assert refused.rc != 0
    failed = refused.failures()
    assert failed["good-client"] == "preflight stopped all hosts; the message of good-services says why."
    assert {row["host"] for row in refused.rows} == set(failed)
    assert refused.changed() == set()


def test_the_provider_is_only_a_warning(refused: Outcome) -> None:
    shown = " ".join(refused.output.split())
    assert (
        "aws-provider: circleci_server_vm_provider = 'aws': the VM service is not managed by this collection" in shown
    )


def test_the_whole_message_is_on_the_terminal(refused: Outcome) -> None:
    """Readable: its lines are lines."""
    assert re.search(r"^  (?:    )*small-client\n\s+\[size\] preflight_client_minimum", refused.output, re.MULTILINE)


def test_a_dead_client_and_the_line_that_goes_on(prepared: None, tmp_path: Path) -> None:
    del prepared
    hosts = "good-services:good-client:dead-client"
    outcome = run(tmp_path, "preflight.yml", "--limit", hosts)
    text = message(outcome)
    assert text.startswith("Preflight found 1 problem; nothing was changed on any host.\n  dead-client\n")
    first, line = text.splitlines()[-2:]
    assert first == "To go on without dead-client, with the other options of this run:"
    assert line.endswith(f"preflight.yml --limit '{hosts}:!dead-client'")
    words = shlex.split(line)
    assert run(tmp_path, "preflight.yml", *words[words.index("--limit") :]).rc == 0


def test_nothing_listens_any_more(refused: Outcome, lab: dict[str, Host]) -> None:
    del refused
    for name in SITE_HOSTS:
        assert "circleci_server_ops/preflight" not in lab[name].run("cat /proc/net/unix")
