# Tests of host_files as Ansible runs it: a role with templates and sources, on this machine, in a directory.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import ansible.template
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.circleci_server.ops.plugins.action.host_files import ActionModule

ROOT = Path(__file__).resolve().parents[4]
USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
CANARY = "canary-e4b7"

TEMPLATE = """\
{% include 'head.j2' %}

{% for number in [1, 2] %}
n{{ number }} = {{ colour | to_json }}
{% endfor %}
end
"""


class Role:
    """A role called r in a directory of its own; its one task is host_files."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.out = place / "out"
        for directory in ("out", "roles/r/tasks", "roles/r/templates", "roles/r/files"):
            (place / directory).mkdir(parents=True)
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": ["r"]}
        (place / "ansible.cfg").write_text("[defaults]\n")
        (place / "play.yml").write_text(yaml.safe_dump([play]))

    def template(self, name: str, text: str) -> str:
        (self.place / "roles" / "r" / "templates" / name).write_text(text)
        return name

    def source(self, name: str, content: bytes) -> str:
        (self.place / "roles" / "r" / "files" / name).write_bytes(content)
        return name

    def file(self, name: str, **options: Any) -> dict[str, Any]:
        return {"dest": str(self.out / name), "user": USER, "group": GROUP, **options}

    def run(
        self, files: list[dict[str, Any]], secret_files: list[dict[str, Any]], *options: str, **variables: Any
    ) -> subprocess.CompletedProcess[str]:
        arguments = {"files": files, "secret_files": secret_files, "owner": "r"}
        task = {"name": "Write", "circleci_server.ops.host_files": arguments, "vars": variables}
        (self.place / "roles" / "r" / "tasks" / "main.yml").write_text(yaml.safe_dump([task]))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_CONFIG": str(self.place / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.place / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "play.yml", *options],
            cwd=self.place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def role(tmp_path: Path) -> Role:
    return Role(tmp_path)


def test_a_role_s_templates_and_sources(role: Role) -> None:
    role.template("head.j2", "# head of {{ colour }}")
    role.template("only.j2", "{{ [1, 2] }}")
    secret = [role.file("secret", template=role.template("secret.j2", "password={{ hidden }}\n"))]
    files = [
        role.file("d", state="directory"),
        role.file("d/x", template=role.template("x.j2", TEMPLATE), owes={"target": "nothing"}),
        role.file("d/binary", source=role.source("binary", b"\xff\x00{{ raw }}")),
        role.file("d/list", template="only.j2"),
        role.file("d/json", content={"a": ["{{ colour }}"]}, compare="json"),
    ]
    done = role.run(files, secret, "--check", "--diff", "-vvv", colour="red", hidden=CANARY)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "changed=1" in output and CANARY not in output
    assert "+# head of red" in output and '+n1 = "red"' in output and "+[1, 2]" in output and "{{" not in output
    assert f"{role.out}/d/x (as it will be)" in output
    assert f"{role.out}/d/x: (absent) -> file" in output
    assert f"{role.out}/secret: (absent) -> secret file" in output
    assert "content_base64" not in output and "invocation" not in output
    assert "DEPRECATION" not in output
    assert list(role.out.iterdir()) == []


def test_validation_that_fails_shows_nothing_of_a_secret_file(role: Role) -> None:
    secret = [role.file("a", content=f"x={CANARY}\n", validate={"argv": ["sh", "-c", 'cat "$0"; exit 1', "%s"]})]
    done = role.run([], secret, "-vvv", "--diff")
    output = done.stdout + done.stderr
    assert done.returncode == 2
    assert "sh refused the new content (exit code 1); nothing was written" in output
    assert CANARY not in output


class Sent(NamedTuple):
    """What an action returned, and what it sent to the host (nothing: it did not get that far)."""

    result: dict[str, Any]
    arguments: dict[str, Any]


def act(role: Role, variables: dict[str, Any] | None = None, **arguments: Any) -> Sent:
    """Run the action in this process, with real templates and a host that only listens."""
    sent: dict[str, Any] = {}

    class Listening(ActionModule):
        def _execute_module(self, module_args: dict[str, Any], **_call: Any) -> dict[str, Any]:
            sent.update(module_args)
            return {"changed": False, "echo": module_args}

    task = SimpleNamespace(
        args=arguments,
        action="circleci_server.ops.host_files",
        async_val=0,
        check_mode=True,
        get_search_path=lambda: [str(role.place / "roles" / "r")],
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere"))
    loader = DataLoader()
    loader.set_basedir(str(role.place))
    task_vars = {"ansible_search_path": task.get_search_path(), **(variables or {})}
    templar = Templar(loader=loader, variables=task_vars)
    action = Listening(task, connection, SimpleNamespace(), loader, templar, None)
    return Sent(action.run(task_vars=task_vars), sent)


def content(sent: Sent, option: str = "files") -> bytes:
    (entry,) = sent.arguments[option]
    assert not {"content", "template", "source"} & set(entry)
    return base64.b64decode(entry["content_base64"])


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        pytest.param("{{ colour }}\n", "red\n", id="variable"),
        pytest.param("{{ colour }}", "red", id="no-newline-at-the-end"),
        pytest.param("{% if true %}\na\n{% endif %}\n\n", "a\n\n", id="blocks-leave-no-lines"),
        pytest.param("{{ [1, 'a'] }}", "[1, 'a']", id="list"),
        pytest.param("{{ '5' }}", "5", id="number"),
        pytest.param("{% include 'head.j2' %}", "head red", id="include"),
        pytest.param("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}", id="raw"),
        pytest.param("a\\nb {{ 'c\\\\d' }}", "a\\nb c\\d", id="backslashes"),
        pytest.param("", "", id="empty"),
    ],
)
def test_templates(role: Role, text: str, rendered: str) -> None:
    role.template("head.j2", "head {{ colour }}")
    files = [role.file("a", template=role.template("a.j2", text))]
    assert content(act(role, {"colour": "red"}, files=files)) == rendered.encode()


@pytest.mark.skipif(not hasattr(ansible.template, "trust_as_template"), reason="before 2.19 every text is a template")
def test_variables_with_braces_stay_text(role: Role) -> None:
    files = [role.file("a", template=role.template("a.j2", "{{ given }}"))]
    assert content(act(role, {"given": "x {{ y"}, files=files)) == b"x {{ y"


def test_contents_and_sources(role: Role) -> None:
    assert content(act(role, files=[role.file("a", content="é\n")])) == "é\n".encode()
    assert content(act(role, files=[role.file("a", content={"a": None})])) == b'{\n  "a": null\n}\n'
    assert content(act(role, files=[role.file("a", content_base64="/w==")])) == b"\xff"
    source = [role.file("a", source=role.source("s", b"\xff{{ x }}"))]
    assert content(act(role, secret_files=source), "secret_files") == b"\xff{{ x }}"


def test_what_has_no_content_is_sent_as_it_is(role: Role) -> None:
    sent = act(role, files=[role.file("d", state="directory")])
    assert "content_base64" not in sent.arguments["files"][0]


@pytest.mark.parametrize("how", ["content", "template", "source"])
def test_secret_contents_do_not_come_back(role: Role, how: str) -> None:
    role.template("a", "password={{ hidden }}")
    role.source("a", f"password={CANARY}".encode())
    given = {"content": f"password={CANARY}", "template": "a", "source": "a"}[how]
    sent = act(role, {"hidden": CANARY}, secret_files=[role.file("x", **{how: given})])
    assert content(sent, "secret_files") == f"password={CANARY}".encode()
    shown = json.dumps(sent.result)
    assert CANARY not in shown
    assert base64.b64encode(f"password={CANARY}".encode()).decode() not in shown
    assert str(role.out / "x") in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{{ nowhere_defined }}", "nowhere_defined", id="undefined"),
        pytest.param("{{ hidden | from_json }}", "Error", id="filter"),
        pytest.param("{{ hidden", "Error", id="syntax"),
        pytest.param("{% include hidden %}", "", id="include"),
    ],
)
def test_a_secret_template_that_cannot_be_rendered(role: Role, text: str, message: str) -> None:
    files = [role.file("x", template=role.template("a.j2", text))]
    sent = act(role, {"hidden": CANARY}, secret_files=files)
    assert sent.result["failed"] is True and sent.arguments == {}
    assert CANARY not in json.dumps(sent.result)
    assert f"template = 'a.j2': {role.out}/x: the template cannot be rendered: " in sent.result["msg"]
    assert message in sent.result["msg"]
    assert "Set the variable, or correct the template." in sent.result["msg"]


def test_a_template_that_cannot_be_rendered_says_why(role: Role) -> None:
    sent = act(role, files=[role.file("x", template=role.template("a.j2", "{% if %}"))])
    assert "Expected an expression" in sent.result["msg"]


@pytest.mark.parametrize(
    ("entry", "messages"),
    [
        pytest.param(
            {"template": "no.j2"},
            ["template = 'no.j2'", "there is no such file on the controller", "Put it into templates/ of the role"],
            id="template",
        ),
        pytest.param({"source": "no"}, ["source = 'no'", "Put it into files/ of the role"], id="source"),
        pytest.param({"template": "bytes.j2"}, ["the template is not UTF-8 text", "Save it as UTF-8"], id="bytes"),
        pytest.param({"content": 5}, ["content: ", "must be a text, a dictionary or a list, not int"], id="number"),
        pytest.param({}, ["any of the following are missing: content, content_base64"], id="nothing"),
        pytest.param({"content": "x", "source": "y"}, ["mutually exclusive: content|content_base64"], id="two"),
    ],
)
def test_refusals_on_the_controller(role: Role, entry: dict[str, Any], messages: list[str]) -> None:
    (role.place / "roles/r/templates/bytes.j2").write_bytes(b"\xff")
    sent = act(role, files=[role.file("a", **entry)])
    assert sent.result["failed"] is True and sent.arguments == {}
    for message in messages:
        assert message in sent.result["msg"]
