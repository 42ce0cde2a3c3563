# Has a program check a new file before it takes the old one's place. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["check_rule", "validate"]

import os
import re
import shutil
import tempfile
from typing import Any, Dict, List, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import Completed, find_program, run

PLACEHOLDER = re.compile(r"%([sd%])")
# So much of a program's answer is shown; its end tells most.
SHOWN_CHARACTERS = 2000


def check_rule(dest: str, rule: Dict[str, Any]) -> None:
    """Refuse a rule that cannot work, before anything is done: argv without %s, a pattern that is none."""
    argv = rule.get("argv") or []
    if not argv or not any("%s" in argument for argument in argv):
        raise OpsError(
            "{0}: the arguments must name the file to check as %s".format(dest),
            option="validate.argv",
            value=argv,
            remedy='Put "%s" where the program expects the file, and "%d" where it needs a scratch directory',
        )
    for name in ("accept", "refuse"):
        try:
            re.compile(rule.get(name) or "")
        except re.error as error:
            raise OpsError(
                "{0}: is no regular expression: {1}".format(dest, error),
                option="validate." + name,
                value=rule[name],
                remedy="Correct the pattern; it is a regular expression of Python's",
            ) from error


def validate(dest: str, content: bytes, rule: Dict[str, Any], secret: bool, check: bool) -> Optional[str]:
    """Run the program of a rule on a private copy of the new content, under the file's own name.

    The answer (standard output and standard error) that matches `refuse` refuses the content, one that matches
    `accept` accepts it, any other is unknown and refuses it too. Without patterns the exit code 0 accepts.
    Returns None, or in check mode, where the program is not installed yet, a sentence that says so.
    Raises OpsError with the program's answer; that of a secret file is not shown.
    """
    program = rule["argv"][0]
    if find_program(program) is None:
        if check:
            return "{0}: would be checked by {1}, which is not on this host yet".format(dest, program)
        raise OpsError(
            "{0} cannot be checked: {1} was not found on this host; nothing was written".format(dest, program),
            option="validate.argv",
            value=rule["argv"],
            remedy="Install {0} first, or leave validate out".format(program),
        )
    private = tempfile.mkdtemp(prefix="circleci-server-ops-")
    try:
        copy, scratch = _lay_out(private, dest, content)
        argv = [_fill(argument, copy, scratch) for argument in rule["argv"]]
        try:
            done = run(argv, timeout=rule.get("timeout") or 30)
        except OpsError as error:
            raise _refusal(dest, rule, "gave no answer ({0})".format(error.message), "", secret) from error
        answer = (done.stdout + done.stderr).replace(copy, dest)
        verdict = _verdict(rule, done, answer)
        if verdict:
            raise _refusal(dest, rule, verdict, answer, secret)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return None


def _lay_out(private: str, dest: str, content: bytes) -> List[str]:
    for name in ("file", "scratch"):
        os.mkdir(os.path.join(private, name), 0o700)
    copy = os.path.join(private, "file", os.path.basename(dest))
    with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
    return [copy, os.path.join(private, "scratch")]


def _fill(argument: str, copy: str, scratch: str) -> str:
    values = {"s": copy, "d": scratch, "%": "%"}
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], argument)


def _verdict(rule: Dict[str, Any], done: Completed, answer: str) -> Optional[str]:
    """Why the content is refused, None when it is accepted."""
    accept, refuse = rule.get("accept"), rule.get("refuse")
    if refuse and re.search(refuse, answer):
        return "refused the new content"
    if accept:
        return None if re.search(accept, answer) else "gave an answer that is not known (exit code {0})".format(done.rc)
    return None if done.rc == 0 else "refused the new content (exit code {0})".format(done.rc)


def _refusal(dest: str, rule: Dict[str, Any], verdict: str, answer: str, secret: bool) -> OpsError:
    shown = answer.strip()[-SHOWN_CHARACTERS:]
    if secret:
        shown = "(not shown, because the file is secret)"
    what = rule.get("description") or rule["argv"][0]
    said = "; it said: {0}".format(shown) if shown else ""
    by_hand = " ".join(_fill(argument, "FILE", "DIRECTORY") for argument in rule["argv"])
    return OpsError(
        "{0}: {1} {2}; nothing was written{3}".format(dest, what, verdict, said),
        option="validate.argv",
        value=rule["argv"],
        remedy="Correct the content; by hand: {0}".format(by_hand),
    )
