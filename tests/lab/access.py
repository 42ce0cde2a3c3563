# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Keys of the lab: the administrator's SSH key, each host's key, and the password that sudo asks `opspw` for.

All are made once and kept in .lab/ until `down`; .lab/known_hosts is written before the first connection, so Ansible's
host_key_checking stays on.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from tests.lab.places import STATE
from tests.lab.shell import run
from tests.lab.topology import Host

__all__ = ["KEY", "KNOWN_HOSTS", "PASSWORD", "host_key", "prepare", "ssh"]

KEY = STATE / "id_ed25519"
KNOWN_HOSTS = STATE / "known_hosts"
PASSWORD = STATE / "sudo-password"


def prepare(hosts: Sequence[Host]) -> None:
    """Make what is missing, for all hosts of the topology, and write known_hosts."""
    STATE.mkdir(mode=0o755, exist_ok=True)
    _make_key(KEY, "lab administrator")
    if not PASSWORD.exists():
        descriptor = os.open(PASSWORD, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(18) + "\n")
    lines = []
    for host in hosts:
        key = host_key(host)
        key.parent.mkdir(mode=0o700, exist_ok=True)
        _make_key(key, host.name)
        kind, text = key.with_suffix(".pub").read_text().split()[:2]
        lines.append(f"{host.address},{host.name} {kind} {text}\n")
    draft = KNOWN_HOSTS.with_suffix(".new")
    draft.write_text("".join(lines))
    draft.rename(KNOWN_HOSTS)


def host_key(host: Host) -> Path:
    """The private key of a host's sshd."""
    return STATE / "host-keys" / host.name


def _make_key(path: Path, comment: str) -> None:
    if path.exists() and path.with_suffix(".pub").exists():
        return
    path.unlink(missing_ok=True)  # half made by a run that was killed
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def ssh(host: Host, user: str = "ops") -> list[str]:
    """The command line that reaches a host as an administrator does."""
    options = ["-o", f"UserKnownHostsFile={KNOWN_HOSTS}", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"]
    return ["ssh", "-F", "none", "-i", str(KEY), *options, f"{user}@{host.address}"]
