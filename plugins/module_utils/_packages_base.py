# What the package managers have in common: the types, and the calls that host_packages makes. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ABSENT", "Offer", "PackageManager", "State", "Target", "Wanted", "excerpt", "full_disk"]

import re
import time
from typing import Dict, NamedTuple, Optional, Pattern, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._package_locks import Holder, first_holder, lock_error

# A foreign lock cannot be waited for without taking it, so it is looked at again in this many seconds.
LOOK_SECONDS = 0.5
FULL_DISK = re.compile(r"no space left on device|enough free space|needs? .* on the .* filesystem", re.IGNORECASE)
SHOWN_LINES = 8


class Wanted(NamedTuple):
    """A package as the caller wants it; file is the controller's path, given for an offline installation."""

    name: str
    state: str = "present"
    version: str = ""
    default_version: str = ""
    hold: Optional[bool] = None
    file: str = ""


class State(NamedTuple):
    """A package as it is: "" is the version of one that is not installed."""

    version: str = ""
    hold: bool = False
    complete: bool = True


class Offer(NamedTuple):
    """What the repositories have: the version that is installed without further wishes, and all, newest first."""

    candidate: str = ""
    versions: Tuple[str, ...] = ()


class Target(NamedTuple):
    """What is installed: a name at an exact version, or a file of the host that holds it.

    explicit: this version was asked for, so it may also be older than the installed one.
    """

    name: str
    version: str
    file: str = ""
    explicit: bool = False


ABSENT = State()


def excerpt(text: str, important: Pattern[str]) -> str:
    """The lines of a program's output that say what went wrong, else its last ones, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if important.search(line)] or lines
    return " | ".join(chosen[-SHOWN_LINES:])


def full_disk(text: str) -> bool:
    """Whether a program's output says that a file system is full."""
    return bool(FULL_DISK.search(text))


class PackageManager:
    """The calls that host_packages makes. Each raises OpsError with the program's own words."""

    title = ""
    name_pattern = re.compile("")
    lock_files: Sequence[str] = ()
    pid_files: Sequence[str] = ()

    def __init__(self, timeout: int = 1800, lock_timeout: int = 600, recommends: bool = False) -> None:
        self.timeout = timeout
        self.lock_timeout = lock_timeout
        self.recommends = recommends
        self.deadline = time.monotonic() + lock_timeout

    def check_name(self, name: str) -> None:
        """Refuse what is not a package's name (it becomes a word of a command line)."""
        if not self.name_pattern.fullmatch(name):
            raise OpsError(
                "is not the name of a package",
                option="packages.name",
                value=name,
                remedy="Give the name alone; a version has its own key",
            )

    def lock_holder(self) -> Optional[Holder]:
        """Who else works on the host's packages now."""
        return first_holder(self.lock_files, self.pid_files)

    def wait_for_locks(self, patience: float) -> Optional[Holder]:
        """Wait until nobody else works on the packages; who still does after that many seconds, or None."""
        end = time.monotonic() + patience
        while True:
            holder = self.lock_holder()
            if holder is None or time.monotonic() >= end:
                return holder
            time.sleep(LOOK_SECONDS)

    def wait_or_fail(self) -> None:
        """Wait until the deadline of lock_timeout; raises OpsError naming who holds the lock."""
        holder = self.wait_for_locks(self.deadline - time.monotonic())
        if holder is not None or time.monotonic() >= self.deadline:
            raise lock_error(holder or "a process that cannot be seen from here", self.lock_timeout)

    def read(self, names: Sequence[str]) -> Dict[str, State]:
        """Version and hold of these packages."""
        raise NotImplementedError

    def check_hold(self, names: Sequence[str]) -> None:
        """Raises OpsError when this host cannot hold packages (after these ones have been installed)."""

    def interrupted(self) -> bool:
        """Whether a killed run left the package manager's own state half way."""
        return False

    def repair(self) -> None:
        """End what a killed run left half way."""

    def refresh(self) -> str:
        """Read the repositories' lists anew; what went wrong, or an empty string."""
        raise NotImplementedError

    def offers(self, names: Sequence[str]) -> Dict[str, Offer]:
        """What the repositories' lists of this host have of these packages."""
        raise NotImplementedError

    def inspect_file(self, path: str) -> Tuple[str, str]:
        """Name and version of the package in a file."""
        raise NotImplementedError

    def change(self, targets: Sequence[Target], removed: Sequence[str]) -> None:
        """Install and remove in one transaction; nothing is removed that is not named."""
        raise NotImplementedError

    def set_hold(self, names: Sequence[str], hold: bool) -> None:
        """Hold these packages at their version, or release them."""
        raise NotImplementedError

    def _failure(self, what: str, text: str, important: Pattern[str]) -> OpsError:
        words = "{0}: {1}".format(what, excerpt(text, important))
        if full_disk(text):
            return OpsError(words, remedy="A file system of this host is full: free space on it (df -h) and run again")
        return OpsError(words, remedy="Correct what it says on the host and run again")
