# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The lab's commands: python -m tests.lab up | down | reset | status | shell | build | adopt-client."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab import engine, topology
from tests.lab.access import ssh
from tests.lab.adopt import adopt_client
from tests.lab.build import DRIVERS, Build, run_build
from tests.lab.down import down
from tests.lab.places import STATE
from tests.lab.report import LabError, step
from tests.lab.status import status
from tests.lab.up import remove, up

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("up", "start the lab, or what of it is missing"), ("reset", "start hosts anew, from nothing")):
        command = commands.add_parser(name, help=what)
        command.add_argument("--hosts", type=_names, default=[], help="these hosts, separated by commas")
    command = commands.add_parser("down", help="remove all of the lab but its caches")
    command.add_argument("--cache", action="store_true", help="remove the caches, too")
    command.add_argument("--hosts", type=_names, default=[], help="only these hosts; the rest of the lab stays")
    commands.add_parser("status", help="a table of the hosts")
    command = commands.add_parser("shell", help="log in to a host over SSH")
    command.add_argument("host")
    command.add_argument("words", nargs=argparse.REMAINDER, help="a command to run there instead of a login")
    command = commands.add_parser("build", help="run a build: a Nomad batch job")
    command.add_argument("--driver", default="docker", choices=DRIVERS)
    command.add_argument("--seconds", type=int, default=5, help="how long it works")
    command.add_argument("--exit-code", type=int, default=0, help="what it ends with")
    command.add_argument("--node", default="", help="the client that it must run on")
    command.add_argument("--wait", action="store_true", help="follow it to its end; show log, events, exit code")
    command = commands.add_parser("adopt-client", help="make a host into a client as the vendor's script leaves one")
    command.add_argument("host")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the lab's lock; `down` removes the file, so what was locked must still be the file of that name."""
    path = STATE / "lock"
    while True:
        STATE.mkdir(exist_ok=True)
        with open(path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                yield
                return


def _change(options: argparse.Namespace) -> None:
    with _one_at_a_time(), step(f"lab {options.command}"):
        if options.command == "down" and not options.hosts:
            down(cache=options.cache)
            return
        if options.command != "up":
            remove(options.hosts)
        if options.command != "down":
            up(options.hosts)


def _shell(options: argparse.Namespace) -> int:
    command = ssh(topology.load().host(options.host))
    terminal = ["-t"] if sys.stdin.isatty() and not options.words else []
    os.execvp(command[0], [command[0], *terminal, *command[1:], *options.words])


def _run(options: argparse.Namespace) -> int:
    if options.command in ("up", "reset", "down"):
        _change(options)
        return 0
    if options.command == "status":
        return 0 if status() else 1
    if options.command == "shell":
        return _shell(options)
    plan = topology.load()
    if options.command == "build":
        wanted = Build(options.driver, options.seconds, options.exit_code, options.node)
        return run_build(plan, wanted, wait=options.wait)
    docker = engine.find()
    if docker is None:
        raise LabError("the lab is down: start it with `python -m tests.lab up`")
    print(adopt_client(docker, plan, options.host))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0: good (a build: its exit code), 1: not all is up, 2: it cannot go on, and why."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
