# Packages of the RHEL family, by rpm, dnf (or yum) and the versionlock plugin. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Rpm"]

import re
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import (
    ABSENT,
    Offer,
    PackageManager,
    State,
    Target,
    excerpt,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed, find_program, run

IMPORTANT = re.compile(r"^(?:Error|error|Problem|No match|Unable to find|Curl error| +- )", re.MULTILINE)
QUERY = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\n"
# versionlock list: "docker-ce-3:18.09.9-3.el8.*" (dnf 4), "Package name: docker-ce" (dnf 5); "!" is an exclusion.
LOCK_LINE = re.compile(r"^(?P<name>[^!\s][^\s]*)-\d+:[^-\s]+-[^-\s]+$")
LOCK_LINE_5 = re.compile(r"^Package name: (?P<name>\S+)$")
PLUGIN_REMEDY = "Install it (python3-dnf-plugin-versionlock; yum: yum-plugin-versionlock), or leave hold out"


class Rpm(PackageManager):
    """dnf, or yum where there is no dnf."""

    name_pattern = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
    lock_files = ("/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock")
    pid_files = (
        "/var/lib/dnf/rpmdb_lock.pid",
        "/var/cache/dnf/metadata_lock.pid",
        "/var/cache/dnf/download_lock.pid",
        "/run/yum.pid",
    )

    def __init__(self, timeout: int = 1800, lock_timeout: int = 600, recommends: bool = False) -> None:
        super().__init__(timeout, lock_timeout, recommends)
        self.title = "dnf" if find_program("dnf") else "yum"

    def read(self, names: Sequence[str]) -> Dict[str, State]:
        # rpm's exit code is the number of names it does not know; it says so on standard output, without a tab.
        done = run(["rpm", "--query", "--queryformat", QUERY] + list(names))
        if "\t" not in done.stdout and "is not installed" not in done.stdout:
            raise self._failure("rpm failed", _text(done), IMPORTANT)
        locked = self._locked() or set()
        states = {name: ABSENT._replace(hold=name in locked) for name in names}
        for line in done.stdout.splitlines():
            if "\t" in line:
                name, version = _name_and_version(line)
                states[name] = State(version, name in locked)
        return states

    def check_hold(self, names: Sequence[str]) -> None:
        if not any("versionlock" in name for name in names) and self._locked() is None:
            raise OpsError(
                "{0} has no versionlock plugin on this host, so no package can be held".format(self.title),
                option="packages.hold",
                value=True,
                remedy=PLUGIN_REMEDY,
            )

    def refresh(self) -> str:
        done = run([self.title, "--quiet", "makecache", "--refresh"], timeout=self.timeout)
        return _text(done).strip() if done.rc != 0 else ""

    def offers(self, names: Sequence[str]) -> Dict[str, Offer]:
        # A locked package's other versions are hidden from view by the plugin.
        argv = ["--quiet", "--cacheonly", "--disableplugin=versionlock", "list", "--available", "--showduplicates"]
        done = run([self.title] + argv + list(names), timeout=self.timeout)
        return _parse_list(done.stdout) if done.rc == 0 else {}

    def inspect_file(self, path: str) -> Tuple[str, str]:
        done = run(["rpm", "--query", "--queryformat", QUERY, "--package", path])
        if done.rc != 0 or "\t" not in done.stdout:
            raise self._failure("is not an RPM package", _text(done), IMPORTANT)
        return _name_and_version(done.stdout.splitlines()[0])

    def change(self, targets: Sequence[Target], removed: Sequence[str]) -> None:
        if removed:
            self._refuse_removals(removed)
            keep = "--setopt=clean_requirements_on_remove=False"
            self._dnf(["remove", keep] + list(removed), removed)
        if targets:
            weak = "--setopt=install_weak_deps={0}".format(self.recommends)
            words = [target.file or "{0}-{1}".format(target.name, target.version) for target in targets]
            self._dnf(["install", weak] + words, [target.name for target in targets])

    def set_hold(self, names: Sequence[str], hold: bool) -> None:
        word = "add" if hold else "delete"
        done = run([self.title, "--quiet", "versionlock", word] + list(names), timeout=self.timeout)
        if done.rc != 0:
            error = self._failure("{0} versionlock {1} failed".format(self.title, word), _text(done), IMPORTANT)
            raise OpsError(error.message, remedy=PLUGIN_REMEDY)

    def _locked(self) -> Optional[Set[str]]:
        """The names that are held; None when the plugin is missing."""
        done = run([self.title, "--quiet", "--cacheonly", "versionlock", "list"], timeout=self.timeout)
        if done.rc != 0:
            return None
        found = set()
        for line in done.stdout.splitlines():
            match = LOCK_LINE_5.match(line) or LOCK_LINE.match(line.strip())
            if match:
                found.add(match.group("name"))
        return found

    def _refuse_removals(self, removed: Sequence[str]) -> None:
        trial = run(["rpm", "--erase", "--test"] + list(removed))
        if trial.rc != 0:
            words = excerpt(_text(trial), re.compile("is needed by"))
            raise OpsError(
                "{0} cannot be removed: {1}".format(", ".join(removed), words),
                option="packages",
                remedy="Nothing is removed that is not named: add the packages that need it with state absent",
            )

    def _dnf(self, words: List[str], names: Sequence[str]) -> None:
        done = run([self.title, "-y"] + words, timeout=self.timeout)
        if done.rc != 0:
            what = "{0} {1} failed for {2}".format(self.title, words[0], ", ".join(names))
            raise self._failure(what, _text(done), IMPORTANT)


def _name_and_version(line: str) -> Tuple[str, str]:
    name, epoch, version = line.split("\t")
    return name, version if epoch == "0" else "{0}:{1}".format(epoch, version)


def _parse_list(text: str) -> Dict[str, Offer]:
    """dnf list: name.arch, version, repository, oldest first; a long row is wrapped at any blank."""
    words: List[str] = []
    for line in text.splitlines():
        if not re.match(r"^(?:Available|Installed) packages$", line.strip(), re.IGNORECASE):
            words += line.split()
    versions: Dict[str, List[str]] = {}
    for name, version in zip(words[0::3], words[1::3]):
        shown = version[2:] if version.startswith("0:") else version
        versions.setdefault(name.rsplit(".", 1)[0], []).insert(0, shown)
    return {name: Offer(found[0], tuple(found)) for name, found in versions.items()}


def _text(done: Completed) -> str:
    return done.stdout + "\n" + done.stderr
