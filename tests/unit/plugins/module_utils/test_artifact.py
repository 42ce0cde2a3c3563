# Tests of _artifact and _artifact_source: real programs in a directory, a real HTTP server, real archives.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import grp
import hashlib
import http.server
import io
import os
import pwd
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _artifact
from ansible_collections.circleci_server.ops.plugins.module_utils._artifact import Present, compare, install_artifact
from ansible_collections.circleci_server.ops.plugins.module_utils._artifact_source import (
    member_of,
    parse_checksum,
    require_space,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import read_pending

USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name


def program(version: str) -> bytes:
    """A program that prints a version as Nomad does."""
    return f"#!/bin/sh\n[ \"$1\" = version ] && echo 'Nomad v{version} (abc)'\n".encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive(**members: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return memory.getvalue()


class Host(NamedTuple):
    """A directory as a host: the program's path, the controller's file as it was sent, the pending record."""

    place: Path

    @property
    def dest(self) -> Path:
        return self.place / "bin" / "nomad"

    @property
    def pending(self) -> str:
        return str(self.place / "pending.json")

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "dest": str(self.dest),
            "file": "",
            "url": "",
            "checksum": "",
            "checksum_url": "",
            "member": "",
            "mode": "0755",
            "user": USER,
            "group": GROUP,
            "version": "",
            "default_version": "",
            "version_argv": ["nomad", "version"],
            "version_regex": r"v?([0-9]+\.[0-9]+[0-9A-Za-z.+~-]*)",
            "replace": "when_version_differs",
            "owes": None,
            "owner": "nomad_client",
            "timeout": 5,
            "lock_timeout": 5,
            "handover": {},
            **more,
        }

    def sent(self, content: bytes, **more: Any) -> dict[str, Any]:
        """Options as the action gives them after it has sent a file."""
        path = self.place / "sent"
        path.write_bytes(content)
        handover = {"source": str(path), "sha256": digest(content), "size": len(content)}
        return self.options(file="files/nomad", handover=handover, **more)

    def run(self, options: dict[str, Any], check: bool = False) -> dict[str, Any]:
        return install_artifact(options, check, self.pending)

    def install(self, content: bytes, mode: int = 0o755) -> None:
        self.dest.write_bytes(content)
        self.dest.chmod(mode)

    def leftovers(self) -> list[str]:
        return [path.name for path in self.dest.parent.iterdir() if path.name != "nomad"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(_artifact, "host_lock", lambda *_arguments: nullcontext())
    return Host(tmp_path)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A web server: its directory, its URL."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    place = tmp_path / "www"
    place.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield place, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def refused(host: Host, options: dict[str, Any], check: bool = False) -> str:
    """The error's text; nothing may have changed."""
    before = host.dest.read_bytes() if host.dest.exists() else None
    with pytest.raises(OpsError) as caught:
        host.run(options, check)
    assert (host.dest.read_bytes() if host.dest.exists() else None) == before
    assert host.leftovers() == []
    assert read_pending(host.pending) == []
    return str(caught.value)


def test_a_file_is_asked_for_installed_and_kept(host: Host) -> None:
    owes = {"scope": "unit", "target": "nomad", "reason": "the program changed", "when": "now"}
    wanted = host.sent(program("0.9.3"), default_version="0.9.3", owes=owes)
    predicted = host.run(wanted, check=True)
    asked = host.run({**wanted, "handover": {"sha256": digest(program("0.9.3"))}})
    assert (asked["needs_file"], asked["changed"], host.dest.exists()) == (True, False, False)
    result = host.run(wanted)
    assert host.dest.read_bytes() == program("0.9.3")
    assert host.dest.stat().st_mode & 0o7777 == 0o755
    assert predicted["changes"] == result["changes"] == [f"{host.dest} is installed (version 0.9.3)"]
    assert predicted["diff"] == result["diff"]
    assert predicted["owed"] == result["owed"] == [{**owes, "owner": "nomad_client"}]
    assert (result["installed_version"], result["previous_version"], result["source"]) == ("0.9.3", "", "files/nomad")
    (entry,) = read_pending(host.pending)
    assert (entry.target, entry.owner) == ("nomad", "nomad_client")
    assert entry.written > 0
    status = host.dest.stat()
    again = host.run(wanted)
    assert (again["changed"], again["changes"], again["source"], again["owed"]) == (False, [], "", [])
    assert "needs_file" not in again
    assert (status.st_ino, status.st_mtime_ns) == (host.dest.stat().st_ino, host.dest.stat().st_mtime_ns)


def test_what_is_installed_moves_only_when_it_is_asked_to(host: Host) -> None:
    host.install(program("0.5.6"))
    assert host.run(host.sent(program("0.9.3"), default_version="0.9.3"))["changed"] is False
    result = host.run(host.sent(program("0.9.3"), version="0.9"))
    assert result["changes"] == [f"{host.dest} moves from version 0.5.6 to 0.9.3"]
    assert (result["previous_version"], result["installed_version"]) == ("0.5.6", "0.9.3")
    assert host.run(host.sent(program("0.9.30"), version="0.9.3"))["changed"] is False


PRESENT = Present(True, "1.0", "aa", 0o755, USER, GROUP)


@pytest.mark.parametrize(
    ("more", "present", "install"),
    [
        ({"version": "2.0"}, PRESENT, True),
        ({"version": "2.0", "replace": "never"}, PRESENT, False),
        ({"version": "2.0", "replace": "never"}, Present(), True),
        ({"replace": "when_content_differs"}, PRESENT, True),
        ({"replace": "when_content_differs"}, PRESENT._replace(sha256="bb"), False),
        ({"version": "1.0"}, PRESENT._replace(version=""), True),
        ({}, PRESENT._replace(version=""), False),
    ],
)
def test_when_the_program_is_replaced(host: Host, more: dict[str, Any], present: Present, install: bool) -> None:
    assert compare(host.options(**more), present, "bb").install is install


def test_content_decides_when_told(host: Host) -> None:
    host.install(program("1.0"))
    other = program("1.0") + b"# patched\n"
    wanted = host.sent(other, replace="when_content_differs")
    predicted = host.run(wanted, check=True)
    result = host.run(wanted)
    assert host.dest.read_bytes() == other
    assert f"sha256: {digest(other)}" in result["diff"][0]["after"]
    assert predicted["changed"] is True
    assert host.run(wanted)["changed"] is False


def test_a_mode_is_corrected_without_a_source(host: Host) -> None:
    host.install(program("1.0"), mode=0o700)
    wanted = host.options()
    predicted = host.run(wanted, check=True)
    result = host.run(wanted)
    assert predicted["changes"] == result["changes"] == [f"{host.dest}: mode 0700 becomes 0755"]
    assert predicted["diff"] == result["diff"]
    assert host.dest.stat().st_mode & 0o7777 == 0o755
    other = compare(host.options(user="nobody", group=""), PRESENT)
    assert other.attributes == [f"user {USER} becomes nobody"]


def test_a_running_program_survives_its_replacement(host: Host) -> None:
    shutil.copy("/bin/sleep", host.dest)
    with subprocess.Popen([host.dest, "30"]) as process:
        host.run(host.sent(program("2.0"), version="2.0"))
        assert process.poll() is None
        assert host.dest.read_bytes() == program("2.0")
        process.kill()


def test_a_program_of_another_architecture_is_refused(host: Host) -> None:
    host.install(program("1.0"))
    text = refused(host, host.sent(b"\x7fELF\x02\x01\x01\x00not for this machine", version="2.0"))
    machine = os.uname().machine
    assert text.startswith(f"file = 'files/nomad': the program does not run on this host ({machine}): nomad ")
    assert "Exec format error" in text
    assert text.endswith(
        "the installed file is as it was. Give the program that was built for this architecture and system."
    )


def test_a_program_of_another_version_is_refused(host: Host) -> None:
    host.install(program("1.0"))
    assert refused(host, host.sent(program("2.1"), version="2.0")) == (
        "file = 'files/nomad': holds version 2.1, wanted is 2.0; the installed file is as it was. Give the file of the "
        "wanted version, or correct the version."
    )
    said = refused(host, host.sent(b"#!/bin/sh\necho what\n", version="2.0"))
    assert "nomad version ended with 0 and said 'what'; the installed file is as it was" in said


def test_a_file_that_changed_on_its_way_is_refused(host: Host) -> None:
    wanted = host.sent(program("2.0"))
    wanted["handover"]["sha256"] = "0" * 64
    assert refused(host, wanted) == (
        f"file = 'files/nomad': the checksum is sha256:{digest(program('2.0'))}, expected is sha256:{'0' * 64}; "
        "nothing was replaced. Get the file anew, or correct checksum when the file is the right one."
    )


def test_an_installed_program_that_does_not_run_is_a_warning(host: Host) -> None:
    host.install(b"\x7fELFbroken")
    result = host.run(host.options())
    assert (result["changed"], result["installed_version"]) == (False, "")
    assert result["warnings"][0].startswith(f"{host.dest} does not run, so its version is not known: ")
    assert host.run(host.sent(program("2.0"), version="2.0"))["changed"] is True


def test_without_version_argv_it_is_installed_untried(host: Host) -> None:
    result = host.run(host.sent(b"data", version_argv=[], user="", group=""))
    assert (result["installed_version"], host.dest.read_bytes()) == ("", b"data")
    assert result["changes"] == [f"{host.dest} is installed (version unknown)"]


def test_leftovers_of_a_killed_run_go(host: Host) -> None:
    (host.dest.parent / ".circleci-server-ops-nomad-x1").write_bytes(b"half")
    host.run(host.sent(program("1.0")))
    assert host.leftovers() == []


def test_a_symbolic_link_stays_one(host: Host) -> None:
    real = host.place / "real"
    real.write_bytes(program("1.0"))
    real.chmod(0o755)
    host.dest.symlink_to(real)
    host.run(host.sent(program("2.0"), version="2.0"))
    assert host.dest.is_symlink()
    assert real.read_bytes() == program("2.0")


def test_a_url_is_downloaded_verified_and_unpacked(host: Host, mirror: tuple[Path, str]) -> None:
    place, url = mirror
    zipped = archive(nomad=program("0.11.3"), readme=b"x")
    (place / "0.11.3").mkdir()
    (place / "0.11.3" / "nomad.zip").write_bytes(zipped)
    (place / "SUMS").write_text(f"{'0' * 64}  other.zip\n{digest(zipped)}  nomad.zip\n")
    wanted = host.options(url=url + "/{version}/nomad.zip", member="nomad", version="0.11.3")
    by_checksum = {**wanted, "checksum": f"sha256:{digest(zipped).upper()}"}
    predicted = host.run(by_checksum, check=True)
    assert not host.dest.exists()
    result = host.run(by_checksum)
    assert predicted["changes"] == result["changes"]
    assert host.dest.read_bytes() == program("0.11.3")
    host.dest.unlink()
    host.run({**wanted, "checksum_url": f"file://{place}/SUMS"})
    assert host.dest.read_bytes() == program("0.11.3")
    assert host.leftovers() == []


def test_a_url_of_a_plain_program(host: Host, mirror: tuple[Path, str]) -> None:
    place, url = mirror
    (place / "nomad").write_bytes(program("1.0"))
    checksum = f"sha256:{digest(program('1.0'))}"
    wanted = host.options(url=url + "/nomad", checksum=checksum, replace="when_content_differs")
    assert host.run(wanted)["changed"] is True
    assert host.run(wanted)["changed"] is False
    (place / "nomad").write_bytes(program("1.1"))
    text = refused(host, host.options(url=url + "/nomad", checksum=checksum, version="1.1"))
    assert text == (
        f"url = '{url}/nomad': the checksum is sha256:{digest(program('1.1'))}, expected is {checksum}; nothing was "
        "replaced. Get the file anew, or correct checksum when the file is the right one."
    )


def test_what_cannot_be_downloaded(host: Host, mirror: tuple[Path, str]) -> None:
    place, url = mirror
    checksum = "sha256:" + "0" * 64
    assert refused(host, host.options(url=url + "/none", checksum=checksum)) == (
        f"url = '{url}/none': the download failed: HTTP 404 File not found. Check the URL, the host's way out (proxy, "
        "name service, certificates) and its free space."
    )
    closed = "http://127.0.0.1:9/nomad"
    assert "the download failed: [Errno 111] Connection refused" in refused(
        host, host.options(url=closed, checksum=checksum)
    )
    sums = f"file://{place}/SUMS"
    missing = refused(host, host.options(url=closed, checksum_url=sums))
    assert missing.startswith(f"checksum_url = '{sums}': the download failed: ")
    (place / "SUMS").write_text("nothing here\n")
    assert refused(host, host.options(url=closed, checksum_url=sums)) == (
        f"checksum_url = '{sums}': has no SHA-256 checksum of nomad. Give the file's checksum with checksum."
    )


def test_the_environments_proxy_is_used_outwards(
    host: Host, mirror: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, url = mirror
    (place / "nomad").write_bytes(program("1.0"))
    monkeypatch.delenv("no_proxy")
    wanted = host.options(url=url + "/nomad", checksum=f"sha256:{digest(program('1.0'))}")
    assert "Connection refused" in refused(host, wanted), "the dead proxy was asked"


HEX = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"file": "a", "url": "https://x/a"}, "url = 'https://x/a': file and url are both given. Give one of them."),
        ({"mode": "493"}, "mode = '493': is not an octal mode. Write it in quotes: \"0755\"."),
        (
            {"checksum": "md5:1"},
            "checksum = 'md5:1': is not a SHA-256 checksum. Write sha256: and the 64 hexadecimal digits (sha256sum "
            "FILE shows them).",
        ),
        (
            {"version": "1", "version_argv": []},
            "version = '1': the installed version cannot be read without version_argv. Say how the program prints its "
            "version, for instance version_argv: [nomad, version].",
        ),
        (
            {"version_regex": "("},
            "version_regex = '(': is not a regular expression: missing ), unterminated subpattern at position 0.",
        ),
        (
            {"version_regex": "v"},
            "version_regex = 'v': must have one group, which is the version. Put brackets around the version alone.",
        ),
        (
            {"url": "https://x/a"},
            "url = 'https://x/a': a download needs a checksum. Give checksum (sha256:...) or checksum_url (a list as "
            "sha256sum writes it).",
        ),
        ({"url": "ftp://x/a"}, "url = 'ftp://x/a': is no URL to download from. Use https, http or file."),
        (
            {"url": "https://me:canary@x/a", "checksum": HEX},
            "url: credentials in a URL end up in logs. Use a mirror without credentials, or the option file.",
        ),
        (
            {"url": "http://x/a", "checksum_url": "http://x/s"},
            "checksum_url = 'http://x/s': a checksum that came unprotected protects nothing. Use https, or give "
            "checksum.",
        ),
        (
            {"url": "https://x/a", "checksum": HEX, "member": "a", "replace": "when_content_differs"},
            "replace = 'when_content_differs': the content cannot be compared before a download without the checksum "
            "of the program itself. Use when_version_differs, or give a URL of the plain program and its checksum.",
        ),
        (
            {"url": "https://x/{version}", "checksum": HEX},
            "url = 'https://x/{version}': has a place for the version, and no version is given. Give version or "
            "default_version.",
        ),
    ],
)
def test_bad_options_are_refused_in_check_mode_too(host: Host, more: dict[str, Any], message: str) -> None:
    assert refused(host, host.options(**more), check=True) == message


