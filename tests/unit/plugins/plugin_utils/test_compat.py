# Tests of what bridges the versions of ansible-core.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ansible.template
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.circleci_server.ops.plugins.plugin_utils import _compat
from ansible_collections.circleci_server.ops.plugins.plugin_utils._compat import render_template, trust_as_template


def test_text_of_a_file_becomes_a_template() -> None:
    templar = Templar(loader=DataLoader(), variables={"colour": "red"})
    assert templar.template(trust_as_template("{{ colour }}")) == "red"


def test_rendering_keeps_the_last_newline() -> None:
    templar = Templar(loader=DataLoader(), variables={})
    assert render_template(templar, "{{ colour }}\n", {"colour": "red"}, []) == "red\n"


def test_before_2_19(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class OldTemplar:
        def copy_with_new_env(self, **options: Any) -> Any:
            calls.append(options)
            return self

        def do_template(self, text: str, **options: Any) -> str:
            calls.append(options)
            return text.upper()

    monkeypatch.setattr(_compat, "trust_as_template", _compat._unchanged)
    monkeypatch.setattr(ansible.template, "AnsibleEnvironment", SimpleNamespace, raising=False)
    assert render_template(OldTemplar(), "text", {"a": 1}, ["/somewhere"]) == "TEXT"
    assert calls[0] == {
        "environment_class": SimpleNamespace,
        "searchpath": ["/somewhere"],
        "available_variables": {"a": 1},
    }
    assert calls[1]["preserve_trailing_newlines"] is True and calls[1]["escape_backslashes"] is False
    assert _compat.trust_as_template("{{ x }}") == "{{ x }}"
