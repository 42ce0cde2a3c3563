# What the tests read of Replicated on the services host, and the faults that its stand-in has on demand.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.hosts import Host
from tests.integration.playbook import INVENTORY, ROOT, environment, program

CTL = "/usr/local/bin/replicatedctl"
STATE = "/var/lib/replicated"
PENDING = "/var/lib/circleci_server_ops/pending.json"
JOB = "/run/circleci_server_ops/replicated_restart.json"


def starts(services: Host) -> int:
    """How often the application was started on this host (the stand-in writes a line for each start)."""
    return len(services.run(f"cat {STATE}/lab-starts").splitlines())


def app_status(services: Host) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(services.run(f"{CTL} app status"))
    return found[0]


def is_up(services: Host) -> bool:
    status = app_status(services)
    return status["State"] == "started" and not status["IsTransitioning"]


def settings_of(services: Host, hidden: bool = False) -> dict[str, Any]:
    """Every item that has a value."""
    exported = json.loads(services.run(f"{CTL} app-config export {'--hidden' if hidden else ''}"))
    return {name: item.get("value", item.get("multi_value")) for name, item in exported.items() if item}


def effective_settings(services: Host) -> dict[str, Any]:
    """What the application runs with: the stand-in keeps it apart from what is only saved."""
    found: dict[str, Any] = json.loads(services.run(f"cat {STATE}/lab-effective-settings.json"))
    return found


def owed(services: Host) -> list[tuple[str, str]]:
    entries = json.loads(services.run(f"cat {PENDING}"))["entries"]
    return [(row["scope"], row["target"]) for row in entries]


def job(services: Host) -> dict[str, Any]:
    """The state of the last restart."""
    found: dict[str, Any] = json.loads(services.run(f"cat {JOB}"))
    return found


def container_starts(services: Host) -> dict[str, str]:
    """Container to when it was started."""
    text = services.run("docker ps -aq | xargs docker inspect -f '{{.Name}} {{.Id}} {{.State.StartedAt}}'")
    return dict(line.lstrip("/").split(" ", 1) for line in text.splitlines())


@contextmanager
def fault(services: Host, **faults: Any) -> Iterator[None]:
    """The stand-in misbehaves while the block runs (tests/lab/replicated/README.md lists how)."""
    path = f"{STATE}/lab-faults.json"
    services.run(f"cat > {path} << 'EOT'\n{json.dumps(faults)}\nEOT")
    try:
        yield
    finally:
        services.run(f"rm -f {path}")


def ask(module: str, services: Host, options: dict[str, Any]) -> dict[str, Any]:
    """The result of one module on the services host."""
    name = f"circleci_server.ops.{module}"
    done = subprocess.run(
        [program("ansible"), "-i", str(INVENTORY), services.name, "--become", "-m", name, "-a", json.dumps(options)],
        cwd=ROOT,
        env=environment(Path("/dev/null")) | {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    start = done.stdout.find("{")
    assert start >= 0, f"{done.stdout}\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout[start:])
    return result
