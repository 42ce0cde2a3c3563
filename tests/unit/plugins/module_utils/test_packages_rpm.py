# Tests of _packages_rpm: programs of these names on the PATH answer as those of RHEL 8 and 9 (dnf 4) and dnf 5 do.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _packages, _packages_rpm
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._packages import settle_packages
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import Offer, State, Target
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_rpm import Rpm

from .test_packages_apt import fake, options

LIST = """\
Available Packages
docker-ce.x86_64                3:18.09.1-3.el8                 docker-ce-stable
docker-ce.x86_64                3:18.09.9-3.el8                 docker-ce-stable
docker-ce-rootless-extras-with-a-long-name.x86_64
                                0:20.10.0-3.el8                 docker-ce-stable
"""
RPM = r"""
installed="$STATE/rpm"
case "$*" in
  *--package*) printf 'docker-ce\t3\t18.09.9-3.el8\n';;
  *--erase*--test*) cat "$STATE/needed" >&2; [ ! -s "$STATE/needed" ];;
  *) cat "$installed"; echo "package missing is not installed"; exit 1;;
esac
"""
DNF = r"""
echo "$*" >> "$STATE/calls"
case "$*" in
  *" versionlock list"*) [ -e "$STATE/locks" ] || { echo 'No such command: versionlock.' >&2; exit 1; }
                        cat "$STATE/locks";;
  *"versionlock add"*)  echo 'docker-ce-3:18.09.9-3.el8.*' >> "$STATE/locks";;
  *"versionlock delete"*) : > "$STATE/locks";;
  *" list "*) cat "$STATE/list";;
  *install*) printf 'docker-ce\t3\t18.09.9-3.el8\n' > "$STATE/rpm";;
  *remove*) : > "$STATE/rpm";;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of the RHEL family: rpm and dnf, state in files."""
    state = tmp_path / "state"
    state.mkdir()
    for name, text in (("rpm", ""), ("needed", ""), ("list", LIST), ("locks", ""), ("calls", "")):
        (state / name).write_text(text)
    fake(tmp_path / "bin", "rpm", RPM)
    fake(tmp_path / "bin", "dnf", DNF)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("STATE", str(state))
    monkeypatch.setattr(_packages, "find_manager", lambda params: Rpm(params["timeout"], params["lock_timeout"]))
    monkeypatch.setattr(_packages, "host_lock", lambda *_arguments: nullcontext())
    return state


def calls(host: Path) -> list[str]:
    return (host / "calls").read_text().splitlines()


def test_a_package_is_installed_held_and_kept(host: Path) -> None:
    wanted = options({"name": "docker-ce", "default_version": "18.09.9", "hold": True})
    predicted = settle_packages(wanted, check=True)
    result = settle_packages(wanted)
    assert result["changes"] == ["docker-ce is installed (3:18.09.9-3.el8)", "docker-ce is held at its version"]
    assert predicted["changes"] == result["changes"]
    made = [call for call in calls(host) if "list" not in call]
    assert made == [
        "--quiet makecache --refresh",
        "-y install --setopt=install_weak_deps=False docker-ce-3:18.09.9-3.el8",
        "--quiet versionlock add docker-ce",
    ]
    assert settle_packages(wanted)["changed"] is False
    release = settle_packages(options({"name": "docker-ce", "hold": False}))
    assert release["changes"] == ["docker-ce is no longer held"]
    assert (host / "locks").read_text() == ""


def test_a_package_is_removed_but_nothing_with_it(host: Path) -> None:
    (host / "rpm").write_text("docker-ce\t0\t1-1\n")
    (host / "needed").write_text("error: Failed dependencies:\n\tdocker-ce is needed by (installed) tool-1\n")
    wanted = options({"name": "docker-ce", "state": "absent"})
    with pytest.raises(OpsError) as caught:
        settle_packages(wanted)
    assert str(caught.value) == (
        "packages: docker-ce cannot be removed: docker-ce is needed by (installed) tool-1. Nothing is removed that is "
        "not named: add the packages that need it with state absent."
    )
    (host / "needed").write_text("")
    assert settle_packages(wanted)["changes"] == ["docker-ce 1-1 is removed"]
    assert "-y remove --setopt=clean_requirements_on_remove=False docker-ce" in calls(host)


