# Tests of _preflight_rules: each limit from both sides, each message with option, value and remedy.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_rules as rules
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, SERVICES, Finding

SUPPORTED = {"debian": "11", "ubuntu": "20.04", "rhel": "8"}


def facts(**more: Any) -> dict[str, Any]:
    """A host that is as the tables want it."""
    return {
        "architecture": "x86_64",
        "os_id": "debian",
        "os_version": "12",
        "os_name": "Debian GNU/Linux 12 (bookworm)",
        "cores": 8,
        "memory": 33_000_000_000,
        "disk": {"path": "/var/lib", "size": 100_000_000_000, "free": 50_000_000_000},
        "root": {"path": "/", "size": 100_000_000_000, "free": 50_000_000_000},
        "names": {},
        **more,
    }


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_as_dicts() -> None:
    found = rules.finding("c", "h", "wrong", option="o", value=1, remedy="Do it")
    assert rules.as_dicts([found]) == [
        {"check": "c", "host": "h", "message": "o = 1: wrong. Do it.", "leave_out": "h"},
    ]


@pytest.mark.parametrize("value", ["2.17", "2.19"])
def test_release_known(value: str) -> None:
    assert rules.release("h", value) == []


def test_release_unknown() -> None:
    found = only(rules.release("h", "2.20"))
    assert found.message == (
        "circleci_server_release = '2.20': not a release that this collection knows. "
        'Set it to "2.17" or "2.19", in quotes (YAML reads 2.20 as the number 2.2).'
    )
    assert found.leave_out == ""


@pytest.mark.parametrize("name", ["x86_64", "amd64"])
def test_architecture_good(name: str) -> None:
    assert rules.architecture("h", facts(architecture=name)) == []


@pytest.mark.parametrize("name", ["aarch64", "armv7l", "i686", "s390x"])
def test_architecture_bad(name: str) -> None:
    assert only(rules.architecture("h", facts(architecture=name))).message == (
        "the host's architecture is {0}; CircleCI Server runs on x86_64 only. Use an x86_64 machine.".format(name)
    )


@pytest.mark.parametrize(
    ("identity", "version"),
    [
        pytest.param("debian", "11", id="oldest"),
        pytest.param("debian", "13", id="later"),
        pytest.param("debian", "", id="testing has no version"),
        pytest.param("ubuntu", "20.04", id="ubuntu"),
        pytest.param("ubuntu", "24.04", id="ubuntu later"),
        pytest.param("rhel", "8.10", id="rhel minor"),
        pytest.param("rhel", "9", id="rhel 9"),
    ],
)
def test_os_good(identity: str, version: str) -> None:
    assert rules.operating_system("h", facts(os_id=identity, os_version=version), SUPPORTED) == []


@pytest.mark.parametrize(
    ("identity", "version", "name"),
    [
        pytest.param("debian", "10", "Debian 10", id="too old"),
        pytest.param("ubuntu", "16.04", "Ubuntu 16.04", id="of the guide's time"),
        pytest.param("ubuntu", "18.04", "Ubuntu 18.04", id="ubuntu too old"),
        pytest.param("rhel", "7.9", "RHEL 7.9", id="rhel too old"),
        pytest.param("alpine", "3.20", "Alpine", id="another"),
    ],
)
def test_os_bad(identity: str, version: str, name: str) -> None:
    found = only(rules.operating_system("h", facts(os_id=identity, os_version=version, os_name=name), SUPPORTED))
    assert found.message == (
        "preflight_supported_os: the host runs {2} (ID={0}, VERSION_ID={1}); "
        "these and later are supported: debian 11, rhel 8, ubuntu 20.04. "
        "Use a supported system, or add it there to take the risk: {{{0}: '{1}'}}."
    ).format(identity, version, name)


def test_os_unknown() -> None:
    found = only(rules.operating_system("h", facts(os_id="", os_version="", os_name=""), SUPPORTED))
    assert "the host runs an unknown system (ID=, VERSION_ID=)" in found.message
    assert "{ID: 'VERSION'}" in found.message


@pytest.mark.parametrize(
    ("users", "cores", "memory", "disk"),
    [
        (1, 8, 32, 100),
        (49, 8, 32, 100),
        (50, 12, 64, 200),
        (250, 12, 64, 200),
        (251, 16, 128, 500),
        (1000, 16, 128, 500),
        (1001, 20, 256, 1000),
        (5000, 20, 256, 1000),
        (5001, 24, 512, 2000),
        (99999, 24, 512, 2000),
    ],
)
def test_services_minimum(users: int, cores: int, memory: int, disk: int) -> None:
    assert rules.services_minimum(users, {}) == {"cores": cores, "memory_gb": memory, "disk_gb": disk}


