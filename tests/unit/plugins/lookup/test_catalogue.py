# Tests of the lookup catalogue: its rows are those of the catalogue, as plain data.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.lookup import catalogue as lookup
from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> lookup.LookupModule:
    monkeypatch.setattr(lookup.LookupModule, "set_options", lambda *_args, **_more: None)
    return lookup.LookupModule()


@pytest.mark.parametrize(
    ("term", "count"),
    [
        ("containers", len(catalogue.CONTAINERS)),
        ("override_directories", 22),
        ("health", 9),
        ("ports", len(catalogue.PORTS)),
        ("installation_readers", len(catalogue.services_reading_installation_file())),
    ],
)
def test_rows(plugin: lookup.LookupModule, term: str, count: int) -> None:
    rows = plugin.run([term])
    assert len(rows) == count
    assert json.loads(json.dumps(rows)) == rows


def test_terms_are_joined(plugin: lookup.LookupModule) -> None:
    assert len(plugin.run(["override_directories", "health"])) == 31
    assert plugin.run(["override_directories"])[0] == {"directory": "api-service", "container": "api-service"}
    assert plugin.run(["health"])[0] == {"name": "api-service", "port": 8082, "path": "/status"}


def test_an_unknown_term_is_refused(plugin: lookup.LookupModule) -> None:
    with pytest.raises(AnsibleError, match="catalogue: 'x' is none of containers, override_directories, health, ports"):
        plugin.run(["x"])


def test_the_documented_terms_are_all() -> None:
    documented = yaml.safe_load(lookup.DOCUMENTATION)["options"]["_terms"]["choices"]
    assert documented == list(lookup.ROWS)
