# Restarts the containers that the pending record names, with `docker restart`, and strikes them off. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["restart_containers"]

import contextlib
import time
from typing import Any, ContextManager, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    as_rows,
    from_rows,
    read_pending,
    settle,
    started_since,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run

SCOPE = "container"
LIST_TIMEOUT = 60
# What one container's stop and start may take beside its stop_timeout.
START_SECONDS = 60


class _Container(NamedTuple):
    """A container of this host: its name for Docker, its status as `docker ps` shows it, its process (0: none)."""

    name: str
    status: str
    pid: int

    @property
    def running(self) -> bool:
        return self.status.startswith(("Up", "Restarting"))


class _Plan(NamedTuple):
    """What happens to each owed target.

    restart: target to Docker's name, in the order of their start.
    notes:   target to why it needs no restart; these are struck off at once.
    absent:  targets that no container of this host belongs to; struck off too.
    """

    restart: Dict[str, str]
    notes: Dict[str, str]
    absent: List[str]


def restart_containers(
    options: Mapping[str, Any], check: bool, pending_file: str = PENDING_FILE, lock_file: str = LOCK_FILE
) -> Dict[str, Any]:
    """Settle what is owed to containers.

    Only targets with a debt that is due now start a restart; a debt that can wait is settled with it.
    Returns changed, changes, restarted, absent, not_restarted, owed, seconds. Check mode changes nothing.
    """
    lock: ContextManager[None] = contextlib.nullcontext()
    if not check and options["restart"]:
        lock = host_lock("replicated_restart", options["lock_timeout"], lock_file)
    with lock:
        owed = [entry for entry in _owed(options, check, pending_file) if entry.scope == SCOPE]
        chosen = _chosen(owed, options["names"])
        if not options["restart"] or not chosen:
            return _result(owed, _Plan({}, {}, []), 0.0)
        if find_program("docker") is None:
            return dict(_result(owed, _Plan({}, {}, []), 0.0), msg="Docker is not installed: everything stays owed")
        plan = _plan(chosen, _containers())
        began = time.monotonic()
        if not check:
            _settle_plan(plan, chosen, options["stop_timeout"], pending_file)
    settled = set(plan.restart) | set(plan.notes) | set(plan.absent)
    left = [entry for entry in owed if entry not in chosen or entry.target not in settled]
    return _result(left, plan, 0.0 if check else time.monotonic() - began)


def _owed(options: Mapping[str, Any], check: bool, pending_file: str) -> List[Entry]:
    """The record; in check mode also what earlier tasks would have written to it."""
    recorded = read_pending(pending_file)
    if not check:
        return recorded
    # As owe() does it: a debt that is made anew forgets that its container may have started since.
    due = {entry.key for entry in recorded if entry.when == "now"}
    would = [
        entry._replace(when="now" if entry.key in due else entry.when, boot="", written=0)
        for entry in from_rows(options["would_owe"])
    ]
    anew = {entry.key for entry in would}
    return [entry for entry in recorded if entry.key not in anew] + would


def _chosen(owed: List[Entry], names: Optional[List[str]]) -> List[Entry]:
    """The debts of the targets that are due now, all of each; limited to names, in any spelling of the guide."""
    due = {entry.target for entry in owed if entry.when == "now"}
    if names is not None:
        wanted = {_canonical(name) for name in names}
        due = {target for target in due if _canonical(target) in wanted}
    return [entry for entry in owed if entry.target in due]


def _canonical(name: str) -> str:
    known = catalogue.resolve(name)
    return known.name if known is not None else name


