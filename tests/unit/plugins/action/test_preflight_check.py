# Tests of the action preflight_check: its four phases against a host that answers from a script.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.circleci_server.ops.plugins.action import preflight_check
from ansible_collections.circleci_server.ops.plugins.action.preflight_check import ActionModule
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_plan as plan
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_inventory import LOOK, PROBE

FACTS = {
    "architecture": "x86_64",
    "os_id": "debian",
    "os_version": "12",
    "os_name": "Debian 12",
    "cores": 8,
    "memory": 40_000_000_000,
    "disk": {"path": "/var/lib", "size": 200_000_000_000, "free": 100_000_000_000},
    "root": {"path": "/", "size": 200_000_000_000, "free": 100_000_000_000},
    "names": {},
    "listening": [22],
    "loopback": [],
}
EMPTY: dict[str, Any] = {"preflight_errors": [], "preflight_warnings": []}
GOOD = {
    **EMPTY,
    "preflight_facts": FACTS,
    "preflight_listener": {"ports": [3001, 4646, 4647, 7171, 8585], "until": 9e9},
}


class FakeHost(ActionModule):
    """The action with a host that answers: commands from a list of outputs or errors, the module from one result."""

    def _low_level_execute_command(self, cmd: str, sudoable: bool = True, **_more: Any) -> dict[str, Any]:
        self.commands.append((cmd, sudoable))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        text = answer.format(now=time.time() + self.ahead) if "{now}" in answer else answer
        return {"rc": self.rc, "stdout": text, "stderr": self.stderr, "stdout_lines": text.splitlines()}

    def host(self, arguments: dict[str, Any], *_more: Any, **_options: Any) -> dict[str, Any]:
        self.sent = arguments
        return dict(self.module_result)

    def _find_needle(self, dirname: str, needle: str) -> str:
        assert dirname == "files"
        if not Path(needle).exists():
            raise AnsibleError("Could not find " + needle)
        return needle

    commands: list[tuple[str, bool]]
    answers: list[Any]
    sent: dict[str, Any]
    module_result: dict[str, Any]
    ahead = 0.0
    rc = 0
    stderr = ""


ROOT = "UID 0\nPYTHON /usr/bin/python3 3.11.2 {now}\n"


def make(answers: list[Any] | None = None, become: str = "sudo", **args: Any) -> FakeHost:
    connection = SimpleNamespace(
        _shell=SimpleNamespace(tmpdir=None), become=SimpleNamespace(name=become) if become else None
    )
    task = SimpleNamespace(args=args, action="circleci_server.ops.preflight_check", async_val=0, check_mode=False)
    templar = SimpleNamespace(template=lambda value: value)
    action = FakeHost(task, connection, SimpleNamespace(remote_user="ops", remote_addr="h"), None, templar, None)
    action.answers = list(answers if answers is not None else [ROOT])
    action.commands = []
    action.module_result = {"changed": False, "facts": FACTS, "listener": {"ports": [4646], "failed": {}}}
    return action


def variables(name: str = "client-1", **hostvars: dict[str, Any]) -> dict[str, Any]:
    hosts = {"services": {}, "client-1": {}, "client-2": {}, "other": {}}
    for host, values in hostvars.items():
        hosts[host.replace("_", "-")] = values
    return {
        "inventory_hostname": name,
        "groups": {"circleci_services": ["services"], "nomad_clients": ["client-1", "client-2"]},
        "hostvars": hosts,
        "ansible_play_hosts_all": ["services", "client-1", "client-2"],
        "ansible_play_hosts": ["services", "client-1", "client-2"],
    }


