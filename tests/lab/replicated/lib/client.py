# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): how its command lines and its console ask the daemon, over its unix socket."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

__all__ = ["Client", "Failure"]


class Failure(Exception):
    """An answer that is an error, or none at all; the text goes after `Error: `."""


class Client:
    """The daemon behind an address such as unix:///var/run/replicated/replicated-cli.sock."""

    def __init__(self, host: str) -> None:
        """`host` as in --host."""
        scheme, _unused, self.path = host.partition("://")
        if scheme != "unix":
            raise Failure(f"unable to parse host {host!r}: only unix:// is known to this stand-in")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a command; returns its data."""
        request = json.dumps({"command": command, "arguments": arguments}) + "\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(self.path)
            except OSError as error:
                raise Failure(f"dial unix {self.path}: connect: {os.strerror(error.errno or 0).lower()}") from None
            try:
                connection.sendall(request.encode())
                with connection.makefile("rb") as stream:
                    text = stream.readline()
            except OSError:
                text = b""
        if not text.endswith(b"\n"):
            raise Failure("unexpected EOF")
        answer = json.loads(text)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer["data"]
