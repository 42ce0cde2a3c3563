# Brings Replicated's settings to the wanted values: compares, records what is owed, imports once, verifies. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Facts 4: an import merges, and what it changed takes effect at `replicatedctl app apply-config`, which restarts the
# app. So that restart is owed from before the import on, until somebody settles it.

from __future__ import annotations

__all__ = ["settle_settings"]

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    owe,
    read_pending,
    settle,
    written,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import (
    export_settings,
    import_settings,
    look_until_ready,
    not_ready,
    view_form,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_bootstrap import write_bootstrap
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_compare import (
    ItemPlan,
    Known,
    Plan,
    compare,
    document_of,
    same,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import Wanted, requested
from ansible_collections.circleci_server.ops.plugins.module_utils._run import run

SCOPE, TARGET = "replicated", "apply_config"
DEBT = ("scope", "target", "owner", "reason", "when")
# Seconds for one call of replicatedctl, and for one question to the host's resolver.
CALL_TIMEOUT = 120
RESOLVE_TIMEOUT = 15


def settle_settings(
    options: Mapping[str, Any], check: bool, pending: str = PENDING_FILE, lock: str = LOCK_FILE
) -> Dict[str, Any]:
    """Make Replicated's settings what the options say (see the module's documentation); returns the module's result.

    Everything is checked before anything is sent. With `waiting_for` in the result nothing was done, because the
    daemon is not ready: the action decides whether to ask again.
    """
    wanted = requested(options)
    warnings = _unresolved(options["hostname_items"], wanted)
    command = "replicated_settings of {0}".format(options["owner"])
    if options["bootstrap_file"]:
        plan, notes = write_bootstrap(options, wanted, check, command, lock)
        return _result(plan, notes, warnings, [], options)
    if not wanted:
        return _result(Plan([], []), [], warnings, [], options)
    waiting_for, unknown = _await_daemon(options, check)
    if waiting_for:
        return {"changed": False, "waiting_for": waiting_for}
    if unknown:
        plan = compare(wanted, Known())
        return _result(plan, [], warnings + [unknown], _owed(plan.changed, options), options)
    plan, more = _planned(options, wanted)
    if check or not plan.changed:
        return _result(plan, [], warnings + more, _owed(plan.changed, options), options)
    with host_lock(command, options["lock_timeout"], lock):
        # Another run may have worked here while this one waited.
        plan, more = _planned(options, wanted)
        if plan.changed:
            _import(plan.changed, options, pending)
    return _result(plan, [], warnings + more, _owed(plan.changed, options), options)


def _await_daemon(options: Mapping[str, Any], check: bool) -> Tuple[str, str]:
    """Two texts, empty when the daemon can be asked: for what to wait; in check mode instead a warning."""
    timeout = options["ready_timeout"]
    patience = (options.get("handover") or {}).get("patience")
    try:
        seen = look_until_ready(timeout if patience is None else patience)
    except OpsError as error:
        if not check:
            raise
        return "", _would(error.message)
    if seen.status is not None:
        return "", ""
    if check:
        return "", _would(seen.problem)
    if seen.empty:
        raise OpsError(
            "Replicated answers, but has no application that could have settings",
            remedy="Activate the licence (role services_host, or the Management Console on port 8800), then run again",
        )
    if patience is None:
        raise not_ready(seen.problem, timeout)
    return seen.problem, ""


def _would(problem: str) -> str:
    return (
        "Replicated cannot be asked yet ({0}), so what is set now is not known: every item counts as a change, "
        "and names and types were not checked".format(problem)
    )


def _planned(options: Mapping[str, Any], wanted: Mapping[str, Wanted]) -> Tuple[Plan, List[str]]:
    """What an import would change on this host now, and warnings."""
    hidden, plain = export_settings(True, CALL_TIMEOUT), export_settings(False, CALL_TIMEOUT)
    form = view_form(CALL_TIMEOUT)
    plan = compare(wanted, Known(hidden, plain, form.items), options["fixed_items"], options["unknown_items"])
    if form.items is not None:
        return plan, plan.warnings
    note = "The settings page could not be read ({0}), so names and types of items were not checked beforehand"
    return plan, [note.format(form.problem)]


def _owed(changed: Sequence[ItemPlan], options: Mapping[str, Any]) -> List[Entry]:
    """What these items owe: one restart, or nothing."""
    if not changed:
        return []
    reason = "settings changed: {0}".format(", ".join(plan.item for plan in changed))
    return [Entry(SCOPE, TARGET, options["owner"], reason, options["when"])]


def _import(changed: Sequence[ItemPlan], options: Mapping[str, Any], pending: str) -> None:
    """Import once and see what took. Raises OpsError unless all did; what took stays owed."""
    debts = _owed(changed, options)
    before = {entry.key for entry in read_pending(pending)}
    owe(debts, pending)
    refusal = None
    try:
        import_settings(document_of(changed), CALL_TIMEOUT)
    except OpsError as error:
        refusal = error
    taken = _taken(changed, refusal, debts, pending)
    left = _owed(taken, options)
    if left != debts:
        owe(left, pending)
        # A debt that stood before this call was made by an earlier import, so it stays.
        settle([debt for debt in debts if debt.key not in before], pending)
    written(left, pending)
    if refusal is not None or len(taken) < len(changed):
        raise _failure(changed, taken, refusal, options)


def _taken(
    changed: Sequence[ItemPlan], refusal: Optional[OpsError], debts: Sequence[Entry], pending: str
) -> List[ItemPlan]:
    """The items that have their value now. When that cannot be read, all stays owed."""
    try:
        after = export_settings(True, CALL_TIMEOUT)
    except OpsError as error:
        written(debts, pending)
        told = "the settings were imported" if refusal is None else refusal.message
        raise OpsError(
            "{0}; what of them took cannot be read: {1}".format(told, error.message),
            remedy="Run again when the daemon answers; the restart that the settings need stays recorded",
        ) from error
    return [plan for plan in changed if same(plan.entry, after.get(plan.item, {}), plan.boolean)]


def _failure(
    changed: Sequence[ItemPlan], taken: Sequence[ItemPlan], refusal: Optional[OpsError], options: Mapping[str, Any]
) -> OpsError:
    missed = [plan.item for plan in changed if plan not in taken]
    told = "Replicated accepted the import, but these items did not take their value: {0}".format(", ".join(missed))
    remedy: Optional[str] = (
        "Look at them on the Management Console's settings page (port 8800) or with `replicatedctl app-config view`, "
        "correct the values, and run again"
    )
    if refusal is not None:
        told, remedy = refusal.message, refusal.remedy
    if taken:
        rest = "; these took it, and the application's restart (apply-config) is owed for them: {0}"
        told += rest.format(", ".join(plan.item for plan in taken))
    else:
        told += "; nothing was changed"
    facts: Dict[str, Any] = {"changed": bool(taken)}
    if not options["allow_short_secrets"]:
        facts.update(changed_items=[plan.item for plan in taken], owed=_rows(_owed(taken, options)))
    return OpsError(told, remedy=remedy, facts=facts)


def _unresolved(items: Sequence[str], wanted: Mapping[str, Wanted]) -> List[str]:
    """A warning for each host name that the host itself cannot resolve (its DNS, or /etc/hosts)."""
    warnings = []
    for item in items:
        one = wanted.get(item)
        for name in one.values if one is not None and not one.is_file else ():
            if name and not _resolves(name):
                shown = "" if one is None or one.secret else " {0!r}".format(name)
                warnings.append("{0}: this host's DNS does not know the name{1}".format(item, shown))
    return warnings


def _resolves(name: str) -> bool:
    """The resolver of the host, asked by a program, because a call into it has no deadline."""
    try:
        return run(["getent", "ahosts", "--", name], timeout=RESOLVE_TIMEOUT).rc == 0
    except (OpsError, ValueError):
        return False


def _rows(debts: Sequence[Entry]) -> List[Dict[str, Any]]:
    return [{name: getattr(debt, name) for name in DEBT} for debt in debts]


def _result(
    plan: Plan, notes: Sequence[str], warnings: Sequence[str], debts: Sequence[Entry], options: Mapping[str, Any]
) -> Dict[str, Any]:
    """notes: what changes beside the items, in sentences."""
    changed = plan.changed
    if options["allow_short_secrets"]:
        return {"changed": bool(changed or notes)}
    header = options["bootstrap_file"] or "settings of Replicated"
    return {
        "changed": bool(changed or notes),
        "changes": [one.sentence for one in changed] + list(notes),
        "changed_items": [one.item for one in changed],
        "unchanged": len(plan.items) - len(changed),
        "before": {one.item: one.before for one in plan.items},
        "after": {one.item: one.after for one in plan.items},
        "owed": _rows(debts),
        "diff": [
            {
                "before_header": header,
                "after_header": header,
                "before": _table(plan.items, 0),
                "after": _table(plan.items, 1),
            }
        ],
        "warnings": list(warnings),
    }


def _table(items: Sequence[ItemPlan], side: int) -> str:
    rows = ((one.item, (one.before, one.after)[side]) for one in items)
    return "".join(
        "{0}: {1}\n".format(item, ", ".join(value) if isinstance(value, list) else value) for item, value in rows
    )
