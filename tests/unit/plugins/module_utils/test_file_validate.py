# Tests of checking a new content by a program: every answer, and no trace left behind.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._file_validate import check_rule, validate

DEST = "/etc/nomad/config.hcl"
# As Nomad 0.12 answers (facts, section 7): it starts, and says one of two sentences.
NOMAD = {
    "argv": [
        "sh",
        "-c",
        'test -d "$1" && case "$(cat "$0")" in good*) echo "Invalid encryption key";; bad*) echo "Error loading '
        'configuration: $0:3 near data" >&2; exit 1;; *) echo "out of memory"; exit 2;; esac',
        "%s",
        "%d",
    ],
    "accept": "Invalid encryption key",
    "refuse": "Error loading configuration",
    "timeout": 20,
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything private is made in here, and must be gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def check(content: bytes, rule: dict[str, Any], secret: bool = False, check_mode: bool = False) -> str | None:
    return validate(DEST, content, rule, secret, check_mode)


def refusal(content: bytes, rule: dict[str, Any], secret: bool = False) -> str:
    with pytest.raises(OpsError) as caught:
        check(content, rule, secret)
    return str(caught.value)


def test_a_good_file_is_accepted() -> None:
    assert check(b"good", NOMAD) is None


def test_a_bad_file_is_refused_with_the_program_s_words_and_the_real_path() -> None:
    message = refusal(b"bad", NOMAD)
    assert "/etc/nomad/config.hcl: sh refused the new content; nothing was written; it said: " in message
    assert "Error loading configuration: /etc/nomad/config.hcl:3 near data" in message
    assert message.endswith("FILE DIRECTORY.")


def test_any_other_answer_is_unknown_and_refused() -> None:
    message = refusal(b"else", NOMAD)
    assert "sh gave an answer that is not known (exit code 2); nothing was written; it said: out of memory" in message


def test_no_answer_in_time_is_refused() -> None:
    rule = {"argv": ["sh", "-c", "exec sleep 30", "%s"], "accept": "x", "timeout": 1, "description": "Nomad"}
    message = refusal(b"", rule)
    assert "Nomad gave no answer (sh did not end within 1 seconds); nothing was written" in message


def test_the_program_has_no_input_to_wait_for() -> None:
    assert check(b"", {"argv": ["sh", "-c", "cat", "%s"], "timeout": 5}) is None


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        pytest.param({}, True, id="exit-0"),
        pytest.param({"exit": 3}, False, id="exit-3"),
        pytest.param({"refuse": "warn"}, True, id="refuse-does-not-match"),
        pytest.param({"refuse": "hel+o"}, False, id="refuse-matches-in-spite-of-exit-0"),
        pytest.param({"refuse": "hello", "accept": "hello"}, False, id="refuse-goes-first"),
        pytest.param({"exit": 3, "accept": "hello"}, True, id="accept-in-spite-of-exit-3"),
    ],
)
def test_what_counts(rule: dict[str, Any], good: bool) -> None:
    rule = {"argv": ["sh", "-c", f"echo hello; exit {rule.pop('exit', 0)}", "%s"], **rule}
    if good:
        assert check(b"x", rule) is None
    else:
        assert "refused the new content" in refusal(b"x", rule)


def test_the_copy_is_private_and_has_the_name_of_the_file() -> None:
    script = 'echo "$(stat -c %a "$1") $(stat -c %a "$(dirname "$1")") $(basename "$1") $(cat "$1") $2"; exit 1'
    message = refusal(b"text", {"argv": ["sh", "-c", script.replace("%a", "%%a"), "x", "%s", "100%%"]})
    assert "600 700 config.hcl text 100%" in message


def test_the_answer_about_a_secret_file_is_not_shown() -> None:
    message = refusal(b"canary-1", {"argv": ["sh", "-c", 'cat "$0"; exit 1', "%s"]}, secret=True)
    assert "it said: (not shown, because the file is secret)" in message
    assert "canary" not in message


def test_only_the_end_of_a_long_answer_is_shown() -> None:
    message = refusal(b"", {"argv": ["sh", "-c", "seq 100000; exit 1", "%s"]})
    assert "99999\n100000" in message and len(message) < 3000


def test_a_missing_program_is_an_error_and_a_note_in_check_mode() -> None:
    rule = {"argv": ["/nowhere/nomad", "%s"]}
    assert check(b"", rule, check_mode=True) == (
        "/etc/nomad/config.hcl: would be checked by /nowhere/nomad, which is not on this host yet"
    )
    message = refusal(b"", rule)
    assert "/etc/nomad/config.hcl cannot be checked: /nowhere/nomad was not found on this host" in message
    assert "Install /nowhere/nomad first, or leave validate out" in message


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param(
            {"argv": []}, "validate.argv = []: /f: the arguments must name the file to check as %s", id="none"
        ),
        pytest.param({"argv": ["nomad", "%d"]}, "must name the file to check as %s", id="no-file"),
        pytest.param(
            {"argv": ["%s"], "accept": "("}, "validate.accept = '(': /f: is no regular expression", id="accept"
        ),
        pytest.param(
            {"argv": ["%s"], "refuse": "["}, "validate.refuse = '[': /f: is no regular expression", id="refuse"
        ),
    ],
)
def test_rules_that_cannot_work_are_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(OpsError) as caught:
        check_rule("/f", rule)
    assert message in str(caught.value)


def test_a_good_rule_passes() -> None:
    check_rule(DEST, NOMAD)
