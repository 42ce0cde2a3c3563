# Tests of the module bootstrap_python: its documentation says what its spec says, and what a bare call answers.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.circleci_server.ops.plugins.module_utils._spec_bootstrap_python import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.modules import bootstrap_python


def test_documentation() -> None:
    documented = yaml.safe_load(bootstrap_python.DOCUMENTATION)["options"]
    assert set(ARGUMENT_SPEC) == set(documented)
    for name, option in ARGUMENT_SPEC.items():
        assert {key: option.get(key) for key in ("type", "default")} == {
            key: documented[name].get(key) for key in ("type", "default")
        }


def test_main(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class FakeModule:
        def __init__(self, **_arguments: Any) -> None:
            return None

        def fail_json(self, msg: str) -> None:
            said.append(msg)

    monkeypatch.setattr(bootstrap_python, "AnsibleModule", FakeModule)
    bootstrap_python.main()
    assert said == ["bootstrap_python works as a task of a play only: its action plugin needs no Python on the host."]