@pytest.fixture(autouse=True)
def no_extra_vars(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    monkeypatch.setattr(preflight_check, "load_extra_vars", lambda _loader: extra)
    return extra


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []

    class FakeDisplay:
        def display(self, text: str, stderr: bool = False) -> None:
            lines.append((text, stderr))

    monkeypatch.setattr(preflight_check, "Display", FakeDisplay)
    return lines


def look(action: FakeHost, task_vars: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    action._task.args = {
        "phase": "look",
        "release": "2.19",
        "supported_os": {"debian": "11"},
        "client_minimum": {"cores": 4},
        "client_maximum": {"cores": 64},
        **args,
    }
    return action.run(task_vars=task_vars or variables())


def messages(result: dict[str, Any]) -> list[str]:
    return [entry["message"] for entry in result["preflight_errors"]]


def test_look_at_a_good_host() -> None:
    action = make()
    result = look(action, hostname="ci.example.com")
    assert result["preflight_errors"] == []
    assert result["preflight_warnings"] == []
    assert result["changed"] is False
    assert result["preflight_interpreter"] == "/usr/bin/python3"
    assert abs(result["preflight_facts"]["clock_skew"]) < 1
    listener = result["preflight_listener"]
    assert listener["ports"] == [4646]
    assert time.time() + 100 < listener["until"] < time.time() + 121
    work = action.sent["work"]
    assert action.sent["phase"] == "look"
    assert work.pop("token") == listener["token"]
    assert work == {
        "names": ["ci.example.com"],
        "disk_path": "/var/lib",
        "timeout": 5.0,
        "seconds": 120,
        "ports": plan.listen_ports(["nomad_clients"]),
    }
    assert len(action.commands) == 1 and action.commands[0][1] is True


def test_look_judges_what_the_host_is() -> None:
    action = make()
    action.module_result["facts"] = dict(
        FACTS,
        architecture="aarch64",
        os_id="alpine",
        cores=2,
        names={"ci.example.com": {"addresses": [], "error": "unknown"}},
        root={"path": "/", "size": 1, "free": 0},
    )
    result = look(action, hostname="ci.example.com")
    assert [entry["check"] for entry in result["preflight_errors"]] == ["architecture", "os", "name", "disk", "size"]
    assert messages(result)[2].startswith("circleci_server_hostname = 'ci.example.com'")


def test_look_measures_a_services_host_by_the_table() -> None:
    result = look(make(), variables("services"), daily_active_users=60, services_minimum={"disk_gb": 1})
    assert [message.split(":")[0] for message in messages(result)] == [
        "preflight_services_minimum.cores = 12",
        "preflight_services_minimum.memory_gb = 64",
    ]


def test_a_client_may_be_too_large() -> None:
    action = make()
    action.module_result["facts"] = dict(FACTS, cores=65)
    assert messages(look(action))[0].startswith("preflight_client_maximum.cores = 64")


@pytest.mark.parametrize("ahead", [60.0, -60.0])
def test_a_clock_that_is_wrong(ahead: float) -> None:
    action = make()
    action.ahead = ahead
    (message,) = messages(look(action))
    assert message.startswith("preflight_max_skew = 5: the host's clock is 60.0 s ")


def test_a_slow_login_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 108.0, 200.0, 200.2, 300.0])
    monkeypatch.setattr(preflight_check.time, "time", lambda: next(times))
    action = make(["UID 0\nPYTHON /usr/bin/python3 3.11.2 104.0\n", "banner\n199.9\n"])
    result = look(action)
    assert result["preflight_errors"] == []
    assert result["preflight_facts"]["clock_skew"] == -0.2
    assert result["preflight_facts"]["clock_uncertainty"] == 0.1
    assert action.commands[1] == ("/usr/bin/python3 -c 'import time; print(time.time())'", False)


def test_look_at_a_host_of_another_group() -> None:
    action = make()
    assert look(action, variables("other")) == {"changed": False, "preflight_errors": [], "preflight_warnings": []}
    assert action.commands == []


def test_the_module_fails() -> None:
    action = make()
    action.module_result = {"failed": True, "msg": "no"}
    assert look(action) == {"failed": True, "msg": "no"}


