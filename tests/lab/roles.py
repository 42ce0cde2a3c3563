# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What a host brings beside a bare Debian, by the `lab_roles` of the inventory.

A role is a folder tests/lab/hosts/ROLE whose files are copied to the host, units that are enabled, and files out of
the cache. A new one is an entry of ROLES, and a folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import access, application, runtime_image
from tests.lab.payload import Entry, Payload, tree
from tests.lab.places import LAB
from tests.lab.report import LabError
from tests.lab.topology import Host, Topology

__all__ = ["ROLES", "Delivery", "Parts", "Role", "payload"]


@dataclass(frozen=True)
class Parts:
    """Folders and files of the cache that roles deliver."""

    repositories: dict[str, Path] = field(default_factory=dict)  # suite → folder
    nomad: Path | None = None
    service_image: Path | None = None
    runtime_image: Path | None = None
    replicated_image: Path | None = None
    airgap: Path | None = None
    build_image: Path | None = None


@dataclass(frozen=True)
class Delivery:
    """To whom, out of what."""

    host: Host
    parts: Parts


@dataclass(frozen=True)
class Role:
    """Units that are enabled (unit: who wants it) and what else is delivered."""

    units: dict[str, str] = field(default_factory=dict)
    extra: Callable[[Delivery], Payload] | None = None


def _packages(delivery: Delivery) -> Payload:
    parts = delivery.parts
    files: Payload = {}
    for suite, folder in parts.repositories.items():
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            files[f"/srv/www/debian/{suite}/{path.relative_to(folder)}"] = Entry(path)
    if parts.nomad:
        for path in sorted(parts.nomad.iterdir()):
            files[f"/srv/www/nomad/{path.name}"] = Entry(path, 0o755 if path.name == "nomad" else 0o644)
    files.update(_replicated(parts))
    return files


def _replicated(parts: Parts) -> Payload:
    """What get.replicated.com and its registry give on a real installation, under http://packages/replicated/."""
    if not parts.replicated_image or not parts.airgap:
        return {}
    found = {
        "docker": runtime_image.vendor_script(),
        "install.sh": runtime_image.installer(),
        "images.tar": Entry(parts.replicated_image),
        parts.airgap.name: Entry(parts.airgap),
    }
    return {f"/srv/www/replicated/{name}": entry for name, entry in found.items()}


def _application(delivery: Delivery) -> Payload:
    host, parts = delivery.host, delivery.parts
    files: Payload = {
        "/opt/lab/address": Entry(host.address.encode() + b"\n"),
        "/opt/lab/application.json": Entry(application.definition_file(host)),
        "/opt/lab/nomad-server.hcl": Entry(application.nomad_server_configuration(host).encode()),
    }
    if parts.nomad:
        files["/opt/lab/bin/nomad"] = Entry(parts.nomad / "nomad", 0o755)
    for name, path in (("lab-service", parts.service_image), ("lab-runtime", parts.runtime_image)):
        if path:
            files[f"/opt/lab/images/{name}.tar"] = Entry(path)
    return files


def _builds(delivery: Delivery) -> Payload:
    image = delivery.parts.build_image
    return {"/opt/lab/images/lab-build.tar": Entry(image)} if image else {}


ROLES: dict[str, Role] = {
    "application": Role(extra=_application),
    "builds": Role({"lab-images.service": "docker.service"}, _builds),
    "site": Role({"nginx.service": "multi-user.target", "lab-certificate.service": "multi-user.target"}),
    "packages": Role({"nginx.service": "multi-user.target"}, _packages),
    "no-python": Role({"lab-no-python.service": "multi-user.target"}),
}


def payload(host: Host, topology: Topology, parts: Parts) -> Payload:
    """All files of a host: its keys, its apt source, and what its roles bring."""
    key = access.host_key(host)
    public = access.KEY.with_suffix(".pub").read_bytes()
    # The only source that a lab host knows.
    source = f"deb [trusted=yes] http://{topology.in_role('packages').name}/debian/{host.suite} ./\n"
    files: Payload = {
        "/etc/ssh/ssh_host_ed25519_key": Entry(key.read_bytes(), 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": Entry(key.with_suffix(".pub").read_bytes()),
        "/etc/apt/sources.list": Entry(source.encode()),
    }
    for user, number in (("ops", 1000), ("opspw", 1001)):
        files[f"/home/{user}/.ssh"] = Entry(folder=True, mode=0o700, owner=number)
        files[f"/home/{user}/.ssh/authorized_keys"] = Entry(public, 0o600, number)
    for name in host.roles:
        files.update(_of_role(name, Delivery(host, parts)))
    return files


def _of_role(name: str, delivery: Delivery) -> Payload:
    if name not in ROLES:
        raise LabError(f"host {delivery.host.name}: no lab role {name!r}; there are: {', '.join(sorted(ROLES))}")
    role = ROLES[name]
    files = {**tree(LAB / "hosts" / name), **(role.extra(delivery) if role.extra else {})}
    for unit, wanted_by in role.units.items():
        own = f"/etc/systemd/system/{unit}"
        target = own if own in files else f"/lib/systemd/system/{unit}"
        files[f"/etc/systemd/system/{wanted_by}.wants/{unit}"] = Entry(link=target)
    return files
