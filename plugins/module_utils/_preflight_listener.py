# Listens on a host's ports while preflight probes them, so that a closed port differs from an unused one. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A process of its own session accepts and closes connections on these ports. It writes no file: it is known by an
# abstract UNIX socket (one in a network namespace) and ends when the last run that holds it lets go, or when that
# run's seconds have passed. Two runs at once share it, each under its own token.

from __future__ import annotations

__all__ = ["CONTROL", "Listener", "hold", "release_code"]

import json
import os
import selectors
import socket
import struct
import time
from typing import Any, Dict, Optional, Sequence

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

CONTROL = "\0circleci_server_ops/preflight"
# Seconds that a process waits for its first order, and a caller for the answer.
PATIENCE = 10.0
MESSAGE_SIZE = 65536


class Listener:
    """The process: orders come in on the control socket, connections on the ports."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.ports: Dict[int, socket.socket] = {}
        self.holders: Dict[str, float] = {"": time.monotonic() + PATIENCE}
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)

    def run(self) -> None:
        """Work until nobody holds the listener any more."""
        while self.holders:
            wait = max(0.0, min(self.holders.values()) - time.monotonic())
            for key, _events in self.selector.select(wait):
                if key.fileobj is self.control:
                    self._order()
                else:
                    _accept(key.fileobj)
            now = time.monotonic()
            self.holders = {token: end for token, end in self.holders.items() if end > now}
        self._close()

    def obey(self, order: Dict[str, Any]) -> Dict[str, Any]:
        """Carry one order out and return the answer."""
        if "release" in order:
            self.holders.pop(str(order["release"]), None)
            if not self.holders:
                self._close()
            return {"ports": sorted(self.ports)}
        token, seconds, ports = str(order["hold"]), float(order["seconds"]), [int(port) for port in order["ports"]]
        self.holders.pop("", None)
        self.holders[token] = time.monotonic() + seconds
        failed = {}
        for port in ports:
            error = self._listen(port)
            if error:
                failed[str(port)] = error
        return {"ports": sorted(self.ports), "failed": failed}

    def _listen(self, port: int) -> str:
        if port in self.ports:
            return ""
        try:
            listening = _listening_socket(port)
        except OSError as error:
            return error.strerror or str(error)
        self.ports[port] = listening
        self.selector.register(listening, selectors.EVENT_READ)
        return ""

    def _order(self) -> None:
        try:
            peer, _address = self.control.accept()
        except OSError:
            return
        with peer:
            peer.settimeout(PATIENCE)
            try:
                if not _trusted(peer):
                    return
                order = json.loads(peer.recv(MESSAGE_SIZE).decode("utf-8"))
                peer.send(json.dumps(self.obey(order)).encode("utf-8"))
            except (OSError, ValueError, KeyError, TypeError):
                return

    def _close(self) -> None:
        for listening in self.ports.values():
            self.selector.unregister(listening)
            listening.close()
        self.ports = {}
        if self.control.fileno() >= 0:
            self.selector.unregister(self.control)
            self.control.close()


def hold(token: str, seconds: float, ports: Sequence[int], control: str = CONTROL) -> Dict[str, Any]:
    """Listen on these ports for a run, for so many seconds or until release.

    Returns ports (all that are listened on) and failed (port to the reason why it could not be). Without ports only
    a listener that lives already, of another run, is asked.
    """
    order = {"hold": token, "seconds": seconds, "ports": list(ports)}
    for _attempt in range(2):
        answer = _ask(order, control)
        if answer is not None:
            return answer
        if not ports:
            return {"ports": [], "failed": {}}
        _start(control)
    raise OpsError("the listener for the probes of ports did not start")


def release_code(token: str) -> str:
    """Python source that lets go: when no other run holds the listener, its ports are closed when it ends.

    Source, because the gate runs it by a plain command: another run of a module would take as long as the whole look.
    """
    return (
        "import json, socket\n"
        "link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "link.settimeout({0!r})\n"
        "try:\n"
        "    link.connect({1!r})\n"
        "    link.send(json.dumps({{'release': {2!r}}}).encode())\n"
        "    link.recv({3!r})\n"
        "except ConnectionRefusedError:\n"
        "    pass\n"
    ).format(PATIENCE, CONTROL, token, MESSAGE_SIZE)


def _ask(order: Dict[str, Any], control: str) -> Optional[Dict[str, Any]]:
    """The answer of a living listener, None when there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.settimeout(PATIENCE)
        try:
            link.connect(control)
            if not _trusted(link):
                raise OpsError("the control socket of the listener belongs to another user")
            link.send(json.dumps(order).encode("utf-8"))
            answer = link.recv(MESSAGE_SIZE)
        except OSError:
            return None
    return json.loads(answer.decode("utf-8")) if answer else None


def _start(control: str) -> None:
    """Start the process, unless another run has just done so."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        server.bind(control)
        server.listen(16)
    except OSError:
        server.close()
        return
    server.setblocking(False)
    child = os.fork()
    if child == 0:
        _detached(server)
    server.close()
    os.waitpid(child, 0)


def _detached(server: socket.socket) -> None:
    """In the child: leave the session, let go of every open file of the module's, listen, end."""
    code = 1
    try:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            _close_files(server.fileno())
            Listener(server).run()
        code = 0
    finally:
        os._exit(code)


def _close_files(keep: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    highest = max([keep] + [int(name) for name in os.listdir("/proc/self/fd")])
    os.closerange(3, keep)
    os.closerange(keep + 1, highest + 1)


def _listening_socket(port: int) -> socket.socket:
    """A socket on all addresses, of both families where the host has IPv6."""
    if os.path.exists("/proc/net/if_inet6"):
        try:
            return _bound(socket.AF_INET6, port)
        except OSError:
            # IPv6 may be switched off all the same; if the port is taken, IPv4 says so too.
            return _bound(socket.AF_INET, port)
    return _bound(socket.AF_INET, port)


def _bound(family: int, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("", port))
        listening.listen(128)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _accept(listening: Any) -> None:
    try:
        connection, _address = listening.accept()
    except OSError:
        return
    connection.close()


def _trusted(peer: socket.socket) -> bool:
    """The other side is root or the user that we are: an abstract socket has no file permissions."""
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", packed)
    return uid in (0, os.geteuid())
