# Tests of _preflight_listener: a real process that listens, is shared, and ends when it must.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _preflight_listener
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_listener import (
    Listener,
    hold,
    release_code,
)

NOBODY = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def release(token: str, control: str) -> None:
    _preflight_listener._ask({"release": token}, control)


def is_open(port: int, address: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((address, port), 5):
            return True
    except ConnectionRefusedError:
        return False


def wait_closed(port: int) -> None:
    """Until nothing listens: a connection that is held open ends with its listener's process."""
    deadline = time.monotonic() + 20
    while is_open(port):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)


@pytest.fixture
def control() -> Iterator[str]:
    name = "\0circleci_server_ops/test-" + uuid.uuid4().hex
    yield name
    for token in ("one", "two"):
        release(token, name)


def test_listens_and_ends_when_released(control: str) -> None:
    ports = [free_port(), free_port()]
    answer = hold("one", 60, ports, control)
    assert answer == {"ports": sorted(ports), "failed": {}}
    assert all(is_open(port) for port in ports)
    release("one", control)
    assert not any(is_open(port) for port in ports)


def test_two_runs_share_it(control: str) -> None:
    first, second = free_port(), free_port()
    hold("one", 60, [first], control)
    assert hold("two", 60, [first, second], control)["ports"] == sorted([first, second])
    release("one", control)
    assert is_open(first)
    release("two", control)
    assert not is_open(first)


def test_ends_by_itself(control: str) -> None:
    port = free_port()
    hold("one", 0.3, [port], control)
    wait_closed(port)


