# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated: how it drives Docker, by the engine's HTTP API over its socket (Docker's public reference).

`NoEngine` has no containers: the daemon runs without Docker in tests.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from .application import Container, published

__all__ = ["DockerEngine", "Engine", "EngineError", "Look", "NoEngine", "body"]

LABEL = "lab.replicated"


class EngineError(Exception):
    """What the engine refused, or that it does not answer."""


@dataclass(frozen=True)
class Look:
    """One container as it is."""

    id: str
    running: bool
    exit_code: int
    address: str


class Engine(Protocol):
    """What the daemon needs of an engine. `kind` (app, own) is whose containers they are."""

    def images(self) -> set[str]: ...
    def load(self, path: Path) -> None: ...
    def tag(self, source: str, target: str) -> None: ...
    def mine(self, kind: str) -> dict[str, Look]: ...
    def create(self, kind: str, container: Container, env: Mapping[str, str]) -> str: ...
    def start(self, identity: str) -> None: ...
    def look(self, identity: str) -> Look: ...
    def stop(self, identity: str, seconds: int) -> None: ...
    def remove(self, identity: str) -> None: ...


class NoEngine:
    """An engine that runs nothing."""

    def images(self) -> set[str]:
        """None."""
        return set()

    def load(self, path: Path) -> None:
        """Nowhere to load to."""
        raise EngineError(f"no engine to load {path} into")

    def tag(self, source: str, target: str) -> None:
        """Nothing to tag."""
        raise EngineError(f"no engine to tag {source} as {target} in")

    def mine(self, kind: str) -> dict[str, Look]:
        """None."""
        return {}

    def create(self, kind: str, container: Container, env: Mapping[str, str]) -> str:
        """No container can be made."""
        raise EngineError(f"no engine to create {container.name} in")

    def start(self, identity: str) -> None:
        """No container can be started."""
        raise EngineError(f"no engine to start {identity} in")

    def look(self, identity: str) -> Look:
        """No container is there."""
        raise EngineError(f"no engine to look for {identity} in")

    def stop(self, identity: str, seconds: int) -> None:
        """Nothing runs."""

    def remove(self, identity: str) -> None:
        """Nothing is there."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class DockerEngine:
    """The host's Docker."""

    def __init__(self, path: str) -> None:
        """`path` of Docker's socket."""
        self.path = path

    def _send(self, method: str, where: str, content: Any = None, timeout: float = 60) -> bytes:
        connection = _Connection(self.path, timeout)
        headers = {"Content-Type": "application/x-tar" if hasattr(content, "read") else "application/json"}
        if isinstance(content, dict):
            content = json.dumps(content)
        try:
            connection.request(method, where, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"Docker does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise EngineError(_message(text))
        return text

    def _call(self, method: str, where: str, content: Any = None, timeout: float = 60) -> Any:
        return json.loads(self._send(method, where, content, timeout) or "null")

    def images(self) -> set[str]:
        """All tags."""
        return {tag for image in self._call("GET", "/images/json") for tag in image.get("RepoTags") or ()}

    def load(self, path: Path) -> None:
        """An archive of `docker save`."""
        with open(path, "rb") as file:
            told = self._send("POST", "/images/load?quiet=1", file, timeout=300)
        if b'"error"' in told:
            raise EngineError(f"Docker did not load {path}: {told.decode(errors='replace')}")

    def tag(self, source: str, target: str) -> None:
        """One image under another name."""
        repository, _unused, tag = target.rpartition(":")
        self._send("POST", f"/images/{quote(source)}/tag?" + urlencode({"repo": repository, "tag": tag}))

    def mine(self, kind: str) -> dict[str, Look]:
        """Our containers by the definition's name, whatever they are called."""
        wanted = urlencode({"all": "1", "filters": json.dumps({"label": [f"{LABEL}={kind}"]})})
        listed: Iterable[dict[str, Any]] = self._call("GET", f"/containers/json?{wanted}")
        return {item["Labels"][f"{LABEL}.name"]: Look(item["Id"], item["State"] == "running", 0, "") for item in listed}

    def create(self, kind: str, container: Container, env: Mapping[str, str]) -> str:
        """A container that is not started."""
        name = "" if container.random_name else "?name=" + quote(container.name)
        made = self._call("POST", "/containers/create" + name, body(kind, container, env))
        return str(made["Id"])

    def start(self, identity: str) -> None:
        """Start it."""
        self._send("POST", f"/containers/{identity}/start")

    def look(self, identity: str) -> Look:
        """What it does now."""
        found = self._call("GET", f"/containers/{identity}/json")
        state = found["State"]
        return Look(found["Id"], state["Running"], state["ExitCode"], found["NetworkSettings"]["IPAddress"])

    def stop(self, identity: str, seconds: int) -> None:
        """Ask it to end; the engine kills it after `seconds`."""
        self._send("POST", f"/containers/{identity}/stop?t={seconds}", timeout=seconds + 60)

    def remove(self, identity: str) -> None:
        """Remove it, running or not; named volumes stay."""
        self._send("DELETE", f"/containers/{identity}?force=1&v=1")


def _message(text: bytes) -> str:
    try:
        found = json.loads(text)
        return str(found.get("message") or found.get("error"))
    except (ValueError, AttributeError):
        return text.decode(errors="replace").strip()


def body(kind: str, container: Container, env: Mapping[str, str]) -> dict[str, Any]:
    """The request that creates a container."""
    ports = published(container.ports)
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        if port.publish:
            bindings.setdefault(port.inner, []).append({"HostIp": port.address, "HostPort": port.host})
    made: dict[str, Any] = {
        "Image": container.image,
        "Hostname": container.hostname,
        "Env": [f"{key}={value}" for key, value in {**container.env, **env}.items()],
        "Labels": {LABEL: kind, f"{LABEL}.name": container.name},
        "ExposedPorts": {port.inner: {} for port in ports},
        "StopTimeout": container.stop_timeout,
        "HostConfig": {"Binds": container.volumes, "PortBindings": bindings},
    }
    if container.command:
        made["Cmd"] = container.command
    if container.entrypoint:
        made["Entrypoint"] = container.entrypoint
    return made
