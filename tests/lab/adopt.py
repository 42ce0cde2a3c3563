# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""`adopt-client`: makes a host into a Nomad client as the vendor's script leaves one, for the tests of adoption."""

from __future__ import annotations

from tests.lab.engine import Engine
from tests.lab.places import LAB
from tests.lab.report import step
from tests.lab.topology import Topology

__all__ = ["adopt_client"]

SCRIPT = LAB / "vendor" / "vendor-client.sh"


def adopt_client(docker: Engine, topology: Topology, name: str) -> str:
    """Run the stand-in for the vendor's script on a host; what it printed."""
    host = topology.host(name)
    services = topology.in_role("application").address
    url = f"http://{topology.in_role('packages').name}/nomad/nomad"
    with step(f"Nomad client {name}, by the vendor's script"):
        arguments = ["bash", "-s", "--", host.address, services, url]
        return docker("exec", "-i", host.container, *arguments, stdin=SCRIPT.read_bytes(), timeout=300)
