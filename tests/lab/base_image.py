# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The base image of the lab's hosts: a Debian with systemd as PID 1, sshd and sudo, made by mmdebstrap."""

from __future__ import annotations

from pathlib import Path

from tests.lab.engine import Engine
from tests.lab.places import LAB, cached, digest
from tests.lab.report import LabError, step
from tests.lab.shell import attempt, confined, run

__all__ = ["SUITES", "root_file_system", "sources", "tag", "import_image"]

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = ("bullseye", "bookworm", "trixie")
_LEAN = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "info", "locale")]


def sources(suite: str) -> list[str]:
    """apt's source lines for a suite, from the mirrors that this machine itself uses."""
    if suite not in SUITES:
        raise LabError(f"suite {suite!r} is not one of the lab's: {', '.join(SUITES)}")
    mirror, security = _mirrors()
    signed = f"deb [signed-by={KEYRING}]"
    return [
        f"{signed} {mirror} {suite} main",
        f"{signed} {mirror} {suite}-updates main",
        f"{signed} {security} {suite}-security main",
    ]


def _mirrors() -> tuple[str, str]:
    """This machine's own mirrors of Debian and of its security updates; apt knows their labels after an update."""
    known = _labels()
    if not {"Debian", "Debian-Security"} <= set(known):
        run(["apt-get", "-qq", "update"], timeout=300)
        known = _labels()
    try:
        return known["Debian"].rstrip("/"), known["Debian-Security"].rstrip("/")
    except KeyError as missing:
        raise LabError(
            f"apt on this machine has no source labelled {missing}: add it to /etc/apt/sources.list"
        ) from None


def _labels() -> dict[str, str]:
    form = "$(LABEL) $(REPO_URI)"
    found = attempt(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).stdout
    return dict(line.rsplit(" ", 1) for line in found.splitlines() if " " in line)


def _packages() -> list[str]:
    lines = (LAB / "base" / "packages.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _key(suite: str) -> str:
    return digest(suite, *_packages(), LAB / "base" / "customize.sh", *_LEAN)


def root_file_system(suite: str) -> Path:
    """The base image's tar file, built when the cache has none."""

    def build(folder: Path) -> None:
        current.takes("to be built, about 40 s")
        target = str(folder / "rootfs.tar")
        hook = f"--customize-hook={LAB / 'base' / 'customize.sh'}"
        argv = ["mmdebstrap", "--variant=minbase", *_LEAN, f"--include={','.join(_packages())}", hook, suite, target]
        run(confined([*argv, *sources(suite)]), timeout=1200, env={"TMPDIR": str(folder)})

    with step(f"base file system, Debian {suite}") as current:
        folder, there = cached(f"base-{suite}-{_key(suite)}", build)
        current.note = "cached" if there else "built"
    return folder / "rootfs.tar"


def tag(suite: str) -> str:
    """The image's name in the engine."""
    return f"circleci-lab-base:{suite}-{_key(suite)}"


def import_image(engine: Engine, suite: str, rootfs: Path) -> None:
    """Make the image of the tar file, unless the engine has it."""
    with step(f"base image, Debian {suite}") as current:
        current.note = "cached"
        if not engine.has_image(tag(suite)):
            engine("import", "--change", "LABEL circleci.lab=1", str(rootfs), tag(suite), timeout=300)
            current.note = "imported"
