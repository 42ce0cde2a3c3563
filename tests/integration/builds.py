# Real builds for the tests: started on a client, followed to their end, judged by Nomad's own events.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from tests.lab.build import Build, Nomad, job
from tests.lab.topology import Topology

WAIT_SECONDS = 25
# Longer than any test; a build that no test ends is gone with the lab.
LONG = 1800


class Builds:
    """Submits builds and reads what became of them from the allocation's events."""

    def __init__(self, topology: Topology) -> None:
        self.nomad = Nomad(topology)

    def start(self, driver: str, node: str) -> str:
        """Start a build on a client and return its allocation once it runs. It runs until end() is called."""
        identity = f"build-{secrets.token_hex(4)}"
        datacenters = sorted({row["Datacenter"] for row in self.nomad.get("/v1/nodes")[0]})
        wanted = Build(driver=driver, seconds=LONG, node=node)
        self.nomad.text("/v1/jobs", json.dumps(job(wanted, datacenters, identity)))
        return str(self._follow(f"/v1/job/{identity}/allocations", {"running"})["ID"])

    def ready(self, node: str) -> dict[str, Any]:
        """Wait until a client is ready and return its row of the node list."""
        deadline, index = time.monotonic() + 60, 0
        while time.monotonic() < deadline:
            nodes, index = self.nomad.get(f"/v1/nodes?index={index}&wait={WAIT_SECONDS}s")
            for row in nodes:
                if row["Name"] == node and row["Status"] == "ready":
                    return dict(row)
        raise AssertionError(f"{node} did not become ready")

    def end(self, allocation: str) -> dict[str, Any]:
        """Tell a build to finish, wait until it has, and return its allocation."""
        signal = json.dumps({"Task": "build", "Signal": "SIGUSR1"})
        client = self.nomad.get(f"/v1/allocation/{allocation}")[0]["NodeName"]
        address = self.nomad.topology.host(client).address
        self.nomad.text(f"/v1/client/allocation/{allocation}/signal", signal, agent=address)
        return self._follow(f"/v1/allocation/{allocation}", {"complete", "failed", "lost"}, limit=300)

    def _follow(self, path: str, states: set[str], limit: float = 60) -> dict[str, Any]:
        deadline, index = time.monotonic() + limit, 0
        found: dict[str, Any] = {}
        while time.monotonic() < deadline:
            answer, index = self.nomad.get(f"{path}?index={index}&wait={WAIT_SECONDS}s")
            found = (answer[-1] if answer else {}) if isinstance(answer, list) else answer
            if found.get("ClientStatus") in states:
                return found
        raise AssertionError(f"{path} did not reach {states} within {limit} s: {found}")


def events(allocation: dict[str, Any]) -> list[str]:
    """The types of a build's task events, in order."""
    return [event["Type"] for event in allocation["TaskStates"]["build"]["Events"]]


def exit_codes(allocation: dict[str, Any]) -> list[str]:
    """The exit code of each end of the build's process."""
    found = allocation["TaskStates"]["build"]["Events"]
    return [event["Details"]["exit_code"] for event in found if event["Type"] == "Terminated"]
