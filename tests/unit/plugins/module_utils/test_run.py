# Tests of _run: no prompt hangs, a deadline holds, a missing program is named.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _run
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run


def test_output_and_exit_code_come_back() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert done == (3, "out\n", "err\n")


def test_input_is_empty_so_that_no_prompt_hangs() -> None:
    assert run(["cat"]).stdout == ""


def test_input_text_is_passed_on() -> None:
    assert run(["cat"], input_text="hello").stdout == "hello"


def test_language_is_c_and_variables_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run(["sh", "-c", "echo $LC_ALL $MORE"], env={"MORE": "1"}).stdout == "C 1\n"


def test_sbin_and_usr_local_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert "/usr/local/bin" in run(["sh", "-c", "echo $PATH"]).stdout


def test_undecodable_output_survives() -> None:
    output = run(["printf", r"\377"]).stdout
    assert os.fsencode(output) == b"\xff"


def test_missing_program_is_named() -> None:
    with pytest.raises(OpsError, match="the program no-such-program was not found on this host"):
        run(["no-such-program"])
    assert find_program("no-such-program") is None


def test_deadline_is_named() -> None:
    with pytest.raises(OpsError, match="sleep did not end within 0.1 seconds"):
        run(["sleep", "20"], timeout=0.1)


def test_program_that_cannot_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF no binary")
    broken.chmod(0o755)
    monkeypatch.setattr(_run, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(OpsError, match="broken could not be started: .*Exec format error"):
        run(["broken"])
