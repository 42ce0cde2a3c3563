# Bad input that only a role can see: refused with option, value and remedy, and nothing is changed.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.conftest import Play
from tests.integration.hosts import Host, difference

CUSTOMIZATIONS = "/etc/circleconfig/frontend/customizations"


@dataclass(frozen=True)
class Refusal:
    """Variables that a host refuses, and words of its message. `line` is written into frontend's file before."""

    host: str
    variables: dict[str, Any]
    words: tuple[str, ...]
    line: str = field(default="")


def overrides(**values: Any) -> dict[str, Any]:
    return {"customization_services": {"frontend": values}}


REFUSALS = [
    pytest.param(
        Refusal("services", {"customization_services": {"fronted": {"A": "b"}}}, ("fronted", "frontend")),
        id="unknown service",
    ),
    pytest.param(
        Refusal("services", overrides(JVM_HEAP_SIZE="2 gigs"), ("JVM_HEAP_SIZE", "2 gigs", "2g")),
        id="heap of 2 gigs",
    ),
    pytest.param(
        Refusal("services", {"customization_secret_installation": {"TOKEN": "short"}}, ("TOKEN", "8")),
        id="short secret",
    ),
    pytest.param(
        Refusal("services", {"customization_services": "frontend=2g"}, ("dictionaries", "JSON")),
        id="text where a dictionary is meant",
    ),
    pytest.param(
        Refusal("services", overrides(BANNER="x"), (CUSTOMIZATIONS, "line 3"), line='eval "$BANNER_COMMAND"'),
        id="a file that cannot be read without running it",
    ),
    pytest.param(
        Refusal(
            "nomad-client-1",
            {"nomad_client_servers": ["203.0.113.1:1"], "nomad_client_servers_timeout": 1},
            ("203.0.113.1:1", "does not answer", "nomad_client_servers", "nothing was written"),
        ),
        id="servers that do not answer",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refused(play: Play, lab: dict[str, Host], refusal: Refusal) -> None:
    host = lab[refusal.host]
    if refusal.line:
        host.run(f"echo '{refusal.line}' >> {CUSTOMIZATIONS}")
    before = host.snapshot()
    refused = play("site.yml", "--limit", refusal.host, "-e", json.dumps(refusal.variables), rc=2)
    after = host.snapshot()
    if refusal.line:
        host.run(f"sed -i /BANNER_COMMAND/d {CUSTOMIZATIONS}")
    message = refused.failures()[refusal.host]
    assert [word for word in refusal.words if word not in message] == [], message
    assert difference(before, after) == []
