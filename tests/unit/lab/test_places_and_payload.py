# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Cache keys follow content; a build that fails leaves no cache entry; a payload arrives as it was described."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.payload import Entry, archive, fingerprint, tree


def test_a_digest_follows_names_modes_and_contents(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    seen = {places.digest(tmp_path)}
    file.write_text("2")
    seen.add(places.digest(tmp_path))
    file.chmod(0o755)
    seen.add(places.digest(tmp_path))
    file.rename(tmp_path / "b")
    seen.add(places.digest(tmp_path))
    assert len(seen) == 4
    assert places.digest("ab", "c") != places.digest("a", "bc")


def test_an_entry_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)
    assert places.cached("x-1", lambda folder: (folder / "f").touch()) == (tmp_path / "x-1", False)
    assert places.cached("x-1", lambda folder: (folder / "g").touch()) == (tmp_path / "x-1", True)
    assert [path.name for path in (tmp_path / "x-1").iterdir()] == ["f"]


def test_a_build_that_fails_leaves_no_entry_and_scratch_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)

    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        places.cached("x-1", build)
    assert not (tmp_path / "x-1").exists()
    places.clear_scratch()
    assert list(tmp_path.iterdir()) == []


def test_a_payload_keeps_mode_owner_links_and_large_files(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"big")
    payload = {
        "/home/u/.ssh": Entry(folder=True, mode=0o700, owner=1000),
        "/home/u/.ssh/key": Entry(b"k", 0o600, 1000),
        "/srv/big": Entry(tmp_path / "big"),
        "/etc/x.wants/a.service": Entry(link="/etc/a.service"),
    }
    with tarfile.open(fileobj=io.BytesIO(archive(payload))) as tar:
        found = {member.name: member for member in tar.getmembers()}
        big = tar.extractfile("srv/big")
        assert big is not None
        assert big.read() == b"big"
    assert found["home/u/.ssh"].isdir()
    assert (found["home/u/.ssh"].mode, found["home/u/.ssh"].uid) == (0o700, 1000)
    assert (found["home/u/.ssh/key"].mode, found["home/u/.ssh/key"].gid) == (0o600, 1000)
    assert found["etc/x.wants/a.service"].linkname == "/etc/a.service"


def test_a_fingerprint_follows_content_and_mode() -> None:
    first = fingerprint({"/a": Entry(b"1")})
    assert first == fingerprint({"/a": Entry(b"1")})
    assert len({first, fingerprint({"/a": Entry(b"2")}), fingerprint({"/a": Entry(b"1", 0o600)})}) == 3


def test_files_of_a_tree_keep_being_executable(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "run").write_text("x")
    (tmp_path / "opt" / "run").chmod(0o755)
    (tmp_path / "text").write_text("y")
    assert {path: entry.mode for path, entry in tree(tmp_path).items()} == {"/opt/run": 0o755, "/text": 0o644}
