# Compares the versions of packages and programs: exact, or a beginning that ends where a part ends. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["matches"]

# Where a part of a version ends: 18.09.9 asks for 5:18.09.9~3-0~debian-buster, and not for 18.09.90.
BOUNDARIES = ".-+~:^"


def matches(present: str, asked: str) -> bool:
    """Whether a version that is present is the one asked for.

    An epoch (the "5:" of 5:18.09.9) counts only when it is asked for.
    """
    if not present or not asked:
        return False
    if ":" not in asked:
        present = present.split(":", 1)[-1]
    if not present.startswith(asked):
        return False
    rest = present[len(asked) :]
    return not rest or rest[0] in BOUNDARIES or asked[-1] in BOUNDARIES
