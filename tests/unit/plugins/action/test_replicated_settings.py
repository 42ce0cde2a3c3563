# Tests of the action replicated_settings: what it reads, refuses, sends and says; and the whole as Ansible runs it.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.circleci_server.ops.plugins.action import replicated_settings
from ansible_collections.circleci_server.ops.plugins.action.replicated_settings import ActionModule
from tests.unit.plugins.module_utils.replicated_host import ReplicatedHost

ROOT = Path(__file__).resolve().parents[4]
CANARY = "canary-61fe"
DONE = {"changed": True, "changes": ["done"]}


class Sent(NamedTuple):
    """What an action returned, and what it sent to the host in each call."""

    result: dict[str, Any]
    calls: list[dict[str, Any]]


def act(place: Path, answers: list[dict[str, Any]] | None = None, check: bool = False, **arguments: Any) -> Sent:
    """Run the action in this process, with a host that answers from a list and else echoes what it got."""
    calls: list[dict[str, Any]] = []
    left = list(answers or [])

    class Listening(ActionModule):
        def _execute_module(self, module_args: dict[str, Any], **_call: Any) -> dict[str, Any]:
            calls.append(module_args)
            return left.pop(0) if left else {"changed": False, "echo": module_args}

    loader = DataLoader()
    loader.set_basedir(str(place))
    task = SimpleNamespace(
        args=arguments,
        action="circleci_server.ops.replicated_settings",
        async_val=0,
        check_mode=check,
        get_search_path=lambda: [str(place)],
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
    action = Listening(task, connection, SimpleNamespace(check_mode=check), loader, None, None)
    return Sent(action.run(task_vars={"inventory_hostname": "services"}), calls)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "files" / "tls").mkdir(parents=True)
    (tmp_path / "files" / "tls" / "site.pem").write_bytes(b"certificate \xff")
    (tmp_path / "files" / "site.key").write_text(CANARY)
    return tmp_path


def encoded(content: bytes) -> dict[str, str]:
    return {"content_base64": base64.b64encode(content).decode()}


def test_files_become_contents(place: Path) -> None:
    sent = act(
        place,
        files={
            "ssl_cert": {"path": "tls/site.pem"},
            "other": {"content": "é", "name": "other.txt"},
            "several": [{"content": "x"}, {"path": str(place / "files/tls/site.pem"), "name": "n"}],
        },
        secret_files={"ssl_private_key": {"path": "site.key"}, "raw": encoded(CANARY.encode())},
    )
    (call,) = sent.calls
    assert call["files"] == {
        "ssl_cert": encoded(b"certificate \xff"),
        "other": encoded("é".encode()),
        "several": [encoded(b"x"), encoded(b"certificate \xff")],
    }
    assert call["secret_files"] == {"ssl_private_key": encoded(CANARY.encode()), "raw": encoded(CANARY.encode())}
    assert call["handover"] == {
        "file_names": {
            "ssl_cert": [["site.pem", False]],
            "other": [["other.txt", True]],
            "several": [["several", False], ["n", True]],
            "ssl_private_key": [["site.key", False]],
            "raw": [["raw", False]],
        },
        "patience": 20,
    }
    assert call["fixed_items"] == ["ghe_type", "ghe_domain"], "the spec's defaults are sent"


