# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What the lab needs of the machine: capabilities, programs, packages. What is missing is named at once."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.places import CACHE, LAB
from tests.lab.report import LabError, step
from tests.lab.shell import run

__all__ = [
    "CAPABILITIES",
    "CGROUPS",
    "cgroup_hierarchies",
    "check",
    "install",
    "install_packages",
    "missing_capabilities",
    "remove_policy",
]

# Bit numbers from linux/capability.h. A host container gets these (docs/architecture.md; a privileged one would need
# CAP_SYS_RESOURCE, which many build machines lack); the rest of Docker's default set comes with root.
CAPABILITIES = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_ADMIN": 21,
    "SYS_NICE": 23, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Put here by the lab while it installs packages: services stay stopped.\nexit 101\n"
CGROUPS = Path("/sys/fs/cgroup")
FREE_GIB = 6


def missing_capabilities(status: str) -> list[str]:
    """Capabilities that a process lacks, by the text of its /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    return [f"CAP_{name}" for name, bit in CAPABILITIES.items() if not held >> bit & 1]


def cgroup_hierarchies(mounts: str | None = None) -> list[str]:
    """Names of the hierarchies of cgroup v1 as they are mounted below /sys/fs/cgroup; empty on cgroup v2."""
    text = Path("/proc/self/mounts").read_text() if mounts is None else mounts
    found = set()
    for line in text.splitlines():
        point, kind = line.split()[1:3]
        if kind in ("cgroup", "cgroup2") and point.startswith(f"{CGROUPS}/"):
            found.add(point.removeprefix(f"{CGROUPS}/"))
    return sorted(name for name in found if "/" not in name)


def check() -> None:
    """Stop with one line when this machine cannot carry the lab."""
    if os.geteuid() != 0:
        raise LabError("the lab must be started by root: it runs an engine and makes root file systems")
    if platform.machine() != "x86_64":
        raise LabError(f"this machine is {platform.machine()}; the lab needs x86_64, as CircleCI Server does")
    missing = missing_capabilities(Path("/proc/self/status").read_text())
    if missing:
        raise LabError(f"this machine does not grant {', '.join(missing)}; run it with --cap-add for each of them")
    for folder in [CGROUPS / name for name in cgroup_hierarchies()] or [CGROUPS]:
        if not os.access(folder, os.W_OK):
            raise LabError(f"{folder} is not mounted read-write: systemd in the lab's hosts cannot make its groups")
    if shutil.which("apt-get") is None:
        raise LabError("no apt-get here: the lab builds its hosts from Debian packages and needs a Debian machine")
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free / 1024**3
    if free < FREE_GIB:
        raise LabError(f"{CACHE} has {free:.1f} GiB free, the lab needs {FREE_GIB}; set LAB_CACHE to another place")


def install() -> None:
    """Install what tests/lab/packages.txt lists and the machine lacks."""
    lines = (LAB / "packages.txt").read_text().splitlines()
    install_packages(dict(line.split() for line in lines if line and not line.startswith("#")))


def install_packages(programs: dict[str, str]) -> None:
    """Install the packages (name: a program of theirs) whose program is not there."""
    wanted = [package for package, program in programs.items() if not _present(program)]
    if not wanted:
        return
    with step(f"install {' '.join(wanted)}"), _services_stay_stopped():
        apt = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "-q", "update"], env=apt, timeout=300)
        lock = ["-o", "DPkg::Lock::Timeout=300"]
        run(["apt-get", "-qy", *lock, "install", "--no-install-recommends", *wanted], env=apt, timeout=900)


def _present(program: str) -> bool:
    # Some of these stand in sbin, which not every PATH names; `docker` must be Debian's (another may be a client only).
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    # Debian's package starts its own engine where systemd runs; the lab starts one with a data root of its own.
    if POLICY.exists():
        yield
        return
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        remove_policy()


def remove_policy() -> None:
    """Take the lab's policy-rc.d away again, also one that a killed run left."""
    if POLICY.exists() and POLICY.read_text() == POLICY_TEXT:
        POLICY.unlink()
