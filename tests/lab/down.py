# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""`down`: removes all that the lab made on the machine, also after a start that failed half way or was killed.

What stays are the caches (places.CACHE: file systems, packages, Nomad, the engine's images); `down --cache` takes them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.lab import engine, images, machine
from tests.lab.engine import Engine
from tests.lab.hosts import BRIDGE, LABEL
from tests.lab.places import CACHE, ENGINE_DATA, STATE, clear_scratch
from tests.lab.report import step
from tests.lab.shell import attempt

__all__ = ["down"]

_LABELLED = ["--filter", f"label={LABEL}=1"]


def down(*, cache: bool) -> None:
    """Remove hosts, network, volumes, engine, keys; with `cache` what the next start would reuse, too."""
    for docker in _engines():
        _clear(docker, cache)
    with step("the lab's own engine, stopped"):
        engine.stop_own()
    with step("what is left over"):
        if (Path("/sys/class/net") / BRIDGE).exists():
            attempt(["ip", "link", "delete", BRIDGE])
        _remove_groups()
        machine.remove_policy()
        clear_scratch()
        shutil.rmtree(STATE, ignore_errors=True)
        if cache:
            shutil.rmtree(CACHE)


def _engines() -> Iterator[Engine]:
    """The engine in use, and the lab's own when its data say that it was in use before."""
    found = engine.find()
    if found:
        yield found
    if (found is None or not found.own) and ENGINE_DATA.exists():
        engine.stop_own()  # what a killed engine left running: a new one would wait for it in vain
        yield engine.start_own()


def _clear(docker: Engine, cache: bool) -> None:
    with step("hosts, removed") as current:
        containers = docker("ps", "--all", "--quiet", *_LABELLED).split()
        if containers:
            docker("rm", "--force", "--volumes", *containers)
        current.note = str(len(containers))
    with step("networks, volumes, half-made images, removed"):
        networks = docker("network", "ls", "--quiet", *_LABELLED).split()
        if networks:
            docker("network", "rm", *networks)
        docker.attempt("rmi", images.SERVICE_TAG, images.BUILD_TAG)
        if docker.own:
            docker("volume", "prune", "--force")
        if cache and not docker.own:
            tags = docker("image", "ls", "--quiet", *_LABELLED).split()
            if tags:
                docker("rmi", "--force", *set(tags))


def _remove_groups() -> None:
    """Control groups of the engines inside the hosts: they lie beside the hosts' own, so nobody else removes them."""
    docker = engine.find()
    living = set(docker("ps", "--all", "--quiet", "--no-trunc").split()) if docker else set()
    for parent in [*machine.CGROUPS.glob("**/docker"), *machine.CGROUPS.glob(f"**/{engine.CGROUP}")]:
        for group in parent.iterdir():
            if re.fullmatch("[0-9a-f]{64}", group.name) and group.name not in living:
                _remove_group(group)
        if docker is None:
            _remove_group(parent)


def _remove_group(group: Path) -> None:
    for folder in sorted((item for item in group.rglob("*") if item.is_dir()), key=lambda item: -len(item.parts)):
        _rmdir(folder)
    _rmdir(group)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # something still runs in it: not ours
