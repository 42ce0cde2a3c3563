# Compares a file as it is with the file as it shall be, by meaning; changes nothing. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["MERGERS", "Plan", "Present", "Wanted", "compare", "look"]

import difflib
import grp
import os
import pwd
import stat
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._assignments import (
    merge_assignments,
    read_assignments,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._differences import ABSENT, differences
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file, stricter_mode
from ansible_collections.circleci_server.ops.plugins.module_utils._hcl import parse_hcl
from ansible_collections.circleci_server.ops.plugins.module_utils._json_merge import merge_json, read_json, write_json
from ansible_collections.circleci_server.ops.plugins.module_utils._systemd_unit import parse_unit

READERS: Dict[str, Callable[[str], Any]] = {
    "json": read_json,
    "hcl": parse_hcl,
    "systemd": parse_unit,
    "assignments": read_assignments,
}
# What can be merged: (the file's text, what its reader made of it, ours) -> the new text.
MERGERS: Dict[str, Callable[[str, Any, Any], str]] = {
    "json": lambda text, theirs, ours: write_json(merge_json(theirs, ours), like=text),
    "assignments": lambda text, _theirs, ours: merge_assignments(text, ours),
}
# Comparing two files line by line takes time by the square of their lengths.
COUNTED_LINES = 2000


class Wanted(NamedTuple):
    """One file as it shall be. mode None: the default, or what the file has where that allows less."""

    dest: str
    state: str = "present"
    content: bytes = b""
    mode: Optional[int] = None
    user: str = "root"
    group: str = "root"
    compare: str = "text"
    merge: bool = False
    secret: bool = False
    validate: Optional[Dict[str, Any]] = None
    owes: Optional[Dict[str, Any]] = None

    @property
    def default_mode(self) -> int:
        if self.state == "directory":
            return 0o755
        return 0o600 if self.secret else 0o644


class Present(NamedTuple):
    """What stands at a path. kind: absent, file, directory, link (a symbolic one to nothing) or other."""

    kind: str
    content: bytes = b""
    mode: int = 0
    user: str = ""
    group: str = ""


class Plan(NamedTuple):
    """What is to be done with one file. content None: what is in it stays as it is."""

    wanted: Wanted
    present: Present
    content: Optional[bytes]
    mode: int
    changes: List[str]
    diff: List[Dict[str, str]]

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    @property
    def changes_content(self) -> bool:
        """True when a file is written or removed, false when only its mode or ownership changes."""
        return self.content is not None or (self.wanted.state == "absent" and self.changed)


def look(dest: str) -> Present:
    """What stands at a path now; a symbolic link counts as what it leads to."""
    try:
        status = os.stat(dest)
    except FileNotFoundError:
        return Present("link" if os.path.islink(dest) else "absent")
    except OSError as error:
        raise OpsError("{0} cannot be read: {1}".format(dest, error.strerror)) from error
    mode, user, group = stat.S_IMODE(status.st_mode), _user_name(status.st_uid), _group_name(status.st_gid)
    if stat.S_ISREG(status.st_mode):
        return Present("file", read_file(dest) or b"", mode, user, group)
    if stat.S_ISDIR(status.st_mode):
        return Present("directory", b"", mode, user, group)
    return Present("other")


def compare(wanted: Wanted, present: Present) -> Plan:
    """The plan for one file. Raises OpsError where what stands there cannot become what is wanted."""
    _refuse_other_kinds(wanted, present)
    if wanted.state == "absent":
        return _removal(wanted, present)
    mode = _mode(wanted, present)
    if wanted.state == "directory":
        if present.kind == "absent":
            changes = ["{0}: {1} -> directory".format(wanted.dest, ABSENT)]
            return Plan(wanted, present, None, mode, changes, _diff(wanted.dest, "", "directory\n"))
        attributes = _attribute_changes(wanted, present, mode)
        return Plan(wanted, present, None, mode, _sentences(wanted, attributes), _attribute_diff(wanted, attributes))
    content, changes = _content(wanted, present)
    diff = [] if content is None else _content_diff(wanted, present, content)
    attributes = _attribute_changes(wanted, present, mode) if present.kind == "file" else {}
    return Plan(
        wanted,
        present,
        content,
        mode,
        ["{0}: {1}".format(wanted.dest, change) for change in changes] + _sentences(wanted, attributes),
        diff + _attribute_diff(wanted, attributes),
    )


def _refuse_other_kinds(wanted: Wanted, present: Present) -> None:
    fitting = {
        "present": ("absent", "file"),
        "directory": ("absent", "directory"),
        "absent": ("absent", "file", "link"),
    }[wanted.state]
    if present.kind in fitting:
        return
    what = {
        "file": "a file",
        "directory": "a directory",
        "link": "a symbolic link to nothing",
        "other": "neither a file nor a directory (a masked unit is a link to /dev/null)",
    }[present.kind]
    raise OpsError(
        "{0} is {1}".format(wanted.dest, what),
        option="state",
        value=wanted.state,
        remedy="Look at what stands there and move it away, or name another dest",
    )


def _removal(wanted: Wanted, present: Present) -> Plan:
    if present.kind == "absent":
        return Plan(wanted, present, None, 0, [], [])
    before = "symbolic link\n" if present.kind == "link" else _shown(wanted, present.content)
    changes = ["{0}: {1} -> {2}".format(wanted.dest, present.kind, ABSENT)]
    return Plan(wanted, present, None, 0, changes, _diff(wanted.dest, before, ""))


def _mode(wanted: Wanted, present: Present) -> int:
    if wanted.mode is not None:
        return wanted.mode
    if present.kind == "absent":
        return wanted.default_mode
    return stricter_mode(wanted.default_mode, present.mode)


def _content(wanted: Wanted, present: Present) -> tuple[Optional[bytes], List[str]]:
    """The new bytes (None: leave the file alone) and what changes by them, in words."""
    ours = _read(wanted, wanted.content, "what is to be written")
    if present.kind == "absent":
        return _new_content(wanted, ours), ["{0} -> {1}".format(ABSENT, "secret file" if wanted.secret else "file")]
    if wanted.content == present.content:
        return None, []
    if wanted.compare == "text":
        return wanted.content, [_text_change(wanted, present)]
    try:
        theirs = READERS[wanted.compare](present.content.decode("utf-8"))
    except ValueError as error:
        if wanted.merge:
            raise OpsError(
                "{0} is to be merged into, but cannot be read as {1}{2}".format(
                    wanted.dest, wanted.compare, "" if wanted.secret else ": {0}".format(error)
                ),
                option="merge",
                value=True,
                remedy="Repair the file, or move it away to have it written anew",
            ) from error
        why = "" if wanted.secret else ": {0}".format(error)
        return wanted.content, ["is replaced, because it cannot be read as {0}{1}".format(wanted.compare, why)]
    return _changed_meaning(wanted, present, theirs, ours)


def _changed_meaning(wanted: Wanted, present: Present, theirs: Any, ours: Any) -> tuple[Optional[bytes], List[str]]:
    if wanted.merge and not isinstance(theirs, dict):
        raise OpsError(
            "{0} is to be merged into, but holds no JSON object".format(wanted.dest),
            option="merge",
            value=True,
            remedy="Repair the file, or move it away to have it written anew",
        )
    content, after = wanted.content, ours
    if wanted.merge:
        content = _merged(wanted, present.content.decode("utf-8"), theirs, ours)
        after = READERS[wanted.compare](content.decode("utf-8"))
    changes = differences(theirs, after)
    if not changes:
        return None, []
    return content, ["secret content differs"] if wanted.secret else changes


def _merged(wanted: Wanted, text: str, theirs: Any, ours: Any) -> bytes:
    try:
        return MERGERS[wanted.compare](text, theirs, ours).encode("utf-8")
    except ValueError as error:
        raise OpsError(
            "{0}: {1}".format(wanted.dest, error),
            option="content",
            remedy="Correct the value in the variable it is from",
        ) from error


def _new_content(wanted: Wanted, ours: Any) -> bytes:
    # Merged into nothing: a null, which takes a key away, is not written.
    return _merged(wanted, "", {}, ours) if wanted.merge else wanted.content


def _read(wanted: Wanted, content: bytes, what: str) -> Any:
    if wanted.compare == "text":
        return None
    # What is merged is an object of names and values, whatever the file's own form is.
    reader = read_json if wanted.merge else READERS[wanted.compare]
    try:
        value = reader(content.decode("utf-8"))
    except ValueError as error:
        why = "" if wanted.secret else ": {0}".format(error)
        raise OpsError(
            "{0}: {1} cannot be read as {2}{3}".format(wanted.dest, what, wanted.compare, why),
            option="compare",
            value=wanted.compare,
            remedy="Correct the content or its template",
        ) from error
    if wanted.merge and not isinstance(value, dict):
        raise OpsError(
            "{0}: {1} is no JSON object".format(wanted.dest, what),
            option="merge",
            value=True,
            remedy="Give an object, or set merge to false",
        )
    return value


def _text_change(wanted: Wanted, present: Present) -> str:
    if wanted.secret:
        return "secret content differs"
    before, after = _text(present.content), _text(wanted.content)
    if before is None or after is None:
        return "content differs ({0} bytes -> {1} bytes)".format(len(present.content), len(wanted.content))
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > COUNTED_LINES:
        return "content differs ({0} lines -> {1} lines)".format(len(old), len(new))
    lines = [line for line in difflib.ndiff(old, new) if line[:2] in ("- ", "+ ")]
    gone = sum(line.startswith("-") for line in lines)
    return "content differs (-{0} +{1} lines)".format(gone, len(lines) - gone)


def _content_diff(wanted: Wanted, present: Present, content: bytes) -> List[Dict[str, str]]:
    before = "" if present.kind == "absent" else _shown(wanted, present.content)
    if wanted.secret and before:
        return _diff(wanted.dest, "", "(secret content differs)\n")
    return _diff(wanted.dest, before, _shown(wanted, content))


def _attribute_changes(wanted: Wanted, present: Present, mode: int) -> Dict[str, tuple[str, str]]:
    pairs = {
        "mode": ("{0:04o}".format(present.mode), "{0:04o}".format(mode)),
        "user": (present.user, wanted.user),
        "group": (present.group, wanted.group),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _sentences(wanted: Wanted, changes: Dict[str, tuple[str, str]]) -> List[str]:
    return ["{0}: {1}: {2} -> {3}".format(wanted.dest, name, old, new) for name, (old, new) in changes.items()]


def _attribute_diff(wanted: Wanted, changes: Dict[str, tuple[str, str]]) -> List[Dict[str, str]]:
    if not changes:
        return []
    before = "".join("{0}: {1}\n".format(name, old) for name, (old, _new) in changes.items())
    after = "".join("{0}: {1}\n".format(name, new) for name, (_old, new) in changes.items())
    return _diff(wanted.dest, before, after)


def _diff(dest: str, before: str, after: str) -> List[Dict[str, str]]:
    return [
        {
            "before": before,
            "after": after,
            "before_header": dest + " (as it is)",
            "after_header": dest + " (as it will be)",
        }
    ]


def _shown(wanted: Wanted, content: bytes) -> str:
    if wanted.secret:
        return "(secret content)\n"
    text = _text(content)
    return "(binary content of {0} bytes)\n".format(len(content)) if text is None else text


def _text(content: bytes) -> Optional[str]:
    """The content as text, None when it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
