# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The lab's apt repository: what tests/lab/apt-packages.txt lists and all that it needs beyond the base image.

The machine's own apt resolves and downloads, with the base image's package list as what is installed, in state
folders of its own; nothing is installed and the machine's apt state stays as it is.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from email.utils import formatdate
from pathlib import Path

from tests.lab import base_image
from tests.lab.places import CACHE, LAB, cached, digest
from tests.lab.report import step
from tests.lab.shell import confined, run

__all__ = ["fill", "installations", "known"]

LIST = LAB / "apt-packages.txt"


def installations(suite: str) -> list[list[str]]:
    """The lines of the list for that suite: packages that are installed together."""
    found = []
    for line in LIST.read_text().splitlines():
        only, colon, packages = line.rpartition(": ")
        if line and not line.startswith("#") and (not colon or suite in only.split()):
            found.append(packages.split())
    return found


def fill(suite: str, rootfs: Path) -> None:
    """Make the folder with the packages and their index for hosts of that suite, unless the cache has it."""

    def build(folder: Path) -> None:
        current.takes("to be filled, about 20 s")
        work = folder.with_name(folder.name + ".apt")
        options = _apt(suite, rootfs, work)
        run(confined(["apt-get", "-q", *options, "update"]), timeout=300)
        for packages in installations(suite):
            run(confined([*_INSTALL, *options, "install", *packages]), timeout=600)
        for package in sorted((work / "cache" / "archives").glob("*.deb")):
            package.rename(folder / package.name.replace("%3a", "_"))
        shutil.rmtree(work)
        _index(suite, folder)

    with step(f"apt repository, Debian {suite}") as current:
        _path, there = cached(_name(suite), build)
        current.note = "cached" if there else "filled"


def known() -> dict[str, Path]:
    """The repositories that the cache has by now, by suite."""
    folders = {suite: CACHE / _name(suite) for suite in base_image.SUITES}
    return {suite: folder for suite, folder in folders.items() if folder.exists()}


def _name(suite: str) -> str:
    return f"apt-{suite}-{digest(base_image.tag(suite), LIST)}"


_INSTALL = ["apt-get", "-qy", "--download-only", "--no-install-recommends"]


def _apt(suite: str, rootfs: Path, work: Path) -> list[str]:
    for part in ("state/lists/partial", "cache/archives/partial", "parts"):
        (work / part).mkdir(parents=True)
    with tarfile.open(rootfs) as tar:
        status = tar.extractfile("./var/lib/dpkg/status")
        assert status is not None
        (work / "status").write_bytes(status.read())
    (work / "sources.list").write_text("\n".join(base_image.sources(suite)) + "\n")
    settings = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": work / "parts",
        "Dir::Etc::Preferences": work / "none",
        "Dir::Etc::PreferencesParts": work / "parts",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _index(suite: str, folder: Path) -> None:
    packages = run(["dpkg-scanpackages", "--multiversion", "."], cwd=folder).encode()
    (folder / "Packages").write_bytes(packages)
    sums = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages"
    head = f"Origin: circleci-lab\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\n"
    (folder / "Release").write_text(f"{head}Date: {formatdate(usegmt=True)}\nSHA256:\n{sums}\n")
