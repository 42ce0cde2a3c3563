# The pure parts of the benchmark of settings: both sides set the same items to the same values.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
from typing import Any

from jinja2 import Environment

from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_compare import (
    Known,
    compare,
    document_of,
    same,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import requested
from tests.benchmarks.settings import COUNT, commands, items, options


def rendered(value: Any) -> Any:
    """The value as Ansible would hand it on, for one `bench_value`."""
    if isinstance(value, dict):
        return {key: rendered(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rendered(part) for part in value]
    if not isinstance(value, str):
        return value
    environment = Environment()
    environment.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()
    text = environment.from_string(value).render(bench_value=3)
    return {"True": True, "False": False}.get(text, text)


def as_set(item: dict[str, Any], argv: list[str]) -> dict[str, Any]:
    """What `app-config set` makes of its flags (facts 4)."""
    flags = dict(zip(argv[4::2], argv[5::2], strict=True))
    prefix, listed = ("multi_", True) if item.get("multiple") else ("", False)
    return {prefix + name[2:]: [value] if listed else value for name, value in flags.items()}


def test_both_sides_set_the_same() -> None:
    chosen = items()
    assert len({item["name"] for item in chosen}) == COUNT
    ours = rendered(options(chosen))
    document = document_of(compare(requested({**ours, "allow_short_secrets": False}), Known()).items)
    theirs = {argv[3]: as_set(item, argv) for item, argv in zip(chosen, rendered(commands(chosen)), strict=True)}
    assert set(document) == set(theirs)
    assert [name for name in theirs if not same(document[name], theirs[name], False)] == []
