# Tests of the record of our files and of kept originals.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._file_record import keep_originals, remember


def test_a_person_s_file_is_kept_once_and_for_root_alone(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    kept = keep_originals(state, [("/etc/docker/daemon.json", b"first")])
    assert kept == [state + "/originals/%2Fetc%2Fdocker%2Fdaemon.json"]
    assert Path(kept[0]).read_bytes() == b"first"
    assert os.stat(kept[0]).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(kept[0])).st_mode & 0o777 == 0o700
    assert keep_originals(state, [("/etc/docker/daemon.json", b"second")]) == []
    assert Path(kept[0]).read_bytes() == b"first"


def test_what_we_wrote_is_no_original(tmp_path: Path) -> None:
    state = str(tmp_path)
    remember(state, [("/etc/a", b"one")])
    remember(state, [("/etc/a", b"two")])
    # The last two: a run that was killed before the second write has left the first in place.
    assert keep_originals(state, [("/etc/a", b"one"), ("/etc/a", b"two")]) == []
    remember(state, [("/etc/a", b"three")])
    assert keep_originals(state, [("/etc/a", b"two"), ("/etc/a", b"three")]) == []
    assert len(keep_originals(state, [("/etc/a", b"one")])) == 1


def test_the_record_is_for_root_alone_and_untouched_by_the_same_again(tmp_path: Path) -> None:
    state = str(tmp_path)
    remember(state, [("/etc/a", b"one")])
    before = os.stat(tmp_path / "files.json")
    assert before.st_mode & 0o777 == 0o600
    remember(state, [("/etc/a", b"one")])
    assert os.stat(tmp_path / "files.json").st_ino == before.st_ino


def test_two_long_paths_have_two_copies(tmp_path: Path) -> None:
    paths = ["/etc/" + "x/" * 120 + name for name in ("a", "b")]
    kept = keep_originals(str(tmp_path), [(path, b"text") for path in paths])
    assert len(set(kept)) == 2
    assert all(len(os.path.basename(copy)) <= 255 for copy in kept)


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', '{"files": {"/a": 1}}'])
def test_a_record_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "files.json").write_text(text)
    with pytest.raises(OpsError) as caught:
        remember(str(tmp_path), [("/etc/a", b"one")])
    assert "files.json is not a record of this collection" in str(caught.value)
    assert "Move the file away, then run again" in str(caught.value)
