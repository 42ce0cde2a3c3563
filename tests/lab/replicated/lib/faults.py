# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): faults on demand, by one control file that is read at each request (README.md)."""

from __future__ import annotations

import json
import time
from typing import Any

from .places import Places, save

__all__ = ["Faults"]


class Faults:
    """What the control file asks for; an absent or broken one asks for nothing."""

    def __init__(self, places: Places) -> None:
        """`places` says where the control file is."""
        self.path = places.faults
        self.begun = time.monotonic()
        self._flaps = (0, 0)  # when the file was written, answers that flapped since

    def read(self) -> dict[str, Any]:
        """The whole file."""
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def get(self, name: str, default: Any = None) -> Any:
        """One fault."""
        return self.read().get(name, default)

    def flap(self) -> bool:
        """Whether this answer is a wrong one: the first of each two, `status_flaps` times (true: without end)."""
        wanted = self.get("status_flaps", 0)
        if not wanted:
            return False
        written = self.path.stat().st_mtime_ns
        count = self._flaps[1] if self._flaps[0] == written else 0
        self._flaps = (written, count + 1)
        return count % 2 == 0 and (wanted is True or count // 2 < int(wanted))

    def dies(self, when: str) -> bool:
        """Whether the daemon dies now (`at start`, `at request`); with `daemon_dies_once` it is the last time."""
        found = self.read()
        if found.get("daemon_dies") != when:
            return False
        if found.pop("daemon_dies_once", False):
            found.pop("daemon_dies")
            save(self.path, found)
        return True

    def not_ready(self) -> bool:
        """Whether the daemon is younger than `not_ready_seconds`."""
        return time.monotonic() - self.begun < float(self.get("not_ready_seconds", 0))

    def holds(self, phase: str) -> bool:
        """Whether a transition stays in this phase (`transition_never_ends`: true, or the phase's name)."""
        return self.get("transition_never_ends") in (True, phase)
