# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What all unit tests share: the checkout as a collection, a dead proxy, and a way to run a module in this process."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import pytest
from ansible.module_utils import basic
from hypothesis import HealthCheck, settings

MODULES = "ansible_collections.circleci_server.ops.plugins.modules."
DEAD_PROXY = "http://127.0.0.1:9"
RunModule = Callable[..., dict[str, Any]]

# How long an example takes depends on what else the machine does, so it is no reason to fail.
settings.register_profile("checkout", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("checkout")


class ModuleEnd(Exception):
    """A module called exit_json or fail_json."""


@contextmanager
def _old_arguments(arguments: dict[str, Any]) -> Iterator[None]:
    """How a module gets its arguments before ansible-core 2.19."""
    before = basic._ANSIBLE_ARGS
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    try:
        yield
    finally:
        basic._ANSIBLE_ARGS = before


def _with_arguments(arguments: dict[str, Any]) -> AbstractContextManager[None]:
    if importlib.util.find_spec("ansible.module_utils.testing") is None:
        return _old_arguments(arguments)
    patched: AbstractContextManager[None] = importlib.import_module("ansible.module_utils.testing").patch_module_args(
        arguments
    )
    return patched


@pytest.fixture(autouse=True)
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What we send to the installation uses no proxy: with this one, anything that did would fail."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, DEAD_PROXY)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch) -> RunModule:
    """run_module("host_files", {"files": [...]}, check=True): the result of the module's main, also of a failed one."""
    results: list[dict[str, Any]] = []

    def leave(_module: object, **result: Any) -> NoReturn:
        results.append(result)
        raise ModuleEnd

    def leave_failed(module: object, msg: str, **result: Any) -> NoReturn:
        leave(module, msg=msg, failed=True, **result)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", leave)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", leave_failed)

    def run(name: str, arguments: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        own = {"_ansible_check_mode": check, "_ansible_diff": diff, **arguments}
        with _with_arguments(own), pytest.raises(ModuleEnd):
            importlib.import_module(MODULES + name).main()
        return results.pop()

    return run