@pytest.mark.parametrize(
    ("answers", "become", "said"),
    [
        pytest.param(
            ["sudo: a password is required\n", "UID 1000\nPYTHON /usr/bin/python3 3.11.2 5.0\n"],
            "sudo",
            "ops cannot become root by sudo, which said: sudo: a password is required.",
            id="sudo says no",
        ),
        pytest.param(
            [AnsibleError("Missing sudo password"), "UID 1000\nPYTHON /usr/bin/python3 3.11.2 5.0\n"],
            "sudo",
            "which said: Missing sudo password.",
            id="Ansible says no",
        ),
        pytest.param(
            ["UID 1000\nPYTHON /usr/bin/python3 3.11.2 5.0\n"] * 2,
            "",
            "ansible_become = False: the login is not root and the play does not become root.",
            id="nobody asked",
        ),
    ],
)
def test_no_root(answers: list[Any], become: str, said: str) -> None:
    action = make(answers, become)
    result = look(action)
    assert said in messages(result)[0]
    assert [entry["check"] for entry in result["preflight_errors"]] == ["become"]
    assert "preflight_facts" not in result
    assert [sudoable for _command, sudoable in action.commands] == [True, False]


def test_no_root_and_no_python() -> None:
    result = look(make(["", "UID 1000\n"]))
    assert [entry["check"] for entry in result["preflight_errors"]] == ["become", "python"]


def test_root_logs_in_and_the_first_answer_was_lost() -> None:
    assert look(make(["", ROOT.replace("{now}", "5.0")], become=""))["preflight_errors"][0]["check"] == "clock"


def test_an_unreachable_host_stays_unreachable() -> None:
    with pytest.raises(AnsibleConnectionFailure):
        look(make([AnsibleConnectionFailure("no route"), AnsibleConnectionFailure("no route")]))


def test_no_python() -> None:
    task_vars = dict(variables(), ansible_python_interpreter="/gone/python")
    action = make(["UID 0\n"] * 2)
    (message,) = messages(look(action, task_vars))
    assert message.startswith("ansible_python_interpreter = '/gone/python': no Python 3.8 or later runs there.")
    assert "playbooks/bootstrap.yml" in message
    assert "/gone/python -c" in action.commands[0][0]


def test_the_inventory_is_judged_also_where_the_host_cannot_be() -> None:
    task_vars = dict(
        variables(client_1={"ansible_host": "10.0.0.1"}, client_2={"nomad_client_advertise_address": "10.0.0.1"}),
        max_parallel=2,
    )
    result = look(make(["UID 0\n"]), task_vars, release="2.20", extra_only=["max_parallel"], vm_provider="aws")
    checks = [entry["check"] for entry in result["preflight_errors"]]
    assert checks == ["release", "extra_only", "advertise", "python"]
    assert result["preflight_warnings"][0].startswith("client-1: circleci_server_vm_provider = 'aws'")


def test_max_parallel_on_the_command_line(no_extra_vars: dict[str, Any]) -> None:
    no_extra_vars["max_parallel"] = "2"
    task_vars = dict(variables(), max_parallel="2")
    assert look(make(), task_vars, extra_only=["max_parallel"])["preflight_errors"] == []


def version(program: str, value: str, check: str = "refuse") -> dict[str, Any]:
    option = "docker_version" if program == "docker" else "nomad_client_version"
    return {
        "program": program,
        "option": option,
        "value": value,
        "check_option": option + "_check",
        "check": check,
    }


def test_versions() -> None:
    wrong = [version("docker", "20.10"), version("nomad", "0.12.12")]
    assert [message[:40] for message in messages(look(make(), versions=wrong))] == [
        "docker_version = '20.10': release 2.19 r",
        "nomad_client_version = '0.12.12': releas",
    ]
    allowed = [version("docker", "20.10", "warn"), version("nomad", "0.12.12", "warn")]
    result = look(make(), versions=allowed)
    assert result["preflight_errors"] == []
    assert len(result["preflight_warnings"]) == 2
    services = look(make(), variables("services"), versions=[version("nomad", "0.12.12")], services_minimum={})
    assert [entry["check"] for entry in services["preflight_errors"]] == []


