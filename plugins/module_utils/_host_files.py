# Converges all files of a role on a host: compares first, checks, records, then writes each in one step. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Places", "host_files", "text_of"]

import base64
import binascii
import grp
import json
import os
import pwd
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._file_compare import (
    MERGERS,
    Plan,
    Wanted,
    compare,
    look,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._file_record import keep_originals, remember
from ansible_collections.circleci_server.ops.plugins.module_utils._file_validate import check_rule, validate
from ansible_collections.circleci_server.ops.plugins.module_utils._files import write_atomic
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    STATE_DIRECTORY,
    Entry,
    owe,
    written,
)

LARGEST = 1024 * 1024
DEBT = ("scope", "target", "owner", "reason", "when")


class Places(NamedTuple):
    """Where the collection keeps its own state on a host."""

    state: str = STATE_DIRECTORY
    lock: str = LOCK_FILE

    @property
    def pending(self) -> str:
        return os.path.join(self.state, "pending.json")


HOST = Places()


def host_files(options: Dict[str, Any], check: bool, places: Places = HOST) -> Dict[str, Any]:
    """Make files what the options say (see the module's documentation); returns the module's result.

    Nothing is written before every file has been compared and every new content has been checked.
    """
    wanted = _all_wanted(options)
    plans, notes = _plan(wanted, check)
    if check or not any(plan.changed for plan in plans):
        return _result(plans, notes, options["owner"], [])
    with host_lock("host_files of {0}".format(options["owner"]), options["lock_timeout"], places.lock):
        # Another run may have worked here while this one waited.
        plans, notes = _plan(wanted, check)
        kept = _apply([plan for plan in plans if plan.changed], options["owner"], places)
    return _result(plans, notes, options["owner"], kept)


def _plan(wanted: Sequence[Wanted], check: bool) -> tuple[List[Plan], List[str]]:
    plans = [compare(one, look(one.dest)) for one in wanted]
    _require_parents(plans)
    if not check:
        _require_owners(wanted)
    notes = []
    for plan in plans:
        if plan.content is not None and plan.wanted.validate:
            notes.append(validate(plan.wanted.dest, plan.content, plan.wanted.validate, plan.wanted.secret, check))
    return plans, [note for note in notes if note]


def _apply(plans: Sequence[Plan], owner: str, places: Places) -> List[str]:
    """Record what will be owed and whose the files are, then write. Returns the kept originals."""
    debts = _owed(plans, owner)
    owe(debts, places.pending)
    replaced = [plan for plan in plans if plan.changes_content and plan.present.kind == "file"]
    kept = keep_originals(places.state, [(plan.wanted.dest, plan.present.content) for plan in replaced])
    remember(places.state, [(plan.wanted.dest, plan.content) for plan in plans if plan.content is not None])
    done: List[str] = []
    for plan in plans:
        try:
            _write(plan)
        except OSError as error:
            raise _stopped(plan, str(error.strerror), done) from error
        except OpsError as error:
            raise _stopped(plan, error.message, done) from error
        done.append(plan.wanted.dest)
    if debts:
        written(debts, places.pending)
    return kept


def _write(plan: Plan) -> None:
    wanted = plan.wanted
    if wanted.state == "absent":
        os.unlink(wanted.dest)
        return
    if plan.content is not None:
        write_atomic(wanted.dest, plan.content, plan.mode, wanted.user, wanted.group)
        return
    if plan.present.kind == "absent":
        os.mkdir(wanted.dest, 0o700)
    # In this order: a change of ownership takes the set-user-id bit away.
    os.chown(wanted.dest, pwd.getpwnam(wanted.user).pw_uid, grp.getgrnam(wanted.group).gr_gid)
    os.chmod(wanted.dest, plan.mode)


def _stopped(plan: Plan, why: str, done: Sequence[str]) -> OpsError:
    before = "; written before it: {0}".format(", ".join(done)) if done else "; nothing was written before it"
    return OpsError(
        "{0} could not be changed: {1}{2}".format(plan.wanted.dest, why, before),
        remedy="Check free space and mount options of its file system, then run again; it goes on from here",
        facts={"changed": bool(done), "changed_files": list(done)},
    )


def _owed(plans: Sequence[Plan], owner: str) -> List[Entry]:
    """What the changed contents owe; a mode alone owes nothing."""
    entries = []
    for plan in plans:
        debt = plan.wanted.owes
        if debt and plan.changes_content:
            reason = debt.get("reason") or plan.wanted.dest + " changed"
            entries.append(Entry(debt.get("scope") or "unit", debt["target"], owner, reason, debt.get("when") or "now"))
    return entries


