# Starts, stops and describes Replicated's services and the engine: systemd, or upstart and SysV by `service`. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["JOURNAL_LINES", "Services", "Shape", "clean"]

import os
import re
from typing import Dict, List, NamedTuple, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run
from ansible_collections.circleci_server.ops.plugins.module_utils._systemd import (
    STARTED_STATES,
    read_units,
    start,
    systemctl,
    unit_name,
)

JOURNAL_LINES = 5
UPSTART_LOGS = "/var/log/upstart"
# There when systemd is the first process; a host may have systemctl and another init (sd_booted(3)).
BOOTED = "/run/systemd/system"
SERVICE_FILES = ("/etc/init/{0}.conf", "/etc/init.d/{0}")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Shape(NamedTuple):
    """A service at one look: a word or two for people, whether it runs, has failed, how often it was restarted."""

    words: str
    runs: bool
    failed: bool = False
    restarts: int = 0


class Services:
    """The host's service manager. Names are without .service."""

    def __init__(self, manager: str, timeout: float) -> None:
        """manager: auto, systemd or service; timeout: seconds for one start, stop or restart."""
        booted = find_program("systemctl") is not None and os.path.isdir(BOOTED)
        self.systemd = manager == "systemd" or (manager == "auto" and booted)
        self.timeout = int(timeout)

    def present(self, names: Sequence[str]) -> List[str]:
        """Those of the names that this host has a service of."""
        if self.systemd:
            units = read_units([unit_name(name) for name in names])
            return [name for name in names if units[unit_name(name)].exists]
        return [name for name in names if self._known(name)]

    def started(self, names: Sequence[str]) -> Dict[str, int]:
        """When the process of each running one was started (_systemd.Unit.started); empty where nobody knows."""
        if not self.systemd:
            return {}
        units = read_units([unit_name(name) for name in names])
        return {name: units[unit_name(name)].started for name in names if units[unit_name(name)].started}

    def shape(self, name: str) -> Shape:
        """One service as it is."""
        if not self.systemd:
            done = run(["service", name, "status"], timeout=30)
            words = " ".join((done.stdout.strip() or done.stderr.strip()).split())
            # upstart's code is 0 for a job that is stopped: its words count.
            return Shape(clean(words), done.rc == 0 and "stop/" not in words)
        unit = read_units([unit_name(name)])[unit_name(name)]
        shown = run(["systemctl", "show", "--property", "NRestarts", unit.name], timeout=30).stdout
        count = shown.strip().partition("=")[2]  # older than systemd 235: empty
        words = "{0} ({1})".format(unit.active_state, unit.sub_state)
        failed = unit.active_state == "failed"
        return Shape(words, unit.active_state in STARTED_STATES, failed, int(count) if count.isdigit() else 0)

    def restart(self, name: str) -> None:
        """Restart one service and see that it stays up."""
        self._order("restart", name)

    def start(self, name: str) -> None:
        """Start one service and see that it stays up."""
        self._order("start", name)

    def stop(self, name: str) -> None:
        """Stop one service; one that does not run is no error."""
        if self.systemd:
            systemctl(["stop", unit_name(name)], self.timeout)
        elif self.shape(name).runs:
            self._service(name, "stop")

    def last_lines(self, name: str) -> List[str]:
        """The last lines of its journal; of upstart's log where there is no journal."""
        if self.systemd:
            words = ["journalctl", "--unit", unit_name(name), "--lines", str(JOURNAL_LINES), "--no-pager"]
            text = run(words + ["--output", "cat"], timeout=30).stdout
        else:
            path = os.path.join(UPSTART_LOGS, name + ".log")
            text = run(["tail", "-n", str(JOURNAL_LINES), path], timeout=30).stdout if os.path.exists(path) else ""
        return [clean(line) for line in text.splitlines() if line.strip()][-JOURNAL_LINES:]

    def _order(self, word: str, name: str) -> None:
        if self.systemd:
            # A unit that has failed counts its starts against its limit.
            unit = read_units([unit_name(name)])[unit_name(name)]
            start(word, unit.name, self.timeout, failed=unit.active_state == "failed")
            return
        running = self.shape(name).runs
        if word == "start" and running:
            return
        # upstart knows no restart of a job that does not run.
        self._service(name, word if running else "start")
        if not self.shape(name).runs:
            raise OpsError(
                "{0} does not run after `service {0} {1}`: {2}".format(name, word, " | ".join(self.last_lines(name))),
                remedy="Correct what it says and run again; what is owed stays recorded",
            )

    def _service(self, name: str, word: str) -> None:
        done = run(["service", name, word], timeout=self.timeout)
        if done.rc != 0:
            raise OpsError(
                "service {0} {1} failed: {2}".format(name, word, clean(done.stderr.strip() or done.stdout.strip())),
                remedy="Correct what it says and run again; what is owed stays recorded",
            )

    @staticmethod
    def _known(name: str) -> bool:
        return any(os.path.exists(place.format(name)) for place in SERVICE_FILES)


def clean(text: str) -> str:
    """Text of a program as it can be shown: UTF-8, no colours, no control characters."""
    return CONTROL.sub("", text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
