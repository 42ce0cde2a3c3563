# Tests of _replicated_settings_bootstrap: the file that Replicated imports at its first start.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_settings_bootstrap
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings import settle_settings
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_settings import ARGUMENT_SPEC

DEFAULTS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
CANARY = "canary-c00c"
WANTED: dict[str, Any] = {
    "settings": {"lab_name": "x", "cloudwatch_enabled": False},
    "secret_settings": {"secret_passphrase": CANARY},
    "secret_files": {"ssl_private_key": {"content": CANARY, "name": "a.key"}},
}


def write(root: Path, check: bool = False, **options: Any) -> dict[str, Any]:
    wanted = {**DEFAULTS, "bootstrap_file": str(root / "settings.json"), **options}
    return settle_settings(wanted, check, str(root / "pending.json"), str(root / "run" / "lock"))


def test_check_apply_apply(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    predicted = write(tmp_path, check=True, **WANTED)
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path, **WANTED) == predicted
    assert predicted["changed"] is True
    assert predicted["changes"][-1] == f"{path}: (absent) -> settings, mode 0600"
    assert predicted["owed"] == []
    assert CANARY not in json.dumps(predicted)
    assert json.loads(path.read_text()) == {
        "lab_name": {"value": "x"},
        "cloudwatch_enabled": {"value": "0"},
        "secret_passphrase": {"value": CANARY},
        "ssl_private_key": {"value": "a.key", "data": "Y2FuYXJ5LWMwMGM="},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.stat()
    assert write(tmp_path, **WANTED)["changed"] is False
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert not (tmp_path / "pending.json").exists()


def test_a_file_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"lab_name": {"value": "old"}, "gone": {"value": CANARY}}))
    path.chmod(0o644)
    result = write(tmp_path, settings={"lab_name": "x"})
    assert result["changes"] == [
        'lab_name: "old" -> "x"',
        f"gone: is in {path} no longer",
        f"{path}: mode 0644 -> 0600",
    ]
    assert json.loads(path.read_text()) == {"lab_name": {"value": "x"}}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"\xff", b"text", b"[]", b'{"a": 5}'])
def test_what_is_no_file_of_settings_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert write(tmp_path)["changes"] == [f"{path}: is no file of settings and is replaced"]
    assert json.loads(path.read_text()) == {}


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(_replicated_settings_bootstrap, "_user", lambda: "nobody")
    (change,) = write(tmp_path, check=True)["changes"]
    assert change.endswith(" -> nobody")


@pytest.mark.parametrize(
    ("path", "message"),
    [("relative.json", "must be an absolute path"), ("/nowhere/at-all/x.json", "its directory does not exist")],
)
def test_refusals(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(OpsError, match=message):
        write(tmp_path, bootstrap_file=path, settings={"a": "b"})


def test_short_secrets_turn_the_result_off(tmp_path: Path) -> None:
    assert write(tmp_path, secret_settings={"a": "b"}, allow_short_secrets=True) == {"changed": True}
