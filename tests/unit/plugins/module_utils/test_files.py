# Tests of _files: replacement is atomic, keeps ownership, leaves the old file when it fails.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _files
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import (
    read_file,
    read_state,
    stricter_mode,
    write_atomic,
)


def test_missing_file_is_none(tmp_path: Path) -> None:
    assert read_file(str(tmp_path / "none")) is None
    assert not read_state(str(tmp_path / "none")).exists


def test_state_has_mode_and_names(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    path.chmod(0o640)
    state = read_state(str(path))
    assert (state.content, state.mode, state.exists) == (b"x", 0o640, True)
    assert state.owner and state.group


def test_unknown_ids_are_shown_as_numbers() -> None:
    assert _files._user_name(987654) == "987654"
    assert _files._group_name(987654) == "987654"


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="cannot be read: Is a directory"):
        read_file(str(tmp_path))


def test_write_replaces_content_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = path.stat().st_ino
    write_atomic(str(path), b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == ["file"]


def test_write_follows_a_link_to_its_target(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(str(link), b"new", 0o644)
    assert link.is_symlink() and target.read_bytes() == b"new"


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OpsError, match="cannot be written: No space left on device. The file is as it was"):
        write_atomic(str(path), b"new", 0o644)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_unknown_user_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="no such user or group: .*nobody-here"):
        write_atomic(str(tmp_path / "file"), b"", 0o644, owner="nobody-here")


def test_stricter_mode_allows_no_more_than_either() -> None:
    assert stricter_mode(0o644, 0o600) == 0o600
    assert stricter_mode(0o600, 0o755) == 0o600
