# A sweep's verdict as a result: rows, probable causes, a summary, a table and what to do. Pure. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["report"]

from typing import Any, Dict, List, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._health_causes import (
    Cause,
    causes,
    data_stores_failing,
    dependents,
    graph,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._health_containers import State, trouble
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rows import Row
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import (
    ABSENT,
    DISK_PREFIX,
    HEALTHY,
    MISSING,
    NO_SEVERITY,
    NOT_USED,
    SICK,
    STATUSES,
    UNEXPECTED,
    UNKNOWN_STATUS,
    advice,
    rank,
    severity_of,
    source_of,
    worst_of,
)

PAGE = "docs/health.md"
COLUMNS = ["service", "status", "severity", "ms", "needed by", "detail"]
# Neither well nor sick.
NOT_COUNTED = (NOT_USED, ABSENT)
# So many names are written out in a sentence.
NAMED = 8


def report(judged: Sequence[Row], states: Dict[str, State], fail_severity: str) -> Dict[str, Any]:
    """Everything of the module's result that follows from the rows.

    judged:        the rows of the services that were chosen.
    states:        the containers of the host, for the lists of containers.
    fail_severity: sick services of this severity, or louder, are RV(sick); "none": none of them is.
    """
    needs = graph(row.name[len(DISK_PREFIX) :] for row in judged if row.name.startswith(DISK_PREFIX))
    services = [_service(row, needs) for row in judged]
    failing = [row.name for row in judged if row.status in SICK and row.status != UNEXPECTED]
    found = causes(needs, failing)
    ill = sorted((row for row in services if row["status"] in SICK), key=_loudest_first)
    sick = [row for row in ill if fail_severity != NO_SEVERITY and rank(row["severity"]) >= rank(fail_severity)]
    summary = _summary(services, ill, found)
    tell = {row.name: advice(row.name, states[row.name].name if row.name in states else "") for row in judged}
    return {
        "services": services,
        "healthy": not ill,
        "worst": worst_of(row["severity"] for row in ill),
        "sick": [row["name"] for row in sick],
        "causes": [_cause(cause, tell[cause.name]) for cause in found],
        "data_stores_failing": data_stores_failing(failing),
        "containers": _containers(judged, states),
        "summary": summary,
        "failure": _failure(sick, found, fail_severity, tell),
        "table": {"columns": COLUMNS, "rows": _table(services), "notes": _notes(judged, found, summary, tell)},
    }


def _service(row: Row, needs: Dict[str, Dict[str, str]]) -> Dict[str, Any]:
    direct, everyone = dependents(needs, row.name)
    return {
        "name": row.name,
        "status": row.status,
        "detail": row.detail,
        "latency_ms": row.milliseconds,
        "severity": severity_of(row.name),
        "direct_dependents": direct,
        "dependents": everyone,
        "endpoint": row.endpoint,
        "source": source_of(row.name),
    }


def _loudest_first(row: Dict[str, Any]) -> int:
    return -rank(row["severity"])


def _cause(cause: Cause, tell: str) -> Dict[str, Any]:
    return {
        "name": cause.name,
        "severity": severity_of(cause.name),
        "advice": tell,
        "explains": [{"name": one.name, "path": list(one.path), "source": one.source} for one in cause.explains],
    }


def _containers(judged: Sequence[Row], states: Dict[str, State]) -> Dict[str, List[str]]:
    """What `docker ps -a` shows against the catalogue."""
    chosen = {row.name: row.status for row in judged}
    there = {name: state for name, state in states.items() if name in chosen}
    ended = [name for name, state in there.items() if state.status in ("exited", "dead")]
    return {
        "missing": [name for name, status in chosen.items() if status == MISSING and catalogue.resolve(name)],
        "unexpected": [name for name, status in chosen.items() if status == UNEXPECTED],
        "restarting": sorted(name for name, state in there.items() if state.restarting),
        "out_of_memory": sorted(name for name, state in there.items() if state.out_of_memory),
        "exited": sorted(name for name in ended if trouble(there[name], _runs_once(name))),
    }


def _runs_once(name: str) -> bool:
    known = catalogue.resolve(name)
    return known is not None and known.runs_once


def _summary(services: Sequence[Dict[str, Any]], ill: Sequence[Dict[str, Any]], found: Sequence[Cause]) -> str:
    counts = {status: sum(row["status"] == status for row in services) for status in STATUSES}
    counted = len(services) - sum(counts[status] for status in NOT_COUNTED)
    parts = ["{0} of {1} healthy".format(counts[HEALTHY], counted)]
    parts += ["{0} {1}".format(counts[status], status) for status in (*SICK, UNKNOWN_STATUS) if counts[status]]
    text = ", ".join(parts)
    if ill:
        text += "; the worst of it: {0}".format(worst_of(row["severity"] for row in ill))
    if found:
        text += "; probable cause: {0}".format(_listed([cause.name for cause in found]))
    return text


def _failure(sick: Sequence[Dict[str, Any]], found: Sequence[Cause], fail_severity: str, tell: Dict[str, str]) -> str:
    """What a gate says when it closes; "" when it stays open. tell: service to the command that tells more."""
    if not sick:
        return ""
    shown = ["{name} ({status}, {severity}): {detail}".format(**row) for row in sick[:NAMED]]
    shown += ["and {0} more".format(len(sick) - NAMED)] if len(sick) > NAMED else []
    count = "1 service is" if len(sick) == 1 else "{0} services are".format(len(sick))
    parts = ["{0} sick with the severity {1} or worse: {2}.".format(count, fail_severity, "; ".join(shown))]
    if found:
        parts.append("Probable causes: {0}.".format("; ".join(_cause_words(cause) for cause in found[:NAMED])))
    first = found[0].name if found else sick[0]["name"]
    parts.append("On the host `{0}` tells more; {1} says how to read this.".format(tell[first], PAGE))
    return " ".join(parts)


def _cause_words(cause: Cause) -> str:
    if not cause.explains:
        return cause.name
    sources = ", ".join(dict.fromkeys(part for one in cause.explains for part in one.source.split(", ")))
    sources = sources if len(cause.explains) <= NAMED else "start-up dependencies of the guide"
    return "{0} explains {1} ({2})".format(cause.name, _listed([one.name for one in cause.explains]), sources)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (" and {0} more".format(more) if more > 0 else "")


def _table(services: Sequence[Dict[str, Any]]) -> List[List[str]]:
    """What is sick first, the loudest of it at the top; then what is unknown; then the rest in their order."""

    def order(row: Dict[str, Any]) -> int:
        if row["status"] in SICK:
            return _loudest_first(row) - 1
        return 0 if row["status"] == UNKNOWN_STATUS else 1

    counted = [row for row in services if row["status"] not in NOT_COUNTED]
    return [
        [
            row["name"],
            row["status"],
            row["severity"],
            "" if row["latency_ms"] is None else str(row["latency_ms"]),
            str(len(row["dependents"])) if row["dependents"] else "",
            row["detail"],
        ]
        for row in sorted(counted, key=order)
    ]


def _notes(judged: Sequence[Row], found: Sequence[Cause], summary: str, tell: Dict[str, str]) -> List[str]:
    notes = ["probable cause: {0}; see `{1}`".format(_cause_words(cause), tell[cause.name]) for cause in found]
    stores = data_stores_failing(row.name for row in judged if row.status in SICK)
    if stores:
        notes.append("failing data stores: {0} (much stands on them that no dependency tells)".format(_listed(stores)))
    left_out = [row.name for row in judged if row.status in NOT_COUNTED]
    if left_out:
        notes.append("not in use, or gone after the start: {0}".format(", ".join(left_out)))
    return [*notes, summary]
