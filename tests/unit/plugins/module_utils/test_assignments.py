# Tests of files of KEY=value lines: read back by real shells, merged without a line lost.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._assignments import (
    AssignmentsError,
    merge_assignments,
    quote_for_both,
    read_assignments,
)

VENDOR = """# written by the installer
RELEASE_CHANNEL=stable
PRIVATE_ADDRESS=10.0.0.1

REPLICATED_OPTS="-e LOG_LEVEL=info -v /a:/b"  # docker's flags
"""
NAMES = st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,8}\Z").filter(lambda name: name not in ("_", "IFS", "PATH", "PWD", "UID"))
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


def shell_values(shell: str, path: Path, names: list[str]) -> dict[str, str]:
    script = f'. {path}; for name in {" ".join(names)}; do eval "printf \'%s\\\\0\' \\"\\$$name\\""; done'
    out = subprocess.run([shell, "-c", script], capture_output=True, check=True).stdout
    return dict(zip(names, out.decode().split("\0"), strict=False))


def test_reads_what_the_vendor_wrote() -> None:
    assert read_assignments(VENDOR) == {
        "RELEASE_CHANNEL": "stable",
        "PRIVATE_ADDRESS": "10.0.0.1",
        "REPLICATED_OPTS": "-e LOG_LEVEL=info -v /a:/b",
    }


def test_a_value_that_only_a_shell_can_tell_is_unknown() -> None:
    assert read_assignments('A="$(hostname)"\n') == {"A": None}


def test_replaces_in_place_and_keeps_every_other_line() -> None:
    after = merge_assignments(VENDOR, {"PRIVATE_ADDRESS": "10.0.0.2", "NEW": True})
    assert after == VENDOR.replace("PRIVATE_ADDRESS=10.0.0.1", 'PRIVATE_ADDRESS="10.0.0.2"') + 'NEW="1"\n'


def test_what_is_equal_by_meaning_stays_byte_for_byte() -> None:
    assert merge_assignments(VENDOR, {"RELEASE_CHANNEL": "stable", "GONE": None}) == VENDOR


def test_takes_a_name_away_and_leaves_blank_lines_and_comments() -> None:
    after = merge_assignments(VENDOR, {"PRIVATE_ADDRESS": None})
    assert after == VENDOR.replace("PRIVATE_ADDRESS=10.0.0.1\n", "")


def test_the_last_assignment_counts() -> None:
    assert merge_assignments("A=1\nA=2\n", {"A": "2"}) == "A=1\nA=2\n"
    assert merge_assignments("A=1\nA=2\n", {"A": "3"}) == 'A=1\nA="3"\n'


def test_a_file_without_a_last_newline_gets_one() -> None:
    assert merge_assignments("A=1", {"B": "2"}) == 'A=1\nB="2"\n'


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "\x1b"])
def test_refuses_a_value_that_no_line_can_hold_without_showing_it(value: str) -> None:
    with pytest.raises(AssignmentsError, match="value of TOKEN") as refused:
        quote_for_both("TOKEN", value)
    assert value not in str(refused.value)


def test_refuses_a_name_that_is_none() -> None:
    with pytest.raises(AssignmentsError, match="'NOT-A-NAME'"):
        merge_assignments("", {"NOT-A-NAME": "1"})


def test_refuses_a_file_that_no_shell_reads_to_its_end() -> None:
    with pytest.raises(AssignmentsError):
        read_assignments('A="open\n')


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_real_shells_read_back_every_byte(values: dict[str, str], tmp_path: Path) -> None:
    text = merge_assignments(VENDOR, values)
    assert {name: read_assignments(text)[name] for name in values} == values
    assert merge_assignments(text, values) == text
    path = tmp_path / "replicated"
    path.write_text(text, encoding="utf-8")
    for shell in ("dash", "bash"):
        assert shell_values(shell, path, list(values)) == values
