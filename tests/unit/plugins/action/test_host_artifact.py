# Tests of the action host_artifact: the controller's file is verified, unpacked and sent only when it has to be.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.action.host_artifact import ActionModule

CONTENT = b"program"
NEEDED = {"changed": False, "needs_file": True}
DONE = {"changed": True, "source": "nomad"}
KEPT = {"changed": False, "source": ""}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
        self.sent[remote_path] = Path(local_path).read_bytes()
        return remote_path

    def _fixup_perms2(self, remote_paths: list[str], remote_user: str | None = None, execute: bool = True) -> None:
        del remote_user, execute
        self.fixed = remote_paths

    calls: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    sent: dict[str, bytes]
    fixed: list[str]


def action(answers: list[dict[str, Any]], **args: Any) -> FakeHost:
    shell = SimpleNamespace(tmpdir=None, join_path=lambda *parts: "/".join(parts))
    made = FakeHost(
        task=SimpleNamespace(
            args={"dest": "/usr/bin/nomad", **args},
            check_mode=False,
            action="circleci_server.ops.host_artifact",
            async_val=0,
        ),
        connection=SimpleNamespace(_shell=shell),
        play_context=SimpleNamespace(check_mode=False),
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    made.calls, made.answers, made.sent, made.fixed = [], answers, {}, []
    return made


def act(made: FakeHost) -> dict[str, Any]:
    return made._checked_act({"inventory_hostname": "client"})


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "nomad"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "nomad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nomad", CONTENT)
    return path


def test_a_url_is_the_hosts_affair() -> None:
    made = action([DONE], url="https://example.com/nomad", checksum="sha256:" + "0" * 64)
    assert act(made) == DONE
    assert len(made.calls) == 1


def test_a_file_is_sent_when_the_host_needs_it(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = action([NEEDED, DONE], file=str(plain), checksum="sha256:" + digest(CONTENT))
    assert act(made) == DONE
    assert made.sent == {"/tmp/private/artifact": CONTENT}
    assert made.fixed == ["/tmp/private", "/tmp/private/artifact"]
    first, second = made.calls
    known = {"sha256": digest(CONTENT), "size": len(CONTENT)}
    assert first["handover"] == known
    assert second["handover"] == {**known, "source": "/tmp/private/artifact"}
    assert capsys.readouterr().err == "client: sends nomad (0 MB)\n"


def test_a_file_that_is_not_needed_stays_here(plain: Path) -> None:
    made = action([KEPT], file=str(plain))
    assert act(made) == KEPT
    assert made.sent == {}


def test_only_the_member_is_sent(zipped: Path) -> None:
    made = action([NEEDED, DONE], file=str(zipped), member="nomad", checksum="sha256:" + digest(zipped.read_bytes()))
    assert act(made) == DONE
    assert made.sent == {"/tmp/private/artifact": CONTENT}
    assert [call["handover"]["sha256"] for call in made.calls] == [digest(zipped.read_bytes()), digest(CONTENT)]


def test_a_members_content_is_compared(zipped: Path) -> None:
    made = action([NEEDED, DONE], file=str(zipped), member="nomad", replace="when_content_differs")
    assert act(made) == DONE
    assert [call["handover"]["sha256"] for call in made.calls] == [digest(CONTENT), digest(CONTENT)]


def test_a_wrong_checksum_is_refused_before_the_host_is_asked(plain: Path) -> None:
    made = action([], file=str(plain), checksum="sha256:" + "0" * 64)
    assert act(made) == {
        "changed": False,
        "failed": True,
        "msg": f"file = '{plain}': the checksum is sha256:{digest(CONTENT)}, expected is sha256:{'0' * 64}; nothing "
        "was replaced. Get the file anew, or correct checksum when the file is the right one.",
    }
    assert made.calls == []


@pytest.mark.parametrize("answer", [NEEDED, {"changed": True, "source": "none"}])
def test_a_missing_file_matters_where_it_is_needed(answer: dict[str, Any]) -> None:
    result = act(action([answer], file="none"))
    assert result["msg"] == (
        "file = 'none': there is no such file on the controller. Put it into files/ of the role or beside the "
        "playbook, or give its whole path."
    )
    assert act(action([KEPT], file="none")) == KEPT


def test_a_failure_of_the_host_is_passed_on(plain: Path) -> None:
    failed = {"failed": True, "msg": "no luck"}
    assert act(action([failed], file=str(plain))) == failed