def _result(plans: Sequence[Plan], notes: Sequence[str], owner: str, kept: Sequence[str]) -> Dict[str, Any]:
    changed = [plan for plan in plans if plan.changed]
    return {
        "changed": bool(changed),
        "changes": [change for plan in changed for change in plan.changes],
        "diff": [part for plan in changed for part in plan.diff],
        "changed_files": [plan.wanted.dest for plan in changed],
        "owed": [{name: getattr(debt, name) for name in DEBT} for debt in _owed(changed, owner)],
        "kept_originals": list(kept),
        "not_validated": list(notes),
    }


def _require_parents(plans: Sequence[Plan]) -> None:
    """Each directory must exist, or be made by an entry that stands earlier in the same call."""
    made: Set[str] = set()
    for plan in plans:
        parent = os.path.dirname(plan.wanted.dest)
        if plan.wanted.state != "absent" and parent not in made and not os.path.isdir(parent):
            raise OpsError(
                "the directory {0} does not exist".format(parent),
                option="dest",
                value=plan.wanted.dest,
                remedy="Put an entry with dest: {0} and state: directory before it".format(parent),
            )
        if plan.wanted.state == "directory":
            made.add(plan.wanted.dest)


def _require_owners(wanted: Sequence[Wanted]) -> None:
    for one in wanted:
        for option, name, find in (("user", one.user, pwd.getpwnam), ("group", one.group, grp.getgrnam)):
            try:
                find(name)
            except KeyError as error:
                raise OpsError(
                    "{0}: this host has no such {1}".format(one.dest, option),
                    option=option,
                    value=name,
                    remedy="Create it before, or name another",
                ) from error


def _all_wanted(options: Dict[str, Any]) -> List[Wanted]:
    wanted = [_wanted(entry, "files", secret=False) for entry in options["files"]]
    wanted += [_wanted(entry, "secret_files", secret=True) for entry in options["secret_files"]]
    seen: Set[str] = set()
    for one in wanted:
        if one.dest in seen:
            raise OpsError("stands twice in one call", option="dest", value=one.dest, remedy="Keep one of the two")
        seen.add(one.dest)
    return wanted


def _wanted(entry: Dict[str, Any], option: str, secret: bool) -> Wanted:
    dest = entry["dest"]
    if not dest.startswith("/") or os.path.normpath(dest) != dest or dest == "/":
        raise OpsError(
            "must be an absolute path without a slash at its end and without .. or //",
            option=option + ".dest",
            value=dest,
            remedy="Write the path as the host knows it",
        )
    state = entry.get("state") or "present"
    form = entry.get("compare") or "text"
    if entry.get("merge") and form not in MERGERS:
        raise OpsError(
            "{0}: this form cannot be merged".format(dest),
            "merge",
            True,
            "Set compare to {0}, or merge to false".format(" or ".join(sorted(MERGERS))),
        )
    rule = entry.get("validate")
    if rule:
        check_rule(dest, rule)
    return Wanted(
        dest=dest,
        state=state,
        content=_content(entry, dest, state),
        mode=_mode(entry.get("mode"), dest),
        user=entry.get("user") or "root",
        group=entry.get("group") or "root",
        compare=form,
        merge=bool(entry.get("merge")),
        secret=secret,
        validate=rule,
        owes=entry.get("owes"),
    )


def _content(entry: Dict[str, Any], dest: str, state: str) -> bytes:
    for option in ("template", "source"):
        if entry.get(option) is not None:
            raise OpsError(
                "{0}: is read on the controller by the action plugin, not on a host".format(dest),
                option=option,
                value=entry[option],
                remedy="Call circleci_server.ops.host_files as a task of its own, or give content",
            )
    plain, encoded = entry.get("content"), entry.get("content_base64")
    if state != "present":
        if plain is not None or encoded is not None:
            raise OpsError("{0}: has no content".format(dest), "state", state, "Leave the content out")
        return b""
    content = text_of(plain, dest).encode("utf-8") if encoded is None else _decoded(encoded, dest)
    if len(content) > LARGEST:
        raise OpsError(
            "{0} would have {1} bytes; host_files is for configuration files up to {2}".format(
                dest, len(content), LARGEST
            ),
            remedy="Deliver it with circleci_server.ops.host_artifact",
        )
    return content


def text_of(content: Any, dest: str) -> str:
    """Content as it is written: a text as it is, a dictionary or list as JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, (dict, list)):
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    raise OpsError(
        "{0}: must be a text, a dictionary or a list, not {1}".format(dest, type(content).__name__),
        option="content",
        remedy="Put the value in quotes",
    )


def _decoded(encoded: str, dest: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OpsError(
            "{0}: is no base64: {1}".format(dest, error), option="content_base64", remedy="Encode it with b64encode"
        ) from error


def _mode(mode: Any, dest: str) -> Optional[int]:
    if mode is None:
        return None
    if isinstance(mode, str) and re.match(r"^[0-7]{3,4}$", mode):
        return int(mode, 8)
    raise OpsError(
        "{0}: must be three or four octal digits in quotes".format(dest),
        option="mode",
        value=mode,
        remedy='Write for instance mode: "0644"; without quotes YAML makes another number of it',
    )
