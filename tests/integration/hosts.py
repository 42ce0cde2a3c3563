# The lab's hosts as the tests see them: commands over SSH, and snapshots that are compared before and after a run.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from tests.lab.access import ssh
from tests.lab.topology import load

# What a run may touch, one line a fact: a file's mode, owner, inode, mtime and hash; packages; units; containers.
SNAPSHOT = r"""
find /etc /usr/local /var/lib/circleci_server_ops /usr/bin/nomad -xdev -type f \
    ! -path /etc/adjtime ! -path /etc/mtab ! -path /etc/resolv.conf \
    -printf 'file %p %m %u:%g %i %T@ ' -exec sh -c 'sha256sum < "$1"' - {} \; 2>/dev/null | sort
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Abbrev}\n'
apt-mark showhold | sed 's/^/hold /'
systemctl list-unit-files --no-legend --no-pager --type service,timer,socket | sed 's/^/unit /'
for unit in docker nomad systemd-timesyncd; do
    systemctl show "$unit" -p Id,ActiveState,MainPID,ExecMainStartTimestampMonotonic | sed "s/^/state $unit /"
done
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    docker ps -aq --no-trunc | xargs -r docker inspect -f 'container {{.Id}} {{.Name}} {{.State.StartedAt}}'
    docker network ls --no-trunc --format 'network {{.ID}} {{.Name}}' | sort
fi
"""


@dataclass(frozen=True)
class Host:
    """One host of the lab."""

    name: str
    address: str
    reach: tuple[str, ...]

    def ssh(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A command as root, through SSH as the unprivileged user of the lab."""
        return subprocess.run(
            [*self.reach, "sudo", "-n", "sh", "-s"],
            input=command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def run(self, command: str, timeout: float = 120) -> str:
        """The output of a command that must succeed."""
        done = self.ssh(command, timeout)
        assert done.returncode == 0, f"{self.name}: {command!r} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def succeeds(self, command: str) -> bool:
        return self.ssh(command).returncode == 0

    def snapshot(self) -> list[str]:
        return self.run(SNAPSHOT).splitlines()


def lab_hosts() -> dict[str, Host]:
    """All hosts of the lab's topology by name, the ones that are not started included."""
    return {host.name: Host(host.name, host.address, tuple(ssh(host))) for host in load().hosts}


def difference(before: list[str], after: list[str]) -> list[str]:
    """The lines of two snapshots that differ, readable in a failing test."""
    gone = [f"- {line}" for line in sorted(set(before) - set(after))]
    new = [f"+ {line}" for line in sorted(set(after) - set(before))]
    return gone + new
