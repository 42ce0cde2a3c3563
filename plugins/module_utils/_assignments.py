# Reads, merges and writes files of plain KEY=value lines that a shell and systemd both read. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# /etc/default/NAME (Debian family) and /etc/sysconfig/NAME (RHEL family) are sourced by init scripts and named as
# EnvironmentFile by units. Double quotes with \ " $ and ` escaped are what both read alike (facts 4, 11).

from __future__ import annotations

__all__ = ["AssignmentsError", "merge_assignments", "quote_for_both", "read_assignments"]

import re
from typing import Any, Dict, Mapping, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils import _shell as shell
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class AssignmentsError(ValueError):
    """A text or value that cannot be an assignment; the message says which name, never the value."""


def read_assignments(text: str) -> Dict[str, Optional[str]]:
    """Name to value of every assignment; None for a value that only a shell could tell. Other lines are passed over."""
    return {name: found.value for name, found in _assignments(text).items()}


def merge_assignments(text: str, ours: Mapping[str, Any]) -> str:
    """The text with our values: an assignment is replaced where it stands, a new one comes last, None takes one away.

    Comments and every other line stay as they are. A value is replaced only when it differs.
    """
    for name, value in sorted(ours.items()):
        found = _assignments(text).get(name)
        if value is None:
            text = _without(text, name)
        elif found is None:
            text = _ended(text) + "{0}={1}\n".format(_checked(name), quote_for_both(name, value))
        elif found.value != _text_of(value):
            new = "{0}={1}".format(name, quote_for_both(name, value))
            text = text[: found.start] + new + text[found.end :]
    return text


def quote_for_both(name: str, value: Any) -> str:
    """The value as a shell and systemd's EnvironmentFile both read it back byte for byte."""
    text = _text_of(value)
    if _CONTROL.search(text):
        raise AssignmentsError("the value of {0} has a line break or another control character".format(name))
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _checked(name: str) -> str:
    if not shell.is_name(name):
        raise AssignmentsError("{0!r} is no name of a variable".format(name))
    return name


def _assignments(text: str) -> Dict[str, shell.Assignment]:
    """The last assignment of each name, which is the one that counts."""
    try:
        lines = shell.parse(text)
    except OpsError as error:
        raise AssignmentsError(error.message) from error
    statements = [statement for line in lines for statement in line.statements]
    return {one.name: one for statement in statements for one in statement.assignments}


def _without(text: str, name: str) -> str:
    parts = []
    for line in shell.parse(text):
        assigns = any(one.name == name for statement in line.statements for one in statement.assignments)
        parts.append(shell.without(text, line, {name}) if assigns else text[line.start : line.end])
    return "".join(parts)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
