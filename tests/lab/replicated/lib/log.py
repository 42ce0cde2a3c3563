# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated: its logs, under /var/log/replicated (guide L2029) and in `docker logs`. Their form: ours."""

from __future__ import annotations

import logging
import sys
import time

from .places import Places

__all__ = ["open_log"]


def open_log(places: Places, name: str) -> logging.Logger:
    """The log of a program: lines `LEVEL TIME text` on its output and in NAME.log."""
    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.propagate = False
    places.log.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(levelname)s %(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    for handler in (logging.StreamHandler(sys.stdout), logging.FileHandler(places.log / f"{name}.log")):
        handler.setFormatter(form)
        log.addHandler(handler)
    return log
