# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): what the daemon answers to each command of the two command lines.

Of facts 4: the commands' names, `app status`, the settings' shapes. The shapes of all other answers are assumed.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from . import bootstrap, certificate, items
from .faults import Faults
from .places import Places, save
from .runner import Runner, Task
from .state import Refused, Store

__all__ = ["Commands"]

Arguments = dict[str, Any]


class Commands:
    """One method a command; the command line's words joined by `_`."""

    def __init__(self, places: Places, store: Store, runner: Runner, faults: Faults, log: logging.Logger) -> None:
        """All that the daemon consists of."""
        self.places = places
        self.store = store
        self.runner = runner
        self.faults = faults
        self.log = log
        self.sessions: set[str] = set()

    def find(self, name: str) -> Callable[[Arguments], Any]:
        """The method for a command such as `app status`."""
        found = getattr(self, "do_" + name.replace(" ", "_").replace("-", "_"), None)
        if found is None:
            raise Refused(f"request returned Not Found for API route {name}")
        method: Callable[[Arguments], Any] = found
        return method

    # -- app

    def do_app_status(self, arguments: Arguments) -> Any:
        """A list of one object; an empty one without a licence."""
        if self.faults.get("nonsense"):
            return "<html>502 Bad Gateway</html>"
        with self.store.changed:
            if self.store.state.app is None:
                return []
            status = self.store.state.app.status()
        if self.faults.flap():
            status.update(State="starting" if status["State"] == "started" else "stopping", IsTransitioning=True)
        return [status]

    def do_app_inspect(self, arguments: Arguments) -> Any:
        """Which app."""
        app = self.store.app()
        return [{"ID": app.app_id, "Name": "CircleCI", "Sequence": app.sequence, "VersionLabel": app.version}]

    def do_app_start(self, arguments: Arguments) -> Any:
        """Begin a start."""
        return self._transition("start", arguments)

    def do_app_stop(self, arguments: Arguments) -> Any:
        """Begin a stop."""
        return self._transition("stop", arguments)

    def do_app_apply_config(self, arguments: Arguments) -> Any:
        """Begin a restart with the imported settings."""
        return self._transition("apply-config", arguments)

    def _transition(self, name: str, arguments: Arguments) -> Any:
        self.store.app()
        if name != "stop":
            lacking = items.missing(self.store.state.settings)
            if lacking:
                raise Refused(f"required config items are not set: {', '.join(lacking)}")
        task = self.runner.command(name, bool(arguments.get("force")))
        return task.shown() if task else None

    # -- settings

    def do_app_config_export(self, arguments: Arguments) -> Any:
        """What was imported, in effect or not."""
        self.store.app()
        return items.export(self.store.state.settings, bool(arguments.get("hidden")))

    def do_app_config_view(self, arguments: Arguments) -> Any:
        """Groups and items."""
        self.store.app()
        return items.view(str(arguments.get("group", "")))

    def do_app_config_import(self, arguments: Arguments) -> Any:
        """Merge; nothing is taken when anything is refused."""
        self.store.app()
        found = items.decoded(arguments["text"])
        if not arguments.get("skip_validation"):
            for name, entry in found.items():
                self._refuse(items.problem(name, entry))
        self._take({name: entry for name, entry in found.items() if name in items.items() and entry})
        return None

    def do_app_config_set(self, arguments: Arguments) -> Any:
        """One item."""
        self.store.app()
        name = arguments["name"]
        item = items.one(name)
        values, data = arguments.get("value") or [], arguments.get("data") or []
        if not values and not data:
            raise Refused("one of --value or --data is required")
        if item.multiple:
            entry: dict[str, Any] = {key: part for key, part in (("multi_value", values), ("multi_data", data)) if part}
        else:
            entry = {key: part[-1] for key, part in (("value", values), ("data", data)) if part}
        items.decoded(json.dumps({name: entry}))
        self._refuse(items.problem(name, entry))
        self._take({name: entry})
        return None

    def _refuse(self, problem: str) -> None:
        if problem:
            raise Refused(problem)

    def _take(self, found: dict[str, dict[str, Any]]) -> None:
        ignored = self.faults.get("import_not_applied", ())
        full = bool(self.faults.get("disk_full_at_import"))
        with self.store.change() as state:
            for number, (name, entry) in enumerate(found.items()):
                if full and number >= len(found) // 2:
                    break
                if name not in ignored:
                    state.settings[name] = {**state.settings.get(name, {}), **entry}
        self.log.info("settings imported: %d items", len(found))
        if full:
            raise Refused(f"write {self.store.path}: no space left on device")

    # -- the rest

    def do_app_release_ls(self, arguments: Arguments) -> Any:
        """The one release that is installed."""
        app = self.store.app()
        return [{"Sequence": app.sequence, "Version": app.version, "IsCurrent": True, "ReleaseNotes": ""}]

    def do_license_inspect(self, arguments: Arguments) -> Any:
        """What the licence says, or why there is none."""
        state = self.store.state
        if not state.licence:
            raise Refused("no license is installed" + (f": {state.licence_problem}" if state.licence_problem else ""))
        return state.licence

    def do_license_load(self, arguments: Arguments) -> Any:
        """Install a licence."""
        with self.store.change() as state:
            bootstrap.install_licence(self.places, state, arguments["text"], arguments.get("airgap_package", ""))
        self.log.info("licence activated by replicatedctl")
        return None

    def do_params_export(self, arguments: Arguments) -> Any:
        """The daemon's parameters."""
        return self.store.state.params

    def do_params_set(self, arguments: Arguments) -> Any:
        """One parameter."""
        with self.store.change() as state:
            state.params[arguments["name"]] = arguments["value"]
        return None

    def do_params_unset(self, arguments: Arguments) -> Any:
        """Without it."""
        with self.store.change() as state:
            state.params.pop(arguments["name"], None)
        return None

    def do_params_import(self, arguments: Arguments) -> Any:
        """Several parameters."""
        try:
            found = dict(json.loads(arguments["text"]))
        except (ValueError, TypeError) as error:
            raise Refused(f"failed to decode params: {error}") from None
        with self.store.change() as state:
            state.params.update(found)
        return None

    def do_preflight_run(self, arguments: Arguments) -> Any:
        """All checks pass here."""
        with self.store.change() as state:
            state.preflight = "passed"
        return self.do_preflight_status(arguments)

    def do_preflight_status(self, arguments: Arguments) -> Any:
        """What the last run said."""
        return {"State": self.store.state.preflight or "pending"}

    def do_preflight_dismiss(self, arguments: Arguments) -> Any:
        """As if they had passed."""
        with self.store.change() as state:
            state.preflight = "dismissed"
        return None

    def do_system_status(self, arguments: Arguments) -> Any:
        """Replicated and its audit log, each `ready` or `initializing`; their names are from public scripts."""
        waits = self.faults.not_ready()
        states = ("initializing" if waits else "ready", "initializing" if waits or self.faults.flap() else "ready")
        return dict(zip(("Replicated", "Retraced"), states, strict=True))

    def do_version(self, arguments: Arguments) -> Any:
        """The daemon's version."""
        return {"version": self.places.version}

    def do_support_bundle(self, arguments: Arguments) -> Any:
        """A file of the daemon's log; no settings are in it."""
        target = self.places.state / "lab-support-bundle.json"
        log = self.places.log / "replicated.log"
        save(target, {"status": self.do_app_status({}), "log": log.read_text().splitlines()[-200:]})
        return {"path": str(target)}

    # -- tasks

    def do_task_ls(self, arguments: Arguments) -> Any:
        """Transitions of this daemon's life."""
        return [task.shown() for task in self.runner.tasks.values()]

    def do_task_inspect(self, arguments: Arguments) -> Any:
        """One of them."""
        return self._task(arguments).shown()

    def do_task_follow(self, arguments: Arguments) -> Any:
        """News of one: what it said after the first `seen` messages; waits for them."""
        task, seen = self._task(arguments), int(arguments.get("seen", 0))
        deadline = time.monotonic() + 5
        with self.store.changed:
            while len(task.messages) <= seen and not task.finished and time.monotonic() < deadline:
                self.store.changed.wait(1)
            return {"messages": task.messages[seen:], "finished": task.finished, "error": task.error}

    def _task(self, arguments: Arguments) -> Task:
        try:
            return self.runner.tasks[arguments["id"]]
        except KeyError:
            raise Refused(f"task {arguments['id']!r} not found") from None

    # -- console

    def do_console_auth_export(self, arguments: Arguments) -> Any:
        """How one logs in to the console, without the password."""
        return {"Type": self.store.state.auth.get("type", "")}

    def do_console_auth_import(self, arguments: Arguments) -> Any:
        """Set the password: `{"Type": "password", "Password": …}`."""
        try:
            found = json.loads(arguments["text"])
            self._set_password(str(found["Password"]))
        except (ValueError, TypeError, KeyError):
            raise Refused("failed to decode console auth") from None
        return None

    def do_console_auth_reset(self, arguments: Arguments) -> Any:
        """No password any more; the next visit to /create-password sets one (guide L1532)."""
        with self.store.change() as state:
            state.auth = {}
        self.sessions.clear()
        return None

    def do_console_create_password(self, arguments: Arguments) -> Any:
        """By the console, when there is none."""
        if self.store.state.auth:
            raise Refused("a password is set already")
        self._set_password(str(arguments["password"]))
        return None

    def _set_password(self, password: str) -> None:
        with self.store.change() as state:
            state.auth = bootstrap.hashed(password)

    def do_console_login(self, arguments: Arguments) -> Any:
        """A session for the right password."""
        auth = self.store.state.auth
        if auth.get("type") == "password":
            given = bootstrap.hashed(str(arguments["password"]), auth["salt"])
            if not hmac.compare_digest(given["hash"], auth["hash"]):
                raise Refused("request returned Unauthorized for API route /login")
        session = secrets.token_hex(16)
        self.sessions.add(session)
        return {"session": session}

    def do_console_check(self, arguments: Arguments) -> Any:
        """Whether a session may ask; anybody may while no password is set."""
        if self.store.state.auth.get("type") == "password" and arguments.get("session") not in self.sessions:
            raise Refused("request returned Unauthorized for API route " + str(arguments.get("route", "")))
        return None

    def do_console_tls(self, arguments: Arguments) -> Any:
        """The console's certificate and key; a self-signed pair is made when there is none."""
        with self.store.changed:
            if not self.store.state.tls.get("cert"):
                with self.store.change() as state:
                    state.tls.update(certificate.self_signed(state.tls.get("hostname") or "replicated"))
            return {key: self.store.state.tls[key] for key in ("cert", "key")}

    def do_console_cert_set(self, arguments: Arguments) -> Any:
        """Another certificate, by paths on the host."""
        try:
            pair = {key: self.places.on_host(arguments[key]).read_text() for key in ("cert", "key")}
        except OSError as error:
            raise Refused(str(error)) from None
        with self.store.change() as state:
            state.tls = {"type": "server-path", "hostname": arguments["hostname"], **pair}
        return None