def test_services_minimum_of_ones_own() -> None:
    own = {"cores": 1, "memory_gb": None}
    assert rules.services_minimum(10, own) == {"cores": 1, "memory_gb": 32, "disk_gb": 100}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="as the table says"),
        pytest.param({"memory": 30_400_000_000}, id="a twentieth less memory"),
        pytest.param({"disk": {"path": "/", "size": 90_000_000_000}}, id="a tenth less disk"),
    ],
)
def test_large_enough(more: dict[str, Any]) -> None:
    limits = {"cores": 8, "memory_gb": 32, "disk_gb": 100}
    assert rules.size("h", facts(**more), "preflight_services_minimum", limits) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            {"cores": 7},
            "preflight_services_minimum.cores = 8: the host has 7 cores, at least needed are 8. "
            "Give the host more, or set that option to take the risk.",
            id="cores",
        ),
        pytest.param(
            {"memory": 16_000_000_000},
            "preflight_services_minimum.memory_gb = 32: the host has 16 GB of memory, at least needed are 32. "
            "Give the host more, or set that option to take the risk.",
            id="memory",
        ),
        pytest.param(
            {"disk": {"path": "/var/lib", "size": 89_900_000_000}},
            "preflight_services_minimum.disk_gb = 100: the host has 89.9 GB of disk (file system of /var/lib), "
            "at least needed are 100. Give the host more, or set that option to take the risk.",
            id="disk",
        ),
    ],
)
def test_too_small(more: dict[str, Any], message: str) -> None:
    limits = {"cores": 8, "memory_gb": 32, "disk_gb": 100}
    assert only(rules.size("h", facts(**more), "preflight_services_minimum", limits)).message == message


def test_largest_client() -> None:
    limits = {"cores": 64, "memory_gb": 128}
    largest = facts(cores=64, memory=128 * 1024**3)
    assert rules.size("h", largest, "preflight_client_maximum", limits, largest=True) == []
    found = rules.size("h", facts(cores=96, memory=256_000_000_000), "preflight_client_maximum", limits, largest=True)
    remedy = (
        "Use more and smaller clients: the guide allows no larger one without asking CircleCI, "
        "or set that option to take the risk."
    )
    assert [entry.message for entry in found] == [
        "preflight_client_maximum.cores = 64: the host has 96 cores, more than the largest allowed, 64. " + remedy,
        "preflight_client_maximum.memory_gb = 128: the host has 256 GB of memory, "
        "more than the largest allowed, 128. " + remedy,
    ]


def test_half_a_core_is_shown_as_such() -> None:
    found = only(rules.size("h", facts(cores=1), "o", {"cores": 1.5}))
    assert "o.cores = 1.5: the host has 1 cores, at least needed are 1.5" in found.message


def test_disk_free() -> None:
    assert rules.disk_free("h", facts(), 50) == []
    full = {"path": "/", "size": 1, "free": 1_230_000_000}
    assert only(rules.disk_free("h", facts(root=full), 5)).message == (
        "preflight_disk_free_gb = 5: the file system of / has 1.23 GB free. Make room there, or lower that limit."
    )
    assert len(rules.disk_free("h", facts(disk=full, root=full), 5)) == 1


@pytest.mark.parametrize(
    ("skew", "uncertainty"),
    [(0.0, 0.1), (5.0, 0.0), (-5.0, 0.0), (6.0, 1.5), (-6.0, 1.5)],
)
def test_clock_good(skew: float, uncertainty: float) -> None:
    assert rules.clock("h", skew, uncertainty, 5) == []


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        pytest.param(60.0, "60.0 s ahead of", id="ahead"),
        pytest.param(-60.0, "60.0 s behind", id="behind"),
    ],
)
def test_clock_bad(skew: float, words: str) -> None:
    assert only(rules.clock("h", skew, 0.2, 5)).message == (
        "preflight_max_skew = 5: the host's clock is {0} this controller's (measured to 0.2 s). "
        "Synchronise the clocks (timedatectl set-ntp true); when every host says the same, "
        "the controller's clock is the wrong one.".format(words)
    )


def test_names() -> None:
    looked = {
        "good.example.com": {"addresses": ["10.0.0.1"], "error": ""},
        "bad.example.com": {"addresses": [], "error": "Name or service not known"},
    }
    found = only(rules.names("h", facts(names=looked), {"bad.example.com": "circleci_server_hostname"}))
    assert found.message == (
        "circleci_server_hostname = 'bad.example.com': the name does not resolve on this host: "
        "Name or service not known. Correct the option, or add the name to the DNS or to /etc/hosts of the host."
    )


@pytest.mark.parametrize("provider", ["none", "None", ""])
def test_vm_provider_good(provider: str) -> None:
    assert rules.vm_provider("h", provider) == []


def test_vm_provider_of_aws() -> None:
    found = only(rules.vm_provider("h", "aws"))
    assert found.message.startswith("circleci_server_vm_provider = 'aws': the VM service is not managed")
    assert found.message.endswith("Set it to none, or set the VM service up by hand.")


