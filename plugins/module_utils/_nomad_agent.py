# What a Nomad client on this host is: installed version, configuration, reachable servers, readiness. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["look", "wait_ready"]

import concurrent.futures
import json
import re
import socket
import time
import urllib.error
import urllib.request
from typing import Any, Dict, List, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file
from ansible_collections.circleci_server.ops.plugins.module_utils._hcl import HclError, parse_hcl
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run

# The daemons that keep a host's time, in the order in which one that exists is taken.
TIME_SYNC_UNITS = ("chronyd", "chrony", "ntpsec", "ntpd", "ntp", "openntpd", "systemd-timesyncd")
CONNECT_SECONDS = 5
RETRY_SECONDS = 0.5
BLOCKING_SECONDS = 10


def look(params: Dict[str, Any], check: bool = False) -> Dict[str, Any]:
    """The client as it is, for a role that is about to configure it. Changes nothing.

    Raises OpsError when none of params["servers"] answers within params["servers_timeout"] seconds. In check mode
    they are tried once and a silent one is a warning: before the first run they may not exist yet.
    """
    config = _read_config(params["config"])
    silent = _silent_servers(params["servers"], 0 if check else params["servers_timeout"])
    warnings = ["{0} does not answer ({1})".format(server, why) for server, why in sorted(silent.items())]
    if params["servers"] and len(silent) == len(params["servers"]) and not check:
        raise OpsError(
            "no Nomad server answers from this host: {0}".format("; ".join(warnings)),
            option="servers",
            value=params["servers"],
            remedy="Start the application on the services host, open port 4647 from this host to it, or correct "
            "nomad_client_servers; nothing was written here",
        )
    return {
        "installed_version": _installed_version(params["binary"]),
        "datacenter": str(config.get("datacenter", "")),
        "reserved_cpu": reserved_cpu(config, params["reserved_cores"], _core_mhz()),
        "time_sync_unit": _time_sync_unit(),
        "warnings": warnings,
    }


def reserved_cpu(config: Dict[str, Any], cores: int, core_mhz: float) -> int:
    """The MHz to keep from builds: what is configured while it still means that many cores, otherwise computed.

    The clock that a host reports varies a little between two looks, so a computed figure would never settle.
    """
    present = _reserved(config).get("cpu")
    if isinstance(present, int) and present > 0 and round(present / core_mhz) == cores:
        return present
    return round(cores * core_mhz)


def wait_ready(address: str, timeout: float) -> Dict[str, Any]:
    """Wait until the agent on this host has joined and its node is ready; the node's id, name and states.

    One blocking query on the node (Nomad forwards it to the server) instead of a poll, once the agent answers.
    Raises OpsError when timeout (seconds) passes, with the last state seen.
    """
    deadline = time.monotonic() + timeout
    seen = "the agent does not answer"
    index = "0"
    while time.monotonic() < deadline:
        try:
            node_id = str(_get(address, "/v1/agent/self")[0]["stats"]["client"]["node_id"])
            wait = max(1, min(BLOCKING_SECONDS, int(deadline - time.monotonic())))
            query = "/v1/node/{0}?index={1}&wait={2}s".format(node_id, index, wait)
            node, index = _get(address, query)
        except (OSError, ValueError, KeyError) as error:
            seen = "{0}: {1}".format(address, error)
            time.sleep(RETRY_SECONDS)
            continue
        seen = "node {0} is {1}".format(node_id, node.get("Status"))
        if node.get("Status") == "ready":
            return _describe(node)
    raise OpsError(
        "the Nomad client did not become ready within {0:g} seconds; last seen: {1}".format(timeout, seen),
        option="ready_timeout",
        value=timeout,
        remedy="Read journalctl -u nomad on this host, and check that port 4647 of its servers is open from here",
    )


def _describe(node: Dict[str, Any]) -> Dict[str, Any]:
    return {
        "node": {
            "id": node.get("ID"),
            "name": node.get("Name"),
            "datacenter": node.get("Datacenter"),
            "node_class": node.get("NodeClass"),
            "status": node.get("Status"),
            "eligibility": node.get("SchedulingEligibility", ""),
            "drain": bool(node.get("Drain")),
        }
    }


def _get(address: str, path: str) -> tuple[Dict[str, Any], str]:
    """One answer of the agent and its index, by no proxy: the agent is the installation's own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address + path, timeout=BLOCKING_SECONDS * 2) as answer:
        body = json.loads(answer.read().decode("utf-8"))
        return body, answer.headers.get("X-Nomad-Index", "0")


def _read_config(path: str) -> Dict[str, Any]:
    content = read_file(path)
    if content is None:
        return {}
    try:
        return parse_hcl(content.decode("utf-8"))
    except (HclError, UnicodeDecodeError):
        # The role replaces the file; what stands in it cannot be kept. host_files names the difference.
        return {}


def _reserved(config: Dict[str, Any]) -> Dict[str, Any]:
    client = config.get("client", {})
    found = client.get("reserved", {}) if isinstance(client, dict) else {}
    return found if isinstance(found, dict) else {}


def _installed_version(binary: str) -> str:
    if find_program(binary) is None:
        return ""
    match = re.search(r"Nomad v(\S+)", run([binary, "version"], timeout=20).stdout)
    return match.group(1) if match else ""


def _time_sync_unit() -> str:
    names = ["{0}.service".format(unit) for unit in TIME_SYNC_UNITS]
    listed = run(["systemctl", "list-unit-files", "--no-legend", "--plain"] + names).stdout
    present = {line.split()[0] for line in listed.splitlines() if line.strip()}
    for unit in TIME_SYNC_UNITS:
        if "{0}.service".format(unit) in present:
            return unit
    return ""


def _core_mhz() -> float:
    """The clock of one core as Nomad's fingerprint reads it: the largest, cpufreq's before /proc/cpuinfo's."""
    limit = read_file("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    if limit:
        return float(limit) / 1000
    cpuinfo = (read_file("/proc/cpuinfo") or b"").decode("utf-8", "replace")
    clocks = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([0-9.]+)", cpuinfo, re.MULTILINE)]
    return max(clocks) if clocks else 1000.0


def _silent_servers(servers: List[str], timeout: float) -> Dict[str, str]:
    """The servers that do not accept a connection before the deadline, each with the last reason. All at once."""
    if not servers:
        return {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(servers)) as pool:
        reasons = list(pool.map(lambda server: _connect_until(server, timeout), servers))
    return {server: why for server, why in zip(servers, reasons) if why}


def _connect_until(server: str, timeout: float) -> Optional[str]:
    host, _colon, port = server.rpartition(":")
    if not host or not port.isdigit():
        return "it is no ADDRESS:PORT"
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
            return None
        except OSError as error:
            why = str(error)
        if time.monotonic() >= deadline:
            return why
        time.sleep(RETRY_SECONDS)
