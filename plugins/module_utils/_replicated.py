# Speaks to Replicated's daemon through replicatedctl: the app's status, its settings, the form they are in. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The subcommands and what they print are those of facts 4. Of exit codes only zero and non-zero are relied on. What
# `app-config view` prints is in no fact: its shape is assumed in _form_of() alone, and nothing breaks where it differs.

from __future__ import annotations

__all__ = [
    "PROGRAM",
    "AppStatus",
    "Form",
    "FormItem",
    "Look",
    "call",
    "export_settings",
    "import_settings",
    "look",
    "look_until_ready",
    "not_ready",
    "program",
    "version",
    "view_form",
    "view_items",
    "wait_until_ready",
]

import json
import re
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed, find_program, run

PROGRAM = "replicatedctl"
# Between two looks at a daemon that does not answer yet; there is nothing on its side to wait on.
LOOK_SECONDS = 0.5
SHOWN_LENGTH = 600
MASK = "********"
# A shorter text that is no secret ("1", "aws") stands in other words too; taking it out would leave nothing to read.
SHORTEST_TEXT = 4
FULL_DISK = re.compile(r"(?i)no space left|ENOSPC|disk (?:is )?full|quota exceeded")


class AppStatus(NamedTuple):
    """One look at `replicatedctl app status` (facts 4)."""

    app_id: str
    sequence: int
    state: str
    desired: str
    error: str
    transitioning: bool

    @property
    def up(self) -> bool:
        """Whether the app runs: `started` alone is not enough, it may still be starting (facts 4)."""
        return self.state == "started" and not self.transitioning and not self.error


class Look(NamedTuple):
    """What a look at the app gave.

    status:  None when there is none to be had.
    problem: why not, in words; "" when there is a status.
    empty:   the daemon answers, and has no app yet.
    """

    status: Optional[AppStatus]
    problem: str
    empty: bool = False


class FormItem(NamedTuple):
    """One item of the settings page. multiple None: not told. choices: empty when they are not told."""

    type: str
    multiple: Optional[bool] = None
    hidden: bool = False
    choices: Tuple[str, ...] = ()


class Form(NamedTuple):
    """The settings page: items by name; None when it could not be read, and why."""

    items: Optional[Dict[str, FormItem]]
    problem: str


def program() -> str:
    """The path of replicatedctl, wherever the PATH of this session points. Raises OpsError when there is none."""
    path = find_program(PROGRAM)
    if path is None:
        raise OpsError(
            "the program {0} was not found on this host (looked in PATH and /usr/local/bin)".format(PROGRAM),
            remedy="Install Replicated with role services_host; its script may be run again to repair an installation",
        )
    return path


def call(*argv: str, timeout: float = 60, input_text: Optional[str] = None) -> Completed:
    """Run replicatedctl. Raises OpsError when it is missing or does not end in time, not for a non-zero exit code."""
    return run([program()] + list(argv), timeout=timeout, input_text=input_text)


def look(timeout: float = 20) -> Look:
    """One look at the app. Raises nothing for a daemon that is down, not ready, slow, or talks nonsense."""
    try:
        done = call("app", "status", timeout=timeout)
    except OpsError as error:
        return Look(None, error.message)
    if done.rc != 0:
        return Look(None, _words(done) or "{0} app status failed and said nothing".format(PROGRAM))
    return _status_of(done.stdout)


def _silent(_text: str) -> None:
    """Nobody is told."""


def wait_until_ready(timeout: float, progress: Callable[[str], None] = _silent) -> Optional[AppStatus]:
    """Look until the daemon answers; None when it answers and has no app yet (no licence is activated).

    timeout:  seconds, after which OpsError is raised; there is always one look.
    progress: gets a line when what stands in the way changes.
    Raises OpsError at once when replicatedctl is missing.
    """
    seen = look_until_ready(timeout, progress)
    if seen.status is None and not seen.empty:
        raise not_ready(seen.problem, timeout)
    return seen.status


def look_until_ready(timeout: float, progress: Callable[[str], None] = _silent) -> Look:
    """The same without an error: the first look that the daemon answers, or the last one in that time."""
    program()
    deadline = time.monotonic() + timeout
    told = ""
    while True:
        seen = look(timeout=max(1.0, min(20.0, deadline - time.monotonic())))
        if seen.status is not None or seen.empty or time.monotonic() + LOOK_SECONDS > deadline:
            return seen
        if seen.problem != told:
            told = seen.problem
            progress("Replicated's daemon is not ready: {0}".format(told))
        time.sleep(LOOK_SECONDS)


def not_ready(problem: str, timeout: float) -> OpsError:
    """The error for a daemon that did not answer in time."""
    return OpsError(
        "Replicated's daemon was not ready within {0:g} seconds: {1}".format(timeout, problem),
        remedy="See `systemctl status replicated` and `docker logs replicated` on the host. If it only starts slowly, "
        "raise ready_timeout (seconds)",
    )


