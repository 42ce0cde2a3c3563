# The rules of preflight: what was found on a host, or stands in the inventory, against the limits. Pure. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = [
    "CLIENTS",
    "RELEASES",
    "SERVICES",
    "SIZES",
    "Finding",
    "architecture",
    "as_dicts",
    "binary",
    "clock",
    "disk_free",
    "duplicates",
    "extra_only",
    "finding",
    "names",
    "operating_system",
    "release",
    "services_minimum",
    "size",
    "vm_provider",
    "version_line",
]

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

SERVICES = "services"
CLIENTS = "nomad_clients"
GIGABYTE = 1000**3
GIBIBYTE = 1024**3
# A machine sold as 32 GB shows less: the kernel keeps a part of the memory, a file system a part of its disk.
MEMORY_TOLERANCE = 0.95
DISK_TOLERANCE = 0.9

# The versions that a release runs on, by host kind (the vendor's installation scripts and documentation).
RELEASES: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "2.17": {
        "nomad": {SERVICES: ("0.5.6",), CLIENTS: ("0.5.6",)},
        "docker": {SERVICES: ("17.12.1",), CLIENTS: ("17.03.2",)},
        "replicated": {SERVICES: ("2.34.1",)},
    },
    "2.19": {
        "nomad": {SERVICES: ("0.9.3", "0.11.3"), CLIENTS: ("0.9.3", "0.11.3")},
        "docker": {SERVICES: ("17.12.1", "18.09.9"), CLIENTS: ("18.09.9",)},
        "replicated": {SERVICES: ("2.38.6",)},
    },
}

# The vendor's table: up to so many daily active users, a services host has at least this.
SIZES: tuple[tuple[int | None, dict[str, int]], ...] = (
    (49, {"cores": 8, "memory_gb": 32, "disk_gb": 100}),
    (250, {"cores": 12, "memory_gb": 64, "disk_gb": 200}),
    (1000, {"cores": 16, "memory_gb": 128, "disk_gb": 500}),
    (5000, {"cores": 20, "memory_gb": 256, "disk_gb": 1000}),
    (None, {"cores": 24, "memory_gb": 512, "disk_gb": 2000}),
)


class Finding(NamedTuple):
    """One thing that is wrong.

    check:     the name of the rule.
    host:      the host that it was seen on.
    message:   option, value, what is wrong, what to do.
    leave_out: the host without which a run could go on; empty when leaving out a host does not help.
    """

    check: str
    host: str
    message: str
    leave_out: str


def finding(
    check: str,
    host: str,
    message: str,
    option: str | None = None,
    value: Any = None,
    remedy: str | None = None,
    leave_out: str | None = None,
) -> Finding:
    """A finding in the words of the collection's error class; without leave_out it is the host itself."""
    # On one line: what a program or Ansible said may have several.
    text = " ".join(str(OpsError(message, option=option, value=value, remedy=remedy)).split())
    return Finding(check, host, text, host if leave_out is None else leave_out)


def release(host: str, value: str) -> list[Finding]:
    """circleci_server_release is one that the collection knows."""
    if value in RELEASES:
        return []
    return [
        finding(
            "release",
            host,
            "not a release that this collection knows",
            option="circleci_server_release",
            value=value,
            remedy='Set it to "2.17" or "2.19", in quotes (YAML reads 2.20 as the number 2.2)',
            leave_out="",
        )
    ]


def architecture(host: str, facts: Mapping[str, Any]) -> list[Finding]:
    """CircleCI's containers and Nomad clients are x86_64 only."""
    if facts["architecture"] in ("x86_64", "amd64"):
        return []
    return [
        finding(
            "architecture",
            host,
            "the host's architecture is {0}; CircleCI Server runs on x86_64 only".format(facts["architecture"]),
            remedy="Use an x86_64 machine",
        )
    ]


