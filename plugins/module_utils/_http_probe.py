# Asks a port of this host for an HTTP answer, or for a TCP connection, within one deadline. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Answer", "connect", "probe"]

import http.client
import io
import os
import select
import socket
import ssl
import time
import urllib.parse
from typing import Any, NamedTuple, Tuple

REDIRECTS = 5
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
# Docker's proxy takes a connection to a published port also when nothing listens in the container, and closes it then.
CLOSE_SECONDS = 0.1
ADDRESS = "127.0.0.1"


class Answer(NamedTuple):
    """What came back.

    status:  the HTTP status, 0 for none (or for a connection that speaks no HTTP).
    seconds: how long it took, redirects included.
    problem: "" for an answer; otherwise why there is none, in words.
    body:    the beginning of the body, if it was asked for.
    """

    status: int
    seconds: float
    problem: str
    body: str = ""


class _Place(NamedTuple):
    """Where a request goes on this host, and the name that the server is told."""

    port: int
    path: str
    tls: bool
    name: str


def probe(
    port: int, path: str, timeout: float, tls: bool = False, address: str = ADDRESS, body_limit: int = 0
) -> Answer:
    """GET from a port of this host; never raises for what the other side does.

    timeout:    seconds for everything together, redirects included. A server that accepts and stays silent, or sends a
                byte now and then, ends at it.
    tls:        speak TLS. The certificate is not verified: the bytes never leave this host, on which nobody but root
                could stand between; a self-signed or expired certificate says nothing about the service's health.
    address:    the address of this host to connect to.
    body_limit: how many bytes of the body to read.
    No proxy is used. At most 5 redirects are followed, always on this host: the scheme, port and path of the Location
    count; its host name is only told to the server (Host header, SNI), since it may be one that leads elsewhere.
    """
    begun = time.monotonic()
    place = _Place(port, path, tls, "localhost" if address.startswith("127.") else address)
    status, problem, body = 0, "", ""
    for _turn in range(REDIRECTS + 1):
        try:
            status, location, body = _get(place, address, begun + timeout, body_limit)
        except (OSError, ValueError, http.client.HTTPException) as error:
            problem = _words(error, timeout)
            if place.port != port or place.tls != tls:
                problem = "redirected to {0}: {1}".format(_shown(place), problem)
            return Answer(0, time.monotonic() - begun, problem)
        if status not in REDIRECT_STATUSES or not location:
            return Answer(status, time.monotonic() - begun, "", body)
        try:
            place = _redirected(place, location)
        except ValueError:
            return Answer(status, time.monotonic() - begun, "redirected to {0!r}, which is no address".format(location))
    return Answer(status, time.monotonic() - begun, "more than {0} redirects".format(REDIRECTS))


def connect(port: int, timeout: float, address: str = ADDRESS) -> Answer:
    """Open a TCP connection to a port of this host; its status is 0, its problem "" when it stays open.

    A connection that is closed at once, before anything was sent, is a problem: see CLOSE_SECONDS.
    """
    begun = time.monotonic()
    try:
        with socket.create_connection((address, port), timeout=timeout) as link:
            ready, _writable, _broken = select.select([link], [], [], min(CLOSE_SECONDS, timeout))
            closed = bool(ready) and link.recv(1) == b""
    except OSError as error:
        return Answer(0, time.monotonic() - begun, _words(error, timeout))
    return Answer(0, time.monotonic() - begun, "the connection was closed at once" if closed else "")


class _Reader(io.RawIOBase):
    """Reads from a socket until a moment, however the bytes drip."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        super().__init__()
        self._link = link
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(_left(self._deadline))
        return self._link.recv_into(buffer)


class _Stream:
    """What http.client wants of a socket: only a file to read from."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def _get(place: _Place, address: str, deadline: float, body_limit: int) -> Tuple[int, str, str]:
    """One request: status, Location ("" for none), beginning of the body."""
    head = _request(place)
    with socket.create_connection((address, place.port), timeout=_left(deadline)) as plain:
        plain.settimeout(_left(deadline))
        link = _context().wrap_socket(plain, server_hostname=place.name) if place.tls else plain
        with link:
            link.settimeout(_left(deadline))
            link.sendall(head)
            stream: Any = _Stream(_Reader(link, deadline))
            response = http.client.HTTPResponse(stream, method="GET")
            response.begin()
            body = response.read(body_limit) if body_limit else b""
            return response.status, response.getheader("Location") or "", body.decode("utf-8", "replace")


def _request(place: _Place) -> bytes:
    usual = 443 if place.tls else 80
    name = "[{0}]".format(place.name) if ":" in place.name else place.name
    if place.port != usual:
        name = "{0}:{1}".format(name, place.port)
    lines = ["GET {0} HTTP/1.1", "Host: {1}", "Accept: */*", "User-Agent: circleci_server.ops", "Connection: close"]
    # What could break a line is encoded; the path may come from an option or from a Location.
    path = urllib.parse.quote(place.path or "/", safe="/?&=%:;@!$'()*+,~#[]")
    text = "\r\n".join(lines).format(path.partition("#")[0], name) + "\r\n\r\n"
    return text.encode("ascii")


def _redirected(place: _Place, location: str) -> _Place:
    """Where a Location leads on this host. Raises ValueError for one that is not HTTP."""
    own = "{0}://{1}:{2}{3}".format("https" if place.tls else "http", place.name, place.port, place.path)
    parts = urllib.parse.urlsplit(urllib.parse.urljoin(own, location.strip()))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no HTTP address")
    parts.hostname.encode("ascii")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return _Place(parts.port or (443 if tls else 80), path, tls, parts.hostname)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _words(error: Exception, timeout: float) -> str:
    if isinstance(error, socket.timeout):
        return "timed out after {0:g} s".format(timeout)
    if isinstance(error, ssl.SSLError):
        return "no TLS: {0}".format(error.reason or error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        return "the connection was closed without an answer"
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno else str(error)
    return "no HTTP answer"


def _shown(place: _Place) -> str:
    return "{0} port {1}".format("https" if place.tls else "http", place.port)
