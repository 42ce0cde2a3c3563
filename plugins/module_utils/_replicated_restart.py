# Restarts what the services host owes, or one scope: decides, and does it in a job that outlives its caller. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["NAME", "Places", "restart"]

import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_plan as plans
from ansible_collections.circleci_server.ops.plugins.module_utils._container_restart import restart_containers
from ansible_collections.circleci_server.ops.plugins.module_utils._detached import (
    RUN_DIRECTORY,
    Job,
    attend,
    begin,
    living,
    read,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._nomad_builds import (
    Build,
    as_rows,
    running_builds,
    wait_for_none,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    from_rows,
    moment,
    read_pending,
    settle_as_read,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import as_rows as debt_rows
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_plan import Facts, Plan
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_services import Services
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_steps import (
    DOCKER_UNIT,
    TITLES,
    Runner,
    sentence,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_watch import Downtime, Watch
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program

NAME = "replicated_restart"
# What one start, stop or restart of a service may take.
SERVICE_SECONDS = 300
NEEDS_APP = (plans.APP, plans.APPLY, plans.DOCKER)


class Places(NamedTuple):
    """Where the host keeps what is owed, its lock and its jobs."""

    pending: str = PENDING_FILE
    lock: str = LOCK_FILE
    run: str = RUN_DIRECTORY


def restart(options: Mapping[str, Any], check: bool, places: Optional[Places] = None) -> Dict[str, Any]:
    """Settle what is owed, or do one scope. A finished result, or {"job": …} while the job goes on. Raises OpsError.

    Check mode and restart: false only read. Where nothing is due no job is started.
    """
    where = places or Places()
    _check(options)
    if check or not options["restart"]:
        return _told(options, check, where)
    return attend(
        NAME,
        options["handover"],
        lambda job_id: _start(options, job_id, where),
        lambda result, job_id: _again(options, result, job_id, where),
        where.run,
    )


def _check(options: Mapping[str, Any]) -> None:
    for name in ("timeout", "builds_timeout", "looks", "look_interval", "transition_timeout"):
        if options[name] <= 0:
            raise OpsError("must be more than 0", option=name, value=options[name], remedy="Leave it out, or raise it")
    for row in options["health_checks"]:
        if not 0 < row["port"] < 65536 or not row["path"].startswith("/"):
            raise OpsError(
                "is no place on this host", option="health_checks", value=row, remedy="Give port (1-65535) and /path"
            )
    if not options["nomad_url"].startswith(("http://", "https://")):
        raise OpsError("is no http address", option="nomad_url", value=options["nomad_url"], remedy="Give http://…")


def _owed(options: Mapping[str, Any], check: bool, where: Places) -> List[Entry]:
    """What is on record; in check mode also what earlier tasks would have written to it."""
    recorded = read_pending(where.pending)
    if not check:
        return recorded
    # As owe() does it: a debt that is made anew forgets that something may have started since.
    due = {entry.key for entry in recorded if entry.when == "now"}
    would = [
        entry._replace(when="now" if entry.key in due else entry.when, boot="", written=0)
        for entry in from_rows(options["would_owe"])
    ]
    anew = {entry.key for entry in would}
    return [entry for entry in recorded if entry.key not in anew] + would


def _decide(
    options: Mapping[str, Any], owed: Sequence[Entry], services: Services, watch: Optional[Watch] = None
) -> Tuple[Plan, Facts]:
    """What is to be done now. watch: wait for a daemon that does not answer yet, where its answer is needed."""
    units = options["replicated_units"]
    scopes = [(entry, plans.scope_of(entry, units, DOCKER_UNIT)) for entry in owed]
    due = {scope for entry, scope in scopes if entry.when == "now"}
    if options["scope"] != plans.AUTO:
        due = {options["scope"]}
    ours = [scope for entry, scope in scopes if entry.owner == plans.OWNER]
    started: Dict[str, int] = {}
    running = True
    if any(scope in (plans.DAEMON, plans.DOCKER) for _entry, scope in scopes):
        started = services.started(services.present(list(units) + [DOCKER_UNIT]))
    if plans.DOCKER in ours:
        running = all(services.shape(name).runs for name in services.present(units))
    app = "up"
    if due.intersection(NEEDS_APP):
        unsure = plans.DAEMON in due or not running
        app = _app(None if unsure else watch)
    facts = Facts(app, running, find_program("docker") is not None, started, moment()[0])
    return plans.make_plan(owed, options["scope"], facts, units, DOCKER_UNIT), facts


def _app(watch: Optional[Watch]) -> str:
    """The app as Facts names it."""
    if find_program(replicated.PROGRAM) is None:
        return "absent"
    seen = replicated.look()
    status = seen.status
    if status is None and not seen.empty and watch is not None:
        status = watch.answer()
        seen = replicated.Look(status, "", empty=status is None)
    if status is None:
        return "none" if seen.empty else "unknown"
    if status.up:
        return "up"
    return "stopped" if (status.desired or status.state) == "stopped" else "started"


def _start(options: Mapping[str, Any], job_id: str, where: Places) -> Dict[str, Any]:
    """Begin the job, or join the living one; where there is nothing to restart, the result at once."""
    before = read(NAME, where.run)
    if before is not None and living(before):
        return _begin(options, job_id, where)
    services = Services(options["service_manager"], SERVICE_SECONDS)
    plan, _facts = _decide(options, _owed(options, False, where), services)
    if not plan.steps and plan.struck:
        with host_lock(NAME, options["lock_timeout"], where.lock):
            plan, _facts = _decide(options, _owed(options, False, where), services)
            if not plan.steps:
                settle_as_read([entry for entry, _why in plan.struck], where.pending)
    if not plan.steps:
        struck = [entry for entry, _why in plan.struck]
        return _result(options, where, _struck_sentences(plan), [], struck, plan.notes)
    if plan.has(plans.STOP, plans.START, plans.APPLY, plans.DAEMON):
        replicated.program()
    return _begin(options, job_id, where)


def _again(options: Mapping[str, Any], result: Dict[str, Any], job_id: str, where: Places) -> Dict[str, Any]:
    """A joined job has ended well: its result, or a second job for what it did not do."""
    if options["scope"] == plans.AUTO:
        services = Services(options["service_manager"], SERVICE_SECONDS)
        if not _decide(options, _owed(options, False, where), services)[0].steps:
            return result
    elif options["scope"] in result["scopes"]:
        return result
    return _begin(options, job_id, where)


def _begin(options: Mapping[str, Any], job_id: str, where: Places) -> Dict[str, Any]:
    """Everything that the job may wait for counts into the deadline that others are told."""
    builds = options["builds_timeout"] if options["when_builds"] == "wait" else 0
    deadline = options["lock_timeout"] + builds + options["timeout"]

    def work(job: Job) -> Dict[str, Any]:
        return _work(options, job, where)

    return begin(NAME, deadline, work, job_id, options["lock_timeout"], where.run, where.lock)


def _work(options: Mapping[str, Any], job: Job, where: Places) -> Dict[str, Any]:
    """The job, under the host's lock."""
    began = time.monotonic()
    services = Services(options["service_manager"], SERVICE_SECONDS)
    plan, facts = _decide(options, _owed(options, False, where), services)
    builds, warnings = _builds(options, plan, facts, job)
    until = time.monotonic() + options["timeout"]
    runner = Runner(options, services, lambda: until - time.monotonic(), job.phase, where.pending, where.lock)
    runner.remember(tolerant=plan.has(plans.DOCKER, plans.DAEMON))
    downtime = Downtime(runner.web)

    def outcome() -> Dict[str, Any]:
        seconds = round(time.monotonic() - began, 1)
        result = _result(options, where, runner.done, runner.steps, runner.settled, runner.notes)
        told = "{0:g} s in all, downtime of the web application {1:g} s".format(seconds, downtime.seconds)
        return dict(
            result,
            summary=result["summary"] + [told],
            reasons=runner.reasons,
            restarted=runner.restarted,
            not_restarted=runner.not_restarted,
            seconds=seconds,
            downtime_seconds=downtime.seconds,
            builds=as_rows(builds),
            warnings=warnings,
        )

    try:
        with downtime:
            _do(options, runner, job, where)
    except OpsError as error:
        facts_of_all = dict(outcome(), **error.facts)
        raise OpsError(error.message, error.option, error.value, error.remedy, facts_of_all) from error
    return outcome()


def _do(options: Mapping[str, Any], runner: Runner, job: Job, where: Places) -> None:
    """The steps. After a restart of the daemon all is decided anew: it may not have answered before."""
    while True:
        plan, _facts = _decide(options, _owed(options, False, where), runner.services, runner.watch)
        runner.strike([entry for entry, _why in plan.struck])
        runner.done.extend(_struck_sentences(plan))
        steps = plan.steps
        once = options["scope"] != plans.AUTO or not plan.has(plans.DAEMON)
        for number, step in enumerate(steps if once else steps[:1]):
            job.phase(sentence(step), [TITLES[later.kind] for later in steps[number + 1 :]])
            runner.act(step)
        if once:
            runner.notes.extend(plan.notes)
            return


def _builds(options: Mapping[str, Any], plan: Plan, facts: Facts, job: Optional[Job]) -> Tuple[List[Build], List[str]]:
    """The builds that run while Nomad's server is about to stop, and warnings. job None: check mode, nothing waits."""
    if not _stops_nomad(plan, facts):
        return [], []
    policy = options["when_builds"]
    try:
        builds = running_builds(options["nomad_url"])
        if builds and policy == "wait" and job is not None:
            builds = wait_for_none(
                options["nomad_url"],
                options["builds_timeout"],
                lambda rows: job.phase(
                    "waits for {0}".format(_build_words(rows)), [TITLES[s.kind] for s in plan.steps]
                ),
            )
    except OpsError as error:
        if policy != "proceed" and job is not None:
            raise
        return [], [str(error)]
    if not builds or policy == "proceed":
        return builds, []
    refusal = OpsError(
        "nothing was stopped, because of {0}".format(_build_words(builds)),
        option="when_builds",
        value=policy,
        remedy="Run again when they have ended, or with when_builds: proceed (builds survive a stop of Nomad's server)",
        facts={"builds": as_rows(builds)},
    )
    if job is not None:
        raise refusal
    return builds, ["The real run would {0}. {1}".format("wait" if policy == "wait" else "stop here", refusal)]


def _stops_nomad(plan: Plan, facts: Facts) -> bool:
    """Whether a step stops Nomad's server, which is one of the app's containers, while it runs."""
    if facts.app not in ("stopped", "none", "absent") and plan.has(plans.STOP, plans.APPLY):
        return True
    owed = [entry.target for step in plan.steps if step.kind == plans.CONTAINERS for entry in step.settles]
    return any(known is not None and known.name == "nomad" for known in map(catalogue.resolve, owed))


def _build_words(builds: Sequence[Build]) -> str:
    rows = ["{0} ({1} on {2}, since {3})".format(b.job, b.allocation[:8], b.node, b.since or "?") for b in builds]
    return "{0}: {1}".format("1 build" if len(rows) == 1 else "{0} builds".format(len(rows)), ", ".join(rows))


def _told(options: Mapping[str, Any], check: bool, where: Places) -> Dict[str, Any]:
    """What is owed; in check mode also what would be done about it, and which builds run."""
    owed = _owed(options, check, where)
    if not options["restart"]:
        return _result(options, where, [], [], [], [], owed)
    services = Services(options["service_manager"], SERVICE_SECONDS)
    plan, facts = _decide(options, owed, services)
    changes = _struck_sentences(plan)
    settled = [entry for entry, _why in plan.struck]
    more: Dict[str, Any] = {}
    for step in plan.steps:
        if step.kind == plans.CONTAINERS:
            listed = restart_containers(dict(options, names=None), True, where.pending, where.lock)
            changes += listed["changes"]
            more.update(restarted=listed["restarted"], not_restarted=listed["not_restarted"])
        else:
            changes.append(sentence(step))
        settled += step.settles
    notes = list(plan.notes)
    state = read(NAME, where.run)
    if state is not None and living(state):
        notes.append("A restart is under way and would be joined; it is at: {0}".format(state["phase"]))
    builds, warnings = _builds(options, plan, facts, None)
    kinds = [step.kind for step in plan.steps]
    reasons = list(dict.fromkeys(reason for step in plan.steps for reason in step.reasons))
    more.update(reasons=reasons, builds=as_rows(builds), warnings=warnings)
    keys = {entry.key for entry in settled}
    left = [entry for entry in owed if entry.key not in keys]
    return dict(_result(options, where, changes, kinds, settled, notes, left), **more)


def _result(
    options: Mapping[str, Any],
    where: Places,
    changes: Sequence[str],
    steps: Sequence[str],
    settled: Sequence[Entry],
    notes: Sequence[str],
    owed: Optional[Sequence[Entry]] = None,
) -> Dict[str, Any]:
    """A result with all its keys. owed: default what the record says now."""
    units = options["replicated_units"]
    rest = read_pending(where.pending) if owed is None else owed
    left = [entry for entry in rest if plans.scope_of(entry, units, DOCKER_UNIT)]
    still = ["still owed ({0}): {1} {2}: {3}".format(e.when, e.scope, e.target, e.reason) for e in left]
    return {
        "changed": bool(changes),
        "changes": list(changes),
        "steps": list(steps),
        "scopes": sorted({scope for step in steps for scope in plans.COVERS[step]}),
        "reasons": [],
        "settled": debt_rows(settled),
        "owed": debt_rows(left),
        "notes": list(notes),
        "restarted": [],
        "not_restarted": {},
        "seconds": 0.0,
        "downtime_seconds": 0.0,
        "builds": [],
        "warnings": [],
        "joined": False,
        "summary": (list(changes) or ["Nothing was restarted."]) + list(notes) + still,
    }


def _struck_sentences(plan: Plan) -> List[str]:
    return ["{0} {1}: {2}; struck off".format(entry.scope, entry.target, why) for entry, why in plan.struck]
