# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Growth with the fleet: a second site.yml with 1, 5 and 10 clients, for which the lab gets whole hosts more.

Aliases of the two clients that are there would not do: they would wait for one another's lock, and preflight refuses
two hosts with one address.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import site
from tests.benchmarks.measure import BenchError, Row, playbook, run, say
from tests.lab import topology
from tests.lab.build import Nomad
from tests.run.extra_hosts import extra_hosts

__all__ = ["measure"]

STANDING = ("nomad-client-1", "nomad-client-2")
MEGABYTES_A_HOST = 350


def measure(counts: Sequence[int], rounds: int) -> list[Row]:
    """A row for each number of clients; their ratios are for information."""
    extra = [f"bench-client-{number}" for number in range(1, max(counts) - len(STANDING) + 1)]
    _room_for(len(extra))
    rows = []
    with _fleet(extra) as inventory:
        for count in counts:
            clients = [*STANDING, *extra][:count]
            say(f"growth: site.yml and setup with {count} clients")
            pattern = ",".join(["services", *clients])
            rows.append(site.measure(pattern, rounds, None, f"services and {count} clients", inventory))
    return rows


def _room_for(hosts: int) -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
    needed = hosts * MEGABYTES_A_HOST
    if free < needed:
        raise BenchError(f"{hosts} hosts more need {needed} MB, {free} MB are free; give --clients 1,2")


@contextmanager
def _fleet(names: Sequence[str]) -> Iterator[Path]:
    """The inventory with the clients more, started and converged; afterwards they are gone, from Nomad too."""
    say(f"growth: {len(names)} hosts more are started and converged")
    try:
        with extra_hosts("nomad_clients", names, {"lab_roles": ["builds"]}) as extra:
            run(playbook(site.SITE, inventory=extra.inventory))
            yield extra.inventory
    finally:
        _forget(names)  # when they are gone: a living client would register again


def _forget(names: Sequence[str]) -> None:
    nomad = Nomad(topology.load())
    for node in nomad.get("/v1/nodes")[0]:
        if node["Name"] in names:
            nomad.text(f"/v1/node/{node['ID']}/purge", "")
