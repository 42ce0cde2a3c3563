# Tests of _nomad_builds: which allocations are builds, blocking queries, and a server that is silent.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _nomad_builds
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._nomad_builds import (
    Build,
    as_rows,
    running_builds,
    wait_for_none,
)


class Nomad:
    """A server's two lists: each change gets an index; a blocking query returns when its index has passed."""

    def __init__(self) -> None:
        self.allocations: Any = []
        self.jobs: list[dict[str, Any]] = []
        self.index = 1
        self.queries: list[str] = []
        self.status = 200
        self.changed = threading.Condition()
        nomad = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                nomad.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:{0}".format(self.server.server_port)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        place = urlsplit(request.path)
        query = parse_qs(place.query)
        with self.changed:
            self.queries.append(request.path)
            wait = float(query.get("wait", ["0"])[0].rstrip("s"))
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.index > int(query.get("index", ["0"])[0]), wait)
            rows = self.allocations if place.path == "/v1/allocations" else self.jobs
            body = json.dumps(rows).encode()
            status, index = self.status, self.index
        request.send_response(status)
        request.send_header("X-Nomad-Index", str(index))
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def set(self, *rows: dict[str, Any]) -> None:
        with self.changed:
            self.allocations = list(rows)
            self.index += 1
            self.changed.notify_all()

    def asked(self, count: int) -> None:
        """Wait until so many blocking queries have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: sum("index=" in query for query in self.queries) >= count, 20)


def allocation(name: str, job: str, status: str = "running", **more: Any) -> dict[str, Any]:
    return {"ID": name, "JobID": job, "NodeID": "node-1", "ClientStatus": status, "DesiredStatus": "run", **more}


@pytest.fixture
def nomad() -> Iterator[Nomad]:
    found = Nomad()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    found.jobs = [{"ID": "build-1", "Type": "batch"}, {"ID": "web", "Type": "service"}]
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def test_builds_are_batch_allocations_that_run_or_are_about_to(nomad: Nomad) -> None:
    nomad.set(
        allocation("a1", "build-1", TaskStates={"t": {"StartedAt": "2024-01-01T00:00:00Z"}}, NodeName="client-1"),
        allocation("a2", "build-1", "pending", CreateTime=1_700_000_000_000_000_000),
        allocation("a3", "build-1", "complete"),
        allocation("a4", "build-1", DesiredStatus="stop"),
        allocation("a5", "web"),
        allocation("a6", "gone", TaskStates={"t": {"StartedAt": "0001-01-01T00:00:00Z"}}),
    )
    assert running_builds(nomad.url + "/") == [
        Build("build-1", "a1", "client-1", "2024-01-01T00:00:00Z"),
        Build("build-1", "a2", "node-1", "2023-11-14T22:13:20Z"),
        Build("gone", "a6", "node-1", ""),
    ]
    assert as_rows([Build("j", "a", "n", "s")]) == [{"job": "j", "allocation": "a", "node": "n", "since": "s"}]


def test_no_build_asks_for_no_jobs(nomad: Nomad) -> None:
    assert running_builds(nomad.url) == []
    assert nomad.queries == ["/v1/allocations"]


def test_the_wait_is_blocking_and_tells_each_change(nomad: Nomad) -> None:
    nomad.set(allocation("a1", "build-1"), allocation("a2", "build-1"))
    told: list[int] = []
    ended: list[list[Build]] = []
    thread = threading.Thread(target=lambda: ended.append(wait_for_none(nomad.url, 60, lambda b: told.append(len(b)))))
    thread.start()
    nomad.asked(2)
    nomad.set(allocation("a2", "build-1"))
    nomad.asked(3)
    nomad.set()
    thread.join(20)
    assert ended == [[]]
    assert told == [2, 1]
    assert len([query for query in nomad.queries if "wait=" in query]) == 3


def test_builds_that_go_on_are_returned_at_the_end(nomad: Nomad) -> None:
    nomad.set(allocation("a1", "build-1"))
    assert [build.allocation for build in wait_for_none(nomad.url, 1, lambda builds: None)] == ["a1"]


def test_a_server_that_is_silent_for_a_moment_is_asked_again(nomad: Nomad, monkeypatch: pytest.MonkeyPatch) -> None:
    nomad.status = 500

    def heal(_seconds: float) -> None:
        nomad.status = 200

    monkeypatch.setattr(_nomad_builds.time, "sleep", heal)
    assert wait_for_none(nomad.url, 60, lambda builds: None) == []


def test_a_silent_server_is_an_error_with_a_remedy(nomad: Nomad) -> None:
    nomad.status = 500
    words = "nomad_url = '.*': Nomad does not say which builds run: /v1/allocations: HTTP Error 500.*container nomad"
    with pytest.raises(OpsError, match=words):
        running_builds(nomad.url)
    with pytest.raises(OpsError, match="HTTP Error 500"):
        wait_for_none(nomad.url, 0.1, lambda builds: None)
    nomad.status, nomad.allocations = 200, {"no": "list"}
    with pytest.raises(OpsError, match="the answer is no list"):
        running_builds(nomad.url)
