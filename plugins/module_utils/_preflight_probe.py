# Tries TCP ports of other hosts, all at once, and says how each one answered. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["OPEN", "REFUSED", "TIMEOUT", "UNKNOWN_NAME", "UNREACHABLE", "probe"]

import errno
import os
import selectors
import socket
import time
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_facts import resolve_names

OPEN = "open"
REFUSED = "refused"
TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
UNKNOWN_NAME = "unknown name"

# So many connections are tried at one time; a process may open 1024 files.
BATCH = 256


def probe(targets: Sequence[Tuple[str, int]], timeout: float) -> List[Dict[str, Any]]:
    """Connect to every (address or name, port); the results have the order of the targets.

    address, port: the target.
    outcome:       open, refused (somebody said no), timeout (nobody said anything), unreachable (no way there),
                   unknown name.
    error:         what the system said.
    """
    addresses = resolve_names([name for name, _port in targets], timeout)
    results: List[Dict[str, Any]] = [
        {"address": name, "port": port, "outcome": UNKNOWN_NAME, "error": addresses[name]["error"]}
        for name, port in targets
    ]
    known = [result for result in results if addresses[result["address"]]["addresses"]]
    for start in range(0, len(known), BATCH):
        _connect_all(known[start : start + BATCH], addresses, timeout)
    return results


def _connect_all(results: List[Dict[str, Any]], addresses: Dict[str, Dict[str, Any]], timeout: float) -> None:
    with selectors.DefaultSelector() as selector:
        for result in results:
            _connect(result, _preferred(addresses[result["address"]]["addresses"]), selector)
        deadline = time.monotonic() + timeout
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            for key, _events in selector.select(left):
                _settle(key.data, key.fileobj, selector)
        for key in list(selector.get_map().values()):
            key.data.update(outcome=TIMEOUT, error="no answer within {0:g} seconds".format(timeout))
            _close(key.fileobj, selector)


def _preferred(addresses: Sequence[str]) -> str:
    """IPv4 first: what the guide's time knew, and what the firewall rows are written for."""
    return sorted(addresses, key=lambda address: (":" in address, address))[0]


def _connect(result: Dict[str, Any], address: str, selector: selectors.BaseSelector) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        link = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        result.update(_outcome(error.errno or 0))
        return
    link.setblocking(False)
    code = link.connect_ex((address, result["port"]))
    if code == errno.EINPROGRESS:
        selector.register(link, selectors.EVENT_WRITE, result)
        return
    result.update(_outcome(code))
    link.close()


def _settle(result: Dict[str, Any], link: Any, selector: selectors.BaseSelector) -> None:
    result.update(_outcome(link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
    _close(link, selector)


def _close(link: Any, selector: selectors.BaseSelector) -> None:
    selector.unregister(link)
    link.close()


def _outcome(code: int) -> Dict[str, str]:
    if code == 0:
        return {"outcome": OPEN, "error": ""}
    names = {errno.ECONNREFUSED: REFUSED, errno.ETIMEDOUT: TIMEOUT}
    return {"outcome": names.get(code, UNREACHABLE), "error": os.strerror(code)}
