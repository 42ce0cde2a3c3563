# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated's `replicatedctl` (facts 4): commands and flags. What no fact has is said where it stands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from .client import Client, Failure
from .cobra import Command, Flag, Values, execute
from .output import shown
from .places import SOCKET, Places

__all__ = ["main"]

_HOST = Flag("host", "Daemon socket to connect to", "string", default=SOCKET)
_SHOWN = (
    Flag("output", "Output format. One of: json|yaml", "string", "o", "json"),
    Flag("template", "Format the output using the given Go template", "string"),
)
_MOVES = (
    Flag("attach", "Attach to the task and wait for its end"),
    Flag("force", "Force the operation"),
    Flag("quiet", "Print nothing"),
)


def _show(command: str, *names: str) -> Callable[[Values], int]:
    """Ask the daemon, pass on the flags and arguments of these names, and print the answer."""

    def run(values: Values) -> int:
        data = Client(values["host"]).ask(command, **{name.replace("-", "_"): values[name] for name in names})
        if data is not None:
            sys.stdout.write(shown(data, values.get("output", "json"), values.get("template", "")))
        return 0

    return run


def _feed(command: str, *names: str) -> Callable[[Values], int]:
    """Hand the daemon what stands on stdin."""

    def run(values: Values) -> int:
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError:
            raise Failure("invalid input: not UTF-8") from None
        passed = {name.replace("-", "_"): values[name] for name in names}
        Client(values["host"]).ask(command, text=text, **passed)
        return 0

    return run


def _move(command: str) -> Callable[[Values], int]:
    """Begin a transition; with --attach follow it to its end. What is printed is assumed."""

    def run(values: Values) -> int:
        client = Client(values["host"])
        task = client.ask(command, force=values["force"])
        tell = _silent if values["quiet"] else print
        if task is None:
            tell("Nothing to do")
        elif values["attach"]:
            _follow(client, task["ID"], tell)
        else:
            tell(f"Task {task['ID']} started")
        return 0

    return run


def _silent(text: str) -> None:
    """--quiet."""


def _follow(client: Client, identity: str, tell: Callable[[str], None]) -> None:
    seen = 0
    while True:
        news = client.ask("task follow", id=identity, seen=seen)
        for text in news["messages"]:
            tell(text)
        seen += len(news["messages"])
        if news["finished"]:
            if news["error"]:
                raise Failure(news["error"])
            return


def _attach(values: Values) -> int:
    _follow(Client(values["host"]), values["id"], print)
    return 0


def _unknown(what: str) -> Callable[[Values], int]:
    """A command whose effect is in no fact: the stand-in does not do it."""

    def run(values: Values) -> int:
        raise Failure(f"{what}: not part of this stand-in, no fact says what it does")

    return run


def _version(values: Values) -> int:
    """The words around the number are assumed."""
    print(f"replicatedctl version {Places.from_environment().version}")
    return 0


def _app() -> Command:
    return Command("app", "Manage the app").add(
        Command("inspect", "Display detailed information on the app", _show("app inspect"), _SHOWN),
        Command("start", "Start the app", _move("app start"), _MOVES),
        Command("stop", "Stop the app", _move("app stop"), _MOVES),
        Command("status", "Display the status of the app", _show("app status"), _SHOWN),
        Command("apply-config", "Apply changed settings; restarts the app", _move("app apply-config"), _MOVES),
    )


def _app_config() -> Command:
    hidden = Flag("hidden", "Export hidden and password items, too")
    skip = Flag("skip-validation", "Do not validate the settings")
    values = (
        Flag("value", "Value of the item", "strings"),
        Flag("data", "Base64 encoded contents of a file item", "strings"),
    )
    group = Flag("group", "Only this group", "string", "g")
    return Command("app-config", "Manage the settings of the app").add(
        Command("export", "Print the settings", _show("app-config export", "hidden"), (hidden, *_SHOWN)),
        Command("import", "Import settings from stdin", _feed("app-config import", "skip-validation"), (skip,)),
        Command("set", "Set one item", _show("app-config set", "name", "value", "data"), values, ("name",)),
        Command("view", "Print groups and items", _show("app-config view", "group"), (group, *_SHOWN)),
    )


def _others() -> list[Command]:
    package = Flag("airgap-package", "Path of the airgap package", "string")
    load = _feed("license load", "airgap-package")
    return [
        Command("app-release", "Manage releases of the app").add(
            Command("ls", "List releases", _show("app-release ls"), _SHOWN),
            *(Command(name, name.title(), _unknown(f"app-release {name}")) for name in ("apply", "inspect", "notes")),
        ),
        Command("console-auth", "Manage how one logs in to the console").add(
            Command("export", "Print it", _show("console-auth export"), _SHOWN),
            Command("import", "Set it from stdin", _feed("console-auth import")),
            Command("reset", "Remove it", _show("console-auth reset")),
        ),
        Command("license", "Manage the license").add(
            Command("inspect", "Print it", _show("license inspect"), _SHOWN),
            Command("activate", "Activate", _unknown("license activate")),
        ),
        Command("license-load", "Load a license from stdin", load, (package,)),
        Command("params", "Manage the daemon's parameters").add(
            Command("export", "Print them", _show("params export"), _SHOWN),
            Command("import", "Set them from stdin", _feed("params import")),
            Command("set", "Set one", _show("params set", "name", "value"), (), ("name", "value")),
            Command("unset", "Remove one", _show("params unset", "name"), (), ("name",)),
        ),
        Command("preflight", "Manage preflight checks").add(
            *(Command(name, name.title(), _show(f"preflight {name}"), _SHOWN) for name in ("run", "status")),
            Command("dismiss", "Dismiss", _show("preflight dismiss")),
        ),
        Command("snapshot", "Manage snapshots").add(
            *(Command(name, name.title(), _unknown(f"snapshot {name}")) for name in _SNAPSHOT)
        ),
        Command("support-bundle", "Make a support bundle", _show("support-bundle"), _SHOWN),
        Command("system", "Display the state of the system").add(
            Command("status", "Display the status of Replicated", _show("system status"), _SHOWN)
        ),
        Command("task", "Manage tasks").add(
            Command("ls", "List tasks", _show("task ls"), _SHOWN),
            Command("inspect", "Display one", _show("task inspect", "id"), _SHOWN, ("id",)),
            Command("attach", "Follow one", _attach, (), ("id",)),
        ),
        Command("version", "Print the version", _version),
    ]


_SNAPSHOT = ("ls", "start", "restore", "rm", "list-files")


def main(words: Sequence[str]) -> int:
    """The whole command line."""
    root = Command("replicatedctl", "Command line of Replicated (a stand-in)")
    root.add(_app(), _app_config(), *_others())
    try:
        return execute(root, [_HOST], words)
    except BrokenPipeError:
        return 1
