# Tests of the action print_table: once on standard error, nothing on standard output, and what it refuses.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.action.print_table import ActionModule

ROOT = Path(__file__).resolve().parents[4]


def act(**args: Any) -> dict[str, Any]:
    made = ActionModule(
        task=SimpleNamespace(args=args, check_mode=False, action="circleci_server.ops.print_table", async_val=0),
        connection=None,
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    return made._checked_act({"inventory_hostname": "services"})


def test_the_table_is_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    result = act(title="T", columns=["a"], rows=[["x"]], notes=["n"])
    shown = capsys.readouterr()
    assert shown.err == "T\n\na\n-\nx\n\nn\n"
    assert shown.out == ""
    assert result == {"changed": False, "lines": ["T", "", "a", "-", "x", "", "n"]}


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    act(format="json", columns=["a"], rows=[["x"]])
    assert json.loads(capsys.readouterr().err) == {"title": "", "columns": ["a"], "rows": [["x"]], "notes": []}
    act(format="json", document={"healthy": True, "why": "ü"})
    assert json.loads(capsys.readouterr().err) == {"healthy": True, "why": "ü"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"rows": ["text"]}, "rows: a row is a list or a dictionary, not 'text'. Give each row as a list"),
        ({"width": 5}, "width = 5: must be at least 20. 100 is the default."),
        ({"format": "xml"}, "value of format must be one of: table, json, got: xml"),
    ],
)
def test_refused(args: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = act(**args)
    assert result["failed"] is True
    assert message in result["msg"]
    assert capsys.readouterr().err == ""


# A callback that writes JSON to standard output, as the usual ones of other collections do.
CALLBACK = """
import json
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "one_document"

    def v2_runner_on_ok(self, result):
        print(json.dumps({"task": result.task_name, "lines": result._result.get("lines")}))
"""


@pytest.mark.parametrize("callback", ["default", "one_document"])
def test_it_is_seen_once_with_any_callback(callback: str, tmp_path: Path) -> None:
    """A real ansible-playbook, in check mode, whose standard output stays what its callback makes of it."""
    (tmp_path / "one_document.py").write_text(CALLBACK)
    arguments = {"title": "Hosts", "columns": ["host"], "rows": [["services"]]}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"circleci_server.ops.print_table": arguments}]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    environment = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"),
        ANSIBLE_CALLBACK_PLUGINS=str(tmp_path),
        ANSIBLE_STDOUT_CALLBACK=callback,
        ANSIBLE_LOG_PATH=str(tmp_path / "log"),
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "one,", "--check", str(tmp_path / "play.yml")],
        env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = "Hosts\n\nhost\n--------\nservices\n"
    assert table in done.stderr
    assert table in (tmp_path / "log").read_text()
    if callback == "default":
        assert "services" not in done.stdout
        assert "changed=0" in done.stdout
    else:
        assert json.loads(done.stdout)["lines"] == table.rstrip("\n").split("\n")
