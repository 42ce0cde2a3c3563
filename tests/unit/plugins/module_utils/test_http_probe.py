# Tests of _http_probe against real servers in threads: slow, silent, dripping, redirecting, TLS with a bad certificate.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._http_probe import connect, probe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
Talk = Callable[[socket.socket, bytes], None]


@contextmanager
def server(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server whose every connection is handled by `talk(link, request)`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(plain,), daemon=True).start()

    def handle(plain: socket.socket) -> None:
        try:
            link = context.wrap_socket(plain, server_side=True) if context else plain
            with link:
                talk(link, link.recv(4096))
        except OSError:
            plain.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        # shutdown wakes the thread that waits in accept; close alone would not.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A self-signed certificate for another name."""
    folder: Path = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl")
    assert openssl
    subprocess.run(
        [openssl, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-x509", "-days", "1", "-subj",
         "/CN=circleci.example.com", "-out", "certificate.pem"], cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def answering(raw: bytes) -> Talk:
    return lambda link, request: link.sendall(raw)


def redirecting(location: str) -> Talk:
    return answering(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("status", [200, 204, 404, 500, 503])
def test_a_status_is_an_answer(stack: ExitStack, status: int) -> None:
    port = stack.enter_context(server(answering(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())))
    answer = probe(port, "/status", 5)
    assert (answer.status, answer.problem) == (status, "")
    assert 0 < answer.seconds < 5


def test_what_is_asked(stack: ExitStack) -> None:
    seen: list[bytes] = []

    def talk(link: socket.socket, request: bytes) -> None:
        seen.append(request)
        link.sendall(OK)

    port = stack.enter_context(server(talk))
    assert probe(port, "/a b?x=%20é\r\nHost: evil", 5).status == 200
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b?x=%20%C3%A9%0D%0AHost:%20evil HTTP/1.1"
    assert lines[1] == f"Host: localhost:{port}"
    assert [line for line in lines if line.startswith("Host")] == [lines[1]]


def test_the_beginning_of_the_body(stack: ExitStack) -> None:
    port = stack.enter_context(server(answering(OK)))
    assert probe(port, "/", 5, body_limit=2).body == "ye"
    assert probe(port, "/", 5).body == ""


def test_a_closed_port() -> None:
    answer = probe(closed_port(), "/", 5)
    assert (answer.status, answer.problem) == (0, "connection refused")


def test_a_server_that_stays_silent_ends_at_the_deadline(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)
    port = stack.enter_context(server(lambda link, request: over.wait(20) and None))
    answer = probe(port, "/", 0.4)
    assert (answer.status, answer.problem) == (0, "timed out after 0.4 s")
    assert 0.4 <= answer.seconds < 1.5


def test_a_server_that_drips_ends_at_the_deadline(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)

    def drip(link: socket.socket, request: bytes) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            link.sendall(b"X")

    port = stack.enter_context(server(drip))
    answer = probe(port, "/", 0.5)
    assert answer.problem == "timed out after 0.5 s"
    assert answer.seconds < 1.5


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_no_http(stack: ExitStack, raw: bytes) -> None:
    answer = probe(stack.enter_context(server(answering(raw))), "/", 5)
    assert answer.status == 0
    assert answer.problem in ("no HTTP answer", "the connection was closed without an answer")


def test_a_redirect_to_https_stays_on_this_host(stack: ExitStack, certificate: ssl.SSLContext) -> None:
    seen: list[bytes] = []

    def talk(link: socket.socket, request: bytes) -> None:
        seen.append(request)
        link.sendall(OK)

    secure = stack.enter_context(server(talk, certificate))
    port = stack.enter_context(server(redirecting(f"https://circleci.example.com:{secure}/health-check?a=b")))
    answer = probe(port, "/health-check", 5)
    assert (answer.status, answer.problem) == (200, "")
    assert seen[0].startswith(b"GET /health-check?a=b HTTP/1.1\r\nHost: circleci.example.com:")


def test_tls_from_the_start(stack: ExitStack, certificate: ssl.SSLContext) -> None:
    port = stack.enter_context(server(answering(OK), certificate))
    assert probe(port, "/", 5, tls=True).status == 200
    plain = stack.enter_context(server(answering(OK)))
    assert probe(plain, "/", 5, tls=True).problem.startswith("no TLS: ")


def test_a_relative_redirect(stack: ExitStack) -> None:
    def talk(link: socket.socket, request: bytes) -> None:
        there = request.startswith(b"GET /b ")
        link.sendall(OK if there else b"HTTP/1.1 301 Moved\r\nLocation: b\r\nContent-Length: 0\r\n\r\n")

    assert probe(stack.enter_context(server(talk)), "/a", 5).status == 200


def test_redirects_without_end(stack: ExitStack) -> None:
    port = stack.enter_context(server(redirecting("/again")))
    answer = probe(port, "/", 5)
    assert (answer.status, answer.problem) == (302, "more than 5 redirects")


@pytest.mark.parametrize(
    "location", ["ftp://x/", "mailto:a@b", "http://[", "http://x:99999999/", "http:///", "http://ü/"]
)
def test_a_redirect_that_is_no_address(stack: ExitStack, location: str) -> None:
    answer = probe(stack.enter_context(server(redirecting(location))), "/", 5)
    assert answer.status in (0, 302)
    assert answer.problem


def test_a_redirect_to_a_closed_port_says_where(stack: ExitStack) -> None:
    closed = closed_port()
    port = stack.enter_context(server(redirecting(f"https://circleci.example.com:{closed}/")))
    answer = probe(port, "/", 5)
    assert answer.problem == f"redirected to https port {closed}: connection refused"


def test_a_redirect_without_a_place_is_an_answer(stack: ExitStack) -> None:
    port = stack.enter_context(server(answering(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")))
    assert probe(port, "/", 5)[::2] == (302, "")


def test_all_redirects_share_one_deadline(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)

    def talk(link: socket.socket, request: bytes) -> None:
        over.wait(0.3)
        redirecting("/again")(link, request)

    answer = probe(stack.enter_context(server(talk)), "/", 0.5)
    assert answer.problem == "timed out after 0.5 s"
    assert answer.seconds < 1.5


def test_an_ipv6_name(stack: ExitStack) -> None:
    seen: list[bytes] = []

    def talk(link: socket.socket, request: bytes) -> None:
        seen.append(request)
        link.sendall(OK)

    second = stack.enter_context(server(talk))
    port = stack.enter_context(server(redirecting(f"http://[fd00::1]:{second}/")))
    assert probe(port, "/", 5).status == 200
    assert f"Host: [fd00::1]:{second}".encode() in seen[0]


def test_no_way_there() -> None:
    answer = probe(80, "/", 2, address="255.255.255.255")
    assert answer.status == 0
    assert answer.problem


def test_a_connection_that_stays_open(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)
    port = stack.enter_context(server(lambda link, request: over.wait(20) and None))
    answer = connect(port, 5)
    assert (answer.status, answer.problem) == (0, "")


def test_a_connection_to_nothing() -> None:
    assert connect(closed_port(), 5).problem == "connection refused"


def test_a_connection_that_is_closed_at_once() -> None:
    """As Docker's proxy does for a published port on which nothing listens in the container."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close() -> None:
            listener.accept()[0].close()

        threading.Thread(target=close, daemon=True).start()
        assert connect(listener.getsockname()[1], 5).problem == "the connection was closed at once"


def test_a_server_that_speaks_first(stack: ExitStack) -> None:
    over = threading.Event()
    stack.callback(over.set)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            link, _peer = listener.accept()
            link.sendall(b"220 hello\r\n")
            over.wait(20)

        threading.Thread(target=greet, daemon=True).start()
        assert connect(listener.getsockname()[1], 5).problem == ""
