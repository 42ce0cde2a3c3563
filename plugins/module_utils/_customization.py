# Customizations of services: compares the files with what is wanted, writes, records what must restart. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The one writer of /etc/circleconfig/*/customizations and of /etc/circle-installation-customizations.
# compare() is pure; customize() reads and compares all files and only then writes.

from __future__ import annotations

__all__ = ["FilePlan", "compare", "customize"]

import contextlib
import os
from typing import Any, ContextManager, Dict, List, Mapping, NamedTuple, Optional, Set

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._customization_request import (
    INSTALLATION,
    Request,
    Wanted,
    requested,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import (
    FileState,
    read_state,
    stricter_mode,
    write_atomic,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    as_rows,
    owe,
    written,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import run
from ansible_collections.circleci_server.ops.plugins.module_utils._shell import (
    MARKER,
    Assignment,
    Line,
    Statement,
    line_for,
    owner_of,
    parse,
    quote,
    without,
)

FILE_NAME = "customizations"
MASK = "********"
DIRECTORY_MODE = 0o755


class FilePlan(NamedTuple):
    """What one file becomes.

    content:  the file's text afterwards.
    changes:  a sentence for each change.
    before, after: lines of the diff, secrets masked.
    warnings: what was left alone although it was asked for.
    opaque:   the file has statements that were not read completely.
    """

    content: str
    changes: List[str]
    before: List[str]
    after: List[str]
    warnings: List[str]
    opaque: bool


# The comparison (pure)


class _Found(NamedTuple):
    """One assignment of a key in a file."""

    position: int
    line: Line
    statement: Statement
    assignment: Assignment
    owner: Optional[str]


class _File:
    """A parsed file with the questions that the comparison asks."""

    def __init__(self, label: str, path: str, text: str) -> None:
        self.label = label
        self.path = path
        self.text = text
        try:
            self.lines = parse(text)
        except OpsError as error:
            raise OpsError(
                "{0}: {1}; nothing was written".format(path, error.message),
                remedy="Correct that line by hand, then run again",
                facts=error.facts,
            ) from error

    def found(self, key: str) -> List[_Found]:
        return [one for one in self.assignments() if one.assignment.name == key]

    def assignments(self) -> List[_Found]:
        return [
            _Found(index, line, statement, assignment, owner_of(line))
            for index, line in enumerate(self.lines)
            for statement in line.statements
            for assignment in statement.assignments
        ]

    def blockers(self, key: str) -> List[Statement]:
        """Statements that cannot be read and that may touch the key, in their order."""
        statements = [statement for line in self.lines for statement in line.statements]
        return [one for one in statements if one.opaque is not None and one.opaque.touches(key)]

    def exported(self, key: str) -> bool:
        """Whether the key reaches the programs that the shell starts."""
        exported = all_export = False
        for line in self.lines:
            for statement in line.statements:
                if statement.all_export is not None:
                    all_export = statement.all_export
                assigned = any(assignment.name == key for assignment in statement.assignments)
                exported = exported or key in statement.exports or (assigned and (statement.exporting or all_export))
        return exported

    def after(self, found: _Found, blockers: List[Statement]) -> bool:
        """Whether the assignment stands after all that may touch its key, so that it wins."""
        return not blockers or blockers[-1].start < found.statement.start


class _Edit:
    """Collects what happens to a file's lines."""

    def __init__(self) -> None:
        self.drops: Dict[int, Set[str]] = {}
        self.inserts: Dict[int, List[str]] = {}
        self.appends: List[str] = []
        self.plan = FilePlan("", [], [], [], [], False)

    def drop(self, found: List[_Found]) -> None:
        for one in found:
            if one.assignment.value is not None:
                self.drops.setdefault(one.position, set()).add(one.assignment.name)

    def finish(self, file: _File) -> FilePlan:
        if not self.drops and not self.appends:
            return self.plan._replace(content=file.text)
        opaque = any(statement.opaque is not None for line in file.lines for statement in line.statements)
        pieces = []
        for index, line in enumerate(file.lines):
            pieces.extend(self.inserts.get(index, []))
            if index in self.drops:
                pieces.append(without(file.text, line, self.drops[index]))
            else:
                pieces.append(file.text[line.start : line.end])
        text = "".join(pieces)
        # A last line without its end, or one that ends with a backslash, would run on into ours.
        if self.appends and text and (not text.endswith("\n") or text.endswith("\\\n")):
            text += "\n"
        return self.plan._replace(content=text + "".join(self.appends), opaque=opaque)


def compare(label: str, path: str, text: str, wanted: Mapping[str, Wanted], request: Request) -> FilePlan:
    """What a file's text becomes. Reads and writes nothing.

    Raises OpsError for a file that cannot be read as shell, for a line that may touch a key of ours, and for a key
    that another owner wants to have another value.
    """
    file = _File(label, path, text)
    edit = _Edit()
    if request.state == "present":
        for key, value in wanted.items():
            _set(file, edit, key, value, request)
    else:
        for key in wanted:
            _warn_about_others(file, edit, key, request.owner)
    gone = [
        one
        for one in file.assignments()
        if one.owner == request.owner
        and (one.assignment.name not in wanted if request.state == "present" else True)
        and (request.purge or one.assignment.name in wanted)
    ]
    for one in gone:
        edit.drop([one])
        edit.plan.before.append(_shown(one, wanted.get(one.assignment.name)))
        edit.plan.changes.append("{0}: {1} removed".format(label, one.assignment.name))
    return edit.finish(file)


def _set(file: _File, edit: _Edit, key: str, wanted: Wanted, request: Request) -> None:
    blockers = file.blockers(key)
    _refuse_blocked(file, key, blockers, request.keep)
    found = file.found(key)
    _refuse_conflict(file, key, wanted, found, request.owner)
    last = found[-1] if found else None
    if last is not None and last.assignment.value == wanted.value and file.exported(key) and file.after(last, blockers):
        return
    edit.drop(found)
    line = line_for(key, wanted.value, request.owner)
    # Ours stands before the rest of its line, so what may touch the key must stand on an earlier one.
    if last is not None and (not blockers or blockers[-1].end <= last.line.start):
        edit.inserts.setdefault(last.position, []).append(line)
    else:
        edit.appends.append(line)
    edit.plan.before.extend(_shown(one, wanted) for one in found)
    shown = line_for(key, MASK if wanted.secret else wanted.value, request.owner)
    edit.plan.after.append(shown)
    edit.plan.changes.append(_sentence(file, key, wanted, last, request.owner))


def _refuse_blocked(file: _File, key: str, blockers: List[Statement], keep: bool) -> None:
    for statement in blockers:
        opaque = statement.opaque
        if opaque is None or (keep and not opaque.beats(key)):
            continue
        remedy = "Write the line as plain KEY='value' assignments, or remove it"
        trouble = "no value of {0} that is written after it is sure to arrive".format(key)
        if not opaque.beats(key):
            remedy += "; or set unreadable_lines: keep, then {0} is written after it and wins".format(key)
            trouble = "it cannot be read without running it and may change {0}".format(key)
        raise OpsError(
            "{0}, line {1}, {2}: {3}; nothing was written".format(
                file.path, statement.line, _printable(opaque.reason), trouble
            ),
            option="unreadable_lines",
            value="keep" if keep else "refuse",
            remedy=remedy,
            facts={"path": file.path, "line": statement.line},
        )


def _refuse_conflict(file: _File, key: str, wanted: Wanted, found: List[_Found], owner: str) -> None:
    for one in found:
        if one.owner not in (None, owner) and one.assignment.value != wanted.value:
            raise OpsError(
                "{0}, line {1}: {2} wants another value for {3} than {4} does; nothing was written".format(
                    file.path, one.statement.line, one.owner, key, owner
                ),
                option=wanted.option,
                remedy="Remove {0} from what one of the two owners sets".format(key),
            )


def _warn_about_others(file: _File, edit: _Edit, key: str, owner: str) -> None:
    for one in file.found(key):
        if one.owner != owner:
            edit.plan.warnings.append(
                "{0}, line {1}: {2} belongs to {3} and stays; state: absent removes lines of {4} only".format(
                    file.path, one.statement.line, key, one.owner or "a person", owner
                )
            )


def _shown(one: _Found, wanted: Optional[Wanted]) -> str:
    """A line for the diff. Only the value of a key that is given, and not as a secret, in this call is shown."""
    note = "set by hand, line {0}".format(one.statement.line) if one.owner is None else MARKER + " " + one.owner
    value = MASK if wanted is None or wanted.secret else one.assignment.value
    shown = "(cannot be read)" if value is None else quote(value)
    return "export {0}={1}  # {2}\n".format(one.assignment.name, shown, note)


def _sentence(file: _File, key: str, wanted: Wanted, last: Optional[_Found], owner: str) -> str:
    text = "{0}: {1} set to {2}".format(file.label, key, MASK if wanted.secret else repr(wanted.value))
    if last is None:
        return text
    if last.assignment.value is None:
        was = "could not be read"
    elif last.assignment.value == wanted.value:
        was = "was so, but not exported" if not file.exported(key) else "was so, but other lines came after it"
    else:
        was = "was {0}".format(MASK if wanted.secret else repr(last.assignment.value))
    if last.owner != owner:
        was += ", set by hand on line {0} and adopted".format(last.statement.line)
    return "{0} ({1})".format(text, was)


# Reading and writing


class _Work(NamedTuple):
    """One file with its state and plan."""

    target: str
    path: str
    state: FileState
    plan: FilePlan
    mode: int

    @property
    def rewritten(self) -> bool:
        return _text_of(self.state) != self.plan.content

    @property
    def restricted(self) -> bool:
        return self.state.exists and self.mode != self.state.mode


def customize(
    options: Mapping[str, Any], check: bool, pending_file: str = PENDING_FILE, lock_file: str = LOCK_FILE
) -> Dict[str, Any]:
    """Bring all files to what the options say.

    Returns changed, changes, diff, changed_services, files, owed and warnings. Every file is read and compared before
    the first write; what must restart is recorded before it too. Check mode takes no lock and writes nothing.
    """
    request = requested(options)
    lock: ContextManager[None] = contextlib.nullcontext()
    if not check:
        lock = host_lock("circleci_customization", options["lock_timeout"], lock_file)
    with lock:
        works = _compare_all(options, request)
        entries = _entries(works, request.owner, options["restart_when"])
        if not check:
            _write_all(works, entries, pending_file)
    return _result(works, entries, request, options)


def _compare_all(options: Mapping[str, Any], request: Request) -> List[_Work]:
    works = []
    for target in _targets(options, request):
        path = _path(options, target)
        state = read_state(path)
        wanted = request.files.get(target, {})
        plan = compare(target, path, _text_of(state), wanted, request)
        secrets = request.state == "present" and any(value.secret for value in wanted.values())
        works.append(_Work(target, path, state, plan, _mode(state, secrets, request.secret_mode)))
    for work in works:
        if work.rewritten and work.plan.opaque:
            _refuse_broken(work)
    return [work for work in works if work.rewritten or work.restricted or work.plan.warnings]


def _refuse_broken(work: _Work) -> None:
    """Let the host's shell look at the grammar of what this module does not read: -n reads and runs nothing."""
    done = run(["sh", "-n"], input_text=work.plan.content)
    if done.rc != 0:
        raise OpsError(
            "{0} would stop at an error in its own lines: {1}; nothing was written".format(
                work.path, _printable(done.stderr.strip())
            ),
            remedy="Correct the line by hand, then run again",
            facts={"path": work.path},
        )


def _targets(options: Mapping[str, Any], request: Request) -> List[str]:
    """The files of the request; for a purge also every other file that holds lines of the owner."""
    targets = sorted(target for target in request.files if target != INSTALLATION)
    if INSTALLATION in request.files:
        targets.append(INSTALLATION)
    if request.purge:
        directory = options["config_dir"]
        others = [INSTALLATION] + (sorted(os.listdir(directory)) if os.path.isdir(directory) else [])
        targets.extend(
            name for name in others if name not in targets and _is_marked(_path(options, name), request.owner)
        )
    return targets


def _is_marked(path: str, owner: str) -> bool:
    return os.path.isfile(path) and "{0} {1}".format(MARKER, owner) in _text_of(read_state(path))


def _path(options: Mapping[str, Any], target: str) -> str:
    if target == INSTALLATION:
        return str(options["installation_file"])
    return os.path.join(options["config_dir"], target, FILE_NAME)


def _text_of(state: FileState) -> str:
    return (state.content or b"").decode("utf-8", "surrogateescape")


def _mode(state: FileState, secrets: bool, secret_mode: int) -> int:
    if not state.exists:
        return secret_mode if secrets else 0o644
    return stricter_mode(secret_mode, state.mode) if secrets else state.mode


def _entries(works: List[_Work], owner: str, when: str) -> List[Entry]:
    """The restarts that the changed files cause: each service's container, for each file that it reads."""
    entries: List[Entry] = []
    for work in works:
        if work.rewritten:
            reason = "{0} changed".format(work.path)
            entries.extend(Entry("container", name, owner, reason, when) for name in _services(work.target))
    return entries


def _services(target: str) -> List[str]:
    if target == INSTALLATION:
        return catalogue.services_reading_installation_file()
    known = catalogue.resolve(target)
    return [known.name if known else target]


def _write_all(works: List[_Work], entries: List[Entry], pending_file: str) -> None:
    if entries:
        owe(entries, pending_file)
    for work in works:
        _write(work)
    if entries:
        written(entries, pending_file)


def _write(work: _Work) -> None:
    try:
        if work.rewritten:
            _make_directory(os.path.dirname(work.path))
        elif work.restricted:
            os.chmod(work.path, work.mode)
    except OSError as error:
        raise OpsError("{0} cannot be written: {1}".format(error.filename or work.path, error.strerror)) from error
    if work.rewritten:
        write_atomic(work.path, work.plan.content.encode("utf-8", "surrogateescape"), work.mode)


def _make_directory(path: str) -> None:
    """Make a directory and those above it that containers can read, whatever the umask is."""
    if not os.path.isdir(path):
        _make_directory(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, DIRECTORY_MODE)


def _result(works: List[_Work], entries: List[Entry], request: Request, options: Mapping[str, Any]) -> Dict[str, Any]:
    touched = [work for work in works if work.rewritten or work.restricted]
    if options["allow_short_secrets"]:
        return {"changed": bool(touched)}
    changes = []
    for work in touched:
        changes.extend(work.plan.changes)
        if work.restricted:
            changes.append("{0}: mode {1:04o} -> {2:04o}".format(work.target, work.state.mode, work.mode))
    warnings = _heap_warnings(request) + [warning for work in works for warning in work.plan.warnings]
    return {
        "changed": bool(touched),
        "changes": [_printable(change) for change in changes],
        "changed_services": list(dict.fromkeys(entry.target for entry in entries)),
        "files": [work.path for work in touched],
        "owed": as_rows(entries),
        "diff": [_diff(work) for work in touched],
        "warnings": [_printable(warning) for warning in warnings],
    }


def _heap_warnings(request: Request) -> List[str]:
    warnings = []
    for target, settings in request.files.items():
        known = catalogue.resolve(target) if target != INSTALLATION else None
        if known is not None and not known.reads_heap and "JVM_HEAP_SIZE" in settings:
            warnings.append(
                "{0}: the guide says of {1} only that they read JVM_HEAP_SIZE; it may be without effect".format(
                    settings["JVM_HEAP_SIZE"].option, " and ".join(catalogue.services_reading_heap())
                )
            )
    return warnings


def _diff(work: _Work) -> Dict[str, str]:
    header = work.path if work.state.exists else work.path + " (absent)"
    before, after = "".join(work.plan.before), "".join(work.plan.after)
    if work.restricted:
        before, after = "mode {0:04o}\n".format(work.state.mode) + before, "mode {0:04o}\n".format(work.mode) + after
    return {
        "before": _printable(before),
        "after": _printable(after),
        "before_header": header,
        "after_header": work.path,
    }


def _printable(text: str) -> str:
    """The text with bytes that are no UTF-8 shown as replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
