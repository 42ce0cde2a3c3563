# Brings systemd units to the wanted state and settles the restarts that they owe: compares first. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Plan", "WantedUnit", "compare", "settle_services"]

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    from_rows,
    moment,
    read_pending,
    settle,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import run
from ansible_collections.circleci_server.ops.plugins.module_utils._systemd import (
    STARTED_STATES,
    Unit,
    check_name,
    read_units,
    require_systemd,
    start,
    systemctl,
    unit_name,
)

# States that systemctl enable and disable cannot change; such a unit is left as it is.
FIXED_FILE_STATES = ("static", "indirect", "generated", "alias", "transient", "bad")
ENABLED_FILE_STATES = ("enabled",)
DISABLED_FILE_STATES = ("disabled", "linked", "masked", "masked-runtime", "")
CONTAINER_ROW = "{{.Names}}\t{{.Image}}\t{{.CreatedAt}}"


class WantedUnit(NamedTuple):
    """A unit as the caller wants it; enabled None and state unmanaged leave that side alone."""

    name: str
    enabled: Optional[bool] = None
    state: str = "started"


class Plan(NamedTuple):
    """What has to happen, by unit name. retry: starts that a condition prevented last time. settled: paid already."""

    enable: List[str]
    disable: List[str]
    start: List[str]
    retry: List[str]
    stop: List[str]
    restart: List[str]
    reload: List[str]
    settled: List[Entry]
    owed: List[Entry]
    due: Dict[str, List[Entry]]

    @property
    def changes(self) -> bool:
        return bool(self.enable or self.disable or self.start or self.stop or self.restart or self.reload)


def compare(
    wanted: Sequence[WantedUnit],
    units: Dict[str, Unit],
    debts: Dict[str, List[Entry]],
    boot: str,
    restart: bool = True,
    daemon_reload: bool = False,
) -> Plan:
    """What has to happen, from what is wanted, what is there, and what is owed. Pure.

    A debt is paid without a restart when the unit does not run, or when its process was started after the write that
    caused the debt (a package that started its service itself, a person, a reboot). When that cannot be known, the
    unit is restarted. Debts that wait for the next restart are paid with one that happens anyway.
    """
    plan = Plan([], [], [], [], [], [], [], [], [], {})
    for name, unit in units.items():
        if unit.exists and (unit.needs_reload or daemon_reload):
            plan.reload.append(name)
    for item in wanted:
        _plan_enabled(plan, item, units[item.name])
        _plan_state(plan, item, units[item.name])
    for name, entries in debts.items():
        _plan_debts(plan, units[name], entries, boot, restart)
    return plan


def _plan_enabled(plan: Plan, item: WantedUnit, unit: Unit) -> None:
    if item.enabled is None or unit.file_state in FIXED_FILE_STATES:
        return
    if item.enabled and unit.file_state not in ENABLED_FILE_STATES:
        plan.enable.append(unit.name)
    if not item.enabled and unit.file_state not in DISABLED_FILE_STATES:
        plan.disable.append(unit.name)


def _plan_state(plan: Plan, item: WantedUnit, unit: Unit) -> None:
    if item.state == "started" and unit.active_state not in STARTED_STATES:
        (plan.retry if unit.condition_failed else plan.start).append(unit.name)
    if item.state == "stopped" and unit.runs:
        plan.stop.append(unit.name)


def _plan_debts(plan: Plan, unit: Unit, entries: List[Entry], boot: str, restart: bool) -> None:
    if not unit.runs or unit.name in plan.start or unit.name in plan.stop:
        # Nothing runs with the old files; a start or stop of this plan comes before the debt is struck off.
        plan.due[unit.name] = list(entries)
        return
    paid = [entry for entry in entries if not unit.needs_reload and _started_after(unit, entry, boot)]
    left = [entry for entry in entries if entry not in paid]
    plan.settled.extend(paid)
    if restart and any(entry.when == "now" for entry in left):
        plan.restart.append(unit.name)
        plan.due[unit.name] = left
    else:
        plan.owed.extend(left)


def _started_after(unit: Unit, entry: Entry, boot: str) -> bool:
    if not entry.boot or not unit.started:
        return False
    return entry.boot != boot or unit.started > entry.written


