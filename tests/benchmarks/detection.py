# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""How soon "the application is up again" is known: replicated_restart against a poll every 10 s, in one restart.

A watcher on the host looks every 50 ms and so knows the moment itself: the state right, and the web application at 200.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.benchmarks.measure import BenchError, Row, playbook, run, say
from tests.lab import access, topology
from tests.run.places import CHECKOUT

__all__ = ["measure"]

RESTART = Path(CHECKOUT / "playbooks" / "restart.yml")
POLL_SECONDS = 10
AIM_SECONDS = 1.0
WATCHER = """
import json, subprocess, threading, time, urllib.request

def up():
    done = subprocess.run(["/usr/local/bin/replicatedctl", "app", "status"], capture_output=True, text=True)
    try:
        row = json.loads(done.stdout)[0]
        ok = row["State"] == "started" and not row["IsTransitioning"]
        return ok and urllib.request.urlopen("http://127.0.0.1/health-check", timeout=1).status == 200
    except (ValueError, IndexError, OSError):
        return False

def watch(name, interval):
    seen_down = False
    until = time.monotonic() + 300
    while time.monotonic() < until:
        now = up()
        seen_down = seen_down or not now
        if now and seen_down:
            found[name] = time.time()
            return
        time.sleep(interval)

found = {}
threads = [threading.Thread(target=watch, args=pair) for pair in (("moment", 0.05), ("poll", POLL))]
print("watching", flush=True)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(found))
"""


def measure(rounds: int) -> list[Row]:
    """Rows of the table: the slowest of ours against the aim, and against the poll beside it."""
    say("detection of an application that is up again, in a restart")
    seen = [_once() for _round in range(max(1, rounds // 2))]
    ours, poll = max(seen)
    name = "delay until `up` is known"
    return [
        Row(name, ours, "the aim", AIM_SECONDS, 1),
        Row(name, ours, f"a poll every {POLL_SECONDS} s", max(poll, 0.01)),
    ]


def _once() -> tuple[float, float]:
    host = next(host for host in topology.load().hosts if host.name == "services")
    reach = access.ssh(host)
    watcher = subprocess.Popen(
        [*reach, "sudo", "-n", "python3", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert watcher.stdin is not None and watcher.stdout is not None
    watcher.stdin.write(WATCHER.replace("POLL", str(POLL_SECONDS)))
    watcher.stdin.close()
    if watcher.stdout.readline() != "watching\n":
        raise BenchError("the watcher did not start on the services host")
    run(playbook(RESTART, "-e", "restart_scope=app"))
    found = json.loads(watcher.stdout.read())
    told = subprocess.run(
        [*reach, "sudo", "-n", "stat", "-c", "%.Y", "/run/circleci_server_ops/replicated_restart.json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(told.stdout) - found["moment"], found["poll"] - found["moment"]
