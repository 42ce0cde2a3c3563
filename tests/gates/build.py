# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Builds the collection's tarball in dist/, and refuses one that holds a file which is not the project's."""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import yaml

from tests.gates.tree import call, files, tell
from tests.run.places import CHECKOUT, DIST

__all__ = ["main", "tarball"]

GENERATED = {"FILES.json", "MANIFEST.json"}
# What the tarball must not lack, and what only a checkout needs.
NEEDED = ("README.md", "CHANGELOG.md", "LICENSES/GPL-3.0-or-later.txt", "meta/runtime.yml", "requirements.txt")
UNWANTED = (".", "Makefile", "dist/", "molecule/", "tests/")


def tarball() -> Path:
    """Where the tarball of this version is."""
    about = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
    return DIST / f"{about['namespace']}-{about['name']}-{about['version']}.tar.gz"


def _faults(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        packed = {member.name for member in archive if member.isfile()} - GENERATED
    ours = {str(name) for name in files()}
    faults = [f"{name}: in the tarball, not in git; name it in build_ignore of galaxy.yml" for name in packed - ours]
    faults += [f"{name}: only a checkout needs it; name it in build_ignore of galaxy.yml" for name in packed & ours
               if name.startswith(UNWANTED)]  # fmt: skip
    faults += [f"{name}: missing in the tarball" for name in NEEDED if name not in packed]
    return sorted(faults)


def main() -> int:
    """Build it and look into it."""
    shutil.rmtree(DIST, ignore_errors=True)
    code = call(["ansible-galaxy", "collection", "build", "--output-path", DIST])
    return code or tell(_faults(tarball()))


if __name__ == "__main__":
    sys.exit(main())