def settle_services(params: Dict[str, Any], check: bool = False, pending: str = PENDING_FILE) -> Dict[str, Any]:
    """Bring the units to the wanted state and settle what they owe. Raises OpsError."""
    require_systemd()
    names = _names(params)
    if not names:
        raise OpsError("neither units nor settle names one", option="units", remedy="Name one, or leave the task out")
    if check:
        plan, units = _plan(params, names, pending, check=True)
        warnings = _refusals(params, plan, units, check=True)
        return _report(params, plan, units, _predicted(plan, units), warnings)
    plan, units = _plan(params, names, pending)
    if not (plan.changes or plan.retry or plan.settled or any(plan.due.values())):
        return _report(params, plan, units, units, [])
    with host_lock("host_services " + " ".join(names), params["lock_timeout"]):
        plan, units = _plan(params, names, pending)
        _refuse_missing(params, plan, units)
        _refusals(params, plan, units)
        return _act(params, plan, units, pending)


def _names(params: Dict[str, Any]) -> List[str]:
    """Every unit of the call, in its order, once."""
    given = [row["name"] for row in params["units"]]
    for name in given + params["settle"] + params["refuse_with_containers"]:
        check_name(name)
    names = [unit_name(name) for name in given]
    for name in names:
        if names.count(name) > 1:
            raise OpsError("is named twice", option="units.name", value=name, remedy="Keep one of the entries")
    return names + [name for name in map(unit_name, dict.fromkeys(params["settle"])) if name not in names]


def _wanted(params: Dict[str, Any]) -> List[WantedUnit]:
    return [WantedUnit(unit_name(row["name"]), row["enabled"], row["state"]) for row in params["units"]]


def _plan(params: Dict[str, Any], names: List[str], pending: str, check: bool = False) -> Tuple[Plan, Dict[str, Unit]]:
    units = read_units(names)
    debts: Dict[str, List[Entry]] = {unit_name(name): [] for name in params["settle"]}
    entries = read_pending(pending) + (from_rows(params["would_owe"]) if check else [])
    for entry in entries:
        if entry.scope == "unit" and unit_name(entry.target) in debts:
            debts[unit_name(entry.target)].append(entry)
    plan = compare(_wanted(params), units, debts, moment()[0], params["restart"], params["daemon_reload"])
    return plan, units


def _refuse_missing(params: Dict[str, Any], plan: Plan, units: Dict[str, Unit]) -> None:
    """A unit that must be started or enabled has to exist; older systemd learns of new files by a reload only."""
    asked = plan.enable + plan.start
    if any(not units[name].exists for name in asked):
        systemctl(["daemon-reload"], params["timeout"])
        units.update(read_units(list(units)))
    for name in asked:
        if not units[name].exists:
            raise OpsError(
                "this host has no such unit",
                option="units.name",
                value=name,
                remedy="Install the package that brings it",
            )
        if units[name].load_state == "masked":
            raise OpsError(
                "the unit is masked, so it can neither be enabled nor started",
                option="units.name",
                value=name,
                remedy="Run systemctl unmask {0} when that is not wanted any more".format(name),
            )


def _refusals(params: Dict[str, Any], plan: Plan, units: Dict[str, Unit], check: bool = False) -> List[str]:
    """Refuse to stop a service under running containers; in check mode that is a warning."""
    guarded = {unit_name(name) for name in params["refuse_with_containers"]}
    touched = [name for name in plan.stop + plan.restart if name in guarded and units[name].runs]
    if not touched:
        return []
    rows = _containers()
    if not rows:
        return []
    name = touched[0]
    reasons = "; ".join(entry.reason for entry in plan.due.get(name, [])) or "it is to be stopped"
    error = OpsError(
        "{0} must {1} ({2}), but {3} on this host: {4}".format(
            name,
            "restart" if name in plan.restart else "stop",
            reasons,
            "a container runs" if len(rows) == 1 else "{0} containers run".format(len(rows)),
            ", ".join(rows),
        ),
        remedy="Wait until they have ended and run again; what is owed stays recorded",
    )
    if check:
        return ["The real run would stop here. {0}".format(error)]
    raise error


def _containers() -> List[str]:
    """The running containers: name, image, since when."""
    done = run(["docker", "ps", "--no-trunc", "--format", CONTAINER_ROW])
    if done.rc != 0:
        raise OpsError(
            "docker ps fails, so it is not known whether containers run: {0}".format(done.stderr.strip()),
            option="refuse_with_containers",
            remedy="Look at the engine (systemctl status docker); leave the option out to restart it all the same",
        )
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    return ["{0} ({1}, since {2})".format(*row) for row in rows]


