# What a restart of the services host consists of: what is owed and the host's state in, ordered steps out. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = [
    "APP",
    "APPLY",
    "AUTO",
    "CONTAINERS",
    "COVERS",
    "DAEMON",
    "DOCKER",
    "OWNER",
    "SCOPES",
    "START",
    "STOP",
    "Facts",
    "Plan",
    "Step",
    "make_plan",
    "scope_of",
    "services_stopped",
    "stopped_by_us",
]

from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry

AUTO, DAEMON, APP, APPLY, DOCKER, CONTAINERS = "auto", "daemon", "app", "apply_config", "docker", "containers"
SCOPES = (AUTO, DAEMON, APP, APPLY, DOCKER, CONTAINERS)
# The steps: those of the scopes that are one step, and the two halves of an app's restart.
STOP, START = "app_stop", "app_start"
# What a step that was done makes good: the scopes that need it no more.
COVERS: Dict[str, Tuple[str, ...]] = {
    DAEMON: (DAEMON,),
    STOP: (),
    DOCKER: (DOCKER, DAEMON),
    START: (APP, CONTAINERS),
    APPLY: (APPLY, APP, CONTAINERS),
    CONTAINERS: (CONTAINERS,),
}

# What a restart itself owes while the host is in a state that it must not stay in; see stopped_by_us().
OWNER = "replicated_restart"
STOPPED = "a restart has stopped the application and did not end"
SERVICES_STOPPED = "a restart has stopped Replicated's services and did not end"

NEXT_START = "the application does not run; it reads the change at its next start"
STARTED_SINCE = "was started since the change"
RUNS_AGAIN = "runs again"
KEPT_STOPPED = (
    "The application is stopped, and not by a restart of ours: it stays so. Settings that were imported and not applied"
    " stay owed until it is started and restart is run again, or until scope: apply_config is asked for"
)
NO_APPLICATION = "Replicated has no application yet (no licence is activated): what the application is owed waits"
NO_DOCKER = "Docker is not installed: what containers are owed stays owed"


class Facts(NamedTuple):
    """The host as it is.

    app:      "up"; "started" (it should run and is not up); "stopped" (it should not run); "none" (Replicated has no
              application); "unknown" (Replicated does not answer); "absent" (no replicatedctl on this host).
    services: whether Replicated's services run.
    docker:   whether there is a docker program.
    started:  when the process of each unit was started (microseconds of the kernel's monotonic clock), for those of
              Replicated's units and the engine's that exist and run; empty when that cannot be known.
    boot:     the boot's id.
    """

    app: str = "up"
    services: bool = True
    docker: bool = True
    started: Dict[str, int] = {}
    boot: str = ""


class Step(NamedTuple):
    """One thing to do, why, and the entries that are struck off after it was seen to work."""

    kind: str
    reasons: List[str]
    settles: List[Entry]


class Plan(NamedTuple):
    """steps in their order; entries that need none, each with the reason; what stays owed; notes for people."""

    steps: List[Step]
    struck: List[Tuple[Entry, str]]
    left: List[Entry]
    notes: List[str]

    def has(self, *kinds: str) -> bool:
        """Whether a step of one of these kinds is in it."""
        return any(step.kind in kinds for step in self.steps)


def stopped_by_us() -> Entry:
    """Owed from before the app is stopped until it is up again: a run that dies between is completed by the next.

    It tells an app that a restart has stopped from one that a person has.
    """
    return Entry("replicated", APP, OWNER, STOPPED)


def services_stopped() -> Entry:
    """The same for Replicated's services, around the restart of the engine."""
    return Entry("replicated", DOCKER, OWNER, SERVICES_STOPPED)


def scope_of(entry: Entry, units: Sequence[str], docker_unit: str) -> str:
    """The scope that an entry of the pending record asks for; "" for one that is none of a restart's business."""
    if entry.scope == "replicated" and entry.target in (DAEMON, APP, APPLY, DOCKER):
        return entry.target
    if entry.scope == "container":
        return CONTAINERS
    name = entry.target[: -len(".service")] if entry.target.endswith(".service") else entry.target
    if entry.scope == "unit" and name == docker_unit:
        return DOCKER
    return DAEMON if entry.scope == "unit" and name in units else ""


def make_plan(owed: Sequence[Entry], scope: str, facts: Facts, units: Sequence[str], docker_unit: str) -> Plan:
    """The steps that a scope needs, in order.

    auto: what the entries that are due now ask for and nothing else; those that may wait are settled with a step that
    settles their like. Any other scope is done whether owed or not. One stop of the app serves all that needs one.
    """
    sorted_out: Dict[str, List[Entry]] = {name: [] for name in SCOPES}
    for entry in owed:
        name = scope_of(entry, units, docker_unit)
        if name:
            sorted_out[name].append(entry)
    plan = Plan([], [], [], [])
    if scope == AUTO:
        _strike(plan, sorted_out, facts, units, docker_unit)
    due = _due(sorted_out, scope)
    if scope == AUTO:
        _leave_stopped(plan, sorted_out, due, facts)
    if CONTAINERS in due and not facts.docker:
        due.discard(CONTAINERS)
        plan.notes.append(NO_DOCKER)
    plan.steps.extend(_steps(due, sorted_out, scope, _app_runs(sorted_out, facts)))
    settled = {entry.key for step in plan.steps for entry in step.settles}
    plan.left.extend(entry for name in SCOPES for entry in sorted_out[name] if entry.key not in settled)
    return plan


