# Tests of _nomad_agent: what is kept of a living client, servers that are silent, a node that becomes ready.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _nomad_agent
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._nomad_agent import look, reserved_cpu, wait_ready
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed

CONFIG = """
datacenter = "us-east-1"
client { enabled = true
  reserved { cpu = 6100, memory = 4096 }
}
"""


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    binary = tmp_path / "nomad"
    binary.write_text("#!/bin/sh\necho 'Nomad v0.9.3 (abc)'\n", encoding="utf-8")
    binary.chmod(0o755)
    config = tmp_path / "config.hcl"
    config.write_text(CONFIG, encoding="utf-8")
    return {
        "binary": str(binary),
        "config": str(config),
        "servers": [],
        "servers_timeout": 0,
        "reserved_cores": 2,
    }


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:{0}".format(probe.getsockname()[1])


@pytest.fixture
def open_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "127.0.0.1:{0}".format(server.getsockname()[1])


def test_version_and_datacenter_of_a_living_client(params: dict[str, Any]) -> None:
    found = look(params)
    assert (found["installed_version"], found["datacenter"]) == ("0.9.3", "us-east-1")


def test_a_bare_host_has_nothing(params: dict[str, Any], tmp_path: Path) -> None:
    found = look(dict(params, binary=str(tmp_path / "none"), config=str(tmp_path / "none")))
    assert (found["installed_version"], found["datacenter"]) == ("", "")


def test_a_config_that_is_no_hcl_counts_as_empty(params: dict[str, Any]) -> None:
    Path(params["config"]).write_text("client { enabled =", encoding="utf-8")
    assert look(params)["datacenter"] == ""


@pytest.mark.parametrize(
    ("present", "cores", "mhz", "wanted"),
    [
        pytest.param(6100, 2, 3000.0, 6100, id="the configured figure still means two cores"),
        pytest.param(6100, 3, 3000.0, 9000, id="another number of cores"),
        pytest.param(None, 2, 2799.6, 5599, id="nothing configured"),
        pytest.param(0, 2, 3000.0, 6000, id="zero is nothing"),
    ],
)
def test_reserved_cpu(present: Any, cores: int, mhz: float, wanted: int) -> None:
    config = {"client": {"reserved": {} if present is None else {"cpu": present}}}
    assert reserved_cpu(config, cores, mhz) == wanted


@pytest.mark.parametrize("config", [{}, {"client": []}, {"client": {"reserved": 1}}])
def test_reserved_cpu_of_odd_configs(config: dict[str, Any]) -> None:
    assert reserved_cpu(config, 1, 1000.0) == 1000


def test_one_silent_server_of_two_is_a_warning(params: dict[str, Any], open_port: str, closed_port: str) -> None:
    warnings = look(dict(params, servers=[open_port, closed_port]))["warnings"]
    assert len(warnings) == 1 and warnings[0].startswith(closed_port + " does not answer")


def test_no_server_at_all_is_refused(params: dict[str, Any], closed_port: str) -> None:
    with pytest.raises(OpsError) as caught:
        look(dict(params, servers=[closed_port]))
    text = str(caught.value)
    assert "no Nomad server answers from this host: {0} does not answer".format(closed_port) in text
    assert "open port 4647" in text and "nothing was written here" in text


def test_in_check_mode_silent_servers_are_warnings(params: dict[str, Any], closed_port: str) -> None:
    assert len(look(dict(params, servers=[closed_port]), check=True)["warnings"]) == 1


def test_a_server_without_port_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(OpsError, match="services does not answer .it is no ADDRESS:PORT"):
        look(dict(params, servers=["services"]))


def test_a_server_that_comes_up_is_waited_for(params: dict[str, Any], closed_port: str) -> None:
    port = int(closed_port.rpartition(":")[2])
    servers: list[socket.socket] = []
    timer = threading.Timer(0.3, lambda: servers.append(socket.create_server(("127.0.0.1", port))))
    timer.start()
    try:
        assert look(dict(params, servers=[closed_port], servers_timeout=20))["warnings"] == []
    finally:
        timer.join()
        servers[0].close()


def test_clock_prefers_cpufreq(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": b"3600000\n"}
    monkeypatch.setattr(_nomad_agent, "read_file", files.get)
    assert _nomad_agent._core_mhz() == 3600.0
    files.clear()
    files["/proc/cpuinfo"] = b"cpu MHz\t\t: 2100.5\ncpu MHz\t\t: 2200.5\n"
    assert _nomad_agent._core_mhz() == 2200.5
    files.clear()
    assert _nomad_agent._core_mhz() == 1000.0


def test_time_sync_takes_the_first_known_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "systemd-timesyncd.service enabled enabled\nchrony.service enabled enabled\n"
    monkeypatch.setattr(_nomad_agent, "run", lambda _argv: Completed(0, listed, ""))
    assert _nomad_agent._time_sync_unit() == "chrony"


class FakeAgent(BaseHTTPRequestHandler):
    """Answers as an agent whose node turns ready at the second look (the shape of facts section 8)."""

    looks: list[str] = []

    def do_GET(self) -> None:
        body: dict[str, Any] = {"stats": {"client": {"node_id": "n1"}}}
        if self.path.startswith("/v1/node/"):
            FakeAgent.looks.append(self.path)
            status = "ready" if len(FakeAgent.looks) > 1 else "initializing"
            body = {"ID": "n1", "Name": "one", "Status": status, "SchedulingEligibility": "eligible", "Drain": False}
        data = json.dumps(body).encode("utf-8")
        self.send_response(200)
        self.send_header("X-Nomad-Index", "7")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    FakeAgent.looks = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeAgent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:{0}".format(server.server_port)
    server.shutdown()


def test_waits_by_a_blocking_query_and_uses_no_proxy(agent: str) -> None:
    node = wait_ready(agent, 20)["node"]
    assert (node["id"], node["name"], node["status"], node["eligibility"]) == ("n1", "one", "ready", "eligible")
    assert FakeAgent.looks[1].startswith("/v1/node/n1?index=7&wait=")


def test_a_silent_agent_is_named_with_the_last_reason(closed_port: str) -> None:
    with pytest.raises(OpsError) as caught:
        wait_ready("http://" + closed_port, 0.2)
    assert "did not become ready within 0.2 seconds; last seen: http://{0}: ".format(closed_port) in str(caught.value)
    assert "journalctl -u nomad" in str(caught.value)
