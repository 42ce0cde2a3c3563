# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): what the daemon knows, in one file on disk that outlives it.

The names of an app status's fields and the states are of facts 4. Every change is on disk before it is answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from .places import Places, save

__all__ = ["App", "Refused", "State", "Store", "now"]


class Refused(Exception):
    """A request that the daemon does not carry out; the text is for the user."""


def now() -> str:
    """The time as Go prints it in JSON."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class App:
    """The installed app."""

    app_id: str
    sequence: int = 1
    patch_sequence: int = 0
    state: str = "stopped"
    desired: str = "stopped"
    error: str = ""
    cancellable: bool = False
    transitioning: bool = False
    modified: str = ""
    version: str = ""

    def status(self) -> dict[str, Any]:
        """The object that `app status` prints in its list."""
        return {
            "AppID": self.app_id,
            "Sequence": self.sequence,
            "PatchSequence": self.patch_sequence,
            "State": self.state,
            "DesiredState": self.desired,
            "Error": self.error,
            "IsCancellable": self.cancellable,
            "IsTransitioning": self.transitioning,
            "LastModifiedAt": self.modified,
        }


@dataclass
class State:
    """All that is kept. `settings` is what was imported; what is in effect is a file of its own."""

    started_before: bool = False
    app: App | None = None
    licence: dict[str, str] = field(default_factory=dict)
    licence_problem: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    auth: dict[str, str] = field(default_factory=dict)
    tls: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    preflight: str = ""


class Store:
    """The state with its lock and its file."""

    def __init__(self, places: Places) -> None:
        """Reads what an earlier daemon left."""
        self.path = places.state / "replicated.state"
        self.changed = threading.Condition(threading.RLock())
        self.state = State()
        if self.path.exists():
            found = json.loads(self.path.read_text())
            app = found.pop("app")
            self.state = State(app=App(**app) if app else None, **found)

    @contextmanager
    def change(self) -> Iterator[State]:
        """The state to be changed; saved at the end, and who waits for a change is told."""
        with self.changed:
            yield self.state
            save(self.path, asdict(self.state))
            self.changed.notify_all()

    @contextmanager
    def change_app(self) -> Iterator[App]:
        """The same for the app, with its time of change."""
        with self.change():
            app = self.app()
            yield app
            app.modified = now()

    def app(self) -> App:
        """The app, or a refusal: without a licence there is none."""
        if self.state.app is None:
            raise Refused("no app is installed: a licence is needed first")
        return self.state.app
