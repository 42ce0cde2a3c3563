# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Nomad's binary for the lab: the file that LAB_NOMAD names, an official release, or built from a pinned go.mod.

The result is a folder with `nomad`, the archive as a release has it, and SHA256SUMS; .lab/nomad points at the binary.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import urllib.request
import zipfile
from pathlib import Path

from tests.lab.machine import install_packages
from tests.lab.places import CACHE, LAB, STATE, cached, digest
from tests.lab.report import LabError, step
from tests.lab.shell import attempt, confined, run

__all__ = ["ARCHIVE", "VERSION", "binary", "link"]

VERSION = "0.12.12"
ARCHIVE = f"nomad_{VERSION}_linux_amd64.zip"
RELEASES = f"https://releases.hashicorp.com/nomad/{VERSION}"
MODULE = LAB / "nomad"
# Static: one binary runs on every Debian that a client may be, also on one with an older C library.
_STATIC = "-s -w -linkmode external -extldflags -static"
_GO_FLAGS = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", "netgo,osusergo", "-ldflags", _STATIC]
# Where Go is found beside the PATH: its own installer's place, and Debian's.
_GO_PLACES = ":/usr/local/go/bin:/usr/lib/go-1.19/bin:/usr/bin"


def binary() -> Path:
    """The folder with the binary; made when the cache has none."""
    with step(f"Nomad {VERSION}") as current:
        named = os.environ.get("LAB_NOMAD")
        if named:
            folder, current.note = _given(Path(named)), f"LAB_NOMAD={named}"
            return folder
        # One name for both origins: which of them it was is in the folder.
        name = f"nomad-{digest(VERSION, MODULE / 'go.mod', MODULE / 'go.sum', *_GO_FLAGS)}"
        if not (CACHE / name).exists():
            current.takes("to be downloaded, or built, about 150 s; the rest goes on beside it")
        folder, there = cached(name, _obtain)
        origin = (folder / "origin").read_text().strip()
        current.note = f"{origin}, cached" if there else origin
        return folder


def _given(path: Path) -> Path:
    if not path.is_file():
        raise LabError(f"LAB_NOMAD={path} is not a file; name a Nomad binary for linux/amd64 or unset the variable")

    def build(folder: Path) -> None:
        shutil.copyfile(path, folder / "nomad")
        _finish(folder, f"given file {path}")

    return cached(f"nomad-{digest(path)}", build)[0]


def _obtain(folder: Path) -> None:
    if _download(folder):
        with zipfile.ZipFile(folder / ARCHIVE) as archive:
            archive.extract("nomad", folder)
        _finish(folder, "official release")
        return
    _build(folder)
    _finish(folder, "built from go.mod")


def _download(folder: Path) -> bool:
    """Fetch the release, by the checksum that its maker publishes over TLS; False where the network has it not."""
    try:
        with urllib.request.urlopen(f"{RELEASES}/nomad_{VERSION}_SHA256SUMS", timeout=5) as answer:
            sums = answer.read().decode()
        with urllib.request.urlopen(f"{RELEASES}/{ARCHIVE}", timeout=60) as answer:
            content = answer.read()
    except OSError:
        return False
    expected = next((line.split()[0] for line in sums.splitlines() if line.endswith(ARCHIVE)), "missing")
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise LabError(f"{RELEASES}/{ARCHIVE}: sha256 {found}, its SHA256SUMS says {expected}")
    (folder / ARCHIVE).write_bytes(content)
    return True


def _build(folder: Path) -> None:
    install_packages({"gcc": "gcc", "libc6-dev": "/usr/include/stdio.h"})
    go = _go()
    # Only what stands in go.mod and go.sum: no newer toolchain, no flags or workspace of the machine.
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "1", "PATH": _path()}
    argv = [go, "build", *_GO_FLAGS, "-o", str(folder / "nomad"), "github.com/hashicorp/nomad"]
    run(confined(argv), env=environment, cwd=MODULE, timeout=1800)


def _path() -> str:
    return os.environ.get("PATH", "") + _GO_PLACES


def _go() -> str:
    go = shutil.which("go", path=_path())
    if go is None or not _usable(go):
        install_packages({"golang-go": "/nonexistent"})
        go = "/usr/bin/go"
    if not _usable(go):
        raise LabError("Nomad must be built and no Go of 1.19 or later is here; install one or set LAB_NOMAD")
    return go


def _usable(go: str) -> bool:
    said = attempt([go, "version"], env={"GOTOOLCHAIN": "local"}).stdout
    match = re.search(r"go1\.(\d+)", said)
    return match is not None and int(match.group(1)) >= 19


def _finish(folder: Path, origin: str) -> None:
    nomad = folder / "nomad"
    nomad.chmod(0o755)
    if not (folder / ARCHIVE).exists():
        with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(nomad, "nomad")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in (ARCHIVE, "nomad")]
    (folder / "SHA256SUMS").write_text("".join(sums))
    (folder / f"nomad_{VERSION}_SHA256SUMS").write_text(sums[0])
    (folder / "origin").write_text(origin + "\n")


def link(folder: Path) -> None:
    """Point .lab/nomad and .lab/ARCHIVE at the cache."""
    for name in ("nomad", ARCHIVE, "SHA256SUMS"):
        draft = STATE / f"{name}.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(folder / name)
        draft.rename(STATE / name)
