# Brings packages, their versions and holds to the wanted state: compares first, then acts. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Decision", "choose_version", "compare", "find_manager", "settle_packages"]

import os
from typing import Any, Dict, List, NamedTuple, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_apt import Apt
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import (
    Offer,
    PackageManager,
    State,
    Target,
    Wanted,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_rpm import Rpm
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program
from ansible_collections.circleci_server.ops.plugins.module_utils._versions import matches

SHOWN_VERSIONS = 10
UNKNOWN = "unknown"


class Decision(NamedTuple):
    """What happens to one package: keep, install, remove, or finish (an interrupted installation)."""

    wanted: Wanted
    before: State
    action: str
    hold: bool

    @property
    def name(self) -> str:
        return self.wanted.name

    @property
    def asked(self) -> str:
        """The version that is asked for when it is installed, or an empty string."""
        if self.wanted.version or self.before.version:
            return self.wanted.version
        return self.wanted.default_version

    @property
    def changes(self) -> bool:
        return self.action != "keep" or self.hold != self.before.hold


def compare(wanted: Sequence[Wanted], states: Dict[str, State]) -> List[Decision]:
    """What has to happen, from what is wanted and what is there. Pure.

    An installed package moves only to a version that is asked for (version, never default_version), and away
    from none: without one, whatever is installed stays. hold None leaves the hold as it is.
    """
    return [_decide(item, states[item.name]) for item in wanted]


def _decide(wanted: Wanted, before: State) -> Decision:
    if wanted.state == "absent":
        return Decision(wanted, before, "remove" if before.version else "keep", False)
    hold = before.hold if wanted.hold is None else wanted.hold
    if not before.version or (wanted.version and not matches(before.version, wanted.version)):
        return Decision(wanted, before, "install", hold)
    return Decision(wanted, before, "keep" if before.complete else "finish", hold)


def choose_version(decision: Decision, offer: Offer) -> str:
    """The version to install of what the repositories offer; an empty string when there is none."""
    asked = decision.asked
    fitting = [version for version in offer.versions if not asked or matches(version, asked)]
    if offer.candidate in fitting or not asked:
        return offer.candidate
    return fitting[0] if fitting else ""


def find_manager(params: Dict[str, Any]) -> PackageManager:
    """The package manager of this host."""
    options = (params["timeout"], params["lock_timeout"], params["recommends"])
    if find_program("dpkg-query") and find_program("apt-get"):
        return Apt(*options)
    if find_program("rpm") and (find_program("dnf") or find_program("yum")):
        return Rpm(*options)
    raise OpsError(
        "this host has neither apt-get and dpkg-query nor rpm and dnf or yum",
        remedy="Supported are the Debian family and the RHEL family",
    )


def settle_packages(params: Dict[str, Any], check: bool = False) -> Dict[str, Any]:
    """Bring the packages to the wanted state in one go. Raises OpsError.

    handover, from the action: look (only ask for the files), files (package name -> path on the host), patience
    (seconds to wait for a foreign lock before its holder is returned). Returns needs_files (names whose file must be
    sent first) or waiting_for (who holds the lock) instead of acting when the action has to do something before.
    """
    handover = params["handover"]
    manager = find_manager(params)
    wanted = _parse(params["packages"], manager)
    names = [item.name for item in wanted]
    decisions = compare(wanted, manager.read(names))
    if not any(decision.changes for decision in decisions):
        return _report(decisions, {}, [])
    if check:
        return _predict(manager, decisions)
    _check_holds(manager, decisions)
    missing = [item.name for item in _from_files(decisions) if item.name not in handover.get("files", {})]
    if missing and handover.get("look"):
        return dict(_report([], {}, []), needs_files=missing)
    with host_lock("host_packages " + " ".join(names), params["lock_timeout"]):
        patience = handover.get("patience")
        if patience is None:
            manager.wait_or_fail()
        else:
            holder = manager.wait_for_locks(patience)
            if holder is not None:
                return dict(_report([], {}, []), waiting_for=holder.as_row())
        return _apply(manager, wanted, params)


def _parse(rows: Sequence[Dict[str, Any]], manager: PackageManager) -> List[Wanted]:
    if not rows:
        raise OpsError("names no package", option="packages", value=[], remedy="Leave the task out, or name one")
    wanted = [Wanted(**{key: row[key] for key in Wanted._fields}) for row in rows]
    names = [item.name for item in wanted]
    for name in names:
        manager.check_name(name)
        if names.count(name) > 1:
            raise OpsError("is named twice", option="packages.name", value=name, remedy="Keep one of the entries")
    return wanted


def _check_holds(manager: PackageManager, decisions: Sequence[Decision]) -> None:
    if any(decision.hold and not decision.before.hold for decision in decisions):
        manager.check_hold([decision.name for decision in decisions])


def _from_files(decisions: Sequence[Decision]) -> List[Decision]:
    return [decision for decision in decisions if decision.action == "install" and decision.wanted.file]


def _from_repositories(decisions: Sequence[Decision]) -> List[Decision]:
    return [decision for decision in decisions if decision.action == "install" and not decision.wanted.file]


def _predict(manager: PackageManager, decisions: Sequence[Decision]) -> Dict[str, Any]:
    """Check mode: the lists stay as they are, so a version that they do not have is unknown, not an error."""
    versions = {decision.name: decision.asked or UNKNOWN for decision in _from_files(decisions)}
    warnings = []
    try:
        _check_holds(manager, decisions)
    except OpsError as error:
        warnings.append(str(error))
    wanted = _from_repositories(decisions)
    offers = manager.offers([decision.name for decision in wanted]) if wanted else {}
    for decision in wanted:
        version = choose_version(decision, offers.get(decision.name, Offer()))
        versions[decision.name] = version or UNKNOWN
        if not version:
            warnings.append(
                "host_packages would install {0}; its version is not known yet: the package lists of this host have "
                "no candidate{1}. That is expected before the repository is configured; otherwise the real run "
                "fails here.".format(decision.name, " for " + decision.asked if decision.asked else "")
            )
    files = [decision.name for decision in _from_files(decisions)]
    return dict(_report(decisions, versions, warnings), **({"needs_files": files} if files else {}))


def _apply(manager: PackageManager, wanted: Sequence[Wanted], params: Dict[str, Any]) -> Dict[str, Any]:
    names = [item.name for item in wanted]
    before = manager.read(names)
    decisions = compare(wanted, before)
    if manager.interrupted() or not all(decision.before.complete for decision in decisions):
        manager.repair()
        decisions = compare(wanted, manager.read(names))
    targets = _targets(manager, decisions, params)
    removed = [decision.name for decision in decisions if decision.action == "remove"]
    _change(manager, decisions, targets, removed)
    after = manager.read(names)
    _verify(decisions, targets, after)
    decisions = compare(wanted, before)
    return _report(decisions, {name: after[name].version for name in names}, [])


def _targets(manager: PackageManager, decisions: Sequence[Decision], params: Dict[str, Any]) -> List[Target]:
    targets = [
        _file_target(manager, decision, params["handover"].get("files", {})) for decision in _from_files(decisions)
    ]
    wanted = _from_repositories(decisions)
    problem = ""
    if params["update_lists"] == "always" or (params["update_lists"] == "auto" and wanted):
        problem = manager.refresh()
    offers = manager.offers([decision.name for decision in wanted]) if wanted else {}
    for decision in wanted:
        offer = offers.get(decision.name, Offer())
        version = choose_version(decision, offer)
        if not version:
            raise _not_available(decision, offer, problem)
        targets.append(Target(decision.name, version, explicit=bool(decision.wanted.version)))
    return targets


def _file_target(manager: PackageManager, decision: Decision, files: Dict[str, str]) -> Target:
    origin = decision.wanted.file
    path = files.get(decision.name, "")
    if not os.path.isfile(path):
        raise OpsError("was not sent to this host", option="packages.file", value=origin)
    try:
        name, version = manager.inspect_file(path)
    except OpsError as error:
        raise OpsError(error.message, option="packages.file", value=origin, remedy="Give another file") from error
    if name != decision.name or (decision.asked and not matches(version, decision.asked)):
        raise OpsError(
            "holds {0} {1}, wanted is {2} {3}".format(name, version, decision.name, decision.asked).rstrip(),
            option="packages.file",
            value=origin,
            remedy="Give the file of the wanted package, or correct name and version",
        )
    return Target(name, version, path, explicit=bool(decision.wanted.version))


def _not_available(decision: Decision, offer: Offer, problem: str) -> OpsError:
    said = "; reading the repositories' lists said: {0}".format(problem) if problem else ""
    if not offer.versions:
        return OpsError(
            "no repository of this host offers the package" + said,
            option="packages.name",
            value=decision.name,
            remedy="Correct the name, make the repository that has it reachable, or give its file",
        )
    shown = ", ".join(offer.versions[:SHOWN_VERSIONS])
    more = len(offer.versions) - SHOWN_VERSIONS
    if more > 0:
        shown += " and {0} older ones".format(more)
    option = "version" if decision.wanted.version else "default_version"
    return OpsError(
        "the repositories of this host do not offer {0} in this version; they offer {1}{2}".format(
            decision.name, shown, said
        ),
        option="packages." + option,
        value=decision.asked,
        remedy="Choose one of these, add a repository that has it, or give its file",
    )


def _change(
    manager: PackageManager, decisions: Sequence[Decision], targets: Sequence[Target], removed: Sequence[str]
) -> None:
    """Release what moves, move it, and hold it again, also when moving it failed."""
    moved = set(removed) | {target.name for target in targets}
    held = [decision.name for decision in decisions if decision.before.hold]
    released = [name for name in held if name in moved]
    if released:
        manager.set_hold(released, False)
    if moved:
        try:
            manager.change(targets, removed)
        except OpsError:
            if released:
                manager.set_hold(released, True)
            raise
    to_hold = [d.name for d in decisions if d.hold and (not d.before.hold or d.name in moved)]
    to_release = [d.name for d in decisions if not d.hold and d.before.hold and d.name not in moved]
    if to_hold:
        manager.set_hold(to_hold, True)
    if to_release:
        manager.set_hold(to_release, False)


def _verify(decisions: Sequence[Decision], targets: Sequence[Target], after: Dict[str, State]) -> None:
    """Re-read is what counts: each package at its version, whole, and held or not as wanted."""
    versions = {target.name: target.version for target in targets}
    for decision in decisions:
        expected = versions.get(decision.name, "" if decision.action == "remove" else decision.before.version)
        state = after[decision.name]
        if state.version != expected or not state.complete or state.hold != decision.hold:
            raise OpsError(
                "{0} is {1} after the change, it should be {2}".format(
                    decision.name, _shown(state), _shown(State(expected, decision.hold))
                ),
                remedy="See the package manager's log on the host (/var/log/apt/term.log, /var/log/dnf.log)",
            )


def _report(decisions: Sequence[Decision], versions: Dict[str, str], warnings: List[str]) -> Dict[str, Any]:
    changes: List[str] = []
    before: List[str] = []
    after: List[str] = []
    packages: Dict[str, Any] = {}
    for decision in decisions:
        state = _expected(decision, versions)
        changes += _sentences(decision, state)
        before.append("{0}: {1}\n".format(decision.name, _shown(decision.before)))
        after.append("{0}: {1}\n".format(decision.name, _shown(state)))
        packages[decision.name] = {
            "version": state.version,
            "previous_version": decision.before.version,
            "hold": state.hold,
        }
    row = {"before_header": "packages", "after_header": "packages", "before": "".join(before), "after": "".join(after)}
    result: Dict[str, Any] = {"changed": bool(changes), "changes": changes, "diff": [row], "packages": packages}
    if warnings:
        result["warnings"] = warnings
    return result


def _expected(decision: Decision, versions: Dict[str, str]) -> State:
    if decision.action == "remove":
        return State("", False)
    return State(versions.get(decision.name, decision.before.version), decision.hold)


def _sentences(decision: Decision, after: State) -> List[str]:
    name, before = decision.name, decision.before
    said = []
    if decision.action == "remove":
        return ["{0} {1} is removed".format(name, before.version)]
    if decision.action == "finish":
        said.append("the interrupted installation of {0} is finished".format(name))
    if decision.action == "install" and before.version:
        said.append("{0} moves from {1} to {2}".format(name, before.version, after.version))
    elif decision.action == "install":
        said.append("{0} is installed ({1})".format(name, after.version))
    if decision.hold != before.hold:
        said.append("{0} is {1}".format(name, "held at its version" if decision.hold else "no longer held"))
    return said


def _shown(state: State) -> str:
    text = state.version or "not installed"
    text += "" if state.complete else " (installation interrupted)"
    return text + (" (held)" if state.hold else "")
