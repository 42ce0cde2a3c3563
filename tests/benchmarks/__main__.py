# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""python -m tests.benchmarks: measure on the converged lab and print one table.

A missed aim is reported, with where the time goes; it is never a failure.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.benchmarks import detection, growth, health, overrides, settings, site
from tests.benchmarks.measure import BenchError, Row, playbook, run, say, table_of
from tests.lab.report import LabError, table

__all__ = ["main"]

HOSTS = "services,nomad-client-1,nomad-client-2"
MOST_MODULE_RUNS = {"services": 25}  # the design's bounds
MOST_ON_A_CLIENT = 15


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; the median counts")
    parser.add_argument("--clients", default="1,5,10", help="numbers of clients for the growth; empty: leave it out")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured, whatever came out; 1: something could not be measured."""
    options = _options(arguments)
    counts = [int(text) for text in options.clients.split(",") if text]
    begun = time.monotonic()
    try:
        say("site.yml converges the lab")
        run(playbook(site.SITE))
        watched = site.profile()
        say("second site.yml against setup, 3 hosts")
        rows = [site.measure(HOSTS, options.rounds, 5, "3 hosts"), *overrides.measure(options.rounds)]
        rows += [*health.measure(options.rounds), *settings.measure(options.rounds), *detection.measure(options.rounds)]
        rows += growth.measure(counts, max(1, options.rounds // 2)) if counts else []
    except (BenchError, LabError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    _report(rows, watched)
    say(f"\n{options.rounds} rounds, medians; {time.monotonic() - begun:.0f} s in all")
    return 0


def _report(rows: Sequence[Row], watched: site.Profile) -> None:
    say("")
    say(table(*table_of(rows)))
    say("\nModule runs of a second site.yml (each costs a round trip)\n")
    runs = [_bound(host, count) for host, count in sorted(watched.module_runs.items())]
    say(table(["host", "runs", "at most"], runs))
    say("\nWhere the time of a second site.yml goes\n")
    say(table(["task", "seconds"], watched.slowest()))


def _bound(host: str, count: int) -> list[str]:
    return [host, str(count), str(MOST_MODULE_RUNS.get(host, MOST_ON_A_CLIENT))]


if __name__ == "__main__":
    sys.exit(main())