@pytest.mark.parametrize(
    ("release", "program", "kind", "value"),
    [
        pytest.param("2.17", "nomad", CLIENTS, "0.5.6", id="nomad 2.17"),
        pytest.param("2.19", "nomad", CLIENTS, "0.9.3", id="nomad 2.19"),
        pytest.param("2.19", "nomad", CLIENTS, "0.11.3", id="later nomad 2.19"),
        pytest.param("2.17", "docker", CLIENTS, "17.03.2~ce-0~ubuntu-xenial", id="docker of a client"),
        pytest.param("2.17", "docker", SERVICES, "17.12.1~ce-0~ubuntu", id="docker of the services host"),
        pytest.param("2.19", "docker", SERVICES, "18.09.9", id="later docker"),
        pytest.param("2.17", "replicated", SERVICES, "2.34.1", id="replicated 2.17"),
        pytest.param("2.19", "replicated", CLIENTS, "1.0", id="a client has no replicated"),
        pytest.param("2.19", "nomad", CLIENTS, "", id="the release picks"),
        pytest.param("2.20", "nomad", CLIENTS, "1.0.0", id="an unknown release is said elsewhere"),
    ],
)
def test_version_good(release: str, program: str, kind: str, value: str) -> None:
    assert rules.version_line("h", kind, program, "option", value, "check", release) == []


@pytest.mark.parametrize(
    ("release", "program", "kind", "value", "line"),
    [
        pytest.param("2.17", "nomad", CLIENTS, "0.9.3", "0.5.6", id="nomad of the other release"),
        pytest.param("2.19", "nomad", CLIENTS, "0.9.30", "0.9.3 or 0.11.3", id="only a longer number"),
        pytest.param("2.19", "nomad", CLIENTS, "0.9", "0.9.3 or 0.11.3", id="only a part"),
        pytest.param("2.17", "docker", CLIENTS, "17.12.1~ce", "17.03.2", id="docker of the other kind"),
        pytest.param("2.19", "docker", SERVICES, "20.10", "17.12.1 or 18.09.9", id="docker too new"),
        pytest.param("2.19", "replicated", SERVICES, "2.34.1", "2.38.6", id="replicated of the other release"),
    ],
)
def test_version_bad(release: str, program: str, kind: str, value: str, line: str) -> None:
    found = only(rules.version_line("h", kind, program, "my_version", value, "my_version_check", release))
    assert found.message == (
        "my_version = '{0}': release {1} runs on {2} {3} there. "
        "Set it to one of these, or my_version_check: warn to take the risk.".format(value, release, program, line)
    )
    assert found.check == program + "_version"


def test_duplicates() -> None:
    values = {"a": "10.0.0.1", "b": "10.0.0.1", "c": "10.0.0.1", "d": "10.0.0.2", "e": "", "f": ""}
    assert only(rules.duplicates("nomad_client_advertise_address", values, "b")).message == (
        "nomad_client_advertise_address = '10.0.0.1': b advertises the same address as a, c; "
        "Nomad would see one node where there are two. "
        "Give each client its own address (default: circleci_server_address, then ansible_host)."
    )
    for host in "de":
        assert rules.duplicates("nomad_client_advertise_address", values, host) == []


SUM = "ab" * 32


@pytest.mark.parametrize("checksum", ["", "sha256:" + SUM, "sha256:" + SUM.upper(), SUM])
def test_binary_good(checksum: str) -> None:
    assert rules.binary("h", "files/nomad", checksum, SUM) == []


@pytest.mark.parametrize("checksum", ["sha256:" + "0" * 64, "md5:" + SUM])
def test_binary_with_a_wrong_checksum(checksum: str) -> None:
    assert only(rules.binary("h", "files/nomad", checksum, SUM)).message == (
        "nomad_client_binary_checksum = '{0}': files/nomad has the checksum sha256:{1}. "
        "Get the file again, or correct the checksum (sha256:...).".format(checksum, SUM)
    )


def test_binary_that_cannot_be_read() -> None:
    assert only(rules.binary("h", "files/nomad", "", "", "no such file")).message == (
        "nomad_client_binary_file = 'files/nomad': the file cannot be read on this controller: no such file. "
        "Correct the path (it is a file of the machine that runs ansible-playbook)."
    )


def test_extra_only() -> None:
    assert rules.extra_only("h", ["max_parallel"], {}, {}) == []
    assert rules.extra_only("h", ["max_parallel"], {"max_parallel": 2}, {"max_parallel": 2}) == []
    assert only(rules.extra_only("h", ["max_parallel"], {"max_parallel": 2}, {})).message == (
        "max_parallel = 2: set in the inventory, where it has no effect: a play's serial sees extra variables only. "
        "Remove it from the inventory and give it on the command line: -e max_parallel=2."
    )
