# Tests of what is gathered for debugging: every step is there, what fails is told, no hidden setting leaves the host.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_debug import gather

CANARY = "canary-debug-41"
CTL = f"""#!/bin/sh
case "$*" in
"app-config export --hidden") echo '{{"hostname": {{"value": "ci"}}, "passphrase": {{"value": "{CANARY}"}}}}' ;;
"app-config export") echo '{{"hostname": {{"value": "ci"}}, "passphrase": {{}}}}' ;;
version) echo 2.38.6 ;;
*) echo "ran $* with {CANARY}" ;;
esac
"""
DOCKER = """#!/bin/sh
case "$*" in
*"replicated apps") echo "request returned Unauthorized for API route" >&2; exit 1 ;;
*) echo "docker $*" ;;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in {"replicatedctl": CTL, "docker": DOCKER}.items():
        path = tmp_path / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


def options(host: Path, **given: Any) -> dict[str, Any]:
    return {"log_directory": str(host / "log"), "log_lines": 3, "secrets": [], "timeout": 10, **given}


def test_every_step_of_the_guide_is_there(host: Path) -> None:
    (host / "log").mkdir()
    (host / "log" / "replicated.log").write_text("".join(f"line {number}\n" for number in range(9)))
    found = gather(options(host))
    assert sorted(found["files"]) == [
        "1-version.txt",
        "2-services.txt",
        "3-apps.txt",
        "4-logs.txt",
        "5-containers.txt",
        "settings.json",
    ]
    assert "2.38.6" in found["files"]["1-version.txt"]
    assert found["files"]["4-logs.txt"] == f"==> {host}/log/replicated.log\nline 6\nline 7\nline 8\n"
    assert "docker ps --all" in found["files"]["5-containers.txt"]
    assert "(ended with 1)" in found["files"]["3-apps.txt"]
    assert ["log in" in note for note in found["notes"]] == [True]


def test_no_hidden_setting_and_no_given_secret_leaves(host: Path) -> None:
    (host / "log").write_text(f"console password is another-canary, passphrase is {CANARY}\n")
    found = gather(options(host, secrets=["another-canary"]))
    text = "".join(found["files"].values())
    assert CANARY not in text
    assert "another-canary" not in text
    assert "ran app status with (redacted)" in text


def test_a_host_without_replicated_is_told(host: Path) -> None:
    (host / "bin" / "replicatedctl").unlink()
    found = gather(options(host))
    assert found["notes"][0] == "replicatedctl is not on this host"
    assert "replicatedctl was not found" in found["files"]["1-version.txt"]
    assert found["files"]["4-logs.txt"] == f"{host}/log does not exist\n"


def test_settings_that_cannot_be_read_are_told(host: Path) -> None:
    (host / "bin" / "replicatedctl").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    found = gather(options(host))
    assert "hidden settings could not be read" in found["notes"][0]
    assert "broken" in found["files"]["settings.json"]