def _plan(chosen: List[Entry], present: Mapping[str, _Container]) -> _Plan:
    plan = _Plan({}, {}, [])
    for target in catalogue.startup_order(entry.target for entry in chosen):
        known = catalogue.resolve(target)
        container = present.get(_canonical(target))
        if known is not None and known.runs_once:
            plan.notes[target] = "runs at the application's next start"
        elif container is not None and container.running:
            if all(started_since(container.pid, entry) for entry in chosen if entry.target == target):
                plan.notes[target] = "was started since the change"
            else:
                plan.restart[target] = container.name
        elif container is not None:
            plan.notes[target] = "does not run; it reads the change at its next start"
        else:
            plan.absent.append(target)
    return plan


def _containers() -> Dict[str, _Container]:
    """The containers of this host by their name in the catalogue, or their own where it has none."""
    lines = _docker("container", "ls", "--all", "--format", "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Status}}").splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == 3]
    pids = _pids([row[0] for row in rows if _Container(row[1], row[3], 0).running])
    found = {}
    for identity, names, image, status in rows:
        name = next(name for name in names.split(",") if "/" not in name)
        known = catalogue.resolve(name) or catalogue.by_image(image)
        key = known.name if known is not None else name
        container = _Container(name, status, pids.get(identity, 0))
        # Two containers of one service (an old one, renamed): the one that runs counts.
        if key not in found or container.running:
            found[key] = container
    return found


def _pids(identities: List[str]) -> Dict[str, int]:
    if not identities:
        return {}
    lines = _docker("container", "inspect", "--format", "{{.Id}} {{.State.Pid}}", *identities).splitlines()
    full = {identity: int(pid) for identity, pid in (line.split() for line in lines)}
    return {identity: pid for identity in identities for key, pid in full.items() if key.startswith(identity)}


def _docker(*arguments: str, timeout: float = LIST_TIMEOUT) -> str:
    done = run(["docker", *arguments], timeout=timeout)
    if done.rc != 0:
        raise OpsError(
            "docker {0} failed: {1}".format(
                " ".join(arguments[:2]), done.stderr.strip() or "exit code {0}".format(done.rc)
            ),
            remedy="See `systemctl status docker`; what is owed stays on record, run again when Docker answers",
        )
    return done.stdout


def _settle_plan(plan: _Plan, chosen: List[Entry], stop_timeout: int, pending_file: str) -> None:
    idle = set(plan.notes) | set(plan.absent)
    settle([entry for entry in chosen if entry.target in idle], pending_file)
    if not plan.restart:
        return
    names = list(plan.restart.values())
    timeout = LIST_TIMEOUT + len(names) * (stop_timeout + START_SECONDS)
    done = run(["docker", "restart", "-t", str(stop_timeout), *names], timeout=timeout)
    # docker prints the name of each container that it has restarted, and goes on after one that failed.
    restarted = set(done.stdout.split())
    running = {container.name for container in _containers().values() if container.status.startswith("Up")}
    good = [target for target, name in plan.restart.items() if name in restarted and name in running]
    settle([entry for entry in chosen if entry.target in good], pending_file)
    bad = [name for target, name in plan.restart.items() if target not in good]
    if bad:
        raise OpsError(
            "after docker restart these containers do not run: {0}{1}".format(
                ", ".join(bad), "; docker says: {0}".format(done.stderr.strip()) if done.stderr.strip() else ""
            ),
            remedy="Read `docker logs {0}`; they stay owed, run again after the cause is removed".format(bad[0]),
            facts={"restarted": [name for name in plan.restart.values() if name not in bad]},
        )


def _result(left: List[Entry], plan: _Plan, seconds: float) -> Dict[str, Any]:
    changes = ["{0} restarted".format(name) for name in plan.restart.values()]
    changes += ["{0}: {1}; struck off".format(target, note) for target, note in plan.notes.items()]
    changes += ["{0}: no such container on this host; struck off".format(target) for target in plan.absent]
    return {
        "changed": bool(changes),
        "changes": changes,
        "restarted": list(plan.restart.values()),
        "not_restarted": plan.notes,
        "absent": plan.absent,
        "owed": as_rows(left),
        "seconds": round(seconds, 1),
    }
