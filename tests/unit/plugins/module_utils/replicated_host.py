# A host whose replicatedctl is a small program over a JSON file: the shapes of facts 4, and faults on demand.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

__all__ = ["FORM", "ReplicatedHost"]

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

# It notes each call's arguments and environment, which other users of a host can see in /proc, and not its input.
PROGRAM = """#!{python} -IS
import json, os, sys
path = {state!r}
state = json.load(open(path))
arguments = sys.argv[1:]
state["calls"].append(arguments)
state["seen"] += arguments + list(os.environ.values())
code, out, error = 0, "", ""
command = arguments[:2]
if state["not_ready"]:
    state["not_ready"] -= 1
    code, error = 1, "Error: daemon is not ready"
elif command == ["app", "status"]:
    out = state["status"]
elif command == ["app-config", "export"]:
    hidden = "--hidden" in arguments
    shown = {{name: value for name, value in state["settings"].items() if hidden or name not in state["hidden"]}}
    out = state["export"] or json.dumps(shown)
    if state["exports_left"] == 0:
        code, out, error = 1, json.dumps(state["settings"]), "Error: connection refused"
    elif state["exports_left"] is not None:
        state["exports_left"] -= 1
elif command == ["app-config", "view"]:
    out = state["view"]
    if not out:
        code, error = 1, "Error: unknown command view"
elif command == ["app-config", "import"]:
    document = json.load(sys.stdin)
    state["imports"] += 1
    for name, value in document.items():
        if name not in state["ignored"]:
            state["settings"][name] = value
    if state["refusal"]:
        code, error = 1, state["refusal"].replace("VALUES", json.dumps(document))
elif command == ["version"]:
    out = state["version"]
else:
    code, error = 1, "Error: unknown command"
json.dump(state, open(path, "w"))
print(out)
print(error, file=sys.stderr)
sys.exit(code)
"""
TYPES = {
    "hostname": "text",
    "ghe_type": "select",
    "ghe_domain": "text",
    "ghe_client_id": "text",
    "ghe_client_secret": "password",
    "secret_passphrase": "password",
    "cloudwatch_enabled": "bool",
    "ssl_cert": "file",
    "ssl_private_key": "file",
    "servers": "text",
    "title": "heading",
}
CHOICES = {"ghe_type": [{"name": "github_type_public"}, {"name": "github_type_enterprise"}]}
FORM = [
    {
        "name": "all",
        "items": [
            {"name": name, "type": kind, "multiple": name == "servers", "items": CHOICES.get(name, [])}
            for name, kind in TYPES.items()
        ],
    }
]
STATUS = {
    "AppID": "a1",
    "Sequence": 7,
    "PatchSequence": 0,
    "State": "started",
    "DesiredState": "started",
    "Error": "",
    "IsCancellable": False,
    "IsTransitioning": False,
    "LastModifiedAt": "2018-04-17T18:47:01Z",
}


class ReplicatedHost:
    """The program on the PATH, its state, and places for a pending record and a lock."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.state = root / "replicated.json"
        self.programs = root / "bin"
        self.pending = str(root / "state" / "pending.json")
        self.lock = str(root / "run" / "lock")
        self.programs.mkdir(parents=True)
        self.write("replicatedctl", PROGRAM.format(python=sys.executable, state=str(self.state)))
        # The host's resolver: whatever ends in .lab is known.
        self.write("getent", '#!/bin/sh\ncase "$3" in *.lab) exit 0;; esac\nexit 2\n')
        monkeypatch.setenv("PATH", f"{self.programs}:{os.environ['PATH']}")
        self._save(
            {
                "calls": [],
                "seen": [],
                "settings": {name: {} for name, kind in TYPES.items() if kind != "heading"},
                "hidden": ["ghe_client_secret", "secret_passphrase", "ssl_private_key"],
                "status": json.dumps([STATUS]),
                "view": json.dumps(FORM),
                "version": "replicatedctl version 2.38.6 (git=ab12cd, date=2018-11-02)",
                "export": "",
                "exports_left": None,
                "not_ready": 0,
                "imports": 0,
                "ignored": [],
                "refusal": "",
            }
        )

    def write(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def change(self, **values: Any) -> None:
        """Change the program's state."""
        self._save({**self.read(), **values})

    def read(self) -> dict[str, Any]:
        """The program's state."""
        found: dict[str, Any] = json.loads(self.state.read_text())
        return found

    def status(self, **values: Any) -> None:
        """What `app status` prints, with these values in it."""
        self.change(status=json.dumps([{**STATUS, **values}]))

    @property
    def settings(self) -> dict[str, Any]:
        """What is set."""
        found: dict[str, Any] = self.read()["settings"]
        return found

    def preset(self, **settings: Any) -> None:
        """Settings that a person clicked."""
        self.change(settings={**self.settings, **settings})

    @property
    def imports(self) -> int:
        """How often settings were imported."""
        return int(self.read()["imports"])

    def remove(self) -> None:
        """Replicated is not installed."""
        (self.programs / "replicatedctl").unlink()

    def _save(self, state: dict[str, Any]) -> None:
        self.state.write_text(json.dumps(state))
