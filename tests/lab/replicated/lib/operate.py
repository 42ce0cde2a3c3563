# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated's operator. Facts 4 know that it is a service and its parameters: it says them, and stays."""

from __future__ import annotations

import os
import signal
import threading

from .log import open_log
from .places import Places

__all__ = ["main"]


def main() -> int:
    """Run until told to end."""
    log = open_log(Places.from_environment(), "replicated-operator")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    shown = ", ".join(
        f"{name}={os.environ.get(name, '')}" for name in ("DAEMON_ENDPOINT", "DAEMON_HOST", "PRIVATE_ADDRESS")
    )
    log.info("replicated-operator starts (a stand-in): %s", shown)
    ended.wait()
    return 0
