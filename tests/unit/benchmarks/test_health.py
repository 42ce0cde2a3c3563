# The pure parts of the benchmark of health: what is asked, and how a result is read and judged.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import pytest

from tests.benchmarks.health import MODULE, endpoints, result_of, sweep_row, tasks
from tests.benchmarks.measure import BenchError


def test_the_endpoints_of_the_guide() -> None:
    assert "http://localhost:80/health-check" in endpoints()
    assert len(endpoints()) == 7
    assert not [address for address in endpoints() if ":3001" in address or ":8090" in address]
    (loop,) = tasks("loop")
    assert loop["loop"] == endpoints()
    assert tasks("ours") == [{"name": "Look at everything", MODULE: {}}]


def test_a_result_is_found_in_the_output() -> None:
    output = '[WARNING]: x\nservices | SUCCESS => {\n  "seconds": 0.2,\n  "slowest": {"name": "a => b"}\n}\n'
    assert result_of(output) == {"seconds": 0.2, "slowest": {"name": "a => b"}}
    with pytest.raises(BenchError, match="no result in: services"):
        result_of("services | UNREACHABLE!")


def test_the_row_has_both_figures_of_one_sweep() -> None:
    sweeps = [
        {"seconds": seconds, "slowest": {"name": "docker", "latency_ms": latency}}
        for seconds, latency in ((0.3, 200), (0.11, 100), (5.5, 5000))
    ]
    row = sweep_row(sweeps)
    assert (row.ours, row.peer, row.peer_name) in [
        (0.11, 0.1, "its slowest (docker)"),
        (5.5, 5.0, "its slowest (docker)"),
    ]
    assert row.met == "yes"
