# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""`up`: from a bare machine to hosts that answer over SSH; every part that is there already is kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.lab import (
    access,
    base_image,
    engine,
    hosts,
    images,
    machine,
    nomad_binary,
    repository,
    roles,
    runtime_image,
    topology,
)
from tests.lab.places import STATE, clear_scratch
from tests.lab.report import step
from tests.lab.topology import Host

__all__ = ["MARKER", "remove", "up"]

MARKER = STATE / "started-by-lab-up"


def up(names: Sequence[str]) -> None:
    """Start the named hosts, or those that start by default."""
    machine.check()
    plan = topology.load()
    chosen = plan.chosen(names)
    if plan.in_role("packages") not in chosen:  # no host can be converged without it
        chosen.append(plan.in_role("packages"))
    chosen.sort(key=lambda host: "packages" not in host.roles)  # it gets the most and takes the longest
    clear_scratch()
    machine.install()
    access.prepare(plan.hosts)
    with ThreadPoolExecutor(1) as background:
        # Two minutes on a bare machine, beside everything else; nothing when it is cached.
        nomad = background.submit(nomad_binary.binary)
        docker = engine.connect()
        parts = _parts(docker, chosen)
        parts = replace(parts, nomad=nomad.result())
    if parts.nomad:
        nomad_binary.link(parts.nomad)
    hosts.create_network(docker, plan)
    with step("hosts"):
        hosts.start_all(docker, plan, {host: roles.payload(host, plan, parts) for host in chosen})
    MARKER.touch()


def _parts(docker: engine.Engine, chosen: Sequence[Host]) -> roles.Parts:
    # The small images are made of the default suite's files, whatever the hosts are.
    roots = {suite: base_image.root_file_system(suite) for suite in sorted({"bookworm", *(h.suite for h in chosen)})}
    for suite, root in roots.items():
        base_image.import_image(docker, suite, root)
        repository.fill(suite, root)
    replicated = runtime_image.replicated_image()
    return roles.Parts(
        repositories=repository.known(),
        service_image=images.service_image(docker, roots["bookworm"]),
        runtime_image=runtime_image.runtime_image(),
        replicated_image=replicated,
        airgap=runtime_image.airgap(replicated) if replicated else None,
        build_image=images.build_image(docker, roots["bookworm"]),
    )


def remove(names: Sequence[str]) -> None:
    """Remove the named hosts, or those that start by default, with all that was done to them."""
    docker = engine.connect()
    for host in topology.load().chosen(names):
        docker.attempt("rm", "--force", "--volumes", host.container)
