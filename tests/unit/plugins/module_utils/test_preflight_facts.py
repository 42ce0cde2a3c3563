# Tests of _preflight_facts: what a host's files say, also where they say nothing.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _preflight_facts
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_facts import (
    gather,
    listening_ports,
    memory_bytes,
    os_release,
    resolve_names,
    space,
)

HEADER = "  sl  local_address rem_address   st tx_queue\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param('ID=debian\nVERSION_ID="12"\n', {"ID": "debian", "VERSION_ID": "12"}, id="quoted or not"),
        pytest.param('# ID=no\n\nNAME="A \\"B\\""\n', {"NAME": 'A "B"'}, id="comment and escaped quotes"),
        pytest.param("A=\nno equals\n", {"A": ""}, id="empty value and no assignment"),
        pytest.param('A="open\nB=2\n', {"B": "2"}, id="broken quoting is left out"),
    ],
)
def test_os_release(text: str, wanted: dict[str, str]) -> None:
    assert os_release(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("MemTotal:       2048 kB\nMemFree: 1 kB\n", 2048 * 1024, id="said"),
        pytest.param("MemFree: 1 kB\n", 0, id="not said"),
    ],
)
def test_memory(text: str, wanted: int) -> None:
    assert memory_bytes(text) == wanted


@pytest.mark.parametrize(
    ("address", "for_others"),
    [
        pytest.param("00000000", True, id="all of IPv4"),
        pytest.param("0A04D90A", True, id="an address of the host"),
        pytest.param("0100007F", False, id="127.0.0.1"),
        pytest.param("3500007F", False, id="127.0.0.53"),
        pytest.param("0" * 32, True, id="all of IPv6"),
        pytest.param("00000000000000000000000001000000", False, id="::1"),
        pytest.param("0000000000000000FFFF00000100007F", False, id="::ffff:127.0.0.1"),
        pytest.param("0000000000000000FFFF00000A04D90A", True, id="an IPv4 address in IPv6"),
    ],
)
def test_listening(address: str, for_others: bool) -> None:
    found = listening_ports([HEADER + "   0: {0}:1227 00000000:0000 0A 00000000\n".format(address)])
    assert found == ({0x1227}, set()) if for_others else (set(), {0x1227})


def test_listening_for_others_wins_and_other_states_do_not_count() -> None:
    lines = [
        "   0: 0100007F:0016 00000000:0000 0A",
        "   1: 00000000:0016 00000000:0000 0A",
        "   2: 00000000:0050 00000000:0000 01",
    ]
    assert listening_ports([HEADER + "\n".join(lines), ""]) == ({22}, set())


def test_space_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    found = space(str(tmp_path / "not" / "yet"))
    status = os.statvfs(tmp_path)
    assert found["path"] == str(tmp_path / "not" / "yet")
    assert found["size"] == status.f_blocks * status.f_frsize
    assert 0 < found["free"] <= found["size"]


def test_names_resolve_or_say_why() -> None:
    found = resolve_names(["127.0.0.1", "127.0.0.1", "no-such-host.invalid", "a" * 70 + ".example"], 20)
    assert found["127.0.0.1"] == {"addresses": ["127.0.0.1"], "error": ""}
    assert found["no-such-host.invalid"]["addresses"] == []
    assert found["no-such-host.invalid"]["error"]
    assert found["a" * 70 + ".example"]["error"]
    assert len(found) == 3


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()

    def hang(*_arguments: object) -> list[object]:
        hung.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    found = resolve_names(["slow"], 0.05)
    hung.set()
    assert found == {"slow": {"addresses": [], "error": "no answer within 0.05 seconds"}}


def test_gather_reads_this_host() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        found = gather(["127.0.0.1"], "/var/lib", 10)
        port = listening.getsockname()[1]
    assert port in found["loopback"]
    assert port not in found["listening"]
    assert found["architecture"] == os.uname().machine
    assert found["kernel"] == os.uname().release
    assert found["cores"] == os.cpu_count()
    assert found["memory"] > 0
    assert found["os_id"]
    assert found["disk"]["path"] == "/var/lib"
    assert found["root"]["path"] == "/"
    assert found["names"]["127.0.0.1"]["addresses"] == ["127.0.0.1"]


def test_gather_without_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight_facts, "read_file", lambda _path: None)
    found = gather([], "/", 1)
    assert (found["os_id"], found["os_version"], found["memory"], found["listening"]) == ("", "", 0, [])
