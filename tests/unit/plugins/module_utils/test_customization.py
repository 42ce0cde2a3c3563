# Tests of _customization and _customization_request: on real files, re-read by a real shell.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils import _customization
from ansible_collections.circleci_server.ops.plugins.module_utils._customization import compare, customize
from ansible_collections.circleci_server.ops.plugins.module_utils._customization_request import (
    Request,
    Wanted,
    requested,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import read_pending
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_customization import ARGUMENT_SPEC

OURS = "  # circleci_server.ops: administrator\n"
SECRET = "a-secret-of-some-length"


class Host:
    """A directory that stands for a services host's /etc and state directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pending = str(root / "state" / "pending.json")
        self.installation = root / "etc" / "installation"
        self.config = root / "etc" / "circleconfig"
        for directory in (self.installation.parent, root / "state", root / "run"):
            directory.mkdir(parents=True)

    def options(self, **given: Any) -> dict[str, Any]:
        defaults = {name: spec["default"] for name, spec in ARGUMENT_SPEC.items()}
        places = {"config_dir": str(self.config), "installation_file": str(self.installation)}
        return {**defaults, **places, **given}

    def call(self, check: bool = False, **given: Any) -> dict[str, Any]:
        return customize(self.options(**given), check, self.pending, str(self.root / "run" / "lock"))

    def file(self, directory: str = "frontend") -> Path:
        return self.config / directory / "customizations"

    def write(self, text: str, directory: str = "frontend", mode: int = 0o644) -> Path:
        path = self.file(directory)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(mode)
        return path

    def text(self, directory: str = "frontend") -> str:
        return self.file(directory).read_bytes().decode("utf-8", "surrogateescape")

    def environment(self, path: Path) -> dict[str, str]:
        command = ["/usr/bin/env", "-i", "sh", "-c", '. "$0"; exec /usr/bin/env -0', str(path)]
        output = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
        return dict(pair.split("=", 1) for pair in output.split("\0") if "=" in pair)

    def state(self) -> dict[str, tuple[int, int, int, bytes]]:
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file() and path.parent.name != "run"]
        return {
            str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
            for path in files
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# Apply, check, apply again


def test_check_apply_apply_check(host: Host) -> None:
    given: dict[str, Any] = {
        "services": {"frontend": {"JVM_HEAP_SIZE": "2g", "CIRCLE__OUTER__LOGIN_BANNER_MESSAGE": "it's\nFriday"}},
        "installation": {"CIRCLE_URL": "https://circleci.example.com"},
    }
    before = host.state()
    predicted = host.call(check=True, **given)
    assert host.state() == before
    applied = host.call(**given)
    for key in ("changed", "changes", "diff", "changed_services", "files"):
        assert predicted[key] == applied[key]
    assert applied["changed"]
    assert applied["changes"] == [
        "frontend: JVM_HEAP_SIZE set to '2g'",
        'frontend: CIRCLE__OUTER__LOGIN_BANNER_MESSAGE set to "it\'s\\nFriday"',
        "installation: CIRCLE_URL set to 'https://circleci.example.com'",
    ]
    assert host.text() == (
        "export JVM_HEAP_SIZE='2g'" + OURS + "export CIRCLE__OUTER__LOGIN_BANNER_MESSAGE='it'\\''s\nFriday'" + OURS
    )
    found = host.environment(host.file())
    assert (found["JVM_HEAP_SIZE"], found["CIRCLE__OUTER__LOGIN_BANNER_MESSAGE"]) == ("2g", "it's\nFriday")
    assert host.environment(host.installation)["CIRCLE_URL"] == "https://circleci.example.com"
    assert applied["files"] == [str(host.file()), str(host.installation)]
    assert applied["diff"][0]["before_header"] == str(host.file()) + " (absent)"
    state = host.state()
    for check in (False, True):
        again = host.call(check=check, **given)
        assert not again["changed"]
        assert (again["changes"], again["diff"], again["owed"]) == ([], [], [])
        assert host.state() == state


def test_new_files_and_directories_can_be_read_whatever_the_umask(host: Host) -> None:
    old = os.umask(0o077)
    try:
        host.call(services={"frontend": {"A": "1"}})
    finally:
        os.umask(old)
    assert host.config.stat().st_mode & 0o777 == 0o755
    assert host.file().parent.stat().st_mode & 0o777 == 0o755
    assert host.file().stat().st_mode & 0o777 == 0o644


def test_all_services_in_one_call(host: Host) -> None:
    directories = list(catalogue.override_directories())
    result = host.call(services={directory: {"FOO": directory} for directory in directories})
    assert [host.environment(host.file(directory))["FOO"] for directory in directories] == directories
    names = {container.name for container in catalogue.override_directories().values()}
    assert set(result["changed_services"]) == names
    assert len(result["changed_services"]) == len(names) == 21


def test_a_whole_number_is_its_digits(host: Host) -> None:
    host.call(services={"frontend": {"PORT": 8080}})
    assert host.environment(host.file())["PORT"] == "8080"


@pytest.mark.parametrize(
    ("name", "directories"),
    [
        ("picard-scheduler", ["schedulerer"]),
        ("test_results", ["test-results"]),
        ("picard-output-processor", ["output-processor"]),
        ("federations-service-db-migrator", ["federations-service-db-migrator"]),
        ("federation-service-migrator", ["federations-service-db-migrator", "federations-service-migrator"]),
    ],
)
def test_names_of_services(host: Host, name: str, directories: list[str]) -> None:
    host.call(services={name: {"A": "1"}})
    assert sorted(path.name for path in host.config.iterdir()) == directories


def test_two_names_of_one_service_are_one_file(host: Host) -> None:
    host.call(services={"output-processor": {"A": "1", "C": "3"}, "picard-output-processor": {"B": "2", "C": "3"}})
    assert host.text("output-processor").count("export") == 3


# The pending record


def test_what_must_restart_is_recorded_before_the_first_write(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise OpsError("no space left")

    monkeypatch.setattr(_customization, "write_atomic", fail)
    with pytest.raises(OpsError, match="no space left"):
        host.call(services={"schedulerer": {"A": "1"}}, owner="proxy", restart_when="with_next")
    entry = read_pending(host.pending)[0]
    assert (entry.scope, entry.target, entry.owner, entry.when) == (
        "container",
        "picard-scheduler",
        "proxy",
        "with_next",
    )
    assert entry.reason == "{} changed".format(host.file("schedulerer"))
    assert entry.written == 0


def test_the_record_knows_when_the_write_was_done(host: Host) -> None:
    host.call(services={"frontend": {"A": "1"}})
    assert read_pending(host.pending)[0].written > 0


def test_a_change_of_the_installation_names_every_reader(host: Host) -> None:
    result = host.call(installation={"CIRCLE_URL": "http://circleci.lab"})
    assert result["changed_services"] == catalogue.services_reading_installation_file()
    assert [row["target"] for row in result["owed"]] == result["changed_services"]


def test_nothing_changed_owes_nothing(host: Host) -> None:
    host.write("export A=1\n")
    host.call(services={"frontend": {"A": "1"}})
    assert not os.path.exists(host.pending)


# Files that a person wrote

EQUAL = {
    "double quotes": 'export A="x y"\n',
    "single quotes": "export A='x y'\n",
    "escaped": "export A=x\\ y\n",
    "mixed": "export A=x' 'y # comment\n",
    "several in one": 'export B=1 A="x y" C=$B\n',
    "exported later": 'A="x y"\nexport A\n',
    "all exported": 'set -a; A="x y"\n',
    "several times": 'export A=1\nexport A="x y"\n',
    "continued": 'export \\\n  A="x \\\ny"\n',
    "no end of line": 'export A="x y"',
    "carriage returns elsewhere": 'export B=1\r\nexport A="x y"\n',
    "lines that touch others": 'export B=$(date)\nif true; then C=1; fi\nexport A="x y"\nunset B\n',
}


@pytest.mark.parametrize("case", EQUAL)
def test_an_equal_value_is_left_as_it_was_written(host: Host, case: str) -> None:
    host.write(EQUAL[case])
    state = host.state()
    assert not host.call(services={"frontend": {"A": "x y"}})["changed"]
    assert host.state() == state


REWRITTEN = {
    "adopted in place": ("# one\nexport A=1 # why\nexport B=2\n", "# one\n{ours}# why\nexport B=2\n"),
    "folded": ("export A=1\nexport B=2\nexport A=3\n# end\n", "export B=2\n{ours}# end\n"),
    "one of several": ("export B=1 A=1 C=3\n", "{ours}export B=1 C=3\n"),
    "one of two commands": ("B=1; A=1 # c\n", "{ours}B=1 # c\n"),
    "not exported": ("A=x\nexport B=2\n", "{ours}export B=2\n"),
    "appended": ("export B=2", "export B=2\n{ours}"),
    "after a continuation": ("export B=2 \\\n", "export B=2 \\\n\n{ours}"),
    "carriage return is part of the value": ("export A=x\r\nexport B=1\r\n", "{ours}export B=1\r\n"),
    "bytes that are no text": ("# \udcff\nexport A=\udcfe\n", "# \udcff\n{ours}"),
    "lines that touch others": ("B=$(date)\nA=1\n[ x ] && C=1\n", "B=$(date)\n{ours}[ x ] && C=1\n"),
}


@pytest.mark.parametrize("case", REWRITTEN)
def test_rewritten(host: Host, case: str) -> None:
    before, after = REWRITTEN[case]
    host.write(before)
    ours = "export A='x'" + OURS
    assert host.call(services={"frontend": {"A": "x"}})["changed"]
    assert host.text() == after.replace("{ours}", ours)
    state = host.state()
    assert not host.call(services={"frontend": {"A": "x"}})["changed"]
    assert host.state() == state


def test_the_diff_says_what_was_adopted(host: Host) -> None:
    host.write("# first\nexport A=1\n")
    result = host.call(services={"frontend": {"A": "2"}})
    assert result["changes"] == ["frontend: A set to '2' (was '1', set by hand on line 2 and adopted)"]
    assert result["diff"] == [
        {
            "before": "export A='1'  # set by hand, line 2\n",
            "after": "export A='2'" + OURS,
            "before_header": str(host.file()),
            "after_header": str(host.file()),
        }
    ]
    assert host.call(services={"frontend": {"A": "3"}})["changes"] == ["frontend: A set to '3' (was '2')"]


def test_the_change_says_that_it_was_not_exported(host: Host) -> None:
    host.write("A=1\n")
    changes = host.call(services={"frontend": {"A": "1"}})["changes"]
    assert changes == ["frontend: A set to '1' (was so, but not exported, set by hand on line 1 and adopted)"]


def test_the_mode_of_a_file_is_kept(host: Host) -> None:
    host.write("export A=1\n", mode=0o640)
    host.call(services={"frontend": {"A": "2"}})
    assert host.file().stat().st_mode & 0o777 == 0o640


# Lines that cannot be read

BLOCKING = {
    "conditional": ("if [ -f x ]; then\n  export A=1\nfi\n", 1),
    "other file": ("export B=1\n. /etc/environment\n", 2),
    "eval": ('eval "A=1"\n', 1),
    "substitution": ("export A=$(date)\n", 1),
    "own key": ('export A=1\nexport A="$A:2"\n', 2),
    "unset": ("\nunset A\n", 2),
    "list": ("[ -n x ] && A=1\n", 1),
    "expansion": (": ${A:=1}\n", 1),
    "bash only": ("export A=$'x'\n", 1),
}


@pytest.mark.parametrize("case", BLOCKING)
def test_a_line_that_may_touch_a_key_is_refused(host: Host, case: str) -> None:
    text, line = BLOCKING[case]
    host.write(text)
    state = host.state()
    with pytest.raises(OpsError) as caught:
        host.call(services={"api-service": {"X": "1"}, "frontend": {"A": "x"}})
    message = str(caught.value)
    assert message.startswith("unreadable_lines = 'refuse': {}, line {}, ".format(host.file(), line))
    assert ": it cannot be read without running it and may change A; nothing was written. Write the line" in message
    assert message.endswith("or set unreadable_lines: keep, then A is written after it and wins.")
    assert caught.value.facts == {"path": str(host.file()), "line": line}
    assert host.state() == state


@pytest.mark.parametrize("case", [case for case in BLOCKING if case != "other file"])
def test_keep_writes_after_it(host: Host, case: str) -> None:
    text, _line = BLOCKING[case]
    host.write(text)
    given: dict[str, Any] = {"services": {"frontend": {"A": "x"}}, "unreadable_lines": "keep"}
    assert host.call(**given)["changed"]
    assert host.text().endswith("export A='x'" + OURS)
    assert host.environment(host.file())["A"] == "x"
    state = host.state()
    assert not host.call(**given)["changed"]
    assert host.state() == state


def test_keep_goes_after_a_line_that_came_later(host: Host) -> None:
    host.call(services={"frontend": {"A": "x"}})
    with host.file().open("a") as handle:
        handle.write("export A=$(echo y)\n")
    result = host.call(services={"frontend": {"A": "x"}}, unreadable_lines="keep")
    assert result["changes"] == ["frontend: A set to 'x' (could not be read, set by hand on line 2 and adopted)"]
    assert "A='(cannot be read)'" not in result["diff"][0]["before"]
    assert host.environment(host.file())["A"] == "x"
    assert host.text().count("owner") == 0
    with host.file().open("a") as handle:
        handle.write("[ -n x ] && A=z\n")
    changes = host.call(services={"frontend": {"A": "x"}}, unreadable_lines="keep")["changes"]
    assert changes == ["frontend: A set to 'x' (was so, but other lines came after it)"]
    assert host.environment(host.file())["A"] == "x"


def test_keep_replaces_in_place_after_it(host: Host) -> None:
    host.write("unset A\nexport A=1\n# end\n")
    host.call(services={"frontend": {"A": "x"}}, unreadable_lines="keep")
    assert host.text() == "unset A\nexport A='x'" + OURS + "# end\n"


@pytest.mark.parametrize("text", ["exit 0\n", "[ -n x ] || return\n", "readonly A=1\n", "export 1A=x\n"])
def test_keep_refuses_where_nothing_wins(host: Host, text: str) -> None:
    host.write(text)
    with pytest.raises(OpsError) as caught:
        host.call(services={"frontend": {"A": "x"}}, unreadable_lines="keep")
    assert str(caught.value).startswith("unreadable_lines = 'keep': {}, line 1, ".format(host.file()))
    assert ": no value of A that is written after it is sure to arrive; nothing was written." in str(caught.value)
    assert "unreadable_lines: keep, then" not in str(caught.value)
    assert host.text() == text


def test_no_shell_file_is_refused(host: Host) -> None:
    host.write("export B=1\nexport C='x\n")
    with pytest.raises(
        OpsError, match=r"line 2 cannot be read as shell: the quote ' is not closed; nothing was written"
    ):
        host.call(services={"frontend": {"A": "x"}})
    assert not os.path.exists(host.pending)


def test_an_error_that_only_the_shell_sees_is_refused(host: Host) -> None:
    host.write("if true; then fi\n")
    for check in (True, False):
        with pytest.raises(OpsError, match=r"would stop at an error in its own lines: .*nothing was written"):
            host.call(check=check, services={"frontend": {"A": "x"}})
    assert host.text() == "if true; then fi\n"


def test_a_directory_in_the_file_s_place_is_refused(host: Host) -> None:
    host.file().mkdir(parents=True)
    with pytest.raises(OpsError, match="cannot be read: Is a directory"):
        host.call(services={"frontend": {"A": "x"}})


def test_a_file_in_the_directory_s_place_is_refused(host: Host) -> None:
    host.config.write_text("")
    with pytest.raises(OpsError, match="cannot be (read|written): Not a directory"):
        host.call(services={"frontend": {"A": "x"}})


def test_a_directory_that_cannot_be_made(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str, _mode: int = 0) -> None:
        raise OSError(30, "Read-only file system", path)

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(OpsError, match="circleconfig cannot be written: Read-only file system"):
        host.call(services={"frontend": {"A": "x"}})


# Owners


def test_two_owners_with_different_values(host: Host) -> None:
    host.call(services={"frontend": {"A": "1"}}, owner="proxy")
    state = host.state()
    with pytest.raises(OpsError) as caught:
        host.call(services={"frontend": {"A": "2"}}, owner="tls")
    assert str(caught.value) == (
        "services.frontend.A: {}, line 1: proxy wants another value for A than tls does; nothing was written. "
        "Remove A from what one of the two owners sets.".format(host.file())
    )
    assert host.state() == state
    assert not host.call(services={"frontend": {"A": "1"}}, owner="tls")["changed"]


def test_absent_removes_own_lines_only(host: Host) -> None:
    host.write("# mine\nexport P=1\n")
    host.call(services={"frontend": {"A": "1", "B": "2"}})
    host.call(services={"frontend": {"C": "3"}}, owner="other")
    gone: dict[str, Any] = {"services": {"frontend": {"A": None, "C": None, "P": None, "Z": None}}, "state": "absent"}
    predicted = host.call(check=True, **gone)
    result = host.call(**gone)
    assert predicted["diff"] == result["diff"]
    assert result["changes"] == ["frontend: A removed"]
    assert result["changed_services"] == ["frontend"]
    assert result["warnings"] == [
        "{}, line 5: C belongs to other and stays; state: absent removes lines of administrator only".format(
            host.file()
        ),
        "{}, line 2: P belongs to a person and stays; state: absent removes lines of administrator only".format(
            host.file()
        ),
    ]
    assert host.text().startswith("# mine\nexport P=1\nexport B='2'")
    assert set(host.environment(host.file())) >= {"P", "B", "C"}
    again = host.call(**gone)
    assert not again["changed"]
    assert again["diff"] == []
    assert len(again["warnings"]) == 2


def test_absent_without_files_changes_nothing(host: Host) -> None:
    result = host.call(services={"frontend": {"A": "1"}}, state="absent", purge="owner")
    assert not result["changed"]
    assert not host.config.exists()


def test_purge_removes_what_the_call_does_not_name(host: Host) -> None:
    host.write("export P=1\n")
    host.write("if broken\n", "vm-gc")
    host.write("if broken # administrators\n", "vm-service")
    first = {"frontend": {"A": "1", "B": "2"}, "api-service": {"C": "3"}}
    host.call(services=first, installation={"D": "4"})
    host.call(services={"frontend": {"E": "5"}}, owner="other")
    result = host.call(services={"frontend": {"A": "1"}}, purge="owner")
    assert result["changes"] == ["frontend: B removed", "installation: D removed", "api-service: C removed"]
    assert "export B='********'" in result["diff"][0]["before"]
    assert host.text("api-service") == ""
    assert host.installation.read_text() == ""
    environment = host.environment(host.file())
    assert {key for key in environment if len(key) == 1 and key != "_"} == {"P", "A", "E"}
    assert not host.call(services={"frontend": {"A": "1"}}, purge="owner")["changed"]
    host.call(state="absent", purge="owner")
    assert {key for key in host.environment(host.file()) if len(key) == 1 and key != "_"} == {"P", "E"}


# Secrets


def test_secrets_are_shown_nowhere_and_the_file_is_closed(host: Host) -> None:
    host.write("export TOKEN=an-old-secret-value\nexport OTHER=another-secret-value\n")
    result = host.call(
        services={"frontend": {"A": "1"}},
        secret_services={"frontend": {"TOKEN": SECRET}},
        secret_installation={"KEY": SECRET + "2"},
    )
    assert result["changes"] == [
        "frontend: A set to '1'",
        "frontend: TOKEN set to ******** (was ********, set by hand on line 1 and adopted)",
        "frontend: mode 0644 -> 0600",
        "installation: KEY set to ********",
    ]
    for secret in (SECRET, "an-old-secret-value", "another-secret-value"):
        assert secret not in repr(result)
        assert secret not in Path(host.pending).read_text()
    assert host.environment(host.file())["TOKEN"] == SECRET
    assert host.file().stat().st_mode & 0o777 == 0o600
    assert host.installation.stat().st_mode & 0o777 == 0o600
    removed = host.call(state="absent", purge="owner")
    assert SECRET not in repr(removed)


def test_only_the_mode_changes(host: Host) -> None:
    path = host.write("export TOKEN={}\n".format(SECRET))
    inode = path.stat().st_ino
    given: dict[str, Any] = {"secret_services": {"frontend": {"TOKEN": SECRET}}, "secret_file_mode": "0640"}
    assert host.call(check=True, **given)["changed"]
    assert path.stat().st_mode & 0o777 == 0o644
    result = host.call(**given)
    assert result["changes"] == ["frontend: mode 0644 -> 0640"]
    assert result["diff"][0]["after"] == "mode 0640\n"
    assert result["changed_services"] == []
    assert (path.stat().st_mode & 0o777, path.stat().st_ino) == (0o640, inode)
    assert not host.call(**given)["changed"]


def test_a_mode_that_cannot_be_set(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write("export TOKEN={}\n".format(SECRET))

    def fail(path: str, _mode: int) -> None:
        raise OSError(30, "Read-only file system", path)

    monkeypatch.setattr(os, "chmod", fail)
    with pytest.raises(OpsError, match="customizations cannot be written: Read-only file system"):
        host.call(secret_services={"frontend": {"TOKEN": SECRET}})


def test_short_secrets_turn_the_result_off(host: Host) -> None:
    given: dict[str, Any] = {"secret_services": {"frontend": {"PIN": "1"}}, "allow_short_secrets": True}
    assert host.call(**given) == {"changed": True}
    assert host.environment(host.file())["PIN"] == "1"
    assert host.call(**given) == {"changed": False}


# Options

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown service": (
        {"services": {"fronted": {"A": "1"}}},
        "services = 'fronted': is no service with customizations. Did you mean frontend? Known are: api-service, ",
    ),
    "nothing near": (
        {"secret_services": {"qqq": {"A": SECRET}}},
        "secret_services = 'qqq': is no service with customizations. Known are: api-service, ",
    ),
    "no directory": (
        {"services": {"redis": {"A": "1"}}},
        "services = 'redis': the service redis has no override directory. Set the value in installation, for all "
        "services, or set allow_unknown_services: true.",
    ),
    "path for a service": (
        {"services": {"../x": {"A": "1"}}, "allow_unknown_services": True},
        "services = '../x': is no name for a directory. Name one directory.",
    ),
    "heap": (
        {"services": {"frontend": {"JVM_HEAP_SIZE": "2 gigs"}}},
        "services.frontend.JVM_HEAP_SIZE = '2 gigs': is not a heap size of the form N[kmg], a number and one of k, m, "
        "g. Write for example 2g or 1536m.",
    ),
    "heap of a number": (
        {"installation": {"JVM_HEAP_SIZE": 2}},
        "installation.JVM_HEAP_SIZE = '2': is not a heap size",
    ),
    "secret heap": (
        {"secret_installation": {"JVM_HEAP_SIZE": "two gigs"}},
        "secret_installation.JVM_HEAP_SIZE: is not a heap size",
    ),
    "url": (
        {"installation": {"CIRCLE_URL": "circleci.example.com"}},
        "installation.CIRCLE_URL = 'circleci.example.com': is not of the form scheme://host (http or https, no path). "
        "Write for example https://circleci.example.com.",
    ),
    "url with a path": (
        {"installation": {"CIRCLE_URL": "https://a/b"}},
        "installation.CIRCLE_URL = 'https://a/b': is not",
    ),
    "short secret": (
        {"secret_services": {"frontend": {"TOKEN": "short"}}},
        "secret_services.frontend.TOKEN: a secret of fewer than 8 characters would censor every text that contains it. "
        "Take a longer one, or set allow_short_secrets: true, which turns this call's result and diff off.",
    ),
    "boolean": (
        {"services": {"frontend": {"A": True}}},
        'services.frontend.A = True: must be a string, not bool. Put the value between quotes, for example "true"',
    ),
    "secret boolean": ({"secret_services": {"frontend": {"A": False}}}, "secret_services.frontend.A: must be a string"),
    "fraction": ({"services": {"frontend": {"A": 1.1}}}, "services.frontend.A = 1.1: must be a string, not float."),
    "nothing": ({"services": {"frontend": {"A": None}}}, "services.frontend.A: must be a string, not NoneType."),
    "list": ({"installation": {"A": ["x"]}}, "installation.A = ['x']: must be a string, not list."),
    "no dictionary": (
        {"services": {"frontend": "A=1"}},
        "services.frontend: must be a dictionary, not str. Write KEY: value pairs below it, or {} for none.",
    ),
    "nul": (
        {"services": {"frontend": {"A": "a\0b"}}},
        "services.frontend.A: has a NUL character, which no shell can give back. Remove it.",
    ),
    "key": (
        {"services": {"frontend": {"A-B": "1"}}},
        "services.frontend.A-B = 'A-B': is no name that a shell takes for a variable. Use letters, digits and "
        "underscores, not beginning with a digit.",
    ),
    "key that is a number": ({"installation": {1: "1"}}, "installation.1 = 1: is no name that a shell takes"),
    "shell's own": (
        {"services": {"frontend": {"UID": "1"}}},
        "services.frontend.UID: is a variable of the shell itself, a value would not arrive. Use another name.",
    ),
    "bash's own": (
        {"services": {"frontend": {"BASH_ENV": "1"}}},
        "services.frontend.BASH_ENV: is a variable of the shell",
    ),
    "twice": (
        {"services": {"frontend": {"A": "long enough"}}, "secret_services": {"frontend": {"A": "long enough"}}},
        "secret_services.frontend.A: the same key of the same file is given twice, also as services.frontend.A. "
        "Remove one of the two.",
    ),
    "twice by alias": (
        {"services": {"schedulerer": {"A": "1"}, "picard-scheduler": {"A": "2"}}},
        "services.picard-scheduler.A: the same key of the same file is given twice, also as services.schedulerer.A.",
    ),
    "owner": (
        {"owner": "a b"},
        "owner = 'a b': an owner is a letter or digit, then letters, digits and any of _ . @ / -.",
    ),
    "mode": (
        {"secret_file_mode": "600x"},
        "secret_file_mode = '600x': is not a file mode. Write it like \"0600\".",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(host: Host, case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(OpsError) as caught:
        host.call(**given)
    assert str(caught.value).startswith(message)
    assert host.state() == {}


def test_unknown_services_can_be_allowed(host: Host) -> None:
    result = host.call(services={"new-service": {"A": "1"}, "redis": {"A": "1"}}, allow_unknown_services=True)
    assert result["changed_services"] == ["new-service", "redis"]
    assert host.environment(host.file("new-service"))["A"] == "1"


def test_a_heap_that_nothing_reads_is_a_warning(host: Host) -> None:
    result = host.call(services={"api-service": {"JVM_HEAP_SIZE": "1g"}, "test_results": {"JVM_HEAP_SIZE": "1g"}})
    assert result["warnings"] == [
        "services.api-service.JVM_HEAP_SIZE: the guide says of frontend and test-results only that they read "
        "JVM_HEAP_SIZE; it may be without effect"
    ]


def test_absent_takes_any_value(host: Host) -> None:
    options = host.options(services={"frontend": {"A": True}}, secret_services={"frontend": {"A": ""}}, state="absent")
    assert set(requested(options).files["frontend"]) == {"A"}


# Any file, any value

KEYS = st.sampled_from(["A", "B", "C"])
LINES = st.sampled_from(
    ["export A=1\n", "A='x y' # c\n", "export B=2 A=3\n", "# comment\n", "\n", 'B="$X"; A=4\n', "C=5\r\n"]
    + [
        "if true; then Z=1; fi\n",
        "export D=6  # circleci_server.ops: other\n",
        "export A='7'  # circleci_server.ops: me\n",
    ]
)
VALUES = st.text("ab '\"\\$\n#`é", max_size=6)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(LINES, max_size=6).map("".join), st.dictionaries(KEYS, VALUES, max_size=3))
def test_once_written_nothing_is_left_to_do(text: str, values: dict[str, str]) -> None:
    wanted = {key: Wanted(value, False, key) for key, value in values.items()}
    request = Request({}, "present", "me", False, True, 0o600)
    plan = compare("frontend", "/f", text, wanted, request)
    again = compare("frontend", "/f", plan.content, wanted, request)
    assert again.content == plan.content
    assert (again.changes, again.before, again.after) == ([], [], [])
    assert bool(plan.changes) == (plan.content != text)
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in plan.content.splitlines() if line == "# comment"] == comments
