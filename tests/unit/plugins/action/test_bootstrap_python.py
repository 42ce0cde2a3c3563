# Tests of the action bootstrap_python: compared, delivered, refused; the shell scripts have tests of their own.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.circleci_server.ops.plugins.action import bootstrap_python
from ansible_collections.circleci_server.ops.plugins.action.bootstrap_python import ActionModule

CONTENT = b"an archive"
SUM = hashlib.sha256(CONTENT).hexdigest()
DEST = "/opt/circleci_server_ops/python"
INTERPRETER = DEST + "/bin/python3"
THERE = "MARK {0}\nPYTHON 3.11.2 ssl\n".format(SUM)


class FakeHost(ActionModule):
    """The action with a host whose commands answer from a list."""

    def _low_level_execute_command(self, cmd: str, **_more: Any) -> dict[str, Any]:
        self.commands.append(cmd)
        rc, stdout, stderr = self.answers.pop(0)
        return {"rc": rc, "stdout": stdout, "stderr": stderr}

    def _find_needle(self, dirname: str, needle: str) -> str:
        assert dirname == "files"
        if not Path(needle).exists():
            raise AnsibleError("Could not find " + needle)
        return needle

    def _make_tmp_path(self, *_arguments: Any) -> str:
        self.events.append("make")
        self._connection._shell.tmpdir = "/tmp/of-ansible"
        return "/tmp/of-ansible"

    def _remove_tmp_path(self, tmp_path: str | None, **_more: Any) -> None:
        self.events.append("remove {0}".format(tmp_path))

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.events.append("{0} to {1}".format(Path(local_path).read_bytes().decode(), remote_path))
        return remote_path

    def progress(self, text: str) -> None:
        self.shown.append(text)

    answers: list[tuple[int, str, str]]
    commands: list[str]
    events: list[str]
    shown: list[str]


def make(answers: list[tuple[int, str, str]], check: bool = False, **args: Any) -> FakeHost:
    shell = SimpleNamespace(tmpdir=None, join_path=lambda *parts: "/".join(parts))
    task = SimpleNamespace(args=args, action="circleci_server.ops.bootstrap_python", async_val=0, check_mode=check)
    action = FakeHost(task, SimpleNamespace(_shell=shell), SimpleNamespace(remote_addr="h"), None, None, None)
    action.answers, action.commands, action.events, action.shown = list(answers), [], [], []
    return action


def run(action: FakeHost) -> dict[str, Any]:
    return action.run(task_vars={"inventory_hostname": "old-host"})


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "python.tar.gz"
    path.write_bytes(CONTENT)
    return str(path)


def test_there_already(archive: str) -> None:
    action = make([(0, THERE, "")], file=archive)
    assert run(action) == {"changed": False, "changes": [], "interpreter": INTERPRETER, "version": "3.11.2"}
    assert action.events == []
    assert action.shown == ["set for this host: ansible_python_interpreter: " + INTERPRETER]


@pytest.mark.parametrize(
    ("state", "before"),
    [
        pytest.param("MARK\n", "no interpreter\n", id="nothing"),
        pytest.param("MARK 12\nPYTHON 3.9.1 ssl\n", "Python 3.9.1 (sha256:12)\n", id="another"),
        pytest.param("MARK {0}\n".format(SUM), "no interpreter\n", id="broken"),
    ],
)
def test_installed(archive: str, state: str, before: str) -> None:
    action = make([(0, state, ""), (0, THERE, "")], file=archive, checksum="sha256:" + SUM)
    result = run(action)
    assert result["changed"] is True
    assert result["version"] == "3.11.2"
    assert result["changes"] == ["python.tar.gz installed in " + DEST]
    assert result["diff"][0]["before"] == before
    assert result["diff"][0]["after"] == "Python of sha256:{0}\n".format(SUM)
    assert action.events == ["make", "an archive to /tmp/of-ansible/python.tar", "remove /tmp/of-ansible"]
    assert "/tmp/of-ansible/python.tar" in action.commands[1]
    assert action.shown[0] == "sends python.tar.gz (0 MB)"