def test_says_which_port_it_could_not_take(control: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert hold("one", 60, [port], control) == {"ports": [], "failed": {str(port): "Address already in use"}}


def test_without_ports_nothing_is_started(control: str) -> None:
    assert hold("one", 60, [], control) == {"ports": [], "failed": {}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link, pytest.raises(ConnectionRefusedError):
        link.connect(control)


def test_the_code_for_a_bare_interpreter_releases(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight_listener, "CONTROL", control)
    port = free_port()
    hold("one", 60, [port], control)
    for _time in range(2):
        done = subprocess.run(
            [sys.executable, "-c", release_code("one")], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert not is_open(port)


def test_holds_no_file_of_its_caller(control: str) -> None:
    """An SSH session ends only when nobody holds its pipes."""
    reading, writing = os.pipe()
    hold("one", 60, [free_port()], control)
    os.close(writing)
    assert select.select([reading], [], [], 10)[0] == [reading]
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_does_not_start(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight_listener, "_start", lambda _name: None)
    with pytest.raises(OpsError, match="the listener for the probes of ports did not start"):
        hold("one", 60, [free_port()], control)


def test_another_run_was_faster(control: str) -> None:
    hold("one", 60, [free_port()], control)
    _preflight_listener._start(control)
    assert hold("two", 60, [], control)["ports"]


class Peer:
    """The other side of the control socket, of another user or with something strange to say."""

    def __init__(self, message: bytes, uid: int = 0) -> None:
        self.message = message
        self.uid = uid
        self.answer = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def settimeout(self, _seconds: float) -> None:
        return None

    def getsockopt(self, *_arguments: object) -> bytes:
        return self.uid.to_bytes(4, "little").join([b"\0\0\0\0", b"\0\0\0\0"])

    def recv(self, _size: int) -> bytes:
        return self.message

    def send(self, message: bytes) -> None:
        self.answer = message


class Control:
    """A control socket whose next connection is a given peer."""

    def __init__(self, real: socket.socket, peer: Peer | None) -> None:
        self.real = real
        self.peer = peer

    def fileno(self) -> int:
        return self.real.fileno()

    def accept(self) -> tuple[Any, Any]:
        if self.peer is None:
            raise BlockingIOError
        return self.peer, ""

    def close(self) -> None:
        self.real.close()


def order(peer: Peer | None) -> Listener:
    real = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control: Any = Control(real, peer)
    listener = Listener(control)
    listener._order()
    real.close()
    return listener


def test_obeys_a_trusted_peer() -> None:
    peer = Peer(json.dumps({"hold": "t", "seconds": 5, "ports": []}).encode())
    assert list(order(peer).holders) == ["t"]
    assert json.loads(peer.answer) == {"ports": [], "failed": {}}


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(Peer(b'{"hold": "t", "seconds": 5, "ports": []}', uid=NOBODY), id="another user"),
        pytest.param(Peer(b""), id="hung up"),
        pytest.param(Peer(b"[1]"), id="no order"),
        pytest.param(Peer(b'{"seconds": 5}'), id="half an order"),
        pytest.param(None, id="gone before it was let in"),
    ],
)
def test_passes_over_what_is_no_order(peer: Peer | None) -> None:
    assert list(order(peer).holders) == [""]
    assert peer is None or peer.answer == b""


def test_a_stranger_on_our_name_is_refused(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hold("one", 60, [free_port()], control)
    with monkeypatch.context() as patched:
        patched.setattr(_preflight_listener, "_trusted", lambda _link: False)
        with pytest.raises(OpsError, match="belongs to another user"):
            hold("two", 60, [free_port()], control)


def test_the_loop_in_this_process(control: str) -> None:
    """The same loop as in the process of its own, where coverage sees it."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(control)
    server.listen(4)
    server.setblocking(False)
    port = free_port()
    listener = Listener(server)
    assert listener.obey({"hold": "one", "seconds": 0.3, "ports": [port, port]})["ports"] == [port]
    with socket.create_connection(("127.0.0.1", port), 5):
        listener.run()
    assert not is_open(port)
    assert server.fileno() == -1


def test_orders_to_the_loop_in_this_process(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the forked process does, in a thread, where coverage sees it."""
    threads: list[threading.Thread] = []

    def in_a_thread(server: socket.socket) -> None:
        threads.append(threading.Thread(target=Listener(server.dup()).run, daemon=True))
        threads[-1].start()

    monkeypatch.setattr(_preflight_listener.os, "fork", lambda: 0)
    monkeypatch.setattr(_preflight_listener.os, "waitpid", lambda *_arguments: None)
    monkeypatch.setattr(_preflight_listener, "_detached", in_a_thread)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        used, port = taken.getsockname()[1], free_port()
        answer = hold("one", 60, [port, used], control)
    assert answer == {"ports": [port], "failed": {str(used): "Address already in use"}}
    release("one", control)
    threads[0].join(20)
    assert not threads[0].is_alive()
    assert not is_open(port)


@pytest.mark.parametrize(("forked", "work"), [(0, ["session", "root", "files", "run"]), (7, ["session"])])
def test_the_first_child_ends_and_the_second_works(
    forked: int, work: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    codes: list[int] = []
    monkeypatch.setattr(_preflight_listener.os, "setsid", lambda: done.append("session"))
    monkeypatch.setattr(_preflight_listener.os, "fork", lambda: forked)
    monkeypatch.setattr(_preflight_listener.os, "chdir", lambda _path: done.append("root"))
    monkeypatch.setattr(_preflight_listener.os, "_exit", codes.append)
    monkeypatch.setattr(_preflight_listener, "_close_files", lambda _keep: done.append("files"))
    monkeypatch.setattr(Listener, "run", lambda _self: done.append("run"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        _preflight_listener._detached(server)
    assert done == work
    assert codes == [0]


def test_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda _path: False)
    listening = _preflight_listener._listening_socket(0)
    assert listening.family == socket.AF_INET
    _preflight_listener._accept(listening)
    listening.close()


def test_ipv6_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def no_ipv6(family: int, kind: int) -> socket.socket:
        made = real(family, kind)
        if family == socket.AF_INET6:
            made.close()
        return made

    monkeypatch.setattr(os.path, "exists", lambda _path: True)
    monkeypatch.setattr(_preflight_listener.socket, "socket", no_ipv6)
    listening = _preflight_listener._listening_socket(0)
    assert listening.family == socket.AF_INET
    listening.close()
