# The host side of preflight: look at the host and listen, or try the ports of others. Changes nothing. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["preflight"]

from typing import Any, Dict, List

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_facts import gather
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_listener import hold
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_probe import probe


def preflight(phase: str, work: Dict[str, Any]) -> Dict[str, Any]:
    """One phase on the host. work comes from the action plugin:

    look:  names (to resolve), disk_path, timeout, token, seconds and ports (to listen on).
    probe: targets (address and port, a pair each), timeout.
    """
    try:
        return _PHASES[phase](work)
    except KeyError as error:
        raise OpsError(
            "this phase needs {0} of the action plugin's orders".format(error),
            option="phase",
            value=phase,
            remedy="Call circleci_server.ops.preflight_check as a task of a play, not as a bare module",
        ) from error


def _look(work: Dict[str, Any]) -> Dict[str, Any]:
    facts = gather(work["names"], work["disk_path"], float(work["timeout"]))
    listening = set(facts["listening"]) | set(facts["loopback"])
    free: List[int] = [port for port in work["ports"] if port not in listening]
    # Asked even when nothing is free: a port may be taken by the listener of another run, which is then shared.
    listener = hold(work["token"], float(work["seconds"]), free)
    return {"changed": False, "facts": facts, "listener": listener}


def _probe(work: Dict[str, Any]) -> Dict[str, Any]:
    targets = [(str(address), int(port)) for address, port in work["targets"]]
    return {"changed": False, "outcomes": probe(targets, float(work["timeout"]))}


_PHASES = {"look": _look, "probe": _probe}