def test_secrets_do_not_come_back_and_names_do(place: Path) -> None:
    sent = act(
        place,
        settings={"hostname": "circleci.lab"},
        secret_settings={"secret_passphrase": CANARY + "-passphrase"},
        secret_files={"ssl_private_key": {"path": "site.key", "name": "site.key"}},
    )
    shown = json.dumps(sent.result)
    assert CANARY not in shown
    assert encoded(CANARY.encode())["content_base64"] not in shown
    assert "ssl_private_key" in sent.result["echo"]["secret_files"]
    assert sent.result["echo"]["handover"]["file_names"]["ssl_private_key"] == [["site.key", True]]
    assert "circleci.lab" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"files": {"ssl_cert": {"path": "nowhere.pem"}}},
            "files.ssl_cert.path = 'nowhere.pem': there is no such file on the controller. Put it into files/ of the "
            "role or beside the playbook, or give its whole path.",
            id="missing-file",
        ),
        pytest.param(
            {"secret_files": {"ssl_private_key": {"path": "nowhere.key"}}},
            "secret_files.ssl_private_key.path = 'nowhere.key': there is no such file",
            id="missing-secret-file",
        ),
        pytest.param(
            {"files": {"a": {"path": "tls"}}},
            "files.a.path = 'tls': cannot be read on the controller: Could",
            id="directory",
        ),
        pytest.param({"files": {"a": "x"}}, "files.a = 'x': is a file item, so it must be a dictionary", id="plain"),
        pytest.param({"files": {"a": {"path": "x", "content": "y"}}}, "has path and content", id="two"),
        pytest.param({"secret_files": {"a": {"contents": CANARY}}}, "Did you mean content?", id="key"),
        pytest.param({"secret_files": {"a": [CANARY]}}, "must be a dictionary, not str", id="plain-secret"),
        pytest.param({"secret_files": CANARY}, "secret_files", id="no-dictionary"),
        pytest.param({"secret_files": {"a": {"content_base64": 5}}}, "must be a text, not int", id="number"),
        pytest.param({"secret_files": {"a": encoded(b"x")}}, "fewer than 8 characters", id="short-file"),
        pytest.param({"settings": {"a": None}}, "settings.a: has no value", id="null"),
        pytest.param({"secret_settings": {"a": {"b": CANARY}}}, "is a dictionary", id="dictionary"),
        pytest.param({"secret_settings": {"a": "short"}}, "********", id="short"),
    ],
)
def test_refusals_before_anything_is_sent(place: Path, arguments: dict[str, Any], message: str) -> None:
    sent = act(place, **arguments)
    assert sent.result["failed"] is True and sent.calls == []
    assert message in sent.result["msg"] or message == "********"
    assert CANARY not in json.dumps(sent.result)


def test_it_says_for_what_it_waits(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {"changed": False, "waiting_for": "Error: daemon is not ready"}
    sent = act(place, [waiting, waiting, DONE], settings={"hostname": "x"}, ready_timeout=90)
    assert sent.result == DONE
    assert [call["handover"]["patience"] for call in sent.calls] == [20, 20, 20]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("services: waits for Replicated's daemon (Error: daemon is not ready); 8")


def test_it_does_not_wait_for_ever(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 20.0, 20.0, 40.0])
    monkeypatch.setattr(replicated_settings, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    waiting = {"changed": False, "waiting_for": "Error: daemon is not ready"}
    sent = act(place, [waiting, waiting], settings={"hostname": "x"}, ready_timeout=30)
    assert [call["handover"]["patience"] for call in sent.calls] == [20, 10]
    assert sent.result["failed"] is True
    assert "was not ready within 30 seconds: Error: daemon is not ready." in sent.result["msg"]
    assert "raise ready_timeout" in sent.result["msg"]


def play(host: ReplicatedHost, arguments: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """One task on this machine, in check mode: the real thing would record what it owes beside the system's own."""
    task = {"name": "Set", "circleci_server.ops.replicated_settings": arguments}
    document = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    (host.root / "play.yml").write_text(yaml.safe_dump(document))
    (host.root / "ansible.cfg").write_text("[defaults]\n")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_CONFIG": str(host.root / "ansible.cfg"),
        "ANSIBLE_HOME": str(host.root / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "play.yml", "--check", "--diff", "-vvv", *options],
        cwd=host.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplicatedHost:
    made = ReplicatedHost(tmp_path, monkeypatch)
    made.preset(ghe_client_secret={"value": CANARY + "-old"}, hostname={"value": "old.lab"})
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "site.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}-of-a-long-line\n")
    return made


def test_as_ansible_runs_it(host: ReplicatedHost) -> None:
    done = play(
        host,
        {
            "settings": {"hostname": "circleci.lab", "ghe_client_secret": CANARY + "-password"},
            "secret_settings": {"secret_passphrase": CANARY + "-passphrase"},
            "secret_files": {"ssl_private_key": {"path": "site.key"}},
        },
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "changed=1" in output
    assert "-hostname: old.lab" in output and "+hostname: circleci.lab" in output
    assert "+ghe_client_secret: VALUE HIDDEN (changed)" in output
    assert "ssl_private_key: (unset) -> VALUE HIDDEN" in output
    assert CANARY not in output and "invocation" not in output and "DEPRECATION" not in output
    assert host.imports == 0


def test_a_refusal_as_ansible_shows_it(host: ReplicatedHost) -> None:
    host.change(not_ready=0)
    secrets = {"secret_passphrase": CANARY + "-passphrase", "ghe_client_secrt": CANARY + "-password"}
    done = play(host, {"secret_settings": secrets, "settings": {"cloudwatch_enabled": "maybe"}})
    output = done.stdout + done.stderr
    assert done.returncode == 2
    assert (
        "secret_settings.ghe_client_secrt: the application has no such setting. Did you mean ghe_client_secret"
        in output
    )
    assert "settings.cloudwatch_enabled = 'maybe': must be true or false" in output
    assert CANARY not in output
