# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Two small container images, made of files of the base image: `lab-service` and `lab-build`.

lab-service (services host): the shells busybox, dash and bash, and what a dynamically linked Nomad needs; starts the
stand-in for a service. lab-build (Nomad clients): busybox alone, the image that a build runs in.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.lab.engine import Engine
from tests.lab.places import LAB, cached, digest
from tests.lab.report import step

__all__ = ["BUILD_TAG", "SERVICE_TAG", "build_image", "service_image"]

# Not `latest`: Nomad's docker driver pulls that one, whatever is there.
SERVICE_TAG = "lab-service:1"
BUILD_TAG = "lab-build:1"
_LIBRARIES = "./usr/lib/x86_64-linux-gnu/"
_SHELLS = ["./usr/bin/busybox", "./usr/bin/dash", "./usr/bin/bash"]
_NEEDED = ["ld-linux-x86-64.so.2", "libc.so.6", "libtinfo.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2"]


def service_image(engine: Engine, rootfs: Path) -> Path:
    """The archive (`docker save`) of lab-service."""
    script = LAB / "images" / "lab-service"
    wanted = [*_SHELLS, *(_LIBRARIES + name for name in _NEEDED)]
    return _image(engine, rootfs, SERVICE_TAG, wanted, {"lab-service": script}, '["/bin/lab-service"]')


def build_image(engine: Engine, rootfs: Path) -> Path:
    """The archive of lab-build."""
    return _image(engine, rootfs, BUILD_TAG, _SHELLS[:1], {}, '["/bin/sh"]')


def _image(engine: Engine, rootfs: Path, tag: str, wanted: Sequence[str], own: dict[str, Path], command: str) -> Path:
    def build(folder: Path) -> None:
        content = folder / "content.tar"
        _pack(rootfs, content, wanted, own)
        engine("import", "--change", f"CMD {command}", str(content), tag)
        engine("save", "--output", str(folder / "image.tar"), tag)
        engine("rmi", tag)
        content.unlink()

    name = tag.split(":")[0]
    with step(f"image {tag}") as current:
        key = digest(rootfs.parent.name, tag, command, *wanted, Path(__file__), *own.values())
        folder, there = cached(f"{name}-{key}", build)
        current.note = "cached" if there else "built"
    return folder / "image.tar"


def _pack(rootfs: Path, target: Path, wanted: Sequence[str], own: dict[str, Path]) -> None:
    with tarfile.open(rootfs) as source, tarfile.open(target, "w") as tar:
        for folder in ("bin", "lib64", "etc", "tmp", "run", "usr/bin", "usr/lib/x86_64-linux-gnu"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        for name in wanted:
            _copy(source, tar, name)
        for applet in _applets(source):
            _link(tar, f"bin/{applet}", "/usr/bin/busybox")
        for shell in wanted:
            base = shell.rsplit("/", 1)[1]
            if shell.startswith("./usr/bin/"):
                _link(tar, f"bin/{base}", f"/usr/bin/{base}")
        _link(tar, "bin/sh", "/usr/bin/dash" if "./usr/bin/dash" in wanted else "/usr/bin/busybox")
        _link(tar, "lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        _text(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        for name, path in own.items():
            _text(tar, f"bin/{name}", path.read_text())


def _copy(source: tarfile.TarFile, tar: tarfile.TarFile, name: str) -> None:
    member = source.getmember(name)
    while member.issym():
        member = source.getmember(f"{member.name.rsplit('/', 1)[0]}/{member.linkname}")
    content = source.extractfile(member)
    assert content is not None
    info = tarfile.TarInfo(name.removeprefix("./"))
    info.size, info.mode = member.size, 0o755
    tar.addfile(info, content)


def _applets(source: tarfile.TarFile) -> list[str]:
    content = source.extractfile("./usr/bin/busybox")
    assert content is not None
    # busybox names its applets itself: run it from memory-backed storage.
    path = Path(f"/dev/shm/circleci-lab-busybox.{id(source)}")
    try:
        path.write_bytes(content.read())
        path.chmod(0o755)
        listed = subprocess.run(
            ["busybox", "--list"], executable=path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    finally:
        path.unlink(missing_ok=True)
    return [name for name in listed.stdout.split() if name not in ("sh", "busybox", "dash", "bash")]


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o755
    tar.addfile(info, io.BytesIO(content))
