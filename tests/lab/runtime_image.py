# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Container images with real programs: `lab-runtime` (Python, PostgreSQL, Redis) and `lab-replicated` on top of it.

Their lowest layer is made by mmdebstrap, once; the lab's own scripts are layers of a few kB above it, so that a change
of a script builds nothing anew.
"""

from __future__ import annotations

import gzip
import shutil
from functools import cache
from pathlib import Path

from tests.lab import base_image
from tests.lab.docker_archive import Image, Layer, layer_of_files, layer_of_tar, write
from tests.lab.payload import Entry, Payload, archive, tree
from tests.lab.places import CACHE, LAB, cached, digest
from tests.lab.report import step
from tests.lab.shell import confined, run

__all__ = [
    "REPLICATED",
    "REPLICATED_TAGS",
    "REPLICATED_VERSION",
    "RUNTIME_TAG",
    "airgap",
    "installer",
    "replicated_image",
    "runtime_image",
    "vendor_script",
]

RUNTIME_TAG = "lab-runtime:1"
# The image of Replicated's three services: the lab's own tag, and the names that the guide's listing has (L2250-2258).
REPLICATED_TAGS = (
    "lab-replicated:1",
    *(f"quay.io/replicated/{name}:current" for name in ("replicated", "replicated-ui", "replicated-operator")),
)
REPLICATED_VERSION = "2.38.6"  # facts, section 1: with 2.19
REPLICATED = LAB / "replicated"

_SUITE = "bookworm"
_PACKAGES = [
    "base-files", "base-passwd", "bash", "busybox-static", "ca-certificates", "coreutils", "dash", "debianutils",
    "findutils", "grep", "gzip", "hostname", "libc-bin", "netbase", "openssl", "postgresql-15", "procps", "python3",
    "redis-server", "sed", "tar", "util-linux",
]  # fmt: skip
# apt takes these for installed: PostgreSQL's JIT compiler, wrappers in Perl, and what only the packages' own scripts
# need, which do not run here. That makes the image a quarter smaller.
_LEFT_OUT = [
    "adduser", "debconf", "dpkg", "init-system-helpers", "libllvm14", "locales", "logrotate", "lsb-base", "media-types",
    "perl", "postgresql-client-common", "postgresql-common", "ssl-cert", "sysvinit-utils", "ucf",
]  # fmt: skip
_EXCLUDED = [f"/usr/share/{part}/*" for part in ("man", "doc", "info", "locale", "zoneinfo/right", "postgresql/15/man")]
_EXCLUDED += [f"/usr/lib/postgresql/15/lib/{part}*" for part in ("bitcode/", "llvmjit")]
_OPTIONS = [
    "--variant=extract",
    "--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
    f"--include={','.join(_PACKAGES)}",
]
_STATUS = """Package: {name}
Status: install ok installed
Version: 999
Architecture: amd64
Multi-Arch: foreign
Maintainer: the lab <lab@localhost>
Description: left out
"""
_CUSTOMIZE = LAB / "images" / "runtime-customize.sh"
_SCRIPTS = LAB / "images" / "lab-runtime"


@cache
def _base() -> Layer:
    def build(folder: Path) -> None:
        current.takes("to be built, about 30 s")
        root, status = folder / "root.tar", folder / "status"
        status.write_text("".join(_STATUS.format(name=name) + "\n" for name in _LEFT_OUT))
        hook = f'--setup-hook=cat {status} >> "$1/var/lib/dpkg/status"'
        argv = ["mmdebstrap", *_OPTIONS, hook, f"--extract-hook={_CUSTOMIZE}", _SUITE, str(root)]
        run(confined([*argv, *base_image.sources(_SUITE)]), timeout=1200, env={"TMPDIR": str(folder)})
        layer_of_tar(root, folder / "layer.gz")
        root.unlink()

    with step("file system of lab-runtime") as current:
        key = digest(_SUITE, *_OPTIONS, *_LEFT_OUT, _CUSTOMIZE)
        folder, there = cached(f"lab-runtime-base-{key}", build)
        current.note = "cached" if there else "built"
    return Layer((folder / "layer.sha256").read_text(), folder / "layer.gz")


def _own() -> Layer:
    return layer_of_files(tree(_SCRIPTS))


def runtime_image() -> Path:
    """The archive (`docker save`) of lab-runtime: the Debian packages and the lab's scripts."""
    return _archive("lab-runtime", [Image([RUNTIME_TAG], [_base(), _own()])])


def replicated_image() -> Path | None:
    """The archive of the three images of Replicated's services, all of them lab-replicated; None without its tree."""
    if not (REPLICATED / "vendor" / "install.sh").exists():
        return None
    files = {f"/opt/lab/replicated{path}": entry for path, entry in _replicated_tree().items()}
    return _archive("lab-replicated", [Image(REPLICATED_TAGS, [_base(), _own(), layer_of_files(files)])])


def _archive(name: str, images: list[Image]) -> Path:
    with step(f"image {images[0].tags[0]}") as current:
        key = digest(*(image.configuration() for image in images), *(tag for image in images for tag in image.tags))
        folder, there = cached(f"{name}-{key}", lambda folder: write(folder / "image.tar", images))
        current.note = "cached" if there else "built"
        if not there:
            _forget_older(name, folder)
    return folder / "image.tar"


def _forget_older(name: str, newest: Path, keep: int = 3) -> None:
    """60 MB for each version of a script add up while one is being written."""
    others = [path for path in CACHE.glob(f"{name}-[0-9a-f]*") if path != newest and len(path.name) == len(newest.name)]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[: -keep + 1]:
        shutil.rmtree(path, ignore_errors=True)


def _replicated_tree() -> Payload:
    found = tree(REPLICATED)
    return {path: entry for path, entry in found.items() if "__pycache__" not in path}


def _vendor(name: str) -> bytes:
    return (REPLICATED / "vendor" / name).read_bytes()


def vendor_script() -> Entry:
    """The script of an installation over the network."""
    return Entry(_vendor("docker-install.sh"), 0o755)


def installer() -> Entry:
    """The script of an installation without internet; it calls the other."""
    return Entry(_vendor("install.sh"), 0o755)


def airgap(images: Path) -> Path:
    """The tarball of an installation without internet: its images, its scripts, its version."""
    files = {
        "/install.sh": installer(),
        "/docker-install.sh": vendor_script(),
        "/VERSION": Entry(f"{REPLICATED_VERSION}\n".encode()),
        "/images.tar": Entry(images),
    }
    name = f"replicated-{REPLICATED_VERSION}.tar.gz"

    def build(folder: Path) -> None:
        # Not compressed any more: the layers in it are.
        with gzip.GzipFile(folder / name, "wb", compresslevel=0, mtime=0) as packed:
            packed.write(archive(files))

    with step("Replicated's air-gap tarball") as current:
        key = digest(images.parent.name, REPLICATED_VERSION, _vendor("install.sh"), _vendor("docker-install.sh"))
        folder, there = cached(f"replicated-airgap-{key}", build)
        current.note = "cached" if there else "built"
        if not there:
            _forget_older("replicated-airgap", folder)
    return folder / name