def export_settings(hidden: bool, timeout: float) -> Dict[str, Dict[str, Any]]:
    """Item name to `{}` (unset) or its value; password and hidden items come with hidden=True only (facts 4)."""
    done = call("app-config", "export", *(["--hidden"] if hidden else []), timeout=timeout)
    if done.rc != 0:
        # Only what is meant as an error: the other output is the settings themselves.
        raise OpsError(
            "the settings cannot be exported: {0}".format(_shortened(done.stderr) or "replicatedctl gave no reason"),
            remedy="See `{0} app-config export` on the host".format(PROGRAM),
        )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(value is None or isinstance(value, dict) for value in found.values()):
        raise OpsError(
            "`{0} app-config export` printed something else than item names with their values".format(PROGRAM),
            remedy="See its output on the host; this collection reads the form of Replicated 2.34 to 2.38",
        )
    return {str(name): dict(value or {}) for name, value in found.items()}


def import_settings(document: Mapping[str, Any], timeout: float) -> None:
    """Import these items; others stay as they are. The values go through standard input, never through arguments.

    Raises OpsError with replicatedctl's own words, without any value of the document.
    """
    done = call("app-config", "import", timeout=timeout, input_text=json.dumps(document))
    if done.rc == 0:
        return
    words = _without_values(_words(done, shorten=False), document)
    remedy = "Correct what it names; `replicatedctl app-config view` on the host shows what each item takes"
    if FULL_DISK.search(words):
        remedy = "Free space on the file system of /var/lib/replicated (df -h, df -i), then run again"
    raise OpsError(
        "Replicated refused the import of the settings: {0}".format(_shortened(words) or "it gave no reason"),
        remedy=remedy,
    )


def view_items(timeout: float) -> Optional[Dict[str, str]]:
    """Item name to type; None when the settings page could not be read."""
    items = view_form(timeout).items
    return None if items is None else {name: item.type for name, item in items.items()}


def view_form(timeout: float) -> Form:
    """The settings page as `app-config view` tells it."""
    try:
        done = call("app-config", "view", "--output", "json", timeout=timeout)
    except OpsError as error:
        return Form(None, error.message)
    if done.rc != 0:
        return Form(None, _shortened(done.stderr) or "`{0} app-config view` failed".format(PROGRAM))
    try:
        return Form(_form_of(json.loads(done.stdout)), "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return Form(None, "`{0} app-config view` printed an unknown shape".format(PROGRAM))


def version() -> str:
    """The first x.y.z that `replicatedctl version` prints; "" when there is none."""
    try:
        done = call("version", timeout=20)
    except OpsError:
        return ""
    found = re.search(r"\d+\.\d+\.\d+", done.stdout) if done.rc == 0 else None
    return found.group() if found else ""


def _status_of(text: str) -> Look:
    """A list of one object (facts 4)."""
    nonsense = Look(None, "`{0} app status` printed something else than a status".format(PROGRAM))
    try:
        rows = json.loads(text)
    except ValueError:
        return nonsense
    if rows == [] or rows is None:
        return Look(None, "Replicated has no application yet", empty=True)
    row = rows[0] if isinstance(rows, list) else rows
    if not isinstance(row, dict) or not isinstance(row.get("State"), str):
        return nonsense
    sequence = row.get("Sequence")
    return Look(
        AppStatus(
            app_id=str(row.get("AppID") or ""),
            sequence=sequence if isinstance(sequence, int) else 0,
            state=row["State"],
            desired=str(row.get("DesiredState") or ""),
            error=str(row.get("Error") or ""),
            transitioning=bool(row.get("IsTransitioning")),
        ),
        "",
    )


def _form_of(groups: Any) -> Dict[str, FormItem]:
    """ASSUMED, here and nowhere else: a list of groups, each with `items`, each of them with `name` and `type`.

    An item of a type that offers choices may have `items` of its own, as on the settings page (rep): those of
    select_many are boxes to tick, those of other types are the values to choose from. Raises for another shape.
    """
    if not isinstance(groups, list) or not groups:
        raise ValueError("no list of groups")
    found: Dict[str, FormItem] = {}
    for group in groups:
        for row in group["items"]:
            found[_name(row["name"])] = _form_item(row)
            if row["type"] == "select_many":
                found.update({_name(box["name"]): FormItem("bool") for box in row.get("items") or []})
    return found


def _form_item(row: Mapping[str, Any]) -> FormItem:
    multiple = row.get("multiple")
    inner = [] if row["type"] == "select_many" else row.get("items") or []
    return FormItem(
        type=_name(row["type"]),
        multiple=multiple if isinstance(multiple, bool) else None,
        hidden=row.get("hidden") is True,
        choices=tuple(_name(choice["name"]) for choice in inner),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no name")
    return value


def _words(done: Completed, shorten: bool = True) -> str:
    """What the program says went wrong."""
    text = done.stderr.strip() or done.stdout.strip()
    return _shortened(text) if shorten else text


def _shortened(text: str) -> str:
    text = " ".join(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."


def _without_values(text: str, document: Mapping[str, Any]) -> str:
    """The text without any value that was sent, as it is and as programs quote it."""
    forms = {form for value in _values(document) for form in (value, repr(value)[1:-1], json.dumps(value)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= SHORTEST_TEXT:
            text = text.replace(form, MASK)
        elif form.strip() and form not in ("0", "1"):
            text = re.sub(r"(?<!\w){0}(?!\w)".format(re.escape(form)), MASK, text)
    return text


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item)
    elif isinstance(value, str):
        yield value
        yield from _lines(value)


def _lines(value: str) -> List[str]:
    return [line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_TEXT]
