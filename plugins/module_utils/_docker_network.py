# A Docker network of the host: compared by docker network inspect, created when it is missing. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ensure_network"]

import contextlib
import json
from typing import Any, Dict, List, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run


def ensure_network(params: Dict[str, Any], check: bool = False) -> Dict[str, Any]:
    """Create the network unless it exists. One that exists with another driver or other options is refused.

    A network is never replaced: running builds may be connected to it. Raises OpsError.
    """
    with contextlib.nullcontext() if check else host_lock("host_docker_network", params["lock_timeout"]):
        if check and find_program("docker") is None:
            return _result(params, True)
        present = _inspect(params["name"])
        if present is not None:
            _refuse_difference(params, present)
            return _result(params, False)
        if not check:
            _create(params)
        return _result(params, True)


def _result(params: Dict[str, Any], changed: bool) -> Dict[str, Any]:
    after = "{0} ({1})\n".format(params["name"], params["driver"])
    change = "the Docker network {0} is created".format(params["name"])
    return {
        "changed": changed,
        "changes": [change] if changed else [],
        "diff": [
            {
                "before_header": "docker networks",
                "after_header": "docker networks",
                "before": "" if changed else after,
                "after": after,
            }
        ],
    }


def _inspect(name: str) -> Optional[Dict[str, Any]]:
    listed = run(["docker", "network", "ls", "--no-trunc", "--format", "{{.Name}}"])
    if listed.rc != 0:
        raise OpsError(
            "Docker's networks cannot be listed: {0}".format(listed.stderr.strip()),
            remedy="Start the engine (systemctl status docker) and run again",
        )
    if name not in listed.stdout.split():
        return None
    inspected = run(["docker", "network", "inspect", name])
    found: List[Dict[str, Any]] = json.loads(inspected.stdout)
    return found[0]


def _refuse_difference(params: Dict[str, Any], present: Dict[str, Any]) -> None:
    wanted = {"driver": params["driver"], "options": params["driver_options"]}
    options = present.get("Options") or {}
    found = {
        "driver": present.get("Driver"),
        "options": {key: options.get(key) for key in params["driver_options"]},
    }
    if wanted != found:
        raise OpsError(
            "the Docker network exists with {0}, wanted is {1}".format(found, wanted),
            option="name",
            value=params["name"],
            remedy="No network is replaced while builds may use it: drain the client, remove the network by "
            "docker network rm, and run again",
        )


def _create(params: Dict[str, Any]) -> None:
    argv = ["docker", "network", "create", "--driver", params["driver"]]
    for key, value in sorted(params["driver_options"].items()):
        argv += ["--opt", "{0}={1}".format(key, value)]
    created = run(argv + [params["name"]])
    if created.rc != 0:
        raise OpsError("the Docker network {0} cannot be created: {1}".format(params["name"], created.stderr.strip()))
