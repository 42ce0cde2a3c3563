# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for an app's definition in Replicated: /opt/lab/application.json of the host, read at each use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .state import Refused

__all__ = ["Container", "Definition", "Port", "in_order", "load", "published"]


@dataclass(frozen=True)
class Port:
    """A port of a container, as in the engine's API; `publish` false: only exposed; host "": the engine chooses."""

    inner: str  # "80/tcp"
    publish: bool = False
    address: str = ""
    host: str = ""


@dataclass(frozen=True)
class Container:
    """One container. `ready`: port and path that answer 200 once it is."""

    name: str
    image: str
    random_name: bool = False
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    hostname: str = ""
    depends_on: list[str] = field(default_factory=list)
    runs_once: bool = False
    stop_timeout: int = 10
    ready: dict[str, Any] = field(default_factory=dict)

    @property
    def ready_port(self) -> int:
        """The port to ask, inside the container: `ready` may name a port of the host that leads there."""
        wanted = int(self.ready["port"])
        for port in published(self.ports):
            if port.publish and port.host == str(wanted):
                return int(port.inner.split("/")[0])
        return wanted


@dataclass(frozen=True)
class Definition:
    """The app's images and containers, and those of Replicated itself."""

    images: list[str]
    tags: dict[str, str]
    containers: list[Container]
    own: list[Container]


def load(path: Path) -> Definition:
    """Read the file; keys of a container that are not known here are left out."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Refused(f"the app's definition cannot be read: {error}") from None
    return Definition(
        images=found.get("images", []),
        tags=found.get("tags", {}),
        containers=[_container(item) for item in found.get("containers", [])],
        own=[_container(item) for item in found.get("replicated", [])],
    )


def _container(item: dict[str, Any]) -> Container:
    known = {key: value for key, value in item.items() if key in Container.__dataclass_fields__ and value is not None}
    known["env"] = {key: str(value) for key, value in known.get("env", {}).items()}
    return Container(**known)


def published(ports: Sequence[str]) -> list[Port]:
    """Docker's way of writing ports: 80/tcp (exposed), 80:80/tcp, 4646-4648:4646-4648, 127.0.0.1:4646:4646, :80."""
    found = []
    for text in ports:
        words, _unused, protocol = text.partition("/")
        *outer, inner = words.split(":")
        address, host = (["", *outer] if len(outer) < 2 else outer)[-2:] if outer else ("", "")
        inners = _range(inner)
        hosts = _range(host) if host not in ("", "0") else [""] * len(inners)
        for number, inside in enumerate(inners):
            found.append(Port(f"{inside}/{protocol or 'tcp'}", bool(outer), address, hosts[number]))
    return found


def _range(text: str) -> list[str]:
    first, _unused, last = text.partition("-")
    return [str(number) for number in range(int(first), int(last or first) + 1)]


def in_order(containers: Sequence[Container]) -> list[list[Container]]:
    """Waves: each depends only on those before it."""
    waves: list[list[Container]] = []
    left, there = list(containers), set[str]()
    while left:
        wave = [item for item in left if set(item.depends_on) <= there]
        if not wave:
            raise Refused(f"these containers depend on each other or on none: {', '.join(item.name for item in left)}")
        waves.append(wave)
        there |= {item.name for item in wave}
        left = [item for item in left if item.name not in there]
    return waves