def test_binary(tmp_path: Path) -> None:
    path = tmp_path / "nomad"
    path.write_bytes(b"x" * 3_000_000)
    good = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert look(make(), binary_file=str(path), binary_checksum=good)["preflight_errors"] == []
    bad = {"binary_file": str(path), "binary_checksum": "sha256:" + "0" * 64}
    (message,) = messages(look(make(), **bad))
    assert message.startswith("nomad_client_binary_checksum = 'sha256:0000")
    (message,) = messages(look(make(), binary_file="/no/such/file"))
    assert message.startswith("nomad_client_binary_file = '/no/such/file': the file cannot be read")
    # The first client that has it speaks for all of them.
    same = {"nomad_client_binary_file": str(path), "nomad_client_binary_checksum": bad["binary_checksum"]}
    second = variables("client-2", services=same, client_1=same, client_2=same)
    assert messages(look(make(), second, **bad, client_minimum={})) == []
    alone = variables("client-2", services=same, client_2=same)
    assert len(messages(look(make(), alone, **bad))) == 1


# probe


def probe(action: FakeHost, task_vars: dict[str, Any], **args: Any) -> dict[str, Any]:
    action._task.args = {"phase": "probe", "github_host": "github.com", **args}
    return action.run(task_vars=task_vars)


def answers_of(outcome: str, count: int) -> dict[str, Any]:
    return {"changed": False, "outcomes": [{"outcome": outcome, "error": "no answer"} for _number in range(count)]}


@pytest.fixture
def looked() -> dict[str, Any]:
    return variables(**{name: {LOOK: GOOD, PROBE: EMPTY} for name in ("services", "client_1", "client_2")})


def test_probe_good(looked: dict[str, Any]) -> None:
    action = make()
    action.module_result = answers_of("open", 7)
    assert probe(action, looked)["preflight_errors"] == []
    assert action.sent["phase"] == "probe"
    assert sorted(action.sent["work"]["targets"]) == sorted(
        [["services", port] for port in (3001, 4647, 7171, 8585)] + [["github.com", port] for port in (22, 80, 443)]
    )


def test_probe_bad(looked: dict[str, Any]) -> None:
    action = make()
    action.module_result = answers_of("timeout", 7)
    result = probe(action, looked)
    assert [entry["check"] for entry in result["preflight_errors"]] == ["port"] * 4 + ["github"]
    assert result["preflight_errors"][0]["leave_out"] == "client-1"
    action.module_result = answers_of("timeout", 7)
    result = probe(action, looked, github_check="warn")
    assert [entry["check"] for entry in result["preflight_errors"]] == ["port"] * 4
    assert len(result["preflight_warnings"]) == 1


def test_probe_without_github(looked: dict[str, Any]) -> None:
    action = make()
    action.module_result = answers_of("open", 4)
    assert probe(action, looked, github_check="none")["preflight_errors"] == []
    assert len(action.sent["work"]["targets"]) == 4


def test_probe_of_a_host_that_could_not_be_looked_at() -> None:
    action = make()
    action.module_result = {"failed": True}
    assert probe(action, variables())["preflight_errors"] == []


def test_probe_fails(looked: dict[str, Any]) -> None:
    action = make()
    action.module_result = {"failed": True, "msg": "no"}
    assert probe(action, looked) == {"failed": True, "msg": "no"}


# gate

ERROR = {"check": "size", "host": "client-2", "message": "too small.", "leave_out": "client-2"}


def gate(action: FakeHost, task_vars: dict[str, Any]) -> dict[str, Any]:
    action._task.args = {"phase": "gate"}
    return action.run(task_vars=task_vars)


@pytest.fixture(autouse=True)
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"inventory": ("hosts.yml",), "args": ("playbooks/site.yml",), "subset": None}
    monkeypatch.setattr(preflight_check.context, "CLIARGS", given)
    monkeypatch.setattr(preflight_check, "MESSAGES_KEEP_LINES", True)


def test_gate_opens_and_shows_warnings_once(looked: dict[str, Any]) -> None:
    looked["hostvars"]["client-1"][PROBE] = {**EMPTY, "preflight_warnings": ["w"]}
    listening = {**GOOD, "preflight_listener": {"ports": []}}
    looked["hostvars"]["services"][LOOK] = looked["hostvars"]["client-1"][LOOK] = listening
    assert gate(make(), dict(looked, inventory_hostname="services")) == {"changed": False, "warnings": ["w"]}
    assert gate(make(), looked) == {"changed": False}


