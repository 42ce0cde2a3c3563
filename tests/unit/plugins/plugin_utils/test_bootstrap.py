# Tests of _bootstrap: its shell scripts run for real on archives of each layout, good and bad.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _bootstrap as bootstrap
from ansible_collections.circleci_server.ops.plugins.plugin_utils._bootstrap import Installed

SUM = "ab" * 32
# Runs the tests' own interpreter, and says that its library is where the wrapper stands (or elsewhere).
WRAPPER = """#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
shift
program=$1
shift
exec {python} -c "import sys; sys.prefix = '{prefix}' or '$here'
$program" "$@"
"""


def archive(folder: Path, layout: str, content: str = "", prefix: str = "") -> str:
    """A tar with an interpreter at a path."""
    program = folder / "program"
    program.write_text(content or WRAPPER.format(python=sys.executable, prefix=prefix))
    program.chmod(0o755)
    path = folder / "python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(program, layout)
    return str(path)


def run(script: str) -> subprocess.CompletedProcess[str]:
    """As Ansible does: a shell line, to which it adds."""
    return subprocess.run(
        ["/bin/sh", "-c", script + " && sleep 0"], capture_output=True, text=True, timeout=60, check=False
    )


def install(path: str, dest: Path, checksum: str = SUM) -> subprocess.CompletedProcess[str]:
    return run(bootstrap.install_script(path, str(dest), checksum))


def version() -> str:
    return "{0}.{1}.{2}".format(*sys.version_info[:3])


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param("bin/python3", id="at the top"),
        pytest.param("bin/python3.9", id="with its number"),
        pytest.param("python/bin/python3", id="python-build-standalone"),
        pytest.param("usr/bin/python3.11", id="Debian"),
        pytest.param("usr/local/bin/python3.12", id="two below"),
    ],
)
def test_layouts(tmp_path: Path, layout: str) -> None:
    dest = tmp_path / "opt" / "python"
    done = install(archive(tmp_path, layout), dest)
    assert done.returncode == 0, done.stderr
    assert bootstrap.read_answer(done.stdout) == Installed(SUM, version(), True)
    assert os.access(dest / "bin/python3", os.X_OK)
    assert (dest / bootstrap.MARKER).read_text() == SUM + "\n"
    assert [entry.name for entry in dest.parent.iterdir()] == ["python"]
    state = run(bootstrap.state_script(str(dest)))
    assert bootstrap.read_answer(state.stdout) == Installed(SUM, version(), True)


def test_state_of_a_host_without() -> None:
    done = run(bootstrap.state_script("/nowhere/python"))
    assert (done.returncode, done.stderr) == (0, "")
    found = bootstrap.read_answer(done.stdout)
    assert found == Installed("", "", False)
    assert not found.works


def test_an_older_one_is_replaced(tmp_path: Path) -> None:
    dest = tmp_path / "python"
    assert install(archive(tmp_path, "bin/python3"), dest).returncode == 0
    (dest / "of-the-old-one").touch()
    assert install(archive(tmp_path, "usr/bin/python3.11"), dest, "cd" * 32).returncode == 0
    assert not (dest / "of-the-old-one").exists()
    assert (dest / bootstrap.MARKER).read_text() == "cd" * 32 + "\n"


def test_what_a_killed_run_left_goes_when_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / "python.new.AAAAAA", tmp_path / "python.new.BBBBBB"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1, 1))
    assert install(archive(tmp_path, "bin/python3"), tmp_path / "python").returncode == 0
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize(
    ("layout", "content", "prefix", "words"),
    [
        pytest.param("share/readme", "", "", "the archive has no bin/python3", id="no interpreter"),
        pytest.param("bin/python3", "#!/nowhere/sh\n", "", "not found", id="does not run"),
        pytest.param("bin/python3", "", "/usr", "it is not relocatable: it takes its library from /usr", id="fixed"),
    ],
)
def test_bad_archives_leave_the_old_one(tmp_path: Path, layout: str, content: str, prefix: str, words: str) -> None:
    dest = tmp_path / "opt" / "python"
    dest.mkdir(parents=True)
    (dest / "kept").touch()
    done = install(archive(tmp_path, layout, content, prefix), dest)
    assert done.returncode != 0
    assert words in done.stderr
    assert (dest / "kept").exists()
    assert [entry.name for entry in dest.parent.iterdir()] == ["python"]


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_text("no archive")
    done = install(str(path), tmp_path / "python")
    assert done.returncode != 0
    assert "tar" in done.stderr
    assert not (tmp_path / "python").exists()


def test_an_interpreter_that_is_too_old(tmp_path: Path) -> None:
    script = "import sys; sys.version_info = (3, 5, 2)\n" + bootstrap._TRY
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, "its version is 3.5; Ansible needs 3.8 or later\n")


def test_without_ssl() -> None:
    assert bootstrap.read_answer("PYTHON 3.11.2 -\nMARK x\nother\n") == Installed("x", "3.11.2", False)


@pytest.mark.parametrize("text", ["sha256:" + SUM, SUM, " sha256:" + SUM.upper() + "\n"])
def test_checksum_good(text: str) -> None:
    assert bootstrap.parse_checksum(text) == SUM


@pytest.mark.parametrize("text", ["md5:" + SUM, "sha256:12", "sha256:" + "x" * 64])
def test_checksum_bad(text: str) -> None:
    with pytest.raises(OpsError) as caught:
        bootstrap.parse_checksum(text)
    assert str(caught.value) == (
        "bootstrap_python_checksum = {0!r}: not a sha256 checksum. Give sha256: and 64 hexadecimal digits.".format(text)
    )


def test_odd_paths_are_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "a $HOME b"
    folder.mkdir()
    assert install(archive(folder, "bin/python3"), folder / "a b").returncode == 0
    assert bootstrap.interpreter_of("/a b/") == "/a b/bin/python3"
