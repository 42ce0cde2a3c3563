# Reads what preflight wants to know about a host: architecture, OS, size, disk, names, ports that listen. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["gather", "listening_ports", "memory_bytes", "os_release", "resolve_names", "space"]

import os
import platform
import shlex
import socket
import threading
import time
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
SOCKET_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
# The state LISTEN in the fourth column of the kernel's socket tables.
LISTEN = "0A"


def os_release(text: str) -> Dict[str, str]:
    """The lines of an os-release file: KEY=value, in the quoting of a shell. Lines that are not so are left out."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        found[key] = words[0] if words else ""
    return found


def memory_bytes(meminfo: str) -> int:
    """The whole memory from the text of /proc/meminfo, 0 when it does not say."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def listening_ports(tables: Iterable[str]) -> Tuple[Set[int], Set[int]]:
    """The TCP ports that listen, from the texts of the kernel's socket tables: for other hosts, for this host only."""
    ports: Tuple[Set[int], Set[int]] = (set(), set())
    for table in tables:
        for line in table.splitlines():
            columns = line.split()
            if len(columns) > 3 and columns[3] == LISTEN:
                address, _colon, port = columns[1].rpartition(":")
                ports[_is_loopback(address)].add(int(port, 16))
    return ports[0], ports[1] - ports[0]


def _is_loopback(address: str) -> bool:
    """An address as the kernel prints it: words of four bytes, the last byte first."""
    if len(address) == 8 or address.startswith("0000000000000000FFFF0000"):
        return address.endswith("7F")
    return address == "00000000000000000000000001000000"


def space(path: str) -> Dict[str, Any]:
    """Size and free bytes of the file system that a path is on, or will be on once it exists."""
    present = os.path.abspath(path)
    while not os.path.exists(present):
        present = os.path.dirname(present)
    status = os.statvfs(present)
    return {
        "path": path,
        "size": status.f_blocks * status.f_frsize,
        "free": status.f_bavail * status.f_frsize,
    }


def resolve_names(names: Sequence[str], timeout: float) -> Dict[str, Dict[str, Any]]:
    """Look all names up at once; a name has its addresses, or the error that the resolver gave.

    A resolver may hang for longer than anyone waits: what has no answer at the deadline is an error of its own.
    """
    answers: Dict[str, Dict[str, Any]] = {}

    def look_up(name: str) -> None:
        try:
            found = socket.getaddrinfo(name, None, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers[name] = {"addresses": [], "error": getattr(error, "strerror", None) or str(error)}
            return
        answers[name] = {"addresses": sorted({str(entry[4][0]) for entry in found}), "error": ""}

    threads = [threading.Thread(target=look_up, args=(name,), daemon=True) for name in sorted(set(names))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {"addresses": [], "error": "no answer within {0:g} seconds".format(timeout)}
    return {name: answers.get(name, late) for name in sorted(set(names))}


def gather(names: Sequence[str], disk_path: str, timeout: float) -> Dict[str, Any]:
    """Everything that the rules compare with their limits. Changes nothing."""
    release = os_release(_first_text(OS_RELEASE))
    kernel = os.uname()
    listening, loopback = listening_ports(_texts(SOCKET_TABLES))
    return {
        "architecture": kernel.machine,
        "kernel": kernel.release,
        "python": platform.python_version(),
        "os_id": release.get("ID", ""),
        "os_like": release.get("ID_LIKE", "").split(),
        "os_version": release.get("VERSION_ID", ""),
        "os_name": release.get("PRETTY_NAME", ""),
        "cores": os.cpu_count() or 0,
        "memory": memory_bytes(_first_text(["/proc/meminfo"])),
        "disk": space(disk_path),
        "root": space("/"),
        "names": resolve_names(names, timeout),
        "listening": sorted(listening),
        "loopback": sorted(loopback),
    }


def _texts(paths: Iterable[str]) -> List[str]:
    return [text for text in (_text(path) for path in paths) if text is not None]


def _first_text(paths: Iterable[str]) -> str:
    return next(iter(_texts(paths)), "")


def _text(path: str) -> Optional[str]:
    content = read_file(path)
    return None if content is None else content.decode("utf-8", "replace")