def test_no_hold_without_the_plugin(host: Path) -> None:
    (host / "locks").unlink()
    wanted = options({"name": "docker-ce", "hold": True})
    message = (
        "packages.hold = True: dnf has no versionlock plugin on this host, so no package can be held. Install it "
        "(python3-dnf-plugin-versionlock; yum: yum-plugin-versionlock), or leave hold out."
    )
    with pytest.raises(OpsError) as caught:
        settle_packages(wanted)
    assert str(caught.value) == message
    assert settle_packages(wanted, check=True)["warnings"] == [message]
    Rpm().check_hold(["python3-dnf-plugin-versionlock"])


def test_names_of_locks_in_both_forms(host: Path) -> None:
    (host / "locks").write_text(
        "docker-ce-3:18.09.9-3.el8.*\n!excluded-0:1-1.*\n# comment\nPackage name: containerd.io\nevr = 1.2-3\n"
    )
    states = Rpm().read(["docker-ce", "containerd.io", "excluded"])
    assert {name: state.hold for name, state in states.items()} == {
        "docker-ce": True,
        "containerd.io": True,
        "excluded": False,
    }


def test_wrapped_rows_of_a_list_are_read(host: Path) -> None:
    assert Rpm().offers(["docker-ce"]) == {
        "docker-ce": Offer("3:18.09.9-3.el8", ("3:18.09.9-3.el8", "3:18.09.1-3.el8")),
        "docker-ce-rootless-extras-with-a-long-name": Offer("20.10.0-3.el8", ("20.10.0-3.el8",)),
    }
    assert "--cacheonly --disableplugin=versionlock list --available --showduplicates docker-ce" in calls(host)[-1]


def test_a_file_says_what_it_holds(host: Path) -> None:
    assert Rpm().inspect_file("/tmp/x.rpm") == ("docker-ce", "3:18.09.9-3.el8")
    Rpm().change([Target("docker-ce", "3:18.09.9-3.el8", "/tmp/x.rpm")], [])
    assert calls(host)[-1] == "-y install --setopt=install_weak_deps=False /tmp/x.rpm"


@pytest.mark.usefixtures("host")
def test_programs_that_fail_are_quoted(tmp_path: Path) -> None:
    fake(tmp_path / "bin", "dnf", "echo 'Error: Unable to find a match: x' >&2; exit 1\n")
    fake(tmp_path / "bin", "rpm", "echo 'error: cannot open Packages database' >&2; exit 1\n")
    rpm = Rpm()
    assert rpm.refresh() == "Error: Unable to find a match: x"
    assert rpm.offers(["x"]) == {}
    with pytest.raises(OpsError, match="dnf install failed for x: Error: Unable to find a match: x"):
        rpm.change([Target("x", "1")], [])
    with pytest.raises(OpsError, match=r"dnf versionlock add failed: Error: .*python3-dnf-plugin-versionlock"):
        rpm.set_hold(["x"], True)
    with pytest.raises(OpsError, match="rpm failed: error: cannot open Packages database"):
        rpm.read(["x"])
    with pytest.raises(OpsError, match="is not an RPM package: error: cannot open"):
        rpm.inspect_file("x")
    fake(tmp_path / "bin", "dnf", "echo 'Error: needs 5MB more space on the / filesystem' >&2; exit 1\n")
    with pytest.raises(OpsError, match="A file system of this host is full"):
        rpm.change([Target("x", "1")], [])


def test_yum_where_there_is_no_dnf(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "rpm").write_text("bash\t0\t5.1-2.el9\n")
    (tmp_path / "bin/dnf").rename(tmp_path / "bin/yum")
    monkeypatch.setattr(_packages_rpm, "find_program", lambda name: None if name == "dnf" else name)
    rpm = Rpm()
    assert rpm.title == "yum"
    assert rpm.read(["bash", "missing"]) == {"bash": State("5.1-2.el9"), "missing": State()}
