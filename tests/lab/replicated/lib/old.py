# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated's older command line `replicated`, reached by `docker exec replicated replicated …`.

Of facts 4 and the guide: the words and `-version` (L1987), that `login` asks for the console's password (L2013), that
without a login `apps` says "request returned Unauthorized for API route" (L2025), `auth reset` (L1532). What they
print is assumed. A login lasts as long as the daemon and the container's files do.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .client import Client, Failure
from .places import Places, write

__all__ = ["main"]

_USAGE = """NAME:
   replicated - command line of Replicated (a stand-in)

USAGE:
   replicated [-version] COMMAND [arguments...]

COMMANDS:
   status                                                     state of the daemon
   apps                                                       list apps
   app ID status|components|start|stop [-f]|settings          manage an app
   auth reset                                                 remove the console's password
   login                                                      log in with the console's password
   console cert set HOST KEY CERT                             set the console's certificate
"""


class _Old:
    def __init__(self) -> None:
        places = Places.from_environment()
        self.client = Client(f"unix://{places.socket}")
        self.version = places.version
        self.token = Path(os.environ.get("HOME", "/root"), ".replicated-session")

    def _authorised(self, route: str) -> None:
        session = self.token.read_text() if self.token.exists() else ""
        self.client.ask("console check", session=session, route=route)

    def login(self) -> None:
        if not sys.stdin.isatty():
            raise Failure("login needs a terminal")
        password = getpass.getpass("Password: ")
        write(self.token, self.client.ask("console login", password=password)["session"])
        print("Login succeeded")

    def apps(self) -> None:
        self._authorised("/v1/apps")
        print(f"{'ID':<34}{'NAME':<12}{'VERSION':<12}STATUS")
        for app, status in zip(self.client.ask("app inspect"), self.client.ask("app status"), strict=True):
            print(f"{app['ID']:<34}{app['Name']:<12}{app['VersionLabel'] or '-':<12}{status['State']}")

    def app(self, identity: str, action: str, *rest: str) -> None:
        self._authorised(f"/v1/app/{identity}/{action}")
        status = next((found for found in self.client.ask("app status") if found["AppID"] == identity), None)
        if status is None:
            raise Failure(f"app {identity} not found")
        found: dict[str, Callable[[], Any]] = {
            "status": lambda: print(status["State"]),
            "components": lambda: print(f"CircleCI  {status['State']}"),
            "settings": lambda: print("\n".join(self.client.ask("app-config export"))),
            "start": lambda: self.client.ask("app start"),
            "stop": lambda: self.client.ask("app stop", force="-f" in rest),
        }
        if action not in found:
            raise _Usage
        found[action]()

    def status(self) -> None:
        for key, state in self.client.ask("system status").items():
            print(f"{key}: {state}")


class _Usage(Exception):
    """Words that are no command."""


def _run(old: _Old, words: Sequence[str]) -> None:
    match words:
        case ["-version" | "--version"]:
            print(f"Replicated version {old.version}")
        case ["status"]:
            old.status()
        case ["apps"]:
            old.apps()
        case ["app", identity, action, *rest]:
            old.app(identity, action, *rest)
        case ["login"]:
            old.login()
        case ["auth", "reset"]:
            old.client.ask("console-auth reset")
        case ["console", "cert", "set", host, key, cert]:
            old.client.ask("console cert set", hostname=host, key=key, cert=cert)
        case _:
            raise _Usage


def main(words: Sequence[str]) -> int:
    """The whole command line."""
    if not words or words[0] in ("-h", "-help", "--help", "help"):
        print(_USAGE, end="")
        return 0
    try:
        _run(_Old(), words)
    except _Usage:
        print(f"No help topic for {' '.join(words)!r}\n{_USAGE}", end="", file=sys.stderr)
        return 1
    except Failure as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0
