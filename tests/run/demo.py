# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""make demo: the lab is started, converged by site.yml, runs a build, and tells what to try next."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import access, topology
from tests.lab.build import Build, Nomad, run_build
from tests.lab.report import LabError, table
from tests.lab.shell import attempt
from tests.lab.topology import Host, Topology
from tests.run.places import CHECKOUT, environment

__all__ = ["main", "next_steps"]

WIDTH = 100
CONVERGED = ("circleci_services", "nomad_clients")
# One line a fact; a host that lacks the program leaves the line empty.
LOOK = r"""
docker version --format '{{.Server.Version}}' 2>/dev/null || echo
docker ps -q 2>/dev/null | wc -l
nomad version 2>/dev/null | sed -n 's/^Nomad v\([^ ]*\).*/\1/p'
"""

# In the shell's words: lines to copy and paste, WIDTH columns at most.
NEXT = r"""
Break something, and be told what broke, why, and what to do; then put it right:

  .venv/bin/ansible services -b -a "docker stop vault-cci contexts-service"
  .venv/bin/ansible-playbook playbooks/health.yml
  .venv/bin/ansible services -b -a "docker start vault-cci contexts-service"
  .venv/bin/ansible-playbook playbooks/health.yml

Change a setting: predicted, imported once, applied by one restart, its downtime told.

  setting='{"services_host_settings": {"hostname": "services", "allow_cluster": true}}'
  .venv/bin/ansible-playbook playbooks/site.yml --limit services --check --diff -e "$setting"
  .venv/bin/ansible-playbook playbooks/site.yml --limit services -e "$setting"

Override a service's configuration, and see it arrive in the running container (no other restarts):

  hello='{"customization_services": {"frontend": {
      "JVM_HEAP_SIZE": "512m", "CIRCLE__OUTER__LOGIN_BANNER_MESSAGE": "Hello"}}}'
  .venv/bin/ansible-playbook playbooks/site.yml --check --diff -e "$hello"
  .venv/bin/ansible-playbook playbooks/site.yml -e "$hello"
  .venv/bin/ansible services -b -m shell -a \
      "docker exec frontend cat /run/lab/debug/environment | tr '\0' '\n' | grep BANNER"

Restart the Nomad agents under a running build: it goes on to its end.

  .venv/bin/python -m tests.lab build --seconds 30 --wait &
  .venv/bin/ansible nomad_clients -b -a "systemctl restart nomad"
  wait

Ask for what cannot work: it is refused before anything changes, and says what to do.

  .venv/bin/ansible-playbook playbooks/site.yml -e circleci_server_release=2.20
  .venv/bin/ansible-playbook playbooks/site.yml \
      -e '{"customization_services": {"frontend": {"JVM_HEAP_SIZE": "2 gigs"}}}'
  .venv/bin/ansible-playbook playbooks/site.yml \
      -e '{"services_host_settings": {"hostnme": "services"}}'

Look around, prove it all, take it down (nothing is left behind):

  make shell HOST=nomad-client-1
  make test
  make lab-down
"""


def main() -> int:
    """Run the steps; the first that fails ends the demonstration. 0: all went well."""
    begun = time.monotonic()
    times = []
    for number, (title, step) in enumerate(STEPS, 1):
        print(f"\n== {number} of {len(STEPS)}: {title} {'=' * (WIDTH - len(title) - 12)}\n", flush=True)
        start = time.monotonic()
        try:
            good = step()
        except LabError as error:
            print(f"lab: {error}", file=sys.stderr)
            good = False
        if not good:
            print(f"demo: stopped, since this failed: {title}", file=sys.stderr)
            return 1
        times.append(f"[{time.monotonic() - start:5.1f} s] {title}")
    print("\n" + "\n".join([*times, f"[{time.monotonic() - begun:5.1f} s] in all"]))
    print(f"\n== What to try next {'=' * (WIDTH - 21)}\n\n{next_steps()}", flush=True)
    return 0


def _run(*argv: str) -> bool:
    return subprocess.run(argv, cwd=CHECKOUT, env=environment(), stdin=subprocess.DEVNULL, check=False).returncode == 0


def _lab_up() -> bool:
    return _run(sys.executable, "-m", "tests.lab", "up")


def _converge() -> bool:
    return _run(str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/site.yml")


def _build() -> bool:
    return run_build(topology.load(), Build(driver="docker", seconds=2), wait=True) == 0


def _show() -> bool:
    plan = topology.load()
    print(f"{_hosts(plan)}\n\n{_nodes(plan)}", flush=True)
    return True


def _health() -> bool:
    return _run(str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/health.yml")


def _console() -> bool:
    """How often the application was started, and where a person may look."""
    services = next(host for host in topology.load().hosts if "circleci_services" in host.groups and host.start)
    done = attempt([*access.ssh(services), "sudo -n cat /var/lib/replicated/lab-starts"])
    if done.returncode != 0:
        raise LabError(f"host {services.name} has no record of the application's starts: {done.stderr.strip()}")
    print(f"starts of the application so far: {len(done.stdout.splitlines())}")
    print(f"console: https://{services.address}:8800 (its password: inventories/lab/group_vars/all.yml)")
    return True


def _hosts(plan: Topology) -> str:
    rows = [_host_row(host) for host in plan.hosts if host.start]
    return table(["host", "address", "what it is", "Docker", "containers", "Nomad"], rows)


def _host_row(host: Host) -> list[str]:
    kind = {"circleci_services": "services host", "nomad_clients": "Nomad client"}
    what = next((text for group, text in kind.items() if group in host.groups), ", ".join(host.roles))
    if not host.groups & set(CONVERGED):
        return [host.name, host.address, f"the lab's own: {what}", "", "", ""]
    done = attempt([*access.ssh(host), "sudo -n sh -s"], stdin=LOOK.encode())
    if done.returncode != 0:
        raise LabError(f"host {host.name} does not answer: {done.stderr.strip()}")
    docker, containers, nomad = (*done.stdout.splitlines(), "", "", "")[:3]
    return [host.name, host.address, what, docker, containers, nomad]


def _nodes(plan: Topology) -> str:
    rows = []
    for node in sorted(Nomad(plan).get("/v1/nodes")[0], key=lambda item: str(item["Name"])):
        drivers = [name for name, state in sorted(node["Drivers"].items()) if state["Healthy"]]
        rows.append(
            [
                node["Name"],
                node["Address"],
                node["Datacenter"],
                node["Version"],
                f"{node['Status']}, {node['SchedulingEligibility']}",
                " ".join(drivers),
            ]
        )
    return table(["node", "address", "datacenter", "Nomad", "state", "drivers"], rows)


def next_steps() -> str:
    """What to try, as lines to copy and paste."""
    return NEXT.strip("\n")


STEPS: list[tuple[str, Callable[[], bool]]] = [
    ("the lab starts: whole hosts in containers", _lab_up),
    ("site.yml converges the hosts", _converge),
    ("a build runs in a container on a Nomad client", _build),
    ("hosts, and nodes as the Nomad server sees them", _show),
    ("the health of every service", _health),
    ("the Management Console (a stand-in)", _console),
]

if __name__ == "__main__":
    sys.exit(main())
