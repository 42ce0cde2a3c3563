# Tests of _pending: debts outlive a run, are struck off one by one, and a foreign file is refused.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    Entry,
    as_rows,
    owe,
    read_pending,
    settle,
    settle_as_read,
    started_since,
    written,
)

DOCKER = Entry("unit", "docker", "docker", "daemon.json changed")
NOMAD = Entry("unit", "nomad", "nomad_client", "config.hcl changed", when="with_next")


def _path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "pending.json")


def test_nothing_is_owed_without_a_record(tmp_path: Path) -> None:
    assert read_pending(_path(tmp_path)) == []


def test_debts_outlive_the_run_with_their_time(tmp_path: Path) -> None:
    owe([DOCKER, NOMAD], _path(tmp_path))
    found = read_pending(_path(tmp_path))
    assert [entry.key for entry in found] == [DOCKER.key, NOMAD.key]
    assert all(entry.since for entry in found)
    assert Path(_path(tmp_path)).stat().st_mode & 0o777 == 0o600


def test_the_same_debt_stands_once_and_keeps_its_time(tmp_path: Path) -> None:
    owe([DOCKER], _path(tmp_path))
    before = Path(_path(tmp_path)).read_bytes()
    owe([DOCKER], _path(tmp_path))
    assert Path(_path(tmp_path)).read_bytes() == before


def test_now_replaces_with_next(tmp_path: Path) -> None:
    owe([NOMAD], _path(tmp_path))
    since = read_pending(_path(tmp_path))[0].since
    owe([NOMAD._replace(when="now")], _path(tmp_path))
    assert [(entry.when, entry.since) for entry in read_pending(_path(tmp_path))] == [("now", since)]


def test_settling_leaves_the_others(tmp_path: Path) -> None:
    owe([DOCKER, NOMAD], _path(tmp_path))
    settle([DOCKER], _path(tmp_path))
    assert [entry.key for entry in read_pending(_path(tmp_path))] == [NOMAD.key]
    settle([DOCKER], _path(tmp_path))
    assert [row["target"] for row in as_rows(read_pending(_path(tmp_path)))] == ["nomad"]


def test_an_unknown_when_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="when = 'later': must be now or with_next"):
        owe([DOCKER._replace(when="later")], _path(tmp_path))


@pytest.mark.parametrize("content", ["no json", "[]", json.dumps({"entries": [{"wrong": 1}]})])
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pending.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OpsError, match="is not a pending record of this collection.*Move the file away"):
        read_pending(str(path))


def test_a_debt_that_was_made_again_meanwhile_stays(tmp_path: Path) -> None:
    path = _path(tmp_path)
    owe([DOCKER, NOMAD], path)
    written([DOCKER, NOMAD], path)
    as_read = read_pending(path)
    owe([DOCKER], path)
    written([DOCKER], path)
    settle_as_read(as_read, path)
    (left,) = read_pending(path)
    assert left.key == DOCKER.key
    settle_as_read([left], path)
    assert read_pending(path) == []


def test_a_process_is_younger_than_what_was_written_before_it(tmp_path: Path) -> None:
    path = _path(tmp_path)
    owe([DOCKER], path)
    (unwritten,) = read_pending(path)
    assert not started_since(os.getpid(), unwritten), "it is not known when the write was"
    written([DOCKER], path)
    (entry,) = read_pending(path)
    assert not started_since(os.getpid(), entry)
    assert started_since(os.getpid(), entry._replace(written=1))
    assert started_since(os.getpid(), entry._replace(boot="an earlier boot"))
    assert not started_since(0, entry._replace(written=1))
    assert not started_since(2**22 + 1, entry._replace(written=1)), "there is no such process"
