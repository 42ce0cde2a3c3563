# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Runs commands in turn and takes the median of each: what disturbs the machine disturbs both sides alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.run.places import CHECKOUT, environment

__all__ = ["BenchError", "Row", "ansible", "playbook", "run", "say", "side_by_side", "table_of"]

INVENTORY = CHECKOUT / "inventories" / "lab"


class BenchError(Exception):
    """A measured command failed, so there is nothing to compare."""


@dataclass(frozen=True)
class Row:
    """One line of the result: medians in seconds, and the ratio that is aimed at (None: for information)."""

    measure: str
    ours: float
    peer_name: str
    peer: float
    aim: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the peer ours takes."""
        return self.ours / self.peer

    @property
    def met(self) -> str:
        """yes, NO, or nothing where no aim is set."""
        if self.aim is None:
            return ""
        return "yes" if self.ratio <= self.aim else "NO"

    def cells(self) -> list[str]:
        """The row as text."""
        aim = "" if self.aim is None else f"<= {self.aim:g}"
        peer = f"{self.peer_name} {self.peer:.2f} s"
        return [self.measure, f"{self.ours:.2f} s", peer, f"{self.ratio:.2f}", aim, self.met]


def table_of(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the result."""
    return ["measure", "ours", "peer", "ratio", "aim", "met?"], [row.cells() for row in rows]


def say(text: str) -> None:
    """Progress, at once."""
    print(text, flush=True)


def ansible(hosts: str, module: str, arguments: str = "", inventory: Path = INVENTORY) -> list[str]:
    """The command line of one module on some hosts."""
    program = str(Path(sys.executable).parent / "ansible")
    given = ["-a", arguments] if arguments else []
    return [program, hosts, "-i", str(inventory), "-b", "-m", module, *given]


def playbook(path: Path, *arguments: str, inventory: Path = INVENTORY) -> list[str]:
    """The command line of a playbook."""
    return [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(path), *arguments]


def run(argv: Sequence[str], limit: float = 900, **variables: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        list(argv),
        cwd=CHECKOUT,
        env={**environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(f"  | {line}" for line in done.stdout.splitlines()[-25:])
        raise BenchError(f"{' '.join(argv)[:200]} ended with exit code {done.returncode}:\n{last}")
    return done.stdout


def side_by_side(contenders: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The median seconds of each contender. They take turns; a first turn of each is not counted."""
    seconds: list[list[float]] = [[] for _contender in contenders]
    for turn in range(rounds + 1):
        for contender, taken in zip(contenders, seconds, strict=True):
            begun = time.perf_counter()
            contender()
            if turn:
                taken.append(time.perf_counter() - begun)
    return [statistics.median(taken) for taken in seconds]