def test_gate_fails_on_all_hosts(looked: dict[str, Any], shown: list[tuple[str, bool]]) -> None:
    for name in ("services", "client-1"):
        looked["hostvars"][name][LOOK] = dict(GOOD, preflight_listener={})
    looked["hostvars"]["client-2"][LOOK] = dict(GOOD, preflight_errors=[ERROR], preflight_listener={})
    for name in ("client-1", "client-2"):
        result = gate(make(), dict(looked, inventory_hostname=name))
        assert result["failed"] is True
        assert result["msg"] == "preflight stopped all hosts; the message of services says why."
    result = gate(make(), dict(looked, inventory_hostname="services"))
    assert result["failed"] is True
    assert "  client-2\n    [size] too small.\n" in result["msg"]
    assert result["msg"].endswith("ansible-playbook -i hosts.yml playbooks/site.yml --limit 'all:!client-2'")
    assert shown == []


def test_gate_shows_the_lines_where_ansible_does_not(
    looked: dict[str, Any], shown: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_check, "MESSAGES_KEEP_LINES", False)
    looked["hostvars"]["services"][LOOK] = dict(GOOD, preflight_errors=[ERROR], preflight_listener={})
    result = gate(make(), dict(looked, inventory_hostname="services"))
    assert shown == [(result["msg"], True)]


def test_gate_with_a_dead_client(looked: dict[str, Any], shown: list[tuple[str, bool]]) -> None:
    looked["hostvars"]["client-2"] = {LOOK: {"unreachable": True}}
    looked["hostvars"]["services"][LOOK] = dict(GOOD, preflight_listener={})
    result = gate(make(), dict(looked, inventory_hostname="services"))
    assert "  client-2\n    [unreachable] the host could not be reached" in result["msg"]
    assert result["msg"].endswith("--limit 'all:!client-2'")
    assert shown == []


def test_gate_stops_the_listener(looked: dict[str, Any]) -> None:
    listening = {
        **GOOD,
        "preflight_interpreter": "/usr/bin/python3",
        "preflight_listener": {"ports": [4646], "token": "abc"},
    }
    looked["hostvars"]["client-1"][LOOK] = listening
    action = make([""])
    assert gate(action, looked) == {"changed": False}
    ((command, sudoable),) = action.commands
    assert command.startswith("/usr/bin/python3 -c ")
    assert "abc" in command
    assert sudoable is True
    stuck = make([""])
    stuck.rc, stuck.stderr = 1, "refused\n"
    assert gate(stuck, looked)["warnings"] == [
        "client-1: preflight's listener could not be stopped and ends by itself after preflight_listen_seconds: refused"
    ]


# rows


def rows(action: FakeHost, **args: Any) -> dict[str, Any]:
    action._task.args = {"phase": "rows", "github_host": "github.com", **args}
    return action.run(task_vars=variables())


def test_rows_are_shown_on_stderr(shown: list[tuple[str, bool]]) -> None:
    result = rows(make())
    assert result["changed"] is False
    assert any(row["first"] == 4647 for row in result["preflight_rows"])
    ((text, stderr),) = shown
    assert text.startswith("Into services (services)\n")
    assert stderr is True


def test_rows_are_written_to_a_file(tmp_path: Path, shown: list[tuple[str, bool]]) -> None:
    path = tmp_path / "rows.json"
    action = make()
    action._task.check_mode = True
    result = rows(action, rows_format="json", rows_file=str(path))
    assert result["changed"] is True and not path.exists()
    result = rows(make(), rows_format="json", rows_file=str(path))
    assert result["changed"] is True
    assert result["diff"][0]["before"] == "" and result["diff"][0]["after"] == path.read_text()
    assert json.loads(path.read_text()) == result["preflight_rows"]
    assert rows(make(), rows_format="json", rows_file=str(path))["changed"] is False
    assert shown == []