def test_nothing_to_install_from(host: Host) -> None:
    assert refused(host, host.options()) == (
        f"file = '': {host.dest} does not exist, wanted is any version, and there is nothing to install. Give file (a "
        "path on the controller) or url."
    )
    host.install(program("1.0"))
    assert f"{host.dest} has version 1.0, wanted is 2.0, and there" in refused(host, host.options(version="2.0"))


def test_places_that_cannot_take_the_program(host: Host) -> None:
    nowhere = str(host.place / "none" / "nomad")
    wanted = host.sent(program("1.0"))
    assert host.run({**wanted, "dest": nowhere}, check=True)["changed"] is True
    with pytest.raises(OpsError, match=rf"dest = '{nowhere}': the directory .*/none does not exist. Make it first"):
        host.run({**wanted, "dest": nowhere})
    with pytest.raises(OpsError, match="is there and is not a file. Give the path of a file"):
        host.run({**wanted, "dest": str(host.place)})
    assert "user, group = ('no-such-user', 'root'): this host has no such user or group. Make them first" in refused(
        host, {**wanted, "user": "no-such-user", "group": "root"}
    )


def test_a_full_disk_is_told_before_anything_is_sent(host: Host) -> None:
    wanted = {**host.sent(program("1.0")), "handover": {"size": 10**18}}
    text = refused(host, wanted)
    assert text.startswith(f"{host.dest.parent} has ")
    assert text.endswith(" are needed. Free space on its file system and run again; nothing was replaced.")
    require_space(str(host.place), 0)


