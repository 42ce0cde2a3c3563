# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Writes container images as archives that `docker load` reads, out of layers; no engine is needed.

The format is that of `docker save`: manifest.json names each image's configuration and its layers. A layer may be
compressed, and several images of one archive share theirs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.lab.payload import Entry, archive

__all__ = ["Image", "Layer", "layer_of_files", "layer_of_tar", "write"]

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """One layer: its compressed tar, in a file or in memory, and the digest of the tar itself."""

    digest: str
    content: Path | bytes


@dataclass(frozen=True)
class Image:
    """One image: its tags, its layers from the lowest on, its command."""

    tags: Sequence[str]
    layers: Sequence[Layer]
    command: Sequence[str] = ("/bin/sh",)

    def configuration(self) -> bytes:
        """The image's configuration; its digest is the image's id."""
        return json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": {"Cmd": list(self.command), "Env": [_PATH], "WorkingDir": "/"},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
                "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "the lab"} for _unused in self.layers],
            },
            sort_keys=True,
        ).encode()


def layer_of_tar(source: Path, target: Path) -> None:
    """Compress a tar file into `target` and write its digest beside it, for `Layer`."""
    total = hashlib.sha256()
    with open(source, "rb") as tar, gzip.GzipFile(target, "wb", compresslevel=1, mtime=0) as packed:
        while block := tar.read(1 << 20):
            total.update(block)
            packed.write(block)
    target.with_suffix(".sha256").write_text(total.hexdigest())


def layer_of_files(files: Mapping[str, Entry]) -> Layer:
    """A small layer: these files, and their folders, which would get the mode 0600 otherwise."""
    folders = {str(folder): Entry(folder=True, mode=0o755) for path in files for folder in Path(path).parents}
    folders.pop("/", None)
    tar = archive({**folders, **files})
    return Layer(hashlib.sha256(tar).hexdigest(), gzip.compress(tar, compresslevel=6, mtime=0))


def write(target: Path, images: Sequence[Image]) -> None:
    """The archive of the images. The same images give the same bytes."""
    layers = {layer.digest: layer for image in images for layer in image.layers}
    manifest = []
    with tarfile.open(target, "w") as tar:
        for digest, layer in layers.items():
            _add_layer(tar, _name(digest), layer.content)
        for image in images:
            configuration = image.configuration()
            name = f"{hashlib.sha256(configuration).hexdigest()}.json"
            _add(tar, name, io.BytesIO(configuration), len(configuration))
            names = [_name(layer.digest) for layer in image.layers]
            manifest.append({"Config": name, "RepoTags": list(image.tags), "Layers": names})
        text = json.dumps(manifest).encode()
        _add(tar, "manifest.json", io.BytesIO(text), len(text))


def _name(digest: str) -> str:
    return f"{digest}/layer.tar"


def _add_layer(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    if isinstance(content, bytes):
        _add(tar, name, io.BytesIO(content), len(content))
        return
    with open(content, "rb") as file:
        _add(tar, name, file, content.stat().st_size)


def _add(tar: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    tar.addfile(info, stream)
