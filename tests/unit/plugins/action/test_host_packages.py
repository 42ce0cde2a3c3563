# Tests of the action host_packages: what it sends, when, and what it says while it waits.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.action import host_packages
from ansible_collections.circleci_server.ops.plugins.action.host_packages import ActionModule

HOLDER = {"pid": 7, "command": "apt-get upgrade", "path": "/var/lib/dpkg/lock"}
DONE = {"changed": True, "changes": ["done"]}


class FakeHost(ActionModule):
    """The action with a host that answers from a list, and a connection that remembers what was sent."""

    def host(self, arguments: dict[str, Any], *_more: Any, **_options: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        return dict(self.answers.pop(0))

    def _find_needle(self, dirname: str, needle: str) -> str:
        assert dirname == "files"
        if not Path(needle).exists():
            raise AnsibleError("Could not find " + needle)
        return needle

    def _make_tmp_path(self, remote_user: str | None = None) -> str:
        del remote_user
        self._connection._shell.tmpdir = "/tmp/private"
        return "/tmp/private"

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.sent[remote_path] = Path(local_path).read_text()
        return remote_path

    def _fixup_perms2(self, remote_paths: list[str], remote_user: str | None = None, execute: bool = True) -> None:
        del remote_user, execute
        self.fixed = remote_paths

    calls: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    sent: dict[str, str]
    fixed: list[str]


def action(answers: list[dict[str, Any]], check: bool = False, **args: Any) -> FakeHost:
    shell = SimpleNamespace(tmpdir=None, join_path=lambda *parts: "/".join(parts))
    made = FakeHost(
        task=SimpleNamespace(args=args, check_mode=check, action="circleci_server.ops.host_packages", async_val=0),
        connection=SimpleNamespace(_shell=shell),
        play_context=SimpleNamespace(check_mode=check),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    made.calls, made.answers, made.sent, made.fixed = [], answers, {}, []
    return made


def act(made: FakeHost) -> dict[str, Any]:
    return made._checked_act({"inventory_hostname": "client"})


def test_one_run_when_nothing_stands_in_the_way() -> None:
    made = action([DONE], packages=[{"name": "docker-ce"}])
    assert act(made) == DONE
    (call,) = made.calls
    assert call["handover"] == {"look": True, "patience": 0}
    assert call["packages"][0]["state"] == "present", "the spec's defaults are sent"


def test_only_the_needed_file_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.deb", "b.deb"):
        (tmp_path / name).write_text(name)
    packages = [{"name": name, "file": str(tmp_path / f"{name}.deb")} for name in ("a", "b")]
    made = action([{"changed": False, "needs_files": ["b"]}, DONE], packages=packages)
    assert act(made) == DONE
    assert made.sent == {"/tmp/private/b.deb": "b.deb"}
    assert made.fixed == ["/tmp/private", "/tmp/private/b.deb"]
    assert made.calls[1]["handover"] == {"files": {"b": "/tmp/private/b.deb"}, "patience": 20}
    assert capsys.readouterr().err == "client: sends b.deb\n"


def test_check_mode_looks_for_the_file_and_sends_nothing(tmp_path: Path) -> None:
    predicted = {"changed": True, "needs_files": ["a"]}
    present = tmp_path / "a.deb"
    present.write_text("a")
    made = action([predicted], check=True, packages=[{"name": "a", "file": str(present)}])
    assert act(made) == {"changed": True}
    assert made.sent == {}
    missing = act(action([predicted], check=True, packages=[{"name": "a", "file": "none.deb"}]))
    assert missing == {
        "changed": False,
        "failed": True,
        "msg": "packages.file = 'none.deb': there is no such file on the controller. Put it into files/ of the role or "
        "beside the playbook, or give its whole path.",
    }


def test_a_missing_file_that_nobody_needs_is_no_error() -> None:
    assert act(action([{"changed": False}], packages=[{"name": "a", "file": "none.deb"}])) == {"changed": False}


def test_it_says_for_whom_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {"changed": False, "waiting_for": HOLDER}
    made = action([waiting, waiting, DONE], packages=[{"name": "a"}], lock_timeout=90)
    assert act(made) == DONE
    assert [call["handover"]["patience"] for call in made.calls] == [0, 20, 20]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("client: waits for pid 7 (apt-get upgrade), which holds /var/lib/dpkg/lock; 8")


def test_it_gives_up_when_the_time_is_over() -> None:
    waiting = {"changed": False, "waiting_for": HOLDER}
    made = action([waiting], packages=[{"name": "a"}], lock_timeout=0)
    assert act(made) == {
        "changed": False,
        "failed": True,
        "msg": "lock_timeout = 0: another program works on this host's packages: pid 7 (apt-get upgrade), which holds "
        "/var/lib/dpkg/lock. Wait until it has ended and run again, or raise lock_timeout (seconds).",
    }


def test_a_failure_of_the_host_is_passed_on() -> None:
    failed = {"failed": True, "msg": "no luck"}
    assert act(action([failed], packages=[{"name": "a"}])) == failed
    assert host_packages.PATIENCE < 30, "progress is shown at least every 30 s"


def test_a_handover_from_a_playbook_does_not_count() -> None:
    made = action([DONE], packages=[{"name": "a"}], handover={"files": {"a": "/etc/passwd"}})
    act(made)
    assert made.calls[0]["handover"] == {"look": True, "patience": 0}