def operating_system(host: str, facts: Mapping[str, Any], supported: Mapping[str, Any]) -> list[Finding]:
    """The host's OS is in supported: os-release's ID to the oldest version."""
    identity, version = facts["os_id"], facts["os_version"]
    oldest = supported.get(identity)
    if oldest is not None and (not version or _number(version) >= _number(str(oldest))):
        return []
    known = ", ".join("{0} {1}".format(name, supported[name]) for name in sorted(supported))
    return [
        finding(
            "os",
            host,
            "the host runs {0} (ID={1}, VERSION_ID={2}); these and later are supported: {3}".format(
                facts["os_name"] or "an unknown system", identity, version, known
            ),
            option="preflight_supported_os",
            remedy="Use a supported system, or add it there to take the risk: {{{0}: '{1}'}}".format(
                identity or "ID", version or "VERSION"
            ),
        )
    ]


def services_minimum(daily_active_users: int, own: Mapping[str, Any]) -> dict[str, float]:
    """The vendor's minimum for that many users; what preflight_services_minimum sets wins, item by item."""
    fitting = [sizes for most, sizes in SIZES if most is None or daily_active_users <= most]
    return _numbers(dict(fitting[0], **_numbers(own)))


def size(
    host: str, facts: Mapping[str, Any], option: str, limits: Mapping[str, Any], largest: bool = False
) -> list[Finding]:
    """Cores, memory and disk against a minimum, or (largest) a maximum; a limit that is not given is not checked."""
    found = []
    wanted = _numbers(limits)
    for key, have, enough, unit in (
        ("cores", facts["cores"], 1, "cores"),
        ("memory_gb", facts["memory"], GIBIBYTE if largest else GIGABYTE * MEMORY_TOLERANCE, "GB of memory"),
        ("disk_gb", facts["disk"]["size"], GIBIBYTE if largest else GIGABYTE * DISK_TOLERANCE, "GB of disk"),
    ):
        if key not in wanted:
            continue
        limit = wanted[key]
        if have > limit * enough if largest else have < limit * enough:
            found.append(_size_finding(host, option, key, limit, have, unit, facts, largest))
    return found


def _size_finding(
    host: str, option: str, key: str, limit: float, have: float, unit: str, facts: Mapping[str, Any], largest: bool
) -> Finding:
    shown = have if key == "cores" else have / GIGABYTE
    where = " (file system of {0})".format(facts["disk"]["path"]) if key == "disk_gb" else ""
    if largest:
        remedy = "Use more and smaller clients: the guide allows no larger one without asking CircleCI"
    else:
        remedy = "Give the host more"
    return finding(
        "size",
        host,
        "the host has {0:.4g} {1}{2}, {3} {4:g}".format(
            shown, unit, where, "more than the largest allowed," if largest else "at least needed are", limit
        ),
        option="{0}.{1}".format(option, key),
        value=_plain(limit),
        remedy="{0}, or set that option to take the risk".format(remedy),
    )


def disk_free(host: str, facts: Mapping[str, Any], least_gb: float) -> list[Finding]:
    """The file systems that the installation grows on have room left."""
    found = []
    for place in {entry["path"]: entry for entry in (facts["disk"], facts["root"])}.values():
        if place["free"] >= least_gb * GIGABYTE:
            continue
        found.append(
            finding(
                "disk",
                host,
                "the file system of {0} has {1:.2f} GB free".format(place["path"], place["free"] / GIGABYTE),
                option="preflight_disk_free_gb",
                value=_plain(least_gb),
                remedy="Make room there, or lower that limit",
            )
        )
    return found


def clock(host: str, skew: float, uncertainty: float, most: float) -> list[Finding]:
    """The host's clock is near the controller's. The uncertainty of the measurement counts for the host."""
    if abs(skew) - uncertainty <= most:
        return []
    return [
        finding(
            "clock",
            host,
            "the host's clock is {0:.1f} s {1} this controller's (measured to {2:.1f} s)".format(
                abs(skew), "ahead of" if skew > 0 else "behind", uncertainty
            ),
            option="preflight_max_skew",
            value=_plain(most),
            remedy="Synchronise the clocks (timedatectl set-ntp true); when every host says the same, "
            "the controller's clock is the wrong one",
        )
    ]


