# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): where it keeps things. State, socket and replicated.conf are at the facts' paths.

Every path can be moved by an environment variable, so that tests run the daemon without root and without Docker.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SOCKET", "Places", "save", "write"]

SOCKET = "unix:///var/run/replicated/replicated-cli.sock"


@dataclass(frozen=True)
class Places:
    """Folders of the daemon; `host` is where the host's root is mounted in its container; engine "none": no Docker."""

    state: Path
    run: Path
    log: Path
    host: Path
    engine: str
    version: str

    @classmethod
    def from_environment(cls, given: Mapping[str, str] | None = None) -> Places:
        """The folders that the environment names, else those of the container."""
        env = os.environ if given is None else given
        return cls(
            state=Path(env.get("LAB_REPLICATED_STATE", "/var/lib/replicated")),
            run=Path(env.get("LAB_REPLICATED_RUN", "/var/run/replicated")),
            log=Path(env.get("LAB_REPLICATED_LOG", "/var/log/replicated")),
            host=Path(env.get("LAB_REPLICATED_HOST", "/host")),
            engine=env.get("LAB_REPLICATED_ENGINE", "/var/run/docker.sock"),
            version=env.get("LAB_REPLICATED_VERSION") or _installed_version(),
        )

    @property
    def socket(self) -> Path:
        """Where the command lines reach the daemon."""
        return self.run / "replicated-cli.sock"

    @property
    def faults(self) -> Path:
        """The control file of the faults (README.md)."""
        return self.state / "lab-faults.json"

    def on_host(self, path: str) -> Path:
        """Where a path of the host is seen from here."""
        return self.host / path.lstrip("/")


def _installed_version() -> str:
    # The vendor script writes it beside the host's copy; in the container it is in the environment.
    path = Path(__file__).resolve().parent.parent / "VERSION"
    return path.read_text().strip() if path.exists() else "2.38.6"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file at once: a daemon that is killed leaves the old one or the new one."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def save(path: Path, document: Any) -> None:
    """The same for JSON."""
    write(path, json.dumps(document, indent=1) + "\n")
