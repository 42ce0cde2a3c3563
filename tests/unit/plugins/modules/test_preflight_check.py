# Tests of the module preflight_check: its documentation says what its spec says, and what a bare call answers.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.circleci_server.ops.plugins.module_utils._spec_preflight_check import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.modules import preflight_check


class Ended(Exception):
    """The module exits."""


class FakeModule:
    """AnsibleModule: keeps what the module says at its end."""

    params: dict[str, Any] = {}
    check_mode = True

    def __init__(self, **_arguments: Any) -> None:
        return None

    def fail_json(self, **result: Any) -> None:
        raise Ended(dict(result, failed=True))

    def exit_json(self, **result: Any) -> None:
        raise Ended(result)


def same(spec: dict[str, Any], documented: dict[str, Any]) -> None:
    assert set(spec) == set(documented)
    for name, option in spec.items():
        for key in ("type", "default", "choices", "required", "elements"):
            assert option.get(key) == documented[name].get(key), (name, key)
        same(option.get("options", {}), documented[name].get("suboptions", {}))


def test_documentation() -> None:
    same(ARGUMENT_SPEC, yaml.safe_load(preflight_check.DOCUMENTATION)["options"])


@pytest.mark.parametrize(
    ("phase", "work", "wanted"),
    [
        pytest.param("probe", {"targets": [], "timeout": 1}, {"changed": False, "outcomes": []}, id="works"),
        pytest.param(
            "gate",
            {},
            {
                "failed": True,
                "msg": "phase = 'gate': this phase needs 'gate' of the action plugin's orders. "
                "Call circleci_server.ops.preflight_check as a task of a play, not as a bare module.",
            },
            id="bare",
        ),
    ],
)
def test_main(monkeypatch: pytest.MonkeyPatch, phase: str, work: dict[str, Any], wanted: dict[str, Any]) -> None:
    monkeypatch.setattr(FakeModule, "params", {"phase": phase, "work": work})
    monkeypatch.setattr(preflight_check, "AnsibleModule", FakeModule)
    with pytest.raises(Ended) as ended:
        preflight_check.main()
    assert ended.value.args[0] == wanted
