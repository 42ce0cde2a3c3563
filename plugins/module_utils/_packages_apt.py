# Packages of the Debian family, by apt-get, apt-cache, apt-mark and dpkg-query: no python-apt is needed. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Apt"]

import os
import re
from typing import Dict, List, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import (
    ABSENT,
    Offer,
    PackageManager,
    State,
    Target,
    excerpt,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed, run

ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    # needrestart would restart other services after an installation; what restarts is decided elsewhere.
    "NEEDRESTART_SUSPEND": "1",
}
CONFFILES = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
UPDATES = "/var/lib/dpkg/updates"
IMPORTANT = re.compile(
    r"^(?:E:|W: Failed|Err:|dpkg: |dpkg-deb: |\S+ : (?:PreDepends|Depends|Conflicts|Breaks):)", re.MULTILINE
)
LOCKED = re.compile(r"Could not get lock|Unable to lock|Unable to acquire|is locked by another process")
# apt-cache policy: a version's line has five characters before it, its sources' lines have seven blanks or more.
VERSION_LINE = re.compile(r"^(?: \*\*\* | {5})(\S+) -?\d+")
SOURCE_LINE = re.compile(r"^ {7,}-?\d+ (\S+)")
OWN_STATUS = "/var/lib/dpkg/status"


class Apt(PackageManager):
    """apt-get and its companions."""

    title = "apt-get"
    name_pattern = re.compile(r"[a-z0-9](?:[a-z0-9+.-]*[a-z0-9+.])?")
    lock_files = (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    )
    updates = UPDATES

    def read(self, names: Sequence[str]) -> Dict[str, State]:
        # dpkg-query ends with 1 as soon as one name is unknown; what it knows is printed all the same.
        layout = "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n"
        done = run(["dpkg-query", "--show", "--showformat", layout] + list(names))
        if done.rc > 1:
            raise self._failure("dpkg-query failed", done.stderr, IMPORTANT)
        states = dict.fromkeys(names, ABSENT)
        for line in done.stdout.splitlines():
            name, status, version = line.split("\t")
            state = _state(status, version)
            if not states[name].version:
                states[name] = state
        return states

    def interrupted(self) -> bool:
        try:
            return any(name.isdigit() for name in os.listdir(self.updates))
        except FileNotFoundError:
            return False

    def repair(self) -> None:
        argv = ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]
        done = run(argv, timeout=self.timeout, env=ENVIRONMENT)
        if done.rc != 0:
            what = "an interrupted installation cannot be finished (dpkg --configure -a)"
            raise self._failure(what, _text(done), IMPORTANT)

    def refresh(self) -> str:
        done = self._apt_get(["update"])
        # Lists that could not be fetched are warnings to apt-get (exit code 0): the old lists are kept.
        return excerpt(_text(done), IMPORTANT) if done.rc != 0 or IMPORTANT.search(done.stderr) else ""

    def offers(self, names: Sequence[str]) -> Dict[str, Offer]:
        done = run(["apt-cache", "policy"] + list(names))
        if done.rc != 0:
            raise self._failure("apt-cache policy failed", _text(done), IMPORTANT)
        return {name: _parse_offer(block) for name, block in _policy_blocks(done.stdout).items()}

    def inspect_file(self, path: str) -> Tuple[str, str]:
        done = run(["dpkg-deb", "--show", "--showformat", "${Package}\\t${Version}", path])
        if done.rc != 0:
            raise self._failure("is not a Debian package", done.stderr, IMPORTANT)
        name, version = done.stdout.split("\t")
        return name, version

    def change(self, targets: Sequence[Target], removed: Sequence[str]) -> None:
        words = [target.file or "{0}={1}".format(target.name, target.version) for target in targets]
        words += [name + "-" for name in removed]
        argv = ["install", "--install-recommends" if self.recommends else "--no-install-recommends"]
        argv += ["--allow-downgrades"] if any(target.explicit for target in targets) else []
        trial = self._apt_get(["--simulate"] + argv + words)
        self._require(trial, targets, removed)
        self._refuse_removals(trial.stdout, removed)
        self._require(self._apt_get(argv + words), targets, removed)

    def set_hold(self, names: Sequence[str], hold: bool) -> None:
        word = "hold" if hold else "unhold"
        done = run(["apt-mark", word] + list(names))
        if done.rc != 0:
            raise self._failure("apt-mark {0} failed".format(word), _text(done), IMPORTANT)

    def _apt_get(self, words: List[str]) -> Completed:
        """Run apt-get; when another program has taken a lock meanwhile, wait for it and try again."""
        while True:
            done = run(["apt-get", "-y", "-q"] + CONFFILES + words, timeout=self.timeout, env=ENVIRONMENT)
            if done.rc == 0 or not LOCKED.search(done.stderr):
                return done
            self.wait_or_fail()

    def _require(self, done: Completed, targets: Sequence[Target], removed: Sequence[str]) -> None:
        if done.rc != 0:
            names = [target.name for target in targets] + list(removed)
            raise self._failure("apt-get failed for {0}".format(", ".join(names)), _text(done), IMPORTANT)

    def _refuse_removals(self, simulation: str, removed: Sequence[str]) -> None:
        gone = re.findall(r"^Remv (\S+)", simulation, re.MULTILINE)
        others = sorted({name.split(":")[0] for name in gone} - set(removed))
        if others:
            raise OpsError(
                "apt-get would also remove {0}".format(", ".join(others)),
                option="packages",
                remedy="Nothing is removed that is not named: add them with state absent, or choose another version",
            )


def _state(status: str, version: str) -> State:
    """From dpkg's three letters: what is wanted, what is there, an error."""
    held = status[0] == "h"
    if status[1] in "nc":
        return State("", held, True)
    return State(version, held, status[1] == "i" and status[2:3] in ("", " "))


def _text(done: Completed) -> str:
    return done.stdout + "\n" + done.stderr


def _policy_blocks(text: str) -> Dict[str, List[str]]:
    blocks: Dict[str, List[str]] = {}
    current: List[str] = []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            current = blocks.setdefault(line.rstrip(":"), [])
        else:
            current.append(line)
    return blocks


def _parse_offer(lines: Sequence[str]) -> Offer:
    """Candidate and versions of one package; what only dpkg's own status knows cannot be installed."""
    candidate, version = "", ""
    versions: List[str] = []
    for line in lines:
        if line.startswith("  Candidate: "):
            candidate = line[len("  Candidate: ") :]
        found, source = VERSION_LINE.match(line), SOURCE_LINE.match(line)
        if found:
            version = found.group(1)
        elif source and source.group(1) != OWN_STATUS and version and version not in versions:
            versions.append(version)
    return Offer(candidate if candidate in versions else "", tuple(versions))
