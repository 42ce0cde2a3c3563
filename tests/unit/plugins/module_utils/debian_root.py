# A Debian package database and repository in a directory, for the real apt-get and dpkg. No root is needed.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

__all__ = ["DebianRoot"]

import hashlib
import os
import subprocess
from pathlib import Path

DIRECTORIES = (
    "var/lib/dpkg/updates",
    "var/lib/dpkg/info",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "repo",
    "build",
)


class DebianRoot:
    """A root for dpkg and apt beside the system's own, with a repository of tiny packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for directory in DIRECTORIES:
            (root / directory).mkdir(parents=True)
        for name in ("status", "available", "lock", "lock-frontend"):
            (root / "var/lib/dpkg" / name).touch()
        (root / "var/lib/apt/lists/lock").touch()
        (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{root}/repo ./\n")
        (root / "repo/Packages").touch()
        (root / "apt.conf").write_text(
            f'Dir "{root}/";\n'
            f'Dir::State::status "{root}/var/lib/dpkg/status";\n'
            f'DPkg::Options {{ "--root={root}"; "--force-not-root"; "--force-script-chrootless"; }};\n'
            'APT::Sandbox::User "root";\nAcquire::Languages "none";\nAcquire::Retries "0";\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes the real programs work in this root."""
        return {
            "APT_CONFIG": str(self.root / "apt.conf"),
            "DPKG_ADMINDIR": str(self.root / "var/lib/dpkg"),
            "DPKG_ROOT": str(self.root),
        }

    def build(self, name: str, version: str, *fields: str, publish: bool = True) -> Path:
        """Build a package with one file in it; publish puts it into the repository."""
        tree = self.root / "build" / f"{name}-{version.replace(':', '-')}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "version").write_text(version)
        rows = [f"Package: {name}", f"Version: {version}", "Architecture: all", "Maintainer: Lab <lab@example.com>"]
        rows += fields
        (tree / "DEBIAN/control").write_text("\n".join([*rows, "Description: for tests"]) + "\n")
        file = self.root / ("repo" if publish else "build") / f"{name}_{version.replace(':', '%3a')}_all.deb"
        self.command("dpkg-deb", "--root-owner-group", "--build", str(tree), str(file))
        if publish:
            data = file.read_bytes()
            facts = [f"Filename: ./{file.name}", f"Size: {len(data)}", f"SHA256: {hashlib.sha256(data).hexdigest()}"]
            with (self.root / "repo/Packages").open("a") as index:
                index.write("\n".join([*rows, *facts, "Description: for tests"]) + "\n\n")
        return file

    def command(self, *argv: str) -> str:
        """Run one of the real programs in this root."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def installed(self) -> dict[str, str]:
        """Name → state and version, as dpkg says it."""
        layout = "${Package} ${db:Status-Abbrev} ${Version}\\n"
        lines = self.command("dpkg-query", "--show", "--showformat", layout).splitlines()
        return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