def test_a_write_that_fails_leaves_the_old_program(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.install(program("1.0"))

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_artifact, "copy_hashed", full)
    assert refused(host, host.sent(program("2.0"), version="2.0")) == (
        f"dest = '{host.dest}': {host.dest} cannot be written: No space left on device. The installed file is as it "
        "was; check free space and mount options of its file system."
    )


def test_members_of_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive(nomad=b"content", readme=b"x"))
    target = io.BytesIO()
    assert member_of(str(path), "nomad", "a.zip", target) == digest(b"content")
    assert target.getvalue() == b"content"
    with pytest.raises(OpsError) as caught:
        member_of(str(path), "bin/nomad", "a.zip", None)
    assert str(caught.value) == (
        "member = 'bin/nomad': is not in a.zip, which holds nomad, readme. Give the path inside the archive."
    )
    path.write_bytes(b"no archive")
    with pytest.raises(OpsError, match=r"a.zip is not a zip archive that can be read: File is not a zip file. Leave"):
        member_of(str(path), "nomad", "a.zip", None)


def test_checksums() -> None:
    assert parse_checksum("") == ""
    assert parse_checksum("sha256:" + "AB" * 32) == "ab" * 32


def test_owners_without_a_name_are_shown_as_numbers() -> None:
    assert _artifact._names(0, 0) == ("root", "root")
    assert _artifact._names(987654, 987655) == ("987654", "987655")
    assert _artifact._names(0, 987655) == ("root", "987655")
