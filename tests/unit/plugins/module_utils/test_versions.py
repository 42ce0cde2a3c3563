# Tests of _versions: a beginning of a version counts only where a part ends.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._versions import matches


@pytest.mark.parametrize(
    ("present", "asked", "expected"),
    [
        ("18.09.9", "18.09.9", True),
        ("5:18.09.9~3-0~debian-buster", "18.09.9", True),
        ("5:18.09.9~3-0~debian-buster", "18.09", True),
        ("5:18.09.9~3-0~debian-buster", "5:18.09.9", True),
        ("5:18.09.9~3-0~debian-buster", "5", False),
        ("4:18.09.9", "5:18.09.9", False),
        ("18.09.90", "18.09.9", False),
        ("18.09.9", "18.09.", True),
        ("17.12.1~ce-0~ubuntu", "17.12.1", True),
        ("20.10.24+dfsg1-1+deb12u1", "20.10.24", True),
        ("20.10.24+dfsg1-1+deb12u1", "20.10.24+dfsg1", True),
        ("3:18.09.1-3.el7", "18.09.1-3", True),
        ("0.12.12-dev", "0.12.12", True),
        ("1.6b", "1.6", False),
        ("", "1", False),
        ("1", "", False),
    ],
)
def test_matches(present: str, asked: str, expected: bool) -> None:
    assert matches(present, asked) is expected


@given(st.from_regex(r"[0-9]+(\.[0-9]+){0,3}", fullmatch=True), st.from_regex(r"[0-9]+", fullmatch=True))
def test_a_longer_number_is_another_version(version: str, digits: str) -> None:
    assert matches(version, version)
    assert not matches(version + digits, version)
    assert matches(f"{version}.{digits}", version)
