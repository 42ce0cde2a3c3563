# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): its licence file and its .airgap package, in shapes of the stand-in's OWN.

The real files' contents are not public. Here a licence is a text whose first line is `LAB LICENCE`, a package one whose
first line is `LAB AIRGAP PACKAGE`; `key: value` lines follow. Of facts 4: an air-gapped installation needs an air-gap
licence (`airgap: yes`) and a package. A package may name the least Replicated it needs (`replicated: 2.31.0`) and the
app's version (`version: 2.19.0`).
"""

from __future__ import annotations

import re

from .state import Refused

__all__ = ["check_package", "read"]


def _lines(text: str, first: str, what: str) -> dict[str, str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != first:
        raise Refused(f"{what} is not valid")
    pairs = [line.partition(":") for line in lines[1:] if ":" in line]
    return {key.strip().lower(): value.strip() for key, _unused, value in pairs}


def read(text: str) -> dict[str, str]:
    """What a licence says."""
    return _lines(text, "LAB LICENCE", "license")


def check_package(text: str, licence: dict[str, str], replicated: str) -> str:
    """The app's version in a package that fits the licence and this Replicated."""
    found = _lines(text, "LAB AIRGAP PACKAGE", "airgap package")
    if licence.get("airgap") != "yes":
        raise Refused("license does not allow airgap installations")
    least = found.get("replicated", "0")
    if _numbers(replicated) < _numbers(least):
        raise Refused(f"airgap package needs Replicated {least} or later, this is {replicated}")
    return found.get("version", "")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
