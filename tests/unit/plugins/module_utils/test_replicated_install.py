# Tests of the installation of Replicated: real scripts and archives, programs of a host in a folder of the test.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_install as subject
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import read_pending
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_install import Installed

CTL = """#!/bin/sh
case "$1" in
version) cat {host}/version ;;
app) echo '[{{"AppID": "a", "Sequence": 1, "State": "started", "DesiredState": "started", "Error": "",
               "IsTransitioning": false}}]' ;;
license) test -e {host}/licence || {{ echo "no licence" >&2; exit 1; }} ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
for word; do case "$word" in replicated*) echo "Id=$word"; echo LoadState=$(cat {host}/units); echo ;; esac; done
"""
SCRIPT = """#!/bin/bash
echo "$@" > {host}/arguments
echo "$https_proxy" > {host}/proxy
pwd > {host}/folder
echo loaded > {host}/units
echo {version} > {host}/version
printf '%s' {ctl} | base64 -d > {host}/bin/replicatedctl
chmod +x {host}/bin/replicatedctl
echo installing {version}
exit {rc}
"""


class Host:
    """A host without Replicated, whose programs and state are files of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "units").write_text("not-found\n")
        (folder / "version").write_text("\n")
        self.program("systemctl", SYSTEMCTL.format(host=folder))
        self.pending = folder / "pending.json"
        self.phases: list[str] = []

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def script(self, version: str = "2.38.6", rc: int = 0) -> str:
        ctl = base64.b64encode(CTL.format(host=self.folder).encode()).decode()
        return SCRIPT.format(host=self.folder, version=version, ctl=ctl, rc=rc)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def install(self, **given: Any) -> dict[str, Any]:
        wanted = options(**given)
        plan = subject.make_plan(wanted, subject.find_installed(wanted, str(self.pending)))
        return subject.install(wanted, plan, self.phases.append, str(self.pending))


def options(**given: Any) -> dict[str, Any]:
    return {
        "version": "",
        "default_version": "2.38.6",
        "url": "",
        "checksum": "",
        "airgap_path": "",
        "airgap_file": "",
        "airgap_package": "",
        "airgap_script": "install.sh",
        "license_file": "",
        "license_timeout": 1,
        "arguments": ["local-address=10.0.0.1", "no-proxy"],
        "environment": {},
        "units": ["replicated"],
        "timeout": 30,
        "ready_timeout": 5,
        "owner": "services_host",
        **given,
    }


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(subject, "SCRIPT_DIRECTORY", str(tmp_path / "installer"))
    return made


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


class TestPlan:
    @pytest.mark.parametrize(
        ("found", "given", "runs", "change"),
        [
            (Installed(False, "", False), {}, True, "Replicated: absent -> 2.38.6"),
            (Installed(False, "", False), {"version": "2.34.1"}, True, "Replicated: absent -> 2.34.1"),
            (Installed(True, "2.34.1", False), {}, False, None),
            (Installed(True, "", False), {}, False, None),
            (Installed(True, "2.34.1", False), {"version": "2.38.6"}, True, "Replicated: 2.34.1 -> 2.38.6"),
            (Installed(True, "2.38.6", False), {"version": "2.38.6"}, False, None),
            (Installed(True, "2.38.6", True), {}, True, "Replicated: an installation that did not end is run again"),
        ],
        ids=["new", "new and asked", "kept", "kept unknown", "moved", "there", "unfinished"],
    )
    def test_what_runs(self, found: Installed, given: dict[str, Any], runs: bool, change: str | None) -> None:
        plan = subject.make_plan(options(**given), found)
        assert (plan.runs, plan.changes) == (runs, [change] if change else [])

    def test_an_archive_of_another_version_is_refused(self) -> None:
        with pytest.raises(OpsError, match=r"airgap_file = '/x/replicated-2\.34\.1\.tar\.gz'.*says version 2\.34\.1"):
            subject.make_plan(options(airgap_path="/x/replicated-2.34.1.tar.gz"), Installed(False, "", False))

    def test_a_version_that_cannot_be_told_is_refused(self) -> None:
        with pytest.raises(OpsError, match="version = '2.38.6': the installed version of Replicated cannot be told"):
            subject.make_plan(options(version="2.38.6"), Installed(True, "", False))


class TestInstall:
    def test_online(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script())
        wanted = {"url": f"file://{script}", "environment": {"https_proxy": "http://me:hunter2@proxy:1"}}
        result = host.install(**wanted)
        assert result["version"] == "2.38.6"
        assert host.read("arguments") == "local-address=10.0.0.1 no-proxy"
        assert host.read("proxy") == "http://me:hunter2@proxy:1"
        assert Path(result["log"]).stat().st_mode & 0o777 == 0o600
        assert read_pending(str(host.pending)) == []
        found = subject.find_installed(options(), str(host.pending))
        assert found == Installed(True, "2.38.6", False)
        assert not subject.make_plan(options(**wanted), found).runs

    def test_the_version_is_asked_for_in_the_url(self, host: Host) -> None:
        folder = host.folder / "2.34.1"
        folder.mkdir()
        (folder / "script").write_text(host.script("2.34.1"))
        url = f"file://{host.folder}/{{version}}/script"
        assert host.install(url=url, version="2.34.1")["version"] == "2.34.1"

    def test_out_of_an_archive(self, host: Host) -> None:
        path = archive(host.folder / "r.tar.gz", {"r/install.sh": host.script().encode(), "r/images.tar": b"x"})
        host.install(airgap_path=str(path), arguments=["airgap"])
        assert host.read("arguments") == "airgap"
        assert host.read("folder") == str(host.folder / "installer" / "airgap" / "r")

    def test_a_failing_script_stays_owed_and_is_run_again(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script(rc=3))
        with pytest.raises(OpsError, match=r"script ended with 3: installing 2\.38\.6"):
            host.install(url=f"file://{script}")
        (owed,) = read_pending(str(host.pending))
        assert (owed.scope, owed.target) == ("replicated", "installer")
        assert subject.find_installed(options(), str(host.pending)).unfinished
        script.write_text(host.script())
        assert host.install(url=f"file://{script}")["changes"] == [
            "Replicated: an installation that did not end is run again"
        ]
        assert read_pending(str(host.pending)) == []

    def test_another_version_than_asked_for_is_told(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script("2.34.1"))
        with pytest.raises(OpsError, match=r"Replicated 2\.38\.6 was asked for, and 2\.34\.1 is what"):
            host.install(url=f"file://{script}")

    def test_a_script_that_installs_nothing_is_told(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text("#!/bin/bash\n")
        with pytest.raises(OpsError, match="replicatedctl or one of the units replicated is missing"):
            host.install(url=f"file://{script}")


class TestLook:
    def test_what_is_found(self, host: Host) -> None:
        wanted = options()
        found = subject.find_installed(wanted, str(host.pending))
        result = subject.looked(wanted, found, subject.make_plan(wanted, found))
        assert (result["installed"], result["would_run"], result["changed"]) == (False, True, False)

    def test_a_package_that_is_not_there(self, host: Host) -> None:
        wanted = options(airgap_package=str(host.folder / "app.airgap"))
        found = subject.find_installed(wanted, str(host.pending))
        with pytest.raises(OpsError, match="airgap_package = .*there is no such file on the host"):
            subject.looked(wanted, found, subject.make_plan(wanted, found))


class TestLicence:
    def test_accepted(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script())
        (host.folder / "licence").touch()
        assert host.install(url=f"file://{script}", license_file="l.rli")["changed"]

    def test_not_accepted_is_told_and_the_installation_stays_owed(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script())
        with pytest.raises(OpsError, match="license_file: Replicated shows no licence 0 s after .*: no licence"):
            host.install(url=f"file://{script}", license_file="l.rli", license_timeout=0)
        assert [entry.target for entry in read_pending(str(host.pending))] == ["installer"]


class TestRefusals:
    def refuse(self, host: Host, match: str, **given: Any) -> None:
        with pytest.raises(OpsError, match=match):
            host.install(**given)
        assert not (host.folder / "arguments").exists()
        assert read_pending(str(host.pending)) == []

    def test_an_error_page(self, host: Host) -> None:
        (host.folder / "page").write_text("<html>login</html>")
        self.refuse(host, "is no script", url=f"file://{host.folder}/page")

    def test_another_checksum(self, host: Host) -> None:
        script = host.folder / "script"
        script.write_text(host.script())
        wrong = "sha256:" + hashlib.sha256(b"other").hexdigest()
        self.refuse(host, "checksum = 'sha256:", url=f"file://{script}", checksum=wrong)

    def test_no_download(self, host: Host) -> None:
        self.refuse(host, "cannot be downloaded", url="http://127.0.0.1:9/none")

    def test_no_archive(self, host: Host) -> None:
        (host.folder / "none").write_text("none")
        self.refuse(host, "cannot be unpacked", airgap_path=str(host.folder / "none"))

    def test_the_application_s_package(self, host: Host) -> None:
        path = archive(host.folder / "app.airgap", {"images/x": b"x", "../evil": b"x"})
        self.refuse(host, "has no install.sh in it", airgap_path=str(path))
        assert not (host.folder / "installer" / "evil").exists()