def _due(sorted_out: Dict[str, List[Entry]], scope: str) -> Set[str]:
    if scope != AUTO:
        return {scope}
    return {name for name, entries in sorted_out.items() if any(entry.when == "now" for entry in entries)}


def _strike(
    plan: Plan, sorted_out: Dict[str, List[Entry]], facts: Facts, units: Sequence[str], docker_unit: str
) -> None:
    """Take out what is paid: the process was started since the write, or what a dead run left was put right."""
    daemon = [facts.started[name] for name in units if name in facts.started]
    engine = [facts.started[docker_unit]] if docker_unit in facts.started else []
    for name, started in ((DAEMON, daemon), (DOCKER, engine)):
        _take_out(plan, sorted_out, name, STARTED_SINCE, [e for e in sorted_out[name] if _paid(e, started, facts.boot)])
    for mark, good in ((stopped_by_us(), facts.app == "up"), (services_stopped(), facts.services)):
        if good:
            name = mark.target
            _take_out(plan, sorted_out, name, RUNS_AGAIN, [e for e in sorted_out[name] if e.key == mark.key])


def _paid(entry: Entry, started: Sequence[int], boot: str) -> bool:
    if not entry.boot or not started or entry.owner == OWNER:
        return False
    return entry.boot != boot or all(moment > entry.written for moment in started)


def _take_out(plan: Plan, sorted_out: Dict[str, List[Entry]], name: str, why: str, entries: Sequence[Entry]) -> None:
    for entry in entries:
        sorted_out[name].remove(entry)
        plan.struck.append((entry, why))


def _leave_stopped(plan: Plan, sorted_out: Dict[str, List[Entry]], due: Set[str], facts: Facts) -> None:
    """An app that a person has stopped is not started, nor is one made.

    What it reads at its start needs no restart. Whether a start applies imported settings is in no fact, so these stay
    owed.
    """
    if _app_runs(sorted_out, facts) or facts.app not in ("stopped", "none"):
        return
    if APP in due:
        due.discard(APP)
        _take_out(plan, sorted_out, APP, NEXT_START, list(sorted_out[APP]))
    if APPLY in due:
        due.discard(APPLY)
        plan.notes.append(KEPT_STOPPED if facts.app == "stopped" else NO_APPLICATION)


def _app_runs(sorted_out: Dict[str, List[Entry]], facts: Facts) -> bool:
    """Whether the app is to run afterwards: it should run now, or only a restart of ours has stopped it."""
    if any(entry.key == stopped_by_us().key for entry in sorted_out[APP]):
        return True
    if any(entry.key == services_stopped().key for entry in sorted_out[DOCKER]) and facts.app == "unknown":
        return False  # the services were stopped by us, and the app before them was not
    return facts.app not in ("stopped", "none", "absent")


def _steps(due: Set[str], sorted_out: Dict[str, List[Entry]], scope: str, app_runs: bool) -> List[Step]:
    start = sorted_out[APP] + sorted_out[CONTAINERS]  # an app's start creates its containers anew: they read all
    apply = sorted_out[APPLY] + start
    steps: List[Step] = []
    if DOCKER in due:
        reasons = _reasons(sorted_out[DOCKER], scope)
        steps += [Step(STOP, reasons, [])] if app_runs else []
        steps.append(Step(DOCKER, reasons, sorted_out[DOCKER] + sorted_out[DAEMON]))
        if app_runs and sorted_out[APPLY]:
            steps.append(Step(APPLY, _reasons(sorted_out[APPLY], AUTO), apply))
        elif app_runs:
            steps.append(Step(START, reasons, start))
    else:
        if DAEMON in due:
            steps.append(Step(DAEMON, _reasons(sorted_out[DAEMON], scope), sorted_out[DAEMON]))
        if APPLY in due or (APP in due and scope == AUTO and sorted_out[APPLY]):
            owed = sorted_out[APPLY] + [entry for entry in sorted_out[APP] if entry.when == "now"]
            steps.append(Step(APPLY, _reasons(owed, scope), apply))
        elif APP in due:
            reasons = _reasons(sorted_out[APP], scope)
            steps += [Step(STOP, reasons, []), Step(START, reasons, start)]
    if CONTAINERS in due and not any(step.kind in (START, APPLY) for step in steps):
        steps.append(Step(CONTAINERS, _reasons(sorted_out[CONTAINERS], AUTO), sorted_out[CONTAINERS]))
    return steps


def _reasons(entries: Sequence[Entry], scope: str) -> List[str]:
    """Why, once each: what was asked for, what is due now, what waited for it."""
    asked = [] if scope == AUTO else ["scope {0} was asked for".format(scope)]
    ordered = sorted(entries, key=lambda entry: entry.when != "now")
    return asked + list(dict.fromkeys(entry.reason for entry in ordered))
