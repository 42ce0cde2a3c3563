# Writes the settings that Replicated imports at its first start into a file that root alone reads. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Facts 4: /etc/replicated.conf names the file as ImportSettingsFrom, and its form is that of `app-config export`.

from __future__ import annotations

__all__ = ["write_bootstrap"]

import json
import os
import pwd
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_state, write_atomic
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_compare import (
    Known,
    Plan,
    compare,
    document_of,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import Wanted

MODE = 0o600


class _Present(NamedTuple):
    """The file as it is; faults: what must change beside the items, in words."""

    document: Dict[str, Dict[str, Any]]
    faults: List[str]


def write_bootstrap(
    options: Mapping[str, Any], wanted: Mapping[str, Wanted], check: bool, command: str, lock: str
) -> Tuple[Plan, List[str]]:
    """Make the file hold these items and no others. Returns the plan and what changed beside the items."""
    path = str(options["bootstrap_file"])
    if not os.path.isabs(path):
        raise OpsError("must be an absolute path", "bootstrap_file", path, "Write the path as the host knows it")
    plan, notes = _planned(path, wanted)
    if check or not (plan.changed or notes):
        return plan, notes
    if not os.path.isdir(os.path.dirname(path)):
        raise OpsError("its directory does not exist", "bootstrap_file", path, "Create the directory before")
    with host_lock(command, options["lock_timeout"], lock):
        plan, notes = _planned(path, wanted)
        text = json.dumps(document_of(plan.items), indent=2, sort_keys=True) + "\n"
        write_atomic(path, text.encode("utf-8"), MODE, owner=_user())
    return plan, notes


def _planned(path: str, wanted: Mapping[str, Wanted]) -> Tuple[Plan, List[str]]:
    present = _read(path)
    plan = compare(wanted, Known(present.document, present.document))
    gone = ["{0}: is in {1} no longer".format(item, path) for item in present.document if item not in wanted]
    return plan, gone + present.faults


def _read(path: str) -> _Present:
    state = read_state(path)
    if state.content is None:
        return _Present({}, ["{0}: (absent) -> settings, mode {1:04o}".format(path, MODE)])
    faults = []
    if state.mode & ~MODE:
        faults.append("{0}: mode {1:04o} -> {2:04o}".format(path, state.mode, MODE))
    if state.owner != _user():
        faults.append("{0}: owner {1} -> {2}".format(path, state.owner, _user()))
    try:
        found = json.loads(state.content.decode("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        return _Present({}, faults + ["{0}: is no file of settings and is replaced".format(path)])
    return _Present(found, faults)


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