def test_check_mode_predicts_and_writes_nothing(archive: str) -> None:
    action = make([(0, "MARK\n", "")], check=True, file=archive, dest="/opt/x/")
    result = run(action)
    assert (result["changed"], result["version"], result["interpreter"]) == (True, "", "/opt/x/bin/python3")
    assert action.events == [] and len(action.commands) == 1


def test_without_ssl_is_a_warning(archive: str) -> None:
    answers = [(0, "MARK\n", ""), (0, THERE.replace("ssl", "-"), "")]
    (warning,) = run(make(answers, file=archive))["warnings"]
    assert warning.startswith("The new interpreter has no ssl")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param((126, "", "python3: Exec format error\n"), "python3: Exec format error", id="other machine"),
        pytest.param((2, "", "tar: No space left on device\n"), "tar: No space left on device", id="full disk"),
        pytest.param((1, "", ""), "exit code 1", id="silence"),
        pytest.param((0, "strange\n", ""), "strange", id="no answer"),
    ],
)
def test_does_not_work_on_the_host(archive: str, answer: tuple[int, str, str], words: str) -> None:
    action = make([(0, "MARK\n", ""), answer], file=archive)
    result = run(action)
    assert result["failed"] is True
    assert result["msg"] == (
        "bootstrap_python_file = {0!r}: the interpreter could not be installed on this host: {1}. "
        "Give a relocatable CPython 3.8 or later for the host's architecture and C library.".format(archive, words)
    )
    assert action.events[-1] == "remove /tmp/of-ansible"


def test_wrong_checksum(archive: str) -> None:
    action = make([], file=archive, checksum="sha256:" + "0" * 64)
    result = run(action)
    assert result["msg"] == (
        "bootstrap_python_checksum = 'sha256:{0}': {1} has the checksum sha256:{2}. "
        "Get the archive again, or correct the checksum.".format("0" * 64, archive, SUM)
    )
    assert action.commands == []


def test_no_such_file() -> None:
    result = run(make([], file="/no/such/file"))
    assert result["msg"] == (
        "bootstrap_python_file = '/no/such/file': the file cannot be read on this controller: "
        "Could not find /no/such/file. Correct the path."
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param({}, "one of the following is required: file, url", id="neither"),
        pytest.param({"file": "a", "url": "b", "checksum": "c"}, "mutually exclusive: file|url", id="both"),
        pytest.param({"url": "b"}, "missing parameter(s) required by 'url': checksum", id="no checksum"),
    ],
)
def test_options(args: dict[str, str], words: str) -> None:
    assert words in run(make([], **args))["msg"]


# url


class Web:
    """open_url: serves one content, counts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.calls: list[str] = []

    def __call__(self, url: str, timeout: int) -> io.BytesIO:
        assert timeout == bootstrap_python.TIMEOUT
        self.calls.append(url)
        if not self.content:
            raise OSError("404")
        return io.BytesIO(self.content)


def from_web(web: Web, monkeypatch: pytest.MonkeyPatch, folder: Path, check: bool = False) -> dict[str, Any]:
    monkeypatch.setattr(bootstrap_python, "open_url", web)
    monkeypatch.setattr(bootstrap_python.C, "DEFAULT_LOCAL_TMP", str(folder))
    answers = [(0, "MARK\n", ""), (0, THERE, "")]
    return run(make(answers, check, url="https://example.com/python.tar.gz", checksum="sha256:" + SUM))


def test_downloaded_once_for_all_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    web = Web(CONTENT)
    for _host in range(2):
        assert from_web(web, monkeypatch, tmp_path)["changes"] == ["python.tar.gz installed in " + DEST]
    assert web.calls == ["https://example.com/python.tar.gz"]


def test_check_mode_downloads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    web = Web(CONTENT)
    assert from_web(web, monkeypatch, tmp_path, check=True)["changed"] is True
    assert web.calls == []


def test_download_of_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = from_web(Web(b"other"), monkeypatch, tmp_path)
    assert result["msg"].startswith("bootstrap_python_checksum = 'sha256:{0}': https://example.com".format(SUM))
    assert not list(tmp_path.glob("*.part"))


def test_download_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert from_web(Web(b""), monkeypatch, tmp_path)["msg"] == (
        "bootstrap_python_url = 'https://example.com/python.tar.gz': the download failed: 404. "
        "Correct the URL, or give bootstrap_python_file."
    )
