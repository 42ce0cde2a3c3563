# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated's console (facts 4, guide L2009): TLS on 8800, a login page and a status page to look at.

Of the guide: the port, https, /create-password after `auth reset` (L1532), the buttons "Stop Now" and "Start Now"
(L2009). The pages' other words and paths are ours. It asks the daemon over the daemon's socket.
"""

from __future__ import annotations

import html
import os
import secrets
import signal
import ssl
import tempfile
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from .client import Client, Failure
from .log import open_log
from .places import Places

__all__ = ["main"]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 40em; margin: 3em auto; color: #222 }}
.state {{ font-size: 2em; margin: .5em 0 }} .note {{ color: #777 }} .error {{ color: #b00 }}
button {{ padding: .5em 1.5em; margin-right: 1em }} td {{ padding: .2em 1em .2em 0 }}
</style></head>
<body><h1>{title}</h1>{body}
<p class="note">A stand-in for Replicated's console, made for the lab.</p></body></html>
"""
_PASSWORD = """<form method="post"><label>{label} <input type="password" name="password" autofocus></label>
<button>{button}</button></form>"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    client: Client
    tls: ssl.SSLContext
    sessions: set[str]
    fingerprint = ""

    def refresh(self) -> None:
        """Take the daemon's certificate if it has another one."""
        pair = self.client.ask("console tls")
        if pair["cert"] == self.fingerprint:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # 0600
            file.write(pair["key"] + "\n" + pair["cert"])
            file.flush()
            self.tls.load_cert_chain(file.name)
        self.fingerprint = pair["cert"]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake belongs to the request's own thread: a silent visitor blocks nobody."""
        request.settimeout(30)
        try:
            secured = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            self.shutdown_request(request)
            return
        super().process_request_thread(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        try:
            self._get()
        except Failure as error:
            self._page("Replicated", f'<p class="error">The daemon does not answer: {html.escape(str(error))}</p>', 503)

    def _get(self) -> None:
        self.server.refresh()
        kind = self.server.client.ask("console-auth export")["Type"]
        if not kind:
            target = "/create-password"
        elif kind == "password" and self._session() not in self.server.sessions:
            target = "/login"
        else:
            target = "/dashboard"
        if self.path != target:
            self._go(target)
        elif target == "/dashboard":
            self._dashboard()
        else:
            words = ("Password", "Log in") if target == "/login" else ("New password", "Set")
            self._page("Management Console", _PASSWORD.format(label=words[0], button=words[1]))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65536)).decode())
        password = form.get("password", [""])[0]
        try:
            if self.path == "/create-password":
                self.server.client.ask("console create-password", password=password)
                self._go("/login")
            elif self.path == "/login":
                self.server.client.ask("console login", password=password)
                session = secrets.token_hex(16)
                self.server.sessions.add(session)
                self._go("/dashboard", session)
            elif self.path in ("/start", "/stop") and self._may():
                self.server.client.ask(f"app {self.path[1:]}")
                self._go("/dashboard")
            else:
                self._go("/")
        except Failure as error:
            self._page("Management Console", f'<p class="error">{html.escape(str(error))}</p>', 403)

    def _may(self) -> bool:
        kind = self.server.client.ask("console-auth export")["Type"]
        return kind == "anonymous" or self._session() in self.server.sessions

    def _session(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", ""))
        return cookie["session"].value if "session" in cookie else ""

    def _dashboard(self) -> None:
        found = self.server.client.ask("app status")
        if not found:
            self._page("CircleCI", "<p>No license is installed.</p>")
            return
        status = found[0]
        moves = " (in transition)" if status["IsTransitioning"] else ""
        rows = "".join(f"<tr><td>{key}<td>{html.escape(str(value))}" for key, value in status.items())
        action, label = ("stop", "Stop Now") if status["State"] == "started" else ("start", "Start Now")
        self._page(
            "CircleCI",
            f'<p class="state">{html.escape(status["State"])}{moves}</p>'
            f'<form method="post" action="/{action}"><button>{label}</button></form><table>{rows}</table>',
        )

    def _go(self, where: str, session: str = "") -> None:
        self.send_response(303)
        self.send_header("Location", where)
        if session:
            self.send_header("Set-Cookie", f"session={session}; HttpOnly; Secure; SameSite=Strict")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self, title: str, body: str, status: int = 200) -> None:
        content = _PAGE.format(title=title, body=body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No line for each request."""


def _first_certificate(server: _Server, ended: threading.Event) -> bool:
    """Wait for the daemon: the certificate is its. False: told to end before."""
    while not ended.is_set():
        try:
            server.refresh()
        except Failure:
            ended.wait(0.3)
        else:
            return True
    return False


def main() -> int:
    """Serve until told to end."""
    places = Places.from_environment()
    log = open_log(places, "replicated-ui")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    address = (os.environ.get("LAB_CONSOLE_ADDRESS", "0.0.0.0"), int(os.environ.get("LAB_CONSOLE_PORT", "8800")))
    server = _Server(address, _Handler, bind_and_activate=False)
    server.client = Client(f"unix://{places.socket}")
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.sessions = set()
    if _first_certificate(server, ended):
        server.server_bind()
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        log.info("the console (a stand-in) listens on port %d", server.server_port)
        ended.wait()
    server.server_close()
    return 0
