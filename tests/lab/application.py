# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What runs as the application on the lab's services host: a real Nomad server, and stand-ins by the catalogue."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from tests.lab.places import CHECKOUT
from tests.lab.topology import Host

__all__ = ["Service", "container_list", "nomad_server_configuration", "services"]

CATALOGUE = CHECKOUT / "plugins" / "module_utils" / "_catalogue.py"
# No override directory, but users' and clients' ports of a services host must answer. No source says which container
# publishes 7171; 3001 is vm-service's, which is AWS only. In the lab the frontend has both.
_ALSO = ("slanger",)
_EXTRA_PORTS = {"frontend": (7171, 3001)}


@dataclass(frozen=True)
class Service:
    """One stand-in container: name, directory of its customizations, ports that it publishes, health path."""

    name: str
    directory: str
    ports: tuple[int, ...]
    health: str

    @property
    def line(self) -> str:
        """Its line in /opt/lab/containers."""
        return f"{self.name}|{self.directory}|{' '.join(map(str, self.ports))}|{self.health}"


@cache
def _catalogue() -> ModuleType:
    # By its path: the lab runs from a checkout, with or without the collection on the import path.
    spec = importlib.util.spec_from_file_location("circleci_lab_catalogue", CATALOGUE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def services() -> list[Service]:
    """The catalogue's containers that run all the time on every installation and have overrides; and slanger."""
    found = []
    for container in _catalogue().CONTAINERS:
        lives = not container.runs_once and not container.condition
        if lives and (container.override_directories or container.name in _ALSO):
            ports = [int(port.split("/")[0]) for port in container.ports if port.endswith("/tcp")]
            found.append(
                Service(
                    name=container.name,
                    directory=container.override_directories[0] if container.override_directories else container.name,
                    ports=(*ports, *_EXTRA_PORTS.get(container.name, ())),
                    health=container.health.path if container.health else "",
                )
            )
    return found


def container_list() -> str:
    """The text of /opt/lab/containers."""
    return "".join(service.line + "\n" for service in services())


def nomad_server_configuration(host: Host) -> str:
    """Configuration of the Nomad server: clients reach it by the services host's address, not by the container's."""
    return f"""# A real Nomad server, alone; state in the volume nomad-state.
data_dir = "/nomad"
bind_addr = "0.0.0.0"
datacenter = "default"
disable_update_check = true
advertise {{
  http = "{host.address}:4646"
  rpc  = "{host.address}:4647"
  serf = "{host.address}:4648"
}}
server {{
  enabled          = true
  bootstrap_expect = 1
}}
"""