def names(host: str, facts: Mapping[str, Any], options: Mapping[str, str]) -> list[Finding]:
    """Every name resolves on the host; options: name to the option that it comes from."""
    found = []
    for name, answer in sorted(facts["names"].items()):
        if answer["addresses"]:
            continue
        found.append(
            finding(
                "name",
                host,
                "the name does not resolve on this host: {0}".format(answer["error"]),
                option=options.get(name, "name"),
                value=name,
                remedy="Correct the option, or add the name to the DNS or to /etc/hosts of the host",
            )
        )
    return found


def vm_provider(host: str, provider: str) -> list[Finding]:
    """A warning: machine executors and remote Docker need a cloud provider; on a static installation there is none."""
    if provider.lower() in ("", "none"):
        return []
    return [
        finding(
            "vm_provider",
            host,
            "the VM service is not managed by this collection; on a static installation the guide's value is none",
            option="circleci_server_vm_provider",
            value=provider,
            remedy="Set it to none, or set the VM service up by hand",
            leave_out="",
        )
    ]


def version_line(
    host: str, kind: str, program: str, option: str, value: str, check_option: str, server_release: str
) -> list[Finding]:
    """A version that was asked for belongs to the release. No version asked for: the release picks, nothing to say."""
    line = RELEASES.get(server_release, {}).get(program, {}).get(kind, ())
    if not value or not line or any(_starts(value, known) for known in line):
        return []
    return [
        finding(
            program + "_version",
            host,
            "release {0} runs on {1} {2} there".format(server_release, program, " or ".join(line)),
            option=option,
            value=value,
            remedy="Set it to one of these, or {0}: warn to take the risk".format(check_option),
        )
    ]


def duplicates(option: str, values: Mapping[str, str], host: str) -> list[Finding]:
    """No other host has the value of this one (host to value)."""
    mine = values.get(host, "")
    others = sorted(other for other, value in values.items() if other != host and mine and value == mine)
    if not others:
        return []
    return [
        finding(
            "advertise",
            host,
            "{0} advertises the same address as {1}; Nomad would see one node where there are two".format(
                host, ", ".join(others)
            ),
            option=option,
            value=mine,
            remedy="Give each client its own address (default: circleci_server_address, then ansible_host)",
            leave_out="",
        )
    ]


def binary(host: str, path: str, checksum: str, actual: str, error: str = "") -> list[Finding]:
    """The Nomad binary on the controller has its checksum. actual: its sha256, "" when error says why there is none."""
    if error:
        return [
            finding(
                "binary",
                host,
                "the file cannot be read on this controller: {0}".format(error),
                option="nomad_client_binary_file",
                value=path,
                remedy="Correct the path (it is a file of the machine that runs ansible-playbook)",
                leave_out="",
            )
        ]
    method, _colon, digits = checksum.rpartition(":")
    if not checksum or (method in ("", "sha256") and digits.lower() == actual):
        return []
    return [
        finding(
            "binary",
            host,
            "{0} has the checksum sha256:{1}".format(path, actual),
            option="nomad_client_binary_checksum",
            value=checksum,
            remedy="Get the file again, or correct the checksum (sha256:...)",
            leave_out="",
        )
    ]


def extra_only(host: str, wanted: Iterable[str], present: Mapping[str, Any], extra: Mapping[str, Any]) -> list[Finding]:
    """A variable that works as an extra variable only is not set elsewhere, where it would do nothing."""
    return [
        finding(
            "extra_only",
            host,
            "set in the inventory, where it has no effect: a play's serial sees extra variables only",
            option=name,
            value=present[name],
            remedy="Remove it from the inventory and give it on the command line: -e {0}={1}".format(
                name, present[name]
            ),
            leave_out="",
        )
        for name in wanted
        if name in present and name not in extra
    ]


def _starts(value: str, line: str) -> bool:
    """A version begins with another at a boundary: 17.12.1~ce-0~ubuntu with 17.12.1, not 17.12.10."""
    return value == line or (value.startswith(line) and value[len(line)] in ".-+~_:")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _numbers(limits: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in limits.items() if value is not None}


def _plain(number: float) -> Any:
    return int(number) if float(number).is_integer() else number


def as_dicts(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings as plain data, for a task's result."""
    return [dict(entry._asdict()) for entry in findings]
