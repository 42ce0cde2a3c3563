# Takes secrets out of texts that leave a host: values that are known, and what looks like one. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["HIDDEN", "redact", "secret_values"]

import base64
import json
import re
from typing import Any, Iterable, Iterator, List, Mapping, Set
from urllib.parse import quote

HIDDEN = "(redacted)"
# Shorter values ("1", "true", "aws") stand everywhere; taking them out would leave nothing to read.
SHORTEST = 6
_KEY = r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key)[\w.-]*"
# name=value, name: value, "name": "value", --name value
_PAIR = re.compile(
    r"(?i)([\"']?" + _KEY + r"[\"']?\s*[=:]\s*|--" + _KEY + r"\s+)(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;}&]+)"
)
_CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@")
_PEM = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without these values, in every form that they are written in, and without what looks like a secret."""
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    for form in forms:
        text = text.replace(form, HIDDEN)
    text = _PEM.sub(HIDDEN, text)
    text = _CREDENTIALS.sub(r"\1" + HIDDEN + "@", text)
    return _PAIR.sub(r"\1" + HIDDEN, text)


def secret_values(shown: Mapping[str, Any], hidden: Mapping[str, Any]) -> List[str]:
    """The values of an export with hidden items that the export without them does not have (facts 4)."""
    found: Set[str] = set()
    for name, item in hidden.items():
        if item != shown.get(name):
            found.update(_texts(item))
    return sorted(found)


def _texts(item: Any) -> Iterator[str]:
    if isinstance(item, Mapping):
        for key, value in item.items():
            if key in ("data", "multi_data"):
                yield from _decoded(value)
            yield from _texts(value)
    elif isinstance(item, list):
        for value in item:
            yield from _texts(value)
    elif isinstance(item, str):
        yield item


def _decoded(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else [value]:
        try:
            yield base64.b64decode(str(text), validate=True).decode("utf-8", "replace")
        except ValueError:
            continue  # not base64: the text itself is taken by the caller


def _forms(secret: str) -> Iterator[str]:
    lines = [line.strip() for line in secret.splitlines()]
    for text in [secret, secret.strip(), *lines]:
        if len(text) >= SHORTEST:
            yield text
            yield json.dumps(text)[1:-1]
            yield quote(text, safe="")
            yield base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
