# Tests of _packages and _packages_apt with the real apt-get and dpkg, in a root of their own.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _lock, _packages_base
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._package_locks import Holder
from ansible_collections.circleci_server.ops.plugins.module_utils._packages import settle_packages
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_apt import Apt, _parse_offer, _state
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import Offer, State, Target

from .debian_root import DebianRoot

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt-get")

DEFAULTS = {
    "update_lists": "auto",
    "recommends": False,
    "lock_timeout": 5,
    "timeout": 60,
    "handover": {},
}
PACKAGE = {"state": "present", "version": "", "default_version": "", "hold": None, "file": ""}


def options(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**DEFAULTS, "packages": [{**PACKAGE, **package} for package in packages], **more}


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianRoot:
    root = DebianRoot(tmp_path / "root")
    for name, value in root.environment.items():
        monkeypatch.setenv(name, value)
    locks = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/lib/apt/lists/lock")
    monkeypatch.setattr(Apt, "lock_files", tuple(str(root.root / path) for path in locks))
    monkeypatch.setattr(Apt, "updates", str(root.root / "var/lib/dpkg/updates"))
    monkeypatch.setattr(_packages_base, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(
        "ansible_collections.circleci_server.ops.plugins.module_utils._packages.host_lock",
        lambda command, timeout: _lock.host_lock(command, timeout, str(tmp_path / "run" / "lock")),
    )
    return root


@pytest.fixture
def engine(debian: DebianRoot) -> DebianRoot:
    """Three versions of a package, one that needs it, and one that does not go with it."""
    debian.build("ops-engine", "1.0-1")
    debian.build("ops-engine", "1.10-1")
    debian.build("ops-engine", "5:2.0~ce-0~lab")
    debian.build("ops-tool", "1.0", "Depends: ops-engine")
    debian.build("ops-rival", "1.0", "Conflicts: ops-engine")
    return debian


def test_the_newest_is_installed_and_kept_afterwards(engine: DebianRoot) -> None:
    wanted = options({"name": "ops-engine", "hold": True})
    result = settle_packages(wanted)
    assert result["changes"] == ["ops-engine is installed (5:2.0~ce-0~lab)", "ops-engine is held at its version"]
    assert engine.installed() == {"ops-engine": "hi 5:2.0~ce-0~lab"}
    assert engine.command("apt-mark", "showhold").split() == ["ops-engine"]
    row = result["diff"][0]
    assert (row["before"], row["after"]) == ("ops-engine: not installed\n", "ops-engine: 5:2.0~ce-0~lab (held)\n")
    status = engine.root / "var/lib/dpkg/status"
    before = status.stat()
    again = settle_packages(wanted)
    assert (again["changed"], again["changes"], again["diff"][0]["before"]) == (False, [], row["after"])
    after = status.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_check_predicts_and_writes_nothing(engine: DebianRoot) -> None:
    engine.command("apt-get", "-q", "update")
    before = (engine.root / "var/lib/dpkg/status").read_bytes()
    wanted = options({"name": "ops-engine", "default_version": "1.0", "hold": True}, {"name": "ops-tool"})
    predicted = settle_packages(wanted, check=True)
    assert (engine.root / "var/lib/dpkg/status").read_bytes() == before
    real = settle_packages(wanted)
    assert predicted["changes"] == real["changes"]
    assert predicted["packages"] == real["packages"]
    assert predicted["diff"] == real["diff"]
    assert "warnings" not in predicted
    assert settle_packages(wanted, check=True)["changed"] is False


@pytest.mark.usefixtures("engine")
def test_check_before_the_repository_is_known_warns() -> None:
    result = settle_packages(options({"name": "ops-engine", "default_version": "1.0"}), check=True)
    assert result["changes"] == ["ops-engine is installed (unknown)"]
    assert result["warnings"] == [
        "host_packages would install ops-engine; its version is not known yet: the package lists of this host have no "
        "candidate for 1.0. That is expected before the repository is configured; otherwise the real run fails here."
    ]


@pytest.mark.parametrize(
    ("asked", "found"), [("1.1", None), ("1.10", "1.10-1"), ("2.0", "5:2.0~ce-0~lab"), ("5:2.0", "5:2.0~ce-0~lab")]
)
def test_a_version_is_asked_for_by_its_beginning(engine: DebianRoot, asked: str, found: str | None) -> None:
    wanted = options({"name": "ops-engine", "version": asked})
    if found:
        settle_packages(wanted)
        assert engine.installed() == {"ops-engine": "ii " + found}
        return
    with pytest.raises(OpsError) as caught:
        settle_packages(wanted)
    assert str(caught.value) == (
        "packages.version = '1.1': the repositories of this host do not offer ops-engine in this version; they offer "
        "5:2.0~ce-0~lab, 1.10-1, 1.0-1. Choose one of these, add a repository that has it, or give its file."
    )
    assert engine.installed() == {}


def test_the_releases_version_counts_for_the_first_installation_only(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine", "default_version": "1.0"}))
    assert settle_packages(options({"name": "ops-engine", "default_version": "2.0"}))["changed"] is False
    assert engine.installed() == {"ops-engine": "ii 1.0-1"}


def test_a_held_package_moves_up_and_down_when_it_is_asked_to(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine", "default_version": "1.10", "hold": True}))
    up = settle_packages(options({"name": "ops-engine", "version": "2.0"}))
    assert up["changes"] == ["ops-engine moves from 1.10-1 to 5:2.0~ce-0~lab"]
    assert engine.installed() == {"ops-engine": "hi 5:2.0~ce-0~lab"}
    down = settle_packages(options({"name": "ops-engine", "version": "1.0", "hold": False}))
    assert down["changes"] == ["ops-engine moves from 5:2.0~ce-0~lab to 1.0-1", "ops-engine is no longer held"]
    assert engine.installed() == {"ops-engine": "ii 1.0-1"}
    assert down["packages"] == {"ops-engine": {"version": "1.0-1", "previous_version": "5:2.0~ce-0~lab", "hold": False}}


def test_a_hold_alone_is_set_and_taken_away(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine"}))
    assert settle_packages(options({"name": "ops-engine", "hold": True}))["changes"] == [
        "ops-engine is held at its version"
    ]
    assert engine.installed()["ops-engine"].startswith("hi")
    assert settle_packages(options({"name": "ops-engine"}))["changed"] is False
    release = settle_packages(options({"name": "ops-engine", "hold": False}))
    assert release["changes"] == ["ops-engine is no longer held"]
    assert engine.installed()["ops-engine"].startswith("ii")


def test_nothing_is_removed_that_is_not_named(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine", "hold": True}, {"name": "ops-tool"}))
    before = engine.installed()
    with pytest.raises(OpsError) as caught:
        settle_packages(options({"name": "ops-engine", "state": "absent"}))
    assert str(caught.value) == (
        "packages: apt-get would also remove ops-tool. Nothing is removed that is not named: add them with state "
        "absent, or choose another version."
    )
    assert engine.installed() == before, "the hold is back as well"
    with pytest.raises(OpsError, match=r"apt-get failed for ops-rival: .*Conflicts: ops-engine"):
        settle_packages(options({"name": "ops-rival"}))


def test_one_package_takes_the_place_of_another(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine", "hold": True}))
    result = settle_packages(options({"name": "ops-engine", "state": "absent"}, {"name": "ops-rival"}))
    assert result["changes"] == ["ops-engine 5:2.0~ce-0~lab is removed", "ops-rival is installed (1.0)"]
    assert engine.installed()["ops-rival"] == "ii 1.0"
    assert settle_packages(options({"name": "ops-engine", "state": "absent"}))["changed"] is False


def test_a_file_is_asked_for_then_installed_without_reading_lists(debian: DebianRoot) -> None:
    file = debian.build("ops-engine", "3.0-1", publish=False)
    wanted = {"name": "ops-engine", "version": "3.0", "file": "files/engine.deb"}
    look = settle_packages(options(wanted, handover={"look": True, "patience": 0}))
    assert (look["changed"], look["needs_files"]) == (False, ["ops-engine"])
    predicted = settle_packages(options(wanted), check=True)
    assert predicted["changes"] == ["ops-engine is installed (3.0)"]
    result = settle_packages(options(wanted, handover={"files": {"ops-engine": str(file)}}))
    assert result["changes"] == ["ops-engine is installed (3.0-1)"]
    assert debian.installed() == {"ops-engine": "ii 3.0-1"}
    assert not list((debian.root / "var/lib/apt/lists").glob("*Packages"))
    assert "needs_files" not in settle_packages(options(wanted, handover={"look": True, "patience": 0}))


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        (
            "ops-other",
            "",
            "packages.file = 'engine.deb': holds ops-engine 3.0-1, wanted is ops-other. "
            "Give the file of the wanted package, or correct name and version.",
        ),
        (
            "ops-engine",
            "4.0",
            "packages.file = 'engine.deb': holds ops-engine 3.0-1, wanted is ops-engine 4.0. "
            "Give the file of the wanted package, or correct name and version.",
        ),
    ],
)
def test_the_wrong_file_is_refused(debian: DebianRoot, name: str, version: str, message: str) -> None:
    file = debian.build("ops-engine", "3.0-1", publish=False)
    wanted = options({"name": name, "version": version, "file": "engine.deb"}, handover={"files": {name: str(file)}})
    with pytest.raises(OpsError) as caught:
        settle_packages(wanted)
    assert str(caught.value) == message
    assert debian.installed() == {}


@pytest.mark.usefixtures("debian")
def test_what_is_no_package_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("text")
    wanted = options({"name": "ops-engine", "file": "x.deb"})
    with pytest.raises(OpsError, match=r"packages.file = 'x.deb': is not a Debian package: dpkg-deb: error: .*Give"):
        settle_packages({**wanted, "handover": {"files": {"ops-engine": str(tmp_path / "x.deb")}}})
    with pytest.raises(OpsError, match=r"packages.file = 'x.deb': was not sent to this host"):
        settle_packages(wanted)


def test_an_unknown_package_says_what_apt_get_said(debian: DebianRoot) -> None:
    (debian.root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/nonexistent ./\n")
    with pytest.raises(OpsError) as caught:
        settle_packages(options({"name": "ops-nothing"}))
    text = str(caught.value)
    assert text.startswith(
        "packages.name = 'ops-nothing': no repository of this host offers the package; reading the repositories' lists "
        "said: "
    )
    assert "File not found - /nonexistent" in text
    assert text.endswith("Correct the name, make the repository that has it reachable, or give its file.")


@pytest.mark.usefixtures("engine")
def test_lists_are_left_alone_when_told() -> None:
    with pytest.raises(OpsError, match="no repository of this host offers the package"):
        settle_packages(options({"name": "ops-engine"}, update_lists="never"))


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg --configure wants root, also in a root of its own")
def test_an_interrupted_installation_is_finished(engine: DebianRoot) -> None:
    settle_packages(options({"name": "ops-engine"}))
    status = engine.root / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("install ok installed", "install ok unpacked"))
    (engine.root / "var/lib/dpkg/updates/0001").write_text("")
    wanted = options({"name": "ops-engine"})
    predicted = settle_packages(wanted, check=True)
    result = settle_packages(wanted)
    assert predicted["changes"] == result["changes"] == ["the interrupted installation of ops-engine is finished"]
    assert "installation interrupted" in result["diff"][0]["before"]
    assert engine.installed() == {"ops-engine": "ii 5:2.0~ce-0~lab"}
    assert settle_packages(wanted)["changed"] is False


def test_states_of_dpkg() -> None:
    assert _state("ii ", "1") == State("1", False, True)
    assert _state("hi ", "1") == State("1", True, True)
    assert _state("rc ", "1") == State("", False, True)
    assert _state("hn ", "") == State("", True, True)
    assert _state("iF ", "1") == State("1", False, False)
    assert _state("iiR", "1") == State("1", False, False)


def test_a_version_that_only_dpkg_knows_is_no_offer() -> None:
    lines = """\
  Installed: 1.6-2.1
  Candidate: 1.6-2.1
  Version table:
     1.7 100 (phased 20%)
        100 http://deb.example.com bookworm/main amd64 Packages
 *** 1.6-2.1 100
        100 /var/lib/dpkg/status""".splitlines()
    assert _parse_offer(lines) == Offer("", ("1.7",))


def fake(place: Path, name: str, text: str) -> None:
    """A program of this name, found before the real one."""
    place.mkdir(exist_ok=True)
    path = place / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "bin"
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return place


def test_a_full_disk_names_the_remedy(engine: DebianRoot, fakes: Path) -> None:
    engine.command("apt-get", "-q", "update")
    fake(
        fakes,
        "apt-get",
        'case "$*" in *--simulate*) exit 0;; esac\n'
        "echo 'dpkg: error processing archive x.deb: cannot copy: No space left on device' >&2\n"
        "echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)' >&2\nexit 100\n",
    )
    with pytest.raises(OpsError) as caught:
        settle_packages(options({"name": "ops-engine"}, update_lists="never"))
    assert str(caught.value) == (
        "apt-get failed for ops-engine: dpkg: error processing archive x.deb: cannot copy: No space left on device | "
        "E: Sub-process /usr/bin/dpkg returned an error code (1). A file system of this host is full: free space on it "
        "(df -h) and run again."
    )


def test_a_lock_taken_meanwhile_is_waited_for(engine: DebianRoot, fakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("apt-get", path="/usr/bin:/bin")
    fake(
        fakes,
        "apt-get",
        f"if mkdir {fakes}/once 2>/dev/null; then\n"
        "echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7' >&2; exit 100; fi\n"
        f'exec {real} "$@"\n',
    )
    assert settle_packages(options({"name": "ops-engine"}))["changed"] is True
    assert engine.installed() == {"ops-engine": "ii 5:2.0~ce-0~lab"}
    fake(fakes, "apt-get", "echo 'E: Could not get lock /var/lib/dpkg/lock' >&2; exit 100\n")
    with pytest.raises(OpsError) as caught:
        settle_packages(options({"name": "ops-tool"}, lock_timeout=1))
    assert str(caught.value) == (
        "lock_timeout = 1: another program works on this host's packages: a process that cannot be seen from here. "
        "Wait until it has ended and run again, or raise lock_timeout (seconds)."
    )
    monkeypatch.setattr(Apt, "lock_holder", lambda _self: Holder(7, "unattended-upgrade", "/var/lib/dpkg/lock"))
    with pytest.raises(OpsError, match=r"pid 7 \(unattended-upgrade\), which holds /var/lib/dpkg/lock\. Wait until"):
        settle_packages(options({"name": "ops-tool"}, lock_timeout=1))


def test_what_the_programs_are_called_with(fakes: Path, tmp_path: Path) -> None:
    fake(fakes, "apt-get", f'echo "$DEBIAN_FRONTEND $NEEDRESTART_SUSPEND $*" >> {tmp_path}/calls\n')
    Apt().change([Target("a", "1"), Target("b", "2", "/tmp/b.deb")], ["c"])
    Apt(recommends=True).change([Target("a", "1", explicit=True)], [])
    common = "-y -q -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
    first = "install --no-install-recommends a=1 /tmp/b.deb c-"
    second = "install --install-recommends --allow-downgrades a=1"
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"noninteractive 1 {common} --simulate {first}",
        f"noninteractive 1 {common} {first}",
        f"noninteractive 1 {common} --simulate {second}",
        f"noninteractive 1 {common} {second}",
    ]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("dpkg-query", "dpkg-query failed: dpkg-query: no luck"),
        ("apt-cache", "apt-cache policy failed: E: no luck"),
        ("apt-mark", "apt-mark hold failed: E: no luck"),
        ("dpkg", r"an interrupted installation cannot be finished \(dpkg --configure -a\): E: no luck"),
    ],
)
def test_a_program_that_fails_is_quoted(fakes: Path, program: str, message: str) -> None:
    text = "dpkg-query: no luck" if program == "dpkg-query" else "E: no luck"
    fake(fakes, program, f"echo '{text}' >&2; exit 2\n")
    apt = Apt()
    calls: dict[str, Any] = {
        "dpkg-query": lambda: apt.read(["a"]),
        "apt-cache": lambda: apt.offers(["a"]),
        "apt-mark": lambda: apt.set_hold(["a"], True),
        "dpkg": apt.repair,
    }
    with pytest.raises(OpsError, match=message):
        calls[program]()


def test_without_the_directory_nothing_was_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Apt, "updates", str(tmp_path / "none"))
    assert Apt().interrupted() is False
