# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Runs a "build": a Nomad batch job, submitted and followed as an administrator does, over SSH on the services host.

Nomad's HTTP API is open to the services host alone (facts, section 3), so each call is a `curl` there.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from dataclasses import dataclass
from typing import Any

from tests.lab import access
from tests.lab.places import LAB
from tests.lab.report import LabError, table
from tests.lab.shell import attempt
from tests.lab.topology import Topology

__all__ = ["DRIVERS", "Build", "Nomad", "job", "run_build"]

DRIVERS = ("docker", "raw_exec")
_ENDED = ("complete", "failed", "lost")
_WAIT = 25  # seconds of one blocking query


@dataclass(frozen=True)
class Build:
    """What is wanted of a build."""

    driver: str = "docker"
    seconds: int = 5
    exit_code: int = 0
    node: str = ""


@dataclass(frozen=True)
class Nomad:
    """Nomad's HTTP API, reached through the services host."""

    topology: Topology

    def text(self, path: str, body: str | None = None, agent: str = "127.0.0.1") -> tuple[str, int]:
        """GET, or POST with a body: the answer's text, and its X-Nomad-Index (0 without one).

        agent: address of the agent that is asked; a client answers for its own allocations, also when its server has
        no connection to it at the moment.
        """
        command = ["curl", "-sS", "-i", "--noproxy", "*", "--max-time", str(_WAIT + 10)]
        if body is not None:
            command += ["--data-binary", "@-"]
        command.append(f"http://{agent}:4646{path}")
        host = self.topology.in_role("application")
        done = attempt([*access.ssh(host), shlex.join(command)], stdin=(body or "").encode(), timeout=_WAIT + 30)
        if done.returncode != 0:
            raise LabError(f"Nomad's API on {host.name} does not answer: {done.stderr.strip()}")
        head, _blank, content = done.stdout.replace("\r\n", "\n").partition("\n\n")
        while head.split()[1] == "100":
            head, _blank, content = content.partition("\n\n")
        if not head.split()[1].startswith("2"):
            raise LabError(f"Nomad answered {path}: {head.splitlines()[0]}: {content.strip()}")
        fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        return content, int(fields.get("x-nomad-index", 0))

    def get(self, path: str) -> tuple[Any, int]:
        """GET, the answer's JSON, and its index for a blocking query."""
        content, index = self.text(path)
        return json.loads(content), index

    def log(self, allocation: str, stream: str = "stdout") -> str:
        """What a build printed."""
        return self.text(f"/v1/client/fs/logs/{allocation}?task=build&type={stream}&plain=true")[0]


def job(build: Build, datacenters: list[str], identity: str) -> dict[str, Any]:
    """The job as POST /v1/jobs takes it, out of the template of its driver."""
    if build.driver not in DRIVERS:
        raise LabError(f"--driver {build.driver}: a build runs by {' or '.join(DRIVERS)}")
    document: dict[str, Any] = json.loads((LAB / "jobs" / f"{build.driver}.json").read_text())
    wanted = document["Job"]
    wanted["ID"], wanted["Datacenters"] = identity, datacenters
    if build.node:
        wanted["Constraints"] = [{"LTarget": "${node.unique.name}", "Operand": "=", "RTarget": build.node}]
    task = wanted["TaskGroups"][0]["Tasks"][0]
    task["Config"]["args"][1] = (LAB / "jobs" / "build.sh").read_text()
    task["Env"] = {"LAB_SECONDS": str(build.seconds), "LAB_EXIT": str(build.exit_code)}
    return document


def run_build(topology: Topology, build: Build, *, wait: bool, limit: float = 300) -> int:
    """Submit a build; with `wait` follow it to its end and print its log, events and exit code."""
    nomad = Nomad(topology)
    identity = f"build-{secrets.token_hex(4)}"
    document = job(build, _datacenters(nomad, build.node), identity)
    nomad.text("/v1/jobs", json.dumps(document))
    print(f"job {identity} submitted ({build.driver}, {build.seconds} s)", flush=True)
    return _follow(nomad, identity, limit) if wait else 0


def _datacenters(nomad: Nomad, name: str, limit: float = 60) -> list[str]:
    """Datacenters of the clients that could run it. A client that has just started needs seconds to be ready."""
    deadline, index = time.monotonic() + limit, 0
    while time.monotonic() < deadline:
        nodes, index = nomad.get(f"/v1/nodes?index={index}&wait={_WAIT}s")
        ready = [node for node in nodes if node["Status"] == "ready" and name in ("", node["Name"])]
        if ready:
            return sorted({node["Datacenter"] for node in ready})
    raise LabError(
        f"no Nomad client {name} is ready after {limit:g} s; run playbooks/site.yml first".replace("  ", " ")
    )


def _follow(nomad: Nomad, identity: str, limit: float) -> int:
    deadline, index, shown = time.monotonic() + limit, 0, ""
    while time.monotonic() < deadline:
        found, index = nomad.get(f"/v1/job/{identity}/allocations?index={index}&wait={_WAIT}s")
        for allocation in found[-1:]:
            state = f"allocation {allocation['ID'][:8]} on {allocation['NodeName']}: {allocation['ClientStatus']}"
            if state != shown:
                print(state, flush=True)
                shown = state
            if allocation["ClientStatus"] in _ENDED:
                return _report(nomad, allocation)
        if not found:
            _say_why_it_waits(nomad, identity)
    raise LabError(f"the build {identity} did not end within {limit:g} s; it is {shown or 'not placed on any client'}")


def _say_why_it_waits(nomad: Nomad, identity: str) -> None:
    for evaluation in nomad.get(f"/v1/job/{identity}/evaluations")[0]:
        for group, failure in (evaluation.get("FailedTGAllocs") or {}).items():
            reasons = {**(failure.get("ConstraintFiltered") or {}), **(failure.get("DimensionExhausted") or {})}
            print(f"not placed yet: group {group}: {json.dumps(reasons)}", flush=True)


def _print_logs(nomad: Nomad, allocation: str) -> None:
    print("\nlog:\n" + "".join(f"  {line}\n" for line in nomad.log(allocation).splitlines()))
    errors = nomad.log(allocation, "stderr")
    if errors.strip():
        print("errors:\n" + "".join(f"  {line}\n" for line in errors.splitlines()))


def _report(nomad: Nomad, stub: dict[str, Any]) -> int:
    allocation = nomad.get(f"/v1/allocation/{stub['ID']}")[0]
    state = allocation["TaskStates"]["build"]
    if any(event["Type"] == "Started" for event in state["Events"]):  # otherwise there is no log to ask for
        _print_logs(nomad, stub["ID"])
    rows = []
    for event in state["Events"]:
        at = time.strftime("%H:%M:%S", time.localtime(event["Time"] / 1e9))
        rows.append([at, event["Type"], event["DisplayMessage"]])
    print(table(["time", "event", "what"], rows))
    codes = [int(event["Details"].get("exit_code", 1)) for event in state["Events"] if event["Type"] == "Terminated"]
    code = codes[-1] if codes else 1
    print(f"\nbuild {allocation['JobID']}: {allocation['ClientStatus']}, exit code {code}")
    return code