def _act(params: Dict[str, Any], plan: Plan, units: Dict[str, Unit], pending: str) -> Dict[str, Any]:
    timeout = params["timeout"]
    if plan.reload:
        systemctl(["daemon-reload"], timeout)
    for word, names in (("enable", plan.enable), ("disable", plan.disable)):
        if names:
            systemctl([word] + names, timeout)
    for name in plan.stop:
        systemctl(["stop", name], timeout)
    for name in plan.start + plan.retry:
        start("start", name, timeout, failed=units[name].active_state == "failed")
    settle(plan.settled + _debts_of_idle(plan), pending)
    for name in plan.restart:
        start("restart", name, timeout)
        settle(plan.due[name], pending)
    after = read_units(list(units))
    _verify(params, plan, after)
    return _report(params, _as_it_came(plan, after), units, after, [])


def _debts_of_idle(plan: Plan) -> List[Entry]:
    return [entry for name, entries in plan.due.items() if name not in plan.restart for entry in entries]


def _verify(params: Dict[str, Any], plan: Plan, after: Dict[str, Unit]) -> None:
    """What was reached stays reached: a later restart may have pulled down what was started before."""
    for item in _wanted(params):
        unit = after[item.name]
        wrong = item.state == "started" and unit.active_state not in STARTED_STATES and not unit.condition_failed
        if wrong or (item.state == "stopped" and unit.runs):
            raise OpsError(
                "{0} is {1} after the change, wanted is {2}".format(item.name, unit.active_state, item.state),
                remedy="See journalctl -u {0} on the host".format(item.name),
            )
    missed = [name for name in plan.enable if after[name].file_state not in ENABLED_FILE_STATES + FIXED_FILE_STATES]
    if missed:
        raise OpsError("{0} is not enabled after systemctl enable".format(", ".join(missed)))


def _as_it_came(plan: Plan, after: Dict[str, Unit]) -> Plan:
    """A start counts when it came about: a condition may have prevented it, this time or the last."""
    return plan._replace(start=[name for name in plan.start + plan.retry if after[name].active_state in STARTED_STATES])


def _predicted(plan: Plan, units: Dict[str, Unit]) -> Dict[str, Unit]:
    after = dict(units)
    for word, names in (("enabled", plan.enable), ("disabled", plan.disable)):
        for name in names:
            after[name] = after[name]._replace(file_state=word)
    for word, names in (("active", plan.start), ("inactive", plan.stop)):
        for name in names:
            after[name] = after[name]._replace(active_state=word)
    return after


def _report(
    params: Dict[str, Any], plan: Plan, before: Dict[str, Unit], after: Dict[str, Unit], warnings: List[str]
) -> Dict[str, Any]:
    skipped = [item.name for item in _wanted(params) if item.state == "started" and after[item.name].condition_failed]
    header = "systemd units"
    result: Dict[str, Any] = {
        "changed": plan.changes,
        "changes": _sentences(plan, before),
        "diff": [
            {
                "before_header": header,
                "after_header": header,
                "before": _table(before, {}, []),
                "after": _table(after, plan.due, plan.restart),
            }
        ],
        "units": {name: _row(unit) for name, unit in after.items()},
        "restarted": list(plan.restart),
        "started": list(plan.start),
        "stopped": list(plan.stop),
        "skipped_start": skipped,
        "owed": [_debt(entry) for entry in plan.owed],
        "settled": [_debt(entry) for entry in plan.settled + [e for entries in plan.due.values() for e in entries]],
    }
    if warnings:
        result["warnings"] = warnings
    return result


def _sentences(plan: Plan, before: Dict[str, Unit]) -> List[str]:
    said = ["systemd reads the changed unit files of {0}".format(", ".join(plan.reload))] if plan.reload else []
    said += ["{0} is enabled".format(name) for name in plan.enable]
    said += ["{0} is disabled".format(name) for name in plan.disable]
    said += ["{0} is stopped".format(name) for name in plan.stop]
    for name in plan.start:
        said.append("{0} is started{1}".format(name, "" if before[name].exists else " once its package is installed"))
    for name in plan.restart:
        said.append("{0} is restarted: {1}".format(name, "; ".join(entry.reason for entry in plan.due[name])))
    return said


def _table(units: Dict[str, Unit], due: Dict[str, List[Entry]], restarted: Sequence[str]) -> str:
    lines = []
    for name, unit in units.items():
        state = "{0}, {1}".format(unit.active_state, unit.file_state or unit.load_state)
        if name in restarted:
            state += ", restarted: " + "; ".join(entry.reason for entry in due[name])
        lines.append("{0}: {1}\n".format(name, state))
    return "".join(lines)


def _row(unit: Unit) -> Dict[str, Any]:
    return {
        "load_state": unit.load_state,
        "file_state": unit.file_state,
        "active_state": unit.active_state,
        "sub_state": unit.sub_state,
    }


def _debt(entry: Entry) -> Dict[str, Any]:
    return {key: getattr(entry, key) for key in ("scope", "target", "owner", "reason", "when", "since")}
