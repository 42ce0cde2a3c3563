# Names what differs between two pieces of plain data, key by key. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ABSENT", "differences"]

import json
import re
from typing import Any, List

ABSENT = "(absent)"
SHOWN_LENGTH = 120
PLAIN_KEY = re.compile(r"^[\w-]+$")


class _Nothing:
    """Stands for a key that is not there; None is a value."""


NOTHING = _Nothing()


def differences(before: Any, after: Any, path: str = "") -> List[str]:
    """Sentences such as `log-opts.max-size: "10m" -> "50m"`; none when both mean the same.

    Types count: true is not 1, 1 is not 1.0 and "1" is not 1. The order of keys does not, that of lists does.
    """
    if type(before) is not type(after):
        return [_sentence(path, before, after)]
    if isinstance(before, dict):
        found = []
        for key in list(before) + [key for key in after if key not in before]:
            inner = "{0}.{1}".format(path, _key(key)) if path else _key(key)
            found += differences(before.get(key, NOTHING), after.get(key, NOTHING), inner)
        return found
    if isinstance(before, (list, tuple)):
        return _differences_of_lists(before, after, path)
    return [] if before == after else [_sentence(path, before, after)]


def _differences_of_lists(before: Any, after: Any, path: str) -> List[str]:
    same_length = len(before) == len(after)
    if same_length:
        pairs = list(enumerate(zip(before, after)))
        found = [
            text for number, (old, new) in pairs for text in differences(old, new, "{0}[{1}]".format(path, number))
        ]
        if not found or any(isinstance(item, dict) for item in before):
            return found
    return [_sentence(path, before, after)]


def _sentence(path: str, before: Any, after: Any) -> str:
    return "{0}: {1} -> {2}".format(path or "the whole", _shown(before), _shown(after))


def _shown(value: Any) -> str:
    if value is NOTHING:
        return ABSENT
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."


def _key(key: Any) -> str:
    return str(key) if PLAIN_KEY.match(str(key)) else json.dumps(str(key), ensure_ascii=False)
