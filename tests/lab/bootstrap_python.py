# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Makes the archive that playbooks/bootstrap.yml gives to the lab's host without Python.

Debian's minimal Python, its library and its standard library, unpacked into one directory: such a tree finds its
library beside its program, wherever it stands (seen: no PYTHONHOME is needed, which other programs would inherit).
Usage: python -m tests.lab.bootstrap_python PATH.tar.gz
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

__all__ = ["PACKAGES", "build"]

PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")


def build(target: Path) -> Path:
    """Write the archive, unless it is there already."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        downloads, tree = Path(folder) / "downloads", Path(folder) / "tree"
        downloads.mkdir()
        # apt gives its downloads to a user of its own where it can; here root may keep them.
        subprocess.run(
            ["apt-get", "-o", "APT::Sandbox::User=root", "-qq", "download", *PACKAGES], cwd=downloads, check=True
        )
        for package in sorted(downloads.glob("*.deb")):
            subprocess.run(["dpkg", "-x", str(package), str(tree)], check=True)
        part = target.with_suffix(".part")
        with gzip.GzipFile(part, "wb", compresslevel=6, mtime=0) as packed, _tar(packed) as archive:
            archive.add(tree / "usr", "usr", filter=_wanted)
    return part.rename(target)


def _tar(stream: gzip.GzipFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="w")


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """The program and its library; no documentation. The same packages give the same archive."""
    if entry.name.startswith("usr/share"):
        return None
    entry.uid = entry.gid = 0
    entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
