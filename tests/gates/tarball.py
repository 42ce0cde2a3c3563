# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The tarball as a user gets it: installed offline beside requirements.txt alone, read by ansible-doc, its playbooks
parsed by their names."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.gates.build import tarball
from tests.gates.tree import call, files
from tests.run.places import CHECKOUT

__all__ = ["main"]


def _commands(folder: Path) -> list[list[str | Path]]:
    """What is tried, one after another, with the tools of a new virtual environment."""
    tools = folder / "venv/bin"
    modules = [f"circleci_server.ops.{path.stem}" for path in files("plugins/modules/*.py")]
    roles = [f"circleci_server.ops.{path.parts[1]}" for path in files("roles/*/meta/argument_specs.yml")]
    playbooks = [path.stem for path in files("playbooks/*.yml")]
    inventory = CHECKOUT / "inventories/example"
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", folder / "venv"],
        [tools / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r",
         CHECKOUT / "requirements.txt"],
        [tools / "ansible-galaxy", "collection", "install", "--offline", tarball(), "-p", folder / "collections"],
        [tools / "ansible-doc", "-t", "module", "--json", *modules],
        [tools / "ansible-doc", "-t", "role", "--json", *roles],
    ]  # fmt: skip
    for name in playbooks:
        commands.append([tools / "ansible-playbook", "-i", inventory, "--syntax-check", f"circleci_server.ops.{name}"])
    return commands


def main() -> int:
    """Try everything in a folder that goes away; stop at the first failure."""
    with tempfile.TemporaryDirectory(prefix="tarball-") as name:
        folder = Path(name)
        (folder / "ansible.cfg").touch()
        env = {
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "HOME": str(folder),
            "PIP_CACHE_DIR": str(Path.home() / ".cache/pip"),
        }
        for argv in _commands(folder):
            if call(argv, cwd=folder, env=env):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
