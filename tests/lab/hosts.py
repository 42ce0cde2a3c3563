# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Starts and removes the lab's hosts: containers with systemd as PID 1 on one internal network."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import access, base_image, machine
from tests.lab.engine import Engine
from tests.lab.payload import Payload, archive, fingerprint
from tests.lab.places import digest
from tests.lab.report import LabError, step
from tests.lab.topology import Host, Topology

__all__ = ["BRIDGE", "LABEL", "cgroup_flags", "create_network", "host_flags", "inspect", "start_all"]

LABEL = "circleci.lab"
BRIDGE = "ccilab0"

# Seen to work without CAP_SYS_RESOURCE (a privileged container needs it). systempaths=unconfined: without it
# containers under userns-remap inside a host cannot mount /proc.
_FLAGS = [
    "--stop-signal", "SIGRTMIN+3", "--env", "container=docker", "--tmpfs", "/run", "--tmpfs", "/run/lock",
    "--volume", "/var/lib/docker", "--cgroupns=host",
    "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
    "--security-opt", "systempaths=unconfined",
]  # fmt: skip
_ADDED = [
    "SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "MKNOD", "SYS_CHROOT", "AUDIT_WRITE", "SETFCAP",
    "DAC_READ_SEARCH", "SYS_NICE",
]  # fmt: skip

# Names outside the lab are refused at once instead of after a resolver's time limit; the password comes on stdin.
_SETTLE = """
set -e
printf 'nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' > /etc/resolv.conf
IFS= read -r password
printf 'opspw:%s\\n' "$password" | chpasswd
# There is nothing to wait on until systemd has its socket; from then on --wait blocks until the end of the boot.
until [ -S /run/systemd/private ] && [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
state=$(systemctl is-system-running --wait) || true
if [ "$state" != running ]; then
    echo "$state"; systemctl --failed --no-legend --plain; exit 1
fi
"""


def cgroup_flags(hierarchies: Sequence[str]) -> list[str]:
    """How a host sees the machine's control groups, by the names of v1's hierarchies; none of them: cgroup v2.

    v1 (seen): systemd remounts the folder of the hierarchies read-only, which would hit the machine's own one, so each
    hierarchy is mounted into a folder of the host's own. v2 (not seen here): the one hierarchy is handed in.
    """
    if not hierarchies:
        return ["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    flags = ["--tmpfs", "/sys/fs/cgroup"]
    for name in hierarchies:
        flags += ["--volume", f"/sys/fs/cgroup/{name}:/sys/fs/cgroup/{name}:rw"]
    return flags


def host_flags(host: Host, topology: Topology, hierarchies: Sequence[str]) -> list[str]:
    """The options of `docker create` for a host."""
    flags = [*_FLAGS, "--name", host.container, "--hostname", host.name, "--label", f"{LABEL}=1"]
    flags += cgroup_flags(hierarchies)
    flags += ["--network", topology.network, "--ip", host.address]
    for other in topology.hosts:
        flags += ["--add-host", f"{other.name}:{other.address}"]
    for capability in _ADDED:
        flags += ["--cap-add", capability]
    return flags


def create_network(engine: Engine, topology: Topology) -> None:
    """The lab's network: internal (nothing leaves it), with a bridge of a known name."""
    found = engine.attempt("network", "inspect", topology.network)
    if found.returncode == 0:
        if json.loads(found.stdout)[0]["IPAM"]["Config"][0]["Subnet"] != topology.subnet:
            raise LabError(f"the network {topology.network} has another subnet than {topology.subnet}: lab-down first")
        return
    engine(
        "network", "create", "--internal", "--subnet", topology.subnet, "--label", f"{LABEL}=1",
        "--gateway", str(next(ipaddress.ip_network(topology.subnet).hosts())),
        "--opt", f"com.docker.network.bridge.name={BRIDGE}", topology.network,
    )  # fmt: skip


def inspect(engine: Engine, hosts: Sequence[Host]) -> dict[str, dict[str, Any]]:
    """What the engine knows about the hosts that exist, by host name."""
    done = engine.attempt("container", "inspect", *(host.container for host in hosts))
    by_container = {item["Name"].lstrip("/"): item for item in json.loads(done.stdout or "[]")}
    return {host.name: by_container[host.container] for host in hosts if host.container in by_container}


def start_all(engine: Engine, topology: Topology, payloads: dict[Host, Payload]) -> None:
    """Start the hosts that do not run yet or are not what they should be; wait until all of them are up."""
    known = inspect(engine, list(payloads))
    wanted = {host: _arguments(host, topology, files) for host, files in payloads.items()}
    current = {host for host in payloads if _runs(known.get(host.name), wanted[host])}
    if any("circleci_services" in host.groups for host in payloads.keys() - current):
        # A Nomad client waits up to 5 minutes for news of its old server's count, which a new server is far below.
        current = {host for host in current if "nomad_clients" not in host.groups}
    with ThreadPoolExecutor(4) as pool:
        waiting = []
        for host, files in payloads.items():
            note = "running" if host in current else "started anew" if host.name in known else "started"
            waiting.append(pool.submit(_start, engine, host, files, wanted[host], note))
        for future in waiting:
            future.result()


def _arguments(host: Host, topology: Topology, files: Payload) -> list[str]:
    """All of `docker create`, with a label that changes when a file, the image or an option does."""
    flags = host_flags(host, topology, machine.cgroup_hierarchies())
    image = base_image.tag(host.suite)
    content = digest(image, fingerprint(files), *flags)
    return [*flags, "--label", f"{LABEL}.content={content}", image, "/sbin/init"]


def _runs(known: dict[str, Any] | None, wanted: list[str]) -> bool:
    labels = known["Config"]["Labels"] if known and known["State"]["Running"] else {}
    return f"{LABEL}.content={labels.get(f'{LABEL}.content')}" in wanted


def _start(engine: Engine, host: Host, files: Payload, arguments: list[str], note: str) -> None:
    with step(f"host {host.name}") as current:
        current.note = note
        if note != "running":
            _create(engine, host, files, arguments)
        password = access.PASSWORD.read_bytes()
        done = engine("exec", "-i", host.container, "sh", "-c", _SETTLE, stdin=password, timeout=90)
        if done.strip():
            raise LabError(f"host {host.name} is not running well: {done.strip()}")


def _create(engine: Engine, host: Host, files: Payload, arguments: list[str]) -> None:
    engine.attempt("rm", "--force", "--volumes", host.container)
    engine("create", *arguments)
    engine("cp", "-", f"{host.container}:/", stdin=archive(files))
    engine("start", host.container)
