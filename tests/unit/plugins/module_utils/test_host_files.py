# Tests of host_files on real files: check, apply, apply again, check again; refusals; kills; secrets.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import copy
import fcntl
import grp
import hashlib
import json
import os
import pwd
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _host_files
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._host_files import Places, host_files
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import read_pending

USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
CANARY = "canary-51d0"

NOMAD = """\
# ours
datacenter = "default"
client {
  enabled = true
  servers = ["10.0.0.2:4647"]
}
"""


class Host:
    """A directory as a host, with a state directory of its own beside it."""

    def __init__(self, root: Path) -> None:
        self.etc = root / "etc"
        self.etc.mkdir()
        self.places = Places(str(root / "state"), str(root / "run" / "lock"))

    def path(self, name: str) -> str:
        return f"{self.etc}/{name}"

    def options(self, files: list[dict[str, Any]], secret_files: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        lists = []
        for entries in (files, secret_files or []):
            lists.append(
                [{"user": USER, "group": GROUP, **entry, "dest": self.path(entry["dest"])} for entry in entries]
            )
        return {"files": lists[0], "secret_files": lists[1], "owner": "test", "lock_timeout": 1}

    def run(
        self, *files: dict[str, Any], check: bool = False, secret: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        options = self.options(list(files), secret)
        before = copy.deepcopy(options)
        result = host_files(options, check, self.places)
        assert options == before
        return result

    def converge(self, *files: dict[str, Any], secret: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Check, apply, apply again, check again; returns the result of the first apply."""
        untouched = self.snapshot()
        predicted = self.run(*files, check=True, secret=secret)
        assert self.snapshot() == untouched
        result = self.run(*files, secret=secret)
        for key in ("changed", "changes", "diff", "changed_files", "owed"):
            assert predicted[key] == result[key]
        done = self.snapshot()
        for check in (False, True):
            again = self.run(*files, check=check, secret=secret)
            assert (again["changed"], again["changes"], again["diff"], again["owed"]) == (False, [], [], [])
            assert self.snapshot() == done
        return result

    def refuse(self, *files: dict[str, Any], check: bool = False, secret: list[dict[str, Any]] | None = None) -> str:
        """The message of a refusal that wrote nothing."""
        before = self.snapshot()
        with pytest.raises(OpsError) as caught:
            self.run(*files, check=check, secret=secret)
        assert self.snapshot() == before
        return str(caught.value)

    def snapshot(self) -> dict[str, Any]:
        found = {}
        for root in (self.etc, Path(self.places.state)):
            for path in sorted(root.rglob("*")):
                status = path.lstat()
                digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                found[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_mode, status.st_uid, digest)
        return found

    def mode(self, name: str) -> int:
        return os.stat(self.path(name)).st_mode & 0o7777

    def originals(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(self.places.state).glob("originals/*")}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def diff_of(dest: str, before: str, after: str) -> dict[str, str]:
    return {
        "before": before,
        "after": after,
        "before_header": dest + " (as it is)",
        "after_header": dest + " (as it will be)",
    }


class TestWriting:
    def test_a_new_file_in_a_new_directory(self, host: Host) -> None:
        result = host.converge({"dest": "nomad", "state": "directory"}, {"dest": "nomad/a", "content": "x\n"})
        assert (host.etc / "nomad" / "a").read_text() == "x\n"
        assert (host.mode("nomad"), host.mode("nomad/a")) == (0o755, 0o644)
        assert result["changes"] == [
            host.path("nomad") + ": (absent) -> directory",
            host.path("nomad/a") + ": (absent) -> file",
        ]
        assert result["diff"][1] == diff_of(host.path("nomad/a"), "", "x\n")
        assert result["changed_files"] == [host.path("nomad"), host.path("nomad/a")]
        assert host.originals() == {}

    def test_text_is_compared_byte_by_byte(self, host: Host) -> None:
        (host.etc / "a").write_text("one\ntwo\n")
        result = host.converge({"dest": "a", "content": "one\nthree\nfour\n"})
        assert result["changes"] == [host.path("a") + ": content differs (-1 +2 lines)"]
        assert result["diff"] == [diff_of(host.path("a"), "one\ntwo\n", "one\nthree\nfour\n")]
        assert (host.etc / "a").read_text() == "one\nthree\nfour\n"

    def test_long_files_are_not_compared_line_by_line(self, host: Host) -> None:
        (host.etc / "a").write_text("x\n" * 3000)
        result = host.converge({"dest": "a", "content": "y\n"})
        assert result["changes"] == [host.path("a") + ": content differs (3000 lines -> 1 lines)"]

    @pytest.mark.parametrize("binary", [b"\xff\x00\x01", b"zero\0inside"])
    def test_binary_content(self, host: Host, binary: bytes) -> None:
        (host.etc / "a").write_text("text")
        result = host.converge({"dest": "a", "content_base64": base64.b64encode(binary).decode()})
        assert (host.etc / "a").read_bytes() == binary
        assert result["changes"] == [host.path("a") + f": content differs (4 bytes -> {len(binary)} bytes)"]
        assert result["diff"] == [diff_of(host.path("a"), "text", f"(binary content of {len(binary)} bytes)\n")]

    def test_a_dictionary_is_written_as_json(self, host: Host) -> None:
        host.converge({"dest": "a", "content": {"a": ["é"]}, "compare": "json"})
        assert (host.etc / "a").read_text() == '{\n  "a": [\n    "é"\n  ]\n}\n'

    def test_mode_alone_is_changed_without_a_new_file(self, host: Host) -> None:
        (host.etc / "a").write_text("x\n")
        (host.etc / "a").chmod(0o666)
        inode = os.stat(host.path("a")).st_ino
        result = host.converge({"dest": "a", "content": "x\n", "mode": "0600", "owes": {"target": "nomad"}})
        assert os.stat(host.path("a")).st_ino == inode
        assert host.mode("a") == 0o600
        assert result["changes"] == [host.path("a") + ": mode: 0666 -> 0600"]
        assert result["diff"] == [diff_of(host.path("a"), "mode: 0666\n", "mode: 0600\n")]
        assert result["owed"] == [] and host.originals() == {}

    def test_content_and_mode_together(self, host: Host) -> None:
        (host.etc / "a").write_text("x\n")
        result = host.converge({"dest": "a", "content": "y\n", "mode": "0600"})
        assert result["changes"] == [
            host.path("a") + ": content differs (-1 +1 lines)",
            host.path("a") + ": mode: 0644 -> 0600",
        ]
        assert [part["after"] for part in result["diff"]] == ["y\n", "mode: 0600\n"]

    @pytest.mark.parametrize(
        ("present", "wanted", "after"),
        [
            pytest.param(0o600, None, 0o600, id="stricter-is-kept"),
            pytest.param(0o666, None, 0o644, id="looser-is-not"),
            pytest.param(0o600, "0644", 0o644, id="what-is-asked-for-counts"),
            pytest.param(0o600, "4755", 0o4755, id="set-user-id"),
            pytest.param(0o644, "640", 0o640, id="three-digits"),
        ],
    )
    def test_mode_of_a_file_that_is_there(self, host: Host, present: int, wanted: str | None, after: int) -> None:
        (host.etc / "a").write_text("x\n")
        os.chmod(host.path("a"), present)
        host.converge({"dest": "a", "content": "x\n", "mode": wanted})
        assert host.mode("a") == after

    def test_mode_of_a_directory_that_is_there(self, host: Host) -> None:
        (host.etc / "d").mkdir()
        (host.etc / "d").chmod(0o777)
        result = host.converge({"dest": "d", "state": "directory"})
        assert result["changes"] == [host.path("d") + ": mode: 0777 -> 0755"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
    def test_ownership(self, host: Host) -> None:
        (host.etc / "a").write_text("x\n")
        os.chown(host.path("a"), 65533, 65533)
        wanted = {"dest": "a", "content": "x\n", "user": "root", "group": "daemon"}
        result = host.converge(wanted)
        assert result["changes"] == [
            host.path("a") + ": user: 65533 -> root",
            host.path("a") + ": group: 65533 -> daemon",
        ]
        assert os.stat(host.path("a")).st_uid == 0
        assert grp.getgrgid(os.stat(host.path("a")).st_gid).gr_name == "daemon"

    def test_absent(self, host: Host) -> None:
        (host.etc / "a").write_text("theirs\n")
        result = host.converge({"dest": "a", "state": "absent"}, {"dest": "missing/b", "state": "absent"})
        assert not (host.etc / "a").exists()
        assert result["changes"] == [host.path("a") + ": file -> (absent)"]
        assert result["diff"] == [diff_of(host.path("a"), "theirs\n", "")]
        assert list(host.originals().values()) == [b"theirs\n"]

    def test_a_link_is_followed_and_removed(self, host: Host) -> None:
        (host.etc / "real").write_text("x\n")
        (host.etc / "link").symlink_to("real")
        host.converge({"dest": "link", "content": "y\n"})
        assert (host.etc / "real").read_text() == "y\n" and (host.etc / "link").is_symlink()
        host.converge({"dest": "link", "state": "absent"})
        assert (host.etc / "real").exists() and not os.path.lexists(host.path("link"))

    def test_a_link_to_nothing_is_removed(self, host: Host) -> None:
        (host.etc / "link").symlink_to("nowhere")
        assert host.converge({"dest": "link", "state": "absent"})["changes"] == [
            host.path("link") + ": link -> (absent)"
        ]
        assert not os.path.lexists(host.path("link"))


class TestMeaning:
    @pytest.mark.parametrize(
        ("form", "theirs", "ours"),
        [
            pytest.param("json", '{"b":[1,2],\n"a":{"c":true}}', '{"a": {"c": true}, "b": [1, 2]}\n', id="json"),
            pytest.param(
                "hcl",
                'client { servers=["10.0.0.2:4647"] enabled=true }\n datacenter="default" // theirs',
                NOMAD,
                id="hcl",
            ),
            pytest.param(
                "systemd",
                "; theirs\n[Service]\nRestart = always\nExecStart=/usr/bin/nomad \\\n agent\n",
                "[Service]\nExecStart=/usr/bin/nomad agent\nRestart=always\n",
                id="systemd",
            ),
        ],
    )
    def test_another_layout_is_left_alone(self, host: Host, form: str, theirs: str, ours: str) -> None:
        (host.etc / "a").write_text(theirs)
        before = host.snapshot()
        wanted = {"dest": "a", "content": ours, "compare": form, "owes": {"target": "nomad"}}
        for check in (True, False):
            assert host.run(wanted, check=check)["changed"] is False
        assert host.snapshot() == before

    def test_equal_meaning_and_another_mode_is_a_chmod(self, host: Host) -> None:
        (host.etc / "a").write_text('{"a":1}')
        inode = os.stat(host.path("a")).st_ino
        result = host.converge({"dest": "a", "content": '{"a": 1}\n', "compare": "json", "mode": "0600"})
        assert result["changes"] == [host.path("a") + ": mode: 0644 -> 0600"]
        assert (host.etc / "a").read_text() == '{"a":1}'
        assert os.stat(host.path("a")).st_ino == inode

    @pytest.mark.parametrize(
        ("form", "theirs", "ours", "changes"),
        [
            pytest.param(
                "json",
                '{"log-opts": {"max-size": "10m"}}',
                '{"log-opts": {"max-size": "50m"}, "debug": true}',
                ['log-opts.max-size: "10m" -> "50m"', "debug: (absent) -> true"],
                id="json",
            ),
            pytest.param(
                "hcl",
                'datacenter = "us-east-1"\nclient { enabled = true }',
                NOMAD,
                ['datacenter: "us-east-1" -> "default"', 'client.servers: (absent) -> ["10.0.0.2:4647"]'],
                id="hcl",
            ),
            pytest.param(
                "systemd",
                "[Service]\nRestart=always\n",
                "[Service]\nRestart=always\nKillMode=process\n",
                ['Service.KillMode: (absent) -> "process"'],
                id="systemd",
            ),
            pytest.param(
                "hcl",
                "a = <<EOF\nx\nEOF\n",
                "a = 1\n",
                ["is replaced, because it cannot be read as hcl: line 1: '<<EOF' cannot be read"],
                id="unreadable",
            ),
        ],
    )
    def test_each_difference_is_named(self, host: Host, form: str, theirs: str, ours: str, changes: list[str]) -> None:
        (host.etc / "a").write_text(theirs)
        result = host.converge({"dest": "a", "content": ours, "compare": form})
        assert result["changes"] == [host.path("a") + ": " + change for change in changes]
        assert result["diff"] == [diff_of(host.path("a"), theirs, ours)]
        assert (host.etc / "a").read_text() == ours

    def test_a_file_that_is_no_text_at_all_is_replaced(self, host: Host) -> None:
        (host.etc / "a").write_bytes(b"\xff")
        result = host.converge({"dest": "a", "content": "{}", "compare": "json"})
        assert "is replaced, because it cannot be read as json" in result["changes"][0]

    def test_merge_keeps_what_others_wrote(self, host: Host) -> None:
        (host.etc / "daemon.json").write_text('{\n\t"log-opts": {"max-size": "10m"},\n\t"dns": ["10.0.0.1"]\n}')
        ours = {"userns-remap": "default", "log-opts": {"max-file": "3"}}
        result = host.converge({"dest": "daemon.json", "content": ours, "compare": "json", "merge": True})
        assert result["changes"] == [
            host.path("daemon.json") + ': log-opts.max-file: (absent) -> "3"',
            host.path("daemon.json") + ': userns-remap: (absent) -> "default"',
        ]
        text = (host.etc / "daemon.json").read_text()
        assert json.loads(text) == {
            "log-opts": {"max-size": "10m", "max-file": "3"},
            "dns": ["10.0.0.1"],
            "userns-remap": "default",
        }
        assert text.startswith('{\n\t"log-opts": {\n\t\t')

    def test_merge_into_nothing_and_into_an_empty_file(self, host: Host) -> None:
        (host.etc / "empty").write_text("")
        wanted = {"content": {"a": 1, "gone": None}, "compare": "json", "merge": True}
        host.converge({"dest": "new", **wanted}, {"dest": "empty", **wanted})
        assert json.loads((host.etc / "new").read_text()) == {"a": 1}
        assert json.loads((host.etc / "empty").read_text()) == {"a": 1}

    def test_merge_that_changes_nothing_leaves_the_file_alone(self, host: Host) -> None:
        (host.etc / "a").write_text('{"b":2,"a":1}')
        before = host.snapshot()
        assert host.run({"dest": "a", "content": {"a": 1}, "compare": "json", "merge": True})["changed"] is False
        assert host.snapshot() == before

    @pytest.mark.parametrize(
        ("theirs", "message"),
        [
            pytest.param(
                "{'a': 1}", "is to be merged into, but cannot be read as json: Expecting property", id="broken"
            ),
            pytest.param("[1]", "is to be merged into, but holds no JSON object", id="list"),
        ],
    )
    def test_merge_into_what_is_no_object_is_refused(self, host: Host, theirs: str, message: str) -> None:
        (host.etc / "a").write_text(theirs)
        text = host.refuse({"dest": "a", "content": {"a": 1}, "compare": "json", "merge": True})
        assert f"merge = True: {host.path('a')} {message}" in text
        assert "Repair the file, or move it away to have it written anew" in text


class TestRecords:
    def test_the_first_original_stays(self, host: Host) -> None:
        (host.etc / "a").write_text("a person's\n")
        result = host.run({"dest": "a", "content": "ours 1\n"})
        assert result["kept_originals"] == [
            host.places.state + "/originals/" + host.path("a").replace("/", "%2F"),
        ]
        assert host.run({"dest": "a", "content": "ours 2\n"})["kept_originals"] == []
        (host.etc / "a").write_text("edited\n")
        assert host.run({"dest": "a", "content": "ours 2\n"})["kept_originals"] == []
        assert list(host.originals().values()) == [b"a person's\n"]

    def test_ours_is_no_original_when_it_goes(self, host: Host) -> None:
        host.run({"dest": "a", "content": "ours\n"})
        host.run({"dest": "a", "state": "absent"})
        assert host.originals() == {}

    def test_an_adopted_file_is_kept_when_it_is_replaced_later(self, host: Host) -> None:
        (host.etc / "a").write_text('{"a":1}')
        host.run({"dest": "a", "content": '{"a": 1}', "compare": "json"})
        host.run({"dest": "a", "content": '{"a": 2}', "compare": "json"})
        assert list(host.originals().values()) == [b'{"a":1}']

    def test_what_is_owed_is_recorded(self, host: Host) -> None:
        files = [
            {"dest": "a", "content": "x", "owes": {"target": "nomad"}},
            {
                "dest": "b",
                "content": "x",
                "owes": {"scope": "container", "target": "c", "reason": "why", "when": "with_next"},
            },
        ]
        result = host.converge(*files)
        first, second = read_pending(host.places.pending)
        assert first[:5] == ("unit", "nomad", "test", host.path("a") + " changed", "now")
        assert second[:5] == ("container", "c", "test", "why", "with_next")
        assert first.written > 0 and first.boot and first.since
        assert result["owed"][1] == {
            "scope": "container",
            "target": "c",
            "owner": "test",
            "reason": "why",
            "when": "with_next",
        }

    def test_a_removal_owes_too(self, host: Host) -> None:
        (host.etc / "a").write_text("x")
        host.run({"dest": "a", "state": "absent", "owes": {"target": "nomad"}})
        assert [entry.target for entry in read_pending(host.places.pending)] == ["nomad"]

    def test_check_mode_and_an_unchanged_run_take_no_lock(self, host: Host) -> None:
        host.run({"dest": "a", "content": "x"}, check=True)
        assert not os.path.exists(host.places.lock)
        host.run({"dest": "a", "content": "x"})
        with open(host.places.lock) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            assert host.run({"dest": "a", "content": "x"})["changed"] is False
            message = host.refuse({"dest": "a", "content": "y"})
        assert "another run works on this host" in message and "host_files of test" in message


class TestValidation:
    RULE = {"argv": ["grep", "-q", "good", "%s"]}

    def test_nothing_is_written_when_one_file_is_refused(self, host: Host) -> None:
        message = host.refuse(
            {"dest": "a", "content": "new", "owes": {"target": "nomad"}},
            {"dest": "b", "content": "bad", "validate": self.RULE},
        )
        assert f"{host.path('b')}: grep refused the new content (exit code 1); nothing was written" in message
        assert not (host.etc / "a").exists()

    def test_check_mode_asks_the_program_too(self, host: Host) -> None:
        assert "refused the new content" in host.refuse(
            {"dest": "b", "content": "x", "validate": self.RULE}, check=True
        )

    def test_a_good_file_is_written(self, host: Host) -> None:
        host.converge({"dest": "b", "content": "good", "validate": self.RULE})
        assert (host.etc / "b").read_text() == "good"

    def test_what_is_merged_is_checked_as_a_whole(self, host: Host) -> None:
        (host.etc / "b").write_text('{"good": 1}')
        host.converge({"dest": "b", "content": {"a": 1}, "compare": "json", "merge": True, "validate": self.RULE})

    def test_an_unchanged_file_is_not_checked(self, host: Host) -> None:
        (host.etc / "b").write_text("x")
        assert host.run({"dest": "b", "content": "x", "validate": {"argv": ["/nowhere", "%s"]}})["changed"] is False

    def test_a_program_that_will_come_is_a_note_in_check_mode(self, host: Host) -> None:
        wanted = {"dest": "b", "content": "x", "validate": {"argv": ["/nowhere", "%s"]}}
        result = host.run(wanted, check=True)
        assert result["not_validated"] == [
            host.path("b") + ": would be checked by /nowhere, which is not on this host yet"
        ]
        assert "/nowhere was not found on this host; nothing was written" in host.refuse(wanted)


class TestSecrets:
    def test_the_content_is_nowhere_in_the_result(self, host: Host) -> None:
        (host.etc / "b").write_text("old " + CANARY)
        (host.etc / "c").write_text(json.dumps({"password": CANARY}))
        (host.etc / "d").write_text(CANARY)
        for name in "bcd":
            os.chmod(host.path(name), 0o600)
        secret: list[dict[str, Any]] = [
            {"dest": "a", "content": "x" + CANARY},
            {"dest": "b", "content": "y" + CANARY},
            {"dest": "c", "content": {"password": CANARY + "2"}, "compare": "json", "merge": True},
            {"dest": "d", "content": "{}", "compare": "json"},
        ]
        result = host.converge(secret=secret)
        assert CANARY not in json.dumps(result, default=str).replace(host.places.state, "")
        assert result["changes"] == [
            host.path("a") + ": (absent) -> secret file",
            host.path("b") + ": secret content differs",
            host.path("c") + ": secret content differs",
            host.path("d") + ": is replaced, because it cannot be read as json",
        ]
        assert [part["after"] for part in result["diff"]] == [
            "(secret content)\n",
            "(secret content differs)\n",
            "(secret content differs)\n",
            "(secret content differs)\n",
        ]
        assert host.mode("a") == 0o600
        assert (host.etc / "b").read_text() == "y" + CANARY

    def test_a_secret_file_that_goes(self, host: Host) -> None:
        (host.etc / "a").write_text(CANARY)
        result = host.converge(secret=[{"dest": "a", "state": "absent"}])
        assert result["diff"] == [diff_of(host.path("a"), "(secret content)\n", "")]

    @pytest.mark.parametrize(
        "wanted",
        [
            pytest.param({"content": '{"a": ' + CANARY, "compare": "json"}, id="not-json"),
            pytest.param({"content": f'a = "{CANARY}" }}', "compare": "hcl"}, id="not-hcl"),
            pytest.param({"content": {"a": CANARY}, "compare": "json", "merge": True}, id="merge"),
            pytest.param(
                {"content": CANARY, "validate": {"argv": ["grep", "-v", "x", "%s"], "refuse": "."}}, id="validate"
            ),
            pytest.param({"content_base64": CANARY + "!"}, id="not-base64"),
            pytest.param({"content": [CANARY] * 100_000}, id="too-large"),
        ],
    )
    def test_refusals_do_not_show_it(self, host: Host, wanted: dict[str, Any]) -> None:
        (host.etc / "a").write_text("{" + CANARY)
        assert CANARY not in host.refuse(secret=[{"dest": "a", **wanted}])


class TestRefusals:
    @pytest.mark.parametrize(
        ("wanted", "messages"),
        [
            pytest.param(
                {"dest": "missing/a", "content": "x"},
                ["/etc/missing does not exist", "Put an entry with dest: ", "state: directory before it"],
                id="no-directory",
            ),
            pytest.param(
                {"dest": "dir", "content": "x"}, ["state = 'present': ", "/etc/dir is a directory"], id="directory"
            ),
            pytest.param(
                {"dest": "dir", "state": "absent"}, ["state = 'absent'", "is a directory"], id="absent-directory"
            ),
            pytest.param({"dest": "file", "state": "directory"}, ["state = 'directory'", "is a file"], id="file"),
            pytest.param({"dest": "null", "content": "x"}, ["is neither a file nor a directory"], id="masked-unit"),
            pytest.param({"dest": "nothing", "content": "x"}, ["is a symbolic link to nothing"], id="dangling-link"),
            pytest.param(
                {"dest": "file/a", "content": "x"}, ["cannot be read: Not a directory"], id="file-as-directory"
            ),
            pytest.param({"dest": "dir/", "content": "x"}, ["files.dest = ", "must be an absolute path"], id="slash"),
            pytest.param({"dest": "x/../a", "content": "x"}, ["must be an absolute path"], id="dots"),
            pytest.param(
                {"dest": "a", "content": "x", "mode": 420}, ["mode = 420", "in quotes"], id="mode-is-a-number"
            ),
            pytest.param(
                {"dest": "a", "content": "x", "mode": "u=rw"}, ["mode = 'u=rw'", '"0644"'], id="mode-in-letters"
            ),
            pytest.param(
                {"dest": "a", "content": "x", "user": "nobody-here"},
                ["user = 'nobody-here'", "no such user"],
                id="user",
            ),
            pytest.param(
                {"dest": "a", "content": "x", "group": "none-here"}, ["group = 'none-here'", "Create it"], id="group"
            ),
            pytest.param({"dest": "a", "content": 5}, ["not int", "Put the value in quotes"], id="number"),
            pytest.param({"dest": "a", "content_base64": "%"}, ["content_base64", "is no base64"], id="base64"),
            pytest.param(
                {"dest": "a", "template": "a.j2"}, ["template = 'a.j2'", "read on the controller"], id="template"
            ),
            pytest.param({"dest": "a", "source": "b"}, ["source = 'b'", "read on the controller"], id="source"),
            pytest.param(
                {"dest": "a", "state": "directory", "content": "x"}, ["has no content"], id="directory-content"
            ),
            pytest.param({"dest": "a", "content": "x", "merge": True}, ["this form cannot be merged"], id="merge-text"),
            pytest.param(
                {"dest": "a", "content": "[1]", "compare": "json", "merge": True},
                ["is no JSON object"],
                id="merge-list",
            ),
            pytest.param(
                {"dest": "a", "content": "a =", "compare": "hcl"},
                ["compare = 'hcl'", "what is to be written cannot be read as hcl: line 1"],
                id="our-content",
            ),
            pytest.param(
                {"dest": "a", "content": "x", "validate": {"argv": ["x"]}}, ["validate.argv = ['x']"], id="rule"
            ),
            pytest.param(
                {"dest": "a", "content": "x" * 1024 * 1025},
                ["would have 1049600 bytes", "host_artifact"],
                id="too-large",
            ),
        ],
    )
    def test_bad_input(self, host: Host, wanted: dict[str, Any], messages: list[str]) -> None:
        (host.etc / "dir").mkdir()
        (host.etc / "file").write_text("x")
        (host.etc / "null").symlink_to("/dev/null")
        (host.etc / "nothing").symlink_to("nowhere")
        text = host.refuse({"dest": "first", "content": "x"}, wanted)
        for message in messages:
            assert message in text

    def test_a_path_that_stands_twice(self, host: Host) -> None:
        message = host.refuse({"dest": "a", "content": "x"}, secret=[{"dest": "a", "content": "y"}])
        assert f"dest = {host.path('a')!r}: stands twice in one call" in message

    def test_a_user_who_comes_later_is_fine_in_check_mode(self, host: Host) -> None:
        assert host.run({"dest": "a", "content": "x", "user": "nobody-here"}, check=True)["changed"] is True

    def test_a_directory_must_stand_before_what_is_in_it(self, host: Host) -> None:
        message = host.refuse({"dest": "d/a", "content": "x"}, {"dest": "d", "state": "directory"})
        assert "/etc/d does not exist" in message


class TestTrouble:
    def test_a_write_that_fails_says_what_was_done_and_the_next_run_goes_on(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = [{"dest": name, "content": "x", "owes": {"target": name}} for name in "abc"]
        real = _host_files.write_atomic

        def full(path: str, *rest: Any) -> None:
            if path.endswith("/b"):
                raise OpsError(f"{path} cannot be written: No space left on device")
            real(path, *rest)

        monkeypatch.setattr(_host_files, "write_atomic", full)
        with pytest.raises(OpsError) as caught:
            host.run(*files)
        assert "No space left on device; written before it: " + host.path("a") in str(caught.value)
        assert "then run again; it goes on from here" in str(caught.value)
        assert caught.value.as_result()["changed"] is True
        assert caught.value.as_result()["changed_files"] == [host.path("a")]
        monkeypatch.undo()
        assert host.run(*files)["changed_files"] == [host.path("b"), host.path("c")]
        assert [entry.target for entry in read_pending(host.places.pending)] == ["a", "b", "c"]

    def test_a_chmod_that_fails(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        (host.etc / "a").write_text("x")

        def denied(*_arguments: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "chmod", denied)
        message = host.refuse({"dest": "a", "content": "x", "mode": "0600"})
        assert "could not be changed: Operation not permitted; nothing was written before it" in message

    @pytest.mark.parametrize("point", ["owe", "keep_originals", "remember", "write_atomic", "written"])
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_killed_at_any_point_and_started_again(self, host: Host, point: str, after: bool) -> None:
        (host.etc / "a").write_text("a person's\n")
        wanted = {"dest": "a", "content": "ours\n", "owes": {"target": "nomad"}}
        child = os.fork()
        if child == 0:
            real = getattr(_host_files, point)

            def die(*arguments: Any) -> None:
                if after:
                    real(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(_host_files, point, die)
            host.run(wanted)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        written = (host.etc / "a").read_text() == "ours\n"
        if written:
            # Never written without the debt on record.
            assert [entry.target for entry in read_pending(host.places.pending)] == ["nomad"]
        host.run(wanted)
        assert (host.etc / "a").read_text() == "ours\n"
        assert [entry.target for entry in read_pending(host.places.pending)] == ["nomad"]
        assert list(host.originals().values()) == [b"a person's\n"]
        assert sorted(path.name for path in host.etc.iterdir()) == ["a"]
        host.run({"dest": "a", "content": "ours again\n"})
        assert list(host.originals().values()) == [b"a person's\n"]

    def test_what_another_run_did_meanwhile_counts(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        real = _host_files.host_lock

        def late(*arguments: Any) -> Any:
            (host.etc / "a").write_text("x")
            return real(*arguments)

        monkeypatch.setattr(_host_files, "host_lock", late)
        assert host.run({"dest": "a", "content": "x"})["changed"] is False
