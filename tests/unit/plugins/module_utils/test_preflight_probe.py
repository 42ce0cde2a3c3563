# Tests of _preflight_probe: each way in which a port can answer, on real sockets where there is one.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import errno
import socket
import time

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _preflight_probe
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_probe import (
    OPEN,
    REFUSED,
    TIMEOUT,
    UNKNOWN_NAME,
    UNREACHABLE,
    probe,
)


def outcomes(targets: list[tuple[str, int]], timeout: float = 5) -> list[str]:
    return [result["outcome"] for result in probe(targets, timeout)]


def test_open_and_refused_in_the_order_of_the_targets() -> None:
    with socket.socket() as listening, socket.socket() as bound:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        bound.bind(("127.0.0.1", 0))
        good, bad = listening.getsockname()[1], bound.getsockname()[1]
        results = probe([("127.0.0.1", bad), ("127.0.0.1", good), ("127.0.0.1", bad)], 5)
    assert [result["outcome"] for result in results] == [REFUSED, OPEN, REFUSED]
    assert results[0] == {"address": "127.0.0.1", "port": bad, "outcome": REFUSED, "error": "Connection refused"}
    assert results[1]["error"] == ""


def test_nobody_answers() -> None:
    """A full backlog drops what comes: the port is there and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        filling = [socket.socket() for _number in range(4)]
        for link in filling:
            link.setblocking(False)
            link.connect_ex(address)
        started = time.monotonic()
        result = probe([(address[0], address[1])] * 3, 0.5)
        took = time.monotonic() - started
        for link in filling:
            link.close()
    assert {entry["outcome"] for entry in result} == {TIMEOUT}
    assert result[0]["error"] == "no answer within 0.5 seconds"
    assert took < 3


def test_unknown_name() -> None:
    (result,) = probe([("no-such-host.invalid", 22)], 20)
    assert result["outcome"] == UNKNOWN_NAME
    assert result["error"]


def test_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight_probe, "BATCH", 2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        assert outcomes([("127.0.0.1", listening.getsockname()[1])] * 5) == [OPEN] * 5


def test_no_target() -> None:
    assert probe([], 1) == []


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        pytest.param(0, OPEN, id="open"),
        pytest.param(errno.ECONNREFUSED, REFUSED, id="refused"),
        pytest.param(errno.ETIMEDOUT, TIMEOUT, id="the system's own timeout"),
        pytest.param(errno.EHOSTUNREACH, UNREACHABLE, id="no such host"),
        pytest.param(errno.ENETUNREACH, UNREACHABLE, id="no such network"),
        pytest.param(errno.EACCES, UNREACHABLE, id="a local firewall"),
    ],
)
def test_codes(code: int, wanted: str) -> None:
    assert _preflight_probe._outcome(code)["outcome"] == wanted


def test_an_answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unroutable(socket.socket):
        def connect_ex(self, _address: object) -> int:
            return errno.ENETUNREACH

    monkeypatch.setattr(_preflight_probe.socket, "socket", Unroutable)
    assert outcomes([("127.0.0.1", 9)]) == [UNREACHABLE]


def test_no_more_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(_preflight_probe.socket, "socket", full)
    (result,) = probe([("127.0.0.1", 9)], 5)
    assert result["outcome"] == UNREACHABLE
    assert "Too many open files" in result["error"]


def test_ipv4_is_preferred() -> None:
    assert _preflight_probe._preferred(["::1", "10.0.0.1"]) == "10.0.0.1"
    assert _preflight_probe._preferred(["fe80::1"]) == "fe80::1"
