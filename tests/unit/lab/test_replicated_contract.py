# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The lab's stand-in for Replicated does what facts 4 say: its daemon and command lines as processes, without Docker.

What no fact has is tested as well, so that nobody changes an assumption unseen; such a test says "assumed".
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.places import LAB
from tests.lab.replicated.lib.client import Client

PYTHON = [sys.executable, "-IS"]
CANARY = "c4n4ry-of-a-secret"
SETTINGS: dict[str, dict[str, Any]] = {
    "hostname": {"value": "ci.example.com"},
    "secret_passphrase": {"value": CANARY},
    "license_agreement": {"value": "license_agreement_agree"},
}
CONF: dict[str, Any] = {
    "BypassPreflightChecks": True,
    "DaemonAuthenticationType": "password",
    "DaemonAuthenticationPassword": CANARY,
    "LicenseFileLocation": "/etc/lab.rli",
    "ImportSettingsFrom": "/etc/settings.json",
}
KEYS = [
    "AppID", "Sequence", "PatchSequence", "State", "DesiredState", "Error", "IsCancellable", "IsTransitioning",
    "LastModifiedAt",
]  # fmt: skip
LIMIT = 10.0
Done = subprocess.CompletedProcess[str]


class Standin:
    """One installation in a folder."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root = root
        self.programs = programs
        self.state = root / "state"
        self.host = root / "host"
        for folder in (self.state, self.host / "etc", self.host / "opt/lab"):
            folder.mkdir(parents=True)
        self.write("/opt/lab/application.json", {"images": [], "tags": {}, "containers": [], "replicated": []})
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "LAB_REPLICATED_STATE": str(self.state),
            "LAB_REPLICATED_RUN": str(root / "run"),
            "LAB_REPLICATED_LOG": str(root / "log"),
            "LAB_REPLICATED_HOST": str(self.host),
            "LAB_REPLICATED_ENGINE": "none",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def write(self, path: str, content: Any) -> None:
        """A file of the host."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.host / path.lstrip("/")).write_text(text)

    def install(self, conf: dict[str, Any] | None = None, settings: Any = None, licence: str = "LAB LICENCE\n") -> None:
        """The files of a first start, and the first start."""
        self.write("/etc/replicated.conf", CONF if conf is None else conf)
        self.write("/etc/settings.json", SETTINGS if settings is None else settings)
        self.write("/etc/lab.rli", licence)
        self.start()

    def spawn(self, program: str, **env: str) -> subprocess.Popen[bytes]:
        """One of the programs that stay."""
        argv = [*PYTHON, str(self.programs / program)]
        process = subprocess.Popen(argv, env={**self.env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.processes.append(process)
        return process

    def start(self) -> subprocess.Popen[bytes]:
        """The daemon; it listens when this returns."""
        process = self.spawn("replicatedd")
        assert process.stdout
        read_until(process, b"listening on")
        return process

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """The end of everything that was started."""
        for process in self.processes:
            process.send_signal(number)
            process.wait(LIMIT)
            if process.stdout:
                process.stdout.close()
        self.processes.clear()

    def ctl(self, *words: str, text: str = "", program: str = "replicatedctl") -> Done:
        """A command line."""
        place = [] if program == "replicated" else ["--host", f"unix://{self.root}/run/replicated-cli.sock"]
        argv = [*PYTHON, str(self.programs / program), *place, *words]
        return subprocess.run(argv, env=self.env, input=text, capture_output=True, text=True, timeout=30, check=False)

    def ok(self, *words: str, text: str = "") -> str:
        """One that must go well."""
        done = self.ctl(*words, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str, text: str = "", program: str = "replicatedctl") -> str:
        """One that must not; its error."""
        done = self.ctl(*words, text=text, program=program)
        assert done.returncode != 0
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        return done.stderr

    def ask(self, command: str, **arguments: Any) -> Any:
        """What the command line asks, without the process."""
        return Client(f"unix://{self.root}/run/replicated-cli.sock").ask(command, **arguments)

    def status(self) -> dict[str, Any]:
        """The app's."""
        found: list[dict[str, Any]] = self.ask("app status")
        assert len(found) == 1
        return found[0]

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Look until the status is as wanted; the looks themselves take their time."""
        deadline = time.monotonic() + LIMIT
        found: dict[str, Any] = json.loads(self.ok("app", "status"))[0]
        while not wanted(found):
            assert time.monotonic() < deadline, found
            found = json.loads(self.ok("app", "status"))[0]
        return found

    def settings(self, *words: str) -> dict[str, Any]:
        """The export."""
        found: dict[str, Any] = self.ask("app-config export", hidden="--hidden" in words)
        return found

    def effective(self) -> dict[str, Any]:
        """What is in effect."""
        path = self.state / "lab-effective-settings.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def starts(self) -> list[str]:
        """The causes of the app's starts."""
        path = self.state / "lab-starts"
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []

    def faults(self, **wanted: Any) -> None:
        """The control file."""
        (self.state / "lab-faults.json").write_text(json.dumps(wanted))

    def log(self) -> str:
        """The daemon's."""
        return (self.root / "log" / "replicated.log").read_text()


def read_until(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Read what a program says until it says this."""
    assert process.stdout
    seen, deadline = b"", time.monotonic() + LIMIT
    while text not in seen:
        ready, _unused, _unused = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
        assert chunk, f"never said {text!r}: {seen!r}"
        seen += chunk


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled copy of the stand-in, as the vendor script makes one: hundreds of command lines are started."""
    copy = tmp_path_factory.mktemp("programs")
    shutil.copytree(LAB / "replicated", copy, dirs_exist_ok=True)
    subprocess.run([*PYTHON, "-m", "compileall", "-q", str(copy / "lib")], check=True)
    return copy / "bin"


@contextmanager
def installation(programs: Path) -> Iterator[Standin]:
    """A stand-in in a folder of its own, short: a socket's path has at most 108 characters."""
    with tempfile.TemporaryDirectory(prefix="standin") as folder:
        found = Standin(Path(folder), programs)
        try:
            yield found
        finally:
            found.end(signal.SIGKILL)


@pytest.fixture
def standin(programs: Path) -> Iterator[Standin]:
    with installation(programs) as found:
        yield found


@pytest.fixture
def living(standin: Standin) -> Standin:
    standin.install()
    standin.until(up)
    return standin


@pytest.fixture(scope="module")
def shared(programs: Path) -> Iterator[Standin]:
    """For tests that change nothing."""
    with installation(programs) as found:
        found.install()
        found.until(up)
        yield found


def up(status: dict[str, Any]) -> bool:
    """How facts 4 define it."""
    return status["State"] == "started" and not status["IsTransitioning"]


# -- the first start


def test_a_first_start_with_everything_starts_the_app_once(shared: Standin) -> None:
    assert shared.status()["State"] == "started"
    assert shared.starts() == ["first start"]
    assert {name: shared.settings("--hidden")[name] for name in SETTINGS} == SETTINGS
    assert shared.effective() == SETTINGS


def test_the_configuration_is_read_at_the_first_start_only(living: Standin) -> None:
    living.end()
    living.write("/etc/replicated.conf", {**CONF, "LogLevel": "debug"})
    living.write("/etc/settings.json", {"lab_item_01": {"value": "never read"}})
    living.start()
    assert living.settings()["lab_item_01"] == {}
    assert "LogLevel" not in json.loads(living.ok("params", "export"))
    assert living.starts() == ["first start"]


def test_a_start_without_the_file_was_the_first_start_too(standin: Standin) -> None:
    standin.start()
    assert standin.ok("app", "status") == "[]\n"  # assumed: no licence, no app
    standin.end()
    standin.install()
    assert standin.ok("app", "status") == "[]\n"
    assert "no license is installed" in standin.refused("license", "inspect")


def test_settings_that_were_imported_can_be_removed(standin: Standin) -> None:
    standin.install({**CONF, "RemoveImportSettingsFrom": True})
    assert not (standin.host / "etc/settings.json").exists()


@pytest.mark.parametrize(
    ("conf", "settings"),
    [({**CONF, "BypassPreflightChecks": False}, SETTINGS), (CONF, {"hostname": {"value": "ci"}}), (CONF, "{broken")],
    ids=["preflight", "incomplete", "broken"],
)
def test_without_everything_the_app_is_not_started(standin: Standin, conf: dict[str, Any], settings: Any) -> None:
    standin.install(conf, settings)
    assert standin.status()["State"] == "stopped"
    assert standin.starts() == []


def test_what_is_wrong_in_the_files_is_logged_and_the_rest_goes_on(standin: Standin) -> None:  # assumed
    standin.install(CONF, {**SETTINGS, "no_such_item": {"value": CANARY}, "allow_cluster": {"value": "yes"}})
    standin.until(lambda status: status["State"] == "started")
    assert "config item 'no_such_item' not found" in standin.log()
    assert standin.settings()["allow_cluster"] == {}
    assert CANARY not in standin.log()


def test_a_broken_configuration_is_logged(standin: Standin) -> None:
    standin.write("/etc/replicated.conf", "[]")
    standin.start()
    assert "/etc/replicated.conf cannot be read: not an object" in standin.log()


# -- the licence


def test_a_file_that_is_no_licence_is_refused(standin: Standin) -> None:
    standin.install(licence="something else\n")
    assert standin.refused("license", "inspect") == (
        "Error: no license is installed: /etc/lab.rli: license is not valid\n"
    )
    assert "licence refused: /etc/lab.rli: license is not valid" in standin.log()
    assert standin.starts() == []


def test_a_licence_can_be_loaded_later(standin: Standin) -> None:
    standin.start()
    assert "no app is installed" in standin.refused("app", "start")
    assert "license is not valid" in standin.refused("license-load", text="nothing")
    standin.ok("license-load", text="LAB LICENCE\ncustomer: example\n")
    assert json.loads(standin.ok("license", "inspect")) == {"customer": "example"}
    assert "required config items are not set: hostname" in standin.refused("app", "start")
    standin.ok("app-config", "import", text=json.dumps(SETTINGS))
    standin.ok("app", "start", "--attach")
    assert standin.status()["State"] == "started"


def test_an_airgap_installation_needs_licence_and_package(standin: Standin) -> None:
    standin.write("/etc/a.airgap", "LAB AIRGAP PACKAGE\nreplicated: 2.31.0\nversion: 2.19.5\n")
    standin.write("/etc/new.airgap", "LAB AIRGAP PACKAGE\nreplicated: 3.0.0\n")
    standin.write("/etc/bad.airgap", "nothing")
    standin.start()
    licence = "LAB LICENCE\nairgap: yes\n"

    def load(package: str, text: str = licence) -> str:
        return standin.refused("license-load", "--airgap-package", package, text=text)

    assert "needs an airgap package" in standin.refused("license-load", text=licence)
    assert "does not allow airgap" in load("/etc/a.airgap", "LAB LICENCE\n")
    assert "package is not valid" in load("/etc/bad.airgap")
    assert "needs Replicated 3.0.0 or later, this is 2.38.6" in load("/etc/new.airgap")
    assert "No such file" in load("/etc/none.airgap")
    standin.ok("license-load", "--airgap-package=/etc/a.airgap", text=licence)
    assert json.loads(standin.ok("app", "inspect"))[0]["VersionLabel"] == "2.19.5"


# -- the app


def test_the_status_is_a_list_of_one_object(shared: Standin) -> None:
    found = json.loads(shared.ok("app", "status"))
    assert [list(app) for app in found] == [KEYS]
    assert shared.status()["LastModifiedAt"].endswith("Z")
    assert "- AppID: " in shared.ok("app", "status", "-o", "yaml")
    shown = shared.ok("app", "status", "--template", "{{range .}}{{.State}} {{.IsTransitioning}}{{end}}")
    assert shown == "started false"


def test_started_and_in_transition_is_still_starting(living: Standin) -> None:
    living.ok("app", "stop", "--attach")
    assert living.status()["State"] == living.status()["DesiredState"] == "stopped"
    living.faults(transition_never_ends="starting")
    living.ok("app", "start")
    assert (living.status()["State"], living.status()["IsTransitioning"]) == ("starting", True)
    living.faults(transition_never_ends="started")
    assert living.until(lambda status: status["State"] == "started")["IsTransitioning"]
    living.faults()
    assert living.until(lambda status: not status["IsTransitioning"])["State"] == "started"
    assert living.starts() == ["first start", "start"]


def test_stopping_is_a_state_of_its_own(living: Standin) -> None:
    living.faults(transition_never_ends="stopping")
    living.ok("app", "stop")
    status = living.status()
    assert (status["State"], status["DesiredState"], status["IsTransitioning"]) == ("stopping", "stopped", True)


def test_in_a_transition_commands_are_refused_unless_forced(living: Standin) -> None:  # assumed
    living.faults(transition_never_ends=True)
    living.ok("app", "stop")
    assert "a transition is in progress" in living.refused("app", "start")
    living.faults()
    living.ok("app", "start", "--force", "--attach")
    assert living.status()["State"] == "started"


def test_what_is_done_already_is_not_done_again(shared: Standin) -> None:  # assumed
    assert shared.ok("app", "start", "--attach") == "Nothing to do\n"
    assert shared.ok("app", "start", "--quiet") == ""
    assert shared.starts() == ["first start"]


def test_a_failed_start_is_in_the_error(living: Standin) -> None:
    living.ok("app", "stop", "--attach")
    living.write("/opt/lab/application.json", {"containers": [{"name": "a", "image": "a:1"}]})
    assert "no engine to create a in" in living.ctl("app", "start", "--attach").stderr
    status = living.status()
    assert status["Error"] == "no engine to create a in"
    assert not status["IsTransitioning"]


def test_tasks_can_be_followed(living: Standin) -> None:
    living.faults(phase_seconds=0.2)
    name = living.ok("app", "stop").split()[1]
    assert living.ok("task", "attach", name) == "stopped\n"
    assert json.loads(living.ok("task", "inspect", name))["State"] == "finished"
    assert len(json.loads(living.ok("task", "ls"))) == 2
    assert "not found" in living.refused("task", "inspect", "none")


# -- the daemon's life


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_comes_back_adopts_the_app(living: Standin, number: signal.Signals) -> None:
    before = living.status()
    living.end(number)
    assert "connection refused" in living.refused("app", "status") or number == signal.SIGTERM
    living.start()
    assert living.status() == before
    assert living.starts() == ["first start"]


def test_what_a_killed_daemon_began_is_finished(living: Standin) -> None:  # assumed
    living.faults(transition_never_ends="stopping")
    living.ok("app-config", "set", "lab_item_01", "--value", "new")
    living.ok("app", "apply-config")
    living.end(signal.SIGKILL)
    living.faults()
    living.start()
    living.until(lambda status: status["State"] == "started" and not status["IsTransitioning"])
    assert living.starts() == ["first start", "daemon start"]
    assert living.effective()["lab_item_01"] == {"value": "new"}
    living.faults(transition_never_ends="stopping")
    living.ok("app", "stop")
    living.end(signal.SIGKILL)
    living.faults()
    living.start()
    living.until(lambda status: status["State"] == "stopped")
    assert len(living.starts()) == 2


def test_without_a_daemon_there_is_a_connection_error(standin: Standin) -> None:
    assert "connect: no such file or directory" in standin.refused("app", "status")
    assert "parse" in standin.refused("--host", "tcp://x", "app", "status")


# -- settings


def test_an_export_has_all_items_and_hides_secrets(shared: Standin) -> None:
    shown, whole = (json.loads(shared.ok("app-config", "export", *words)) for words in ([], ["--hidden"]))
    assert len(whole) >= 60
    assert shown["lab_item_01"] == {}
    assert shown["hostname"] == {"value": "ci.example.com"}
    assert whole["secret_passphrase"] == {"value": CANARY}
    assert {"secret_passphrase", "ghe_client_secret", "ssl_private_key"} <= set(whole) - set(shown)
    assert CANARY not in json.dumps(shown)


def test_an_import_merges(living: Standin) -> None:
    content = base64.b64encode(b"PEM").decode()
    groups = json.loads(living.ok("app-config", "view"))
    many = [item["name"] for group in groups for item in group["items"] if item["multiple"]]
    new = {
        "ssl_cert": {"value": "cert.pem", "data": content},
        "allow_cluster": {"value": "1"},
        many[0]: {"multi_value": ["a", "b"]},
        many[-1]: {"multi_value": ["a"], "multi_data": [content]},
    }
    living.ok("app-config", "import", text=json.dumps(new))
    living.ok("app-config", "import", text='{"hostname": {}}')  # assumed: unset in the input says nothing
    after = living.settings("--hidden")
    assert {name: after[name] for name in new} == new
    assert {name: after[name] for name in SETTINGS} == SETTINGS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"hostname": {"value": "x"}, "no_such_item": {"value": "x"}}', "config item 'no_such_item' not found"),
        ('{"allow_cluster": {"value": true}}', "allow_cluster.value into Go value of type string"),
        ('{"allow_cluster": {"value": "true"}}', 'a bool is "0" or "1"'),
        ('{"ssl_cert": {"value": "a", "data": "%"}}', "ssl_cert.data: illegal base64 data"),
        ('{"hostname": {"multi_value": ["a"]}}', "multi_value is not wanted"),
        ('{"hostname": {"data": "YQ=="}}', "data is for file items"),
        ('{"hostname": {"value": ""}}', "is required"),
        ('{"hostname": "x"}', "cannot unmarshal item hostname"),
        ("[]", "cannot unmarshal into a map"),
        ("{", "invalid JSON"),
    ],
)
def test_an_import_that_is_refused_changes_nothing(shared: Standin, text: str, problem: str) -> None:  # words assumed
    before = shared.settings("--hidden")
    assert problem in shared.refused("app-config", "import", text=text)
    assert shared.settings("--hidden") == before


def test_without_validation_an_unknown_item_is_ignored(living: Standin) -> None:  # assumed
    text = '{"no_such_item": {"value": "x"}, "lab_item_02": {"value": "x"}}'
    living.ok("app-config", "import", "--skip-validation", text=text)
    assert living.settings()["lab_item_02"] == {"value": "x"}
    assert "no_such_item" not in living.settings("--hidden")


def test_one_item_can_be_set(living: Standin) -> None:
    living.ok("app-config", "set", "hostname", "--value", "other.example.com")
    living.ok("app-config", "set", "ssl_cert", "--value=c.pem", "--data=YQ==")
    assert living.settings()["hostname"] == {"value": "other.example.com"}
    assert living.settings()["ssl_cert"] == {"value": "c.pem", "data": "YQ=="}
    assert "not found" in living.refused("app-config", "set", "no_such_item", "--value", "x")
    assert "--value or --data is required" in living.refused("app-config", "set", "hostname")
    assert 'a bool is "0" or "1"' in living.refused("app-config", "set", "allow_cluster", "--value", "yes")


def test_the_view_has_groups_and_items_with_name_and_type(shared: Standin) -> None:  # assumed
    groups = json.loads(shared.ok("app-config", "view"))
    types = {item["name"]: item["type"] for group in groups for item in group["items"]}
    assert set(types) == set(shared.settings("--hidden"))
    assert types["allow_cluster"] == "bool"
    assert types["ssl_cert"] == "file"
    assert [group["name"] for group in json.loads(shared.ok("app-config", "view", "--group", "tls"))] == ["tls"]
    assert "not found" in shared.refused("app-config", "view", "--group", "none")


def test_changed_settings_take_effect_at_apply_config_which_restarts_the_app(living: Standin) -> None:
    living.ok("app-config", "import", text='{"lab_item_03": {"value": "new"}}')
    assert living.settings()["lab_item_03"] == {"value": "new"}
    assert "lab_item_03" not in living.effective()
    said = living.ok("app", "apply-config", "--attach").splitlines()
    assert said[0] == "stopped"
    assert said[-1] == "started"
    assert living.effective()["lab_item_03"] == {"value": "new"}
    assert living.starts() == ["first start", "apply-config"]


def test_stop_and_start_bring_settings_into_effect_too(living: Standin) -> None:
    living.ok("app-config", "import", text='{"lab_item_03": {"value": "new"}}')
    living.ok("app", "stop", "--attach")
    living.ok("app", "apply-config", "--attach")  # assumed: it starts a stopped app
    assert living.effective()["lab_item_03"] == {"value": "new"}


# -- faults


def test_fault_a_status_that_flaps(living: Standin) -> None:
    living.faults(status_flaps=2)
    assert [living.status()["IsTransitioning"] for _unused in range(6)] == [True, False, True, False, False, False]
    living.faults(status_flaps=True)
    states = [json.loads(living.ok("system", "status"))["Retraced"] for _unused in range(4)]
    assert states == ["initializing", "ready", "initializing", "ready"]


def test_fault_a_transition_without_end_can_be_stopped_by_force(living: Standin) -> None:
    living.faults(transition_never_ends=True)
    living.ok("app", "apply-config")
    assert living.status()["IsTransitioning"]
    living.faults()
    living.ok("app", "stop", "--force", "--attach")
    assert living.status()["State"] == "stopped"


def test_fault_an_import_that_is_accepted_and_not_applied(living: Standin) -> None:
    living.faults(import_not_applied=["lab_item_01"])
    living.ok("app-config", "import", text='{"lab_item_01": {"value": "x"}, "lab_item_02": {"value": "x"}}')
    assert (living.settings()["lab_item_01"], living.settings()["lab_item_02"]) == ({}, {"value": "x"})


def test_fault_a_daemon_that_dies_at_its_start(living: Standin) -> None:
    living.end()
    living.faults(daemon_dies="at start", daemon_dies_once=True)
    assert living.spawn("replicatedd").wait(LIMIT) != 0
    living.start()
    assert living.status()["State"] == "started"


def test_fault_a_daemon_that_dies_at_a_request(living: Standin) -> None:
    living.faults(daemon_dies="at request")
    assert "unexpected EOF" in living.refused("app", "apply-config")
    assert living.processes[0].wait(LIMIT) != 0
    assert "connection refused" in living.refused("app", "status")


def test_fault_a_daemon_that_is_not_ready_yet(standin: Standin) -> None:
    standin.faults(not_ready_seconds=300)
    standin.install()
    assert "Replicated is not ready" in standin.refused("app", "status")
    shown = json.loads(standin.ok("system", "status"))
    assert shown == {"Replicated": "initializing", "Retraced": "initializing"}
    standin.faults()
    standin.until(lambda status: status["State"] == "started")


def test_fault_a_full_disk_in_the_middle_of_an_import(living: Standin) -> None:
    living.faults(disk_full_at_import=True)
    text = json.dumps({f"lab_item_{number:02}": {"value": "x"} for number in range(1, 5)})
    assert "no space left on device" in living.refused("app-config", "import", text=text)
    taken = [name for name, entry in living.settings().items() if name.startswith("lab_item") and entry]
    assert taken == ["lab_item_01", "lab_item_02"]


def test_fault_nonsense_and_slowness(living: Standin) -> None:
    living.faults(nonsense=True, slow_seconds=0.3)
    begun = time.monotonic()
    assert living.ok("app", "status").startswith("<html>")
    assert time.monotonic() - begun >= 0.3
    (living.state / "lab-faults.json").write_text("{broken")
    assert living.status()["State"] == "started"


# -- manners of the command lines


def test_help_and_unknown_commands(shared: Standin) -> None:
    for words in ((), ("--help",), ("help",), ("app",), ("app", "-h"), ("app", "nonsense"), ("help", "app", "status")):
        shown = shared.ok(*words)
        assert "Usage:" in shown
    assert "apply-config" in shared.ok("app")
    done = shared.ctl("nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('Error: unknown command "nonsense" for "replicatedctl"\nRun \'replicatedctl --help\'')


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["app", "status", "--nonsense"], "unknown flag: --nonsense"),
        (["app", "status", "-z"], "unknown shorthand flag: 'z' in -z"),
        (["app", "status", "more"], 'unknown command "more" for "replicatedctl app status"'),
        (["app-config", "set"], "accepts 1 arg(s), received 0"),
        (["app", "status", "--template"], "flag needs an argument: --template"),
        (["app", "start", "--force=maybe"], "ParseBool"),
    ],
)
def test_misuse_prints_the_usage(shared: Standin, words: list[str], problem: str) -> None:
    said = shared.refused(*words)
    assert problem in said.splitlines()[0]
    assert "Usage:" in said


def test_an_unknown_output_format_is_an_error(shared: Standin) -> None:
    assert "unknown output format 'xml'" in shared.refused("app", "status", "-oxml")


def test_flags_may_stand_anywhere(living: Standin) -> None:
    assert living.ok("app-config", "set", "--value", "x", "lab_item_01") == ""
    assert living.ok("app-config", "set", "lab_item_02", "--value", "--", "--") == ""
    assert living.settings()["lab_item_02"] == {"value": "--"}


def test_commands_whose_effect_is_in_no_fact_say_so(shared: Standin) -> None:
    for words in (["snapshot", "ls"], ["app-release", "apply"], ["license", "activate"]):
        assert "no fact says what it does" in shared.refused(*words)


def test_the_other_commands_answer(living: Standin) -> None:  # shapes assumed
    assert "2.38.6" in living.ok("version")
    assert json.loads(living.ok("app-release", "ls"))[0]["Sequence"] == 1
    assert json.loads(living.ok("preflight", "run")) == {"State": "passed"}
    living.ok("preflight", "dismiss")
    assert json.loads(living.ok("preflight", "status")) == {"State": "dismissed"}
    living.ok("params", "set", "LogLevel", "debug")
    living.ok("params", "import", text='{"HttpProxy": "http://proxy:3128"}')
    assert "failed to decode" in living.refused("params", "import", text="[")
    living.ok("params", "unset", "BypassPreflightChecks")
    params = json.loads(living.ok("params", "export"))
    assert (params["LogLevel"], params["HttpProxy"]) == ("debug", "http://proxy:3128")
    assert "BypassPreflightChecks" not in params
    bundle = Path(json.loads(living.ok("support-bundle"))["path"])
    assert CANARY not in bundle.read_text()


# -- the older command line


def old(standin: Standin, *words: str) -> Done:
    return standin.ctl(*words, program="replicated")


def test_the_older_command_line_needs_a_login(living: Standin) -> None:
    assert "2.38.6" in old(living, "-version").stdout
    assert "ready" in old(living, "status").stdout
    assert "request returned Unauthorized for API route" in living.refused("apps", program="replicated")
    assert "terminal" in living.refused("login", program="replicated")
    assert log_in(living, "wrong") != 0
    assert log_in(living, CANARY) == 0
    identity = living.status()["AppID"]
    assert identity in old(living, "apps").stdout
    assert old(living, "app", identity, "status").stdout == "started\n"
    assert "CircleCI" in old(living, "app", identity, "components").stdout
    assert CANARY not in old(living, "app", identity, "settings").stdout
    assert old(living, "app", identity, "stop", "-f").returncode == 0
    living.until(lambda status: status["State"] == "stopped")
    assert old(living, "app", identity, "start").returncode == 0
    assert "not found" in old(living, "app", "none", "status").stderr


def log_in(standin: Standin, password: str) -> int:
    """`login` with a terminal of its own."""
    ours, theirs = os.openpty()
    argv = [*PYTHON, str(standin.programs / "replicated"), "login"]
    process = subprocess.Popen(
        argv, env=standin.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    asked = b""
    while b"Password:" not in asked:
        asked += os.read(ours, 1024)
    os.write(ours, password.encode() + b"\n")
    code = process.wait(LIMIT)
    os.close(ours)
    return code


def test_wrong_words_print_the_usage(shared: Standin) -> None:
    assert old(shared).returncode == 0
    for words in (["nonsense"], ["auth"], ["console", "cert"]):
        done = old(shared, *words)
        assert done.returncode != 0
        assert "USAGE" in done.stderr


# -- the console


class Console:
    """The console as a browser sees it."""

    def __init__(self, standin: Standin) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        process = standin.spawn("replicated-ui", LAB_CONSOLE_PORT=str(self.port), LAB_CONSOLE_ADDRESS="127.0.0.1")
        read_until(process, b"listens on port")
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.cookie = ""

    def ask(self, path: str, form: str | None = None) -> tuple[int, str, str]:
        """Status, Location and page."""
        connection = self._connection()
        method, headers = ("GET", {}) if form is None else ("POST", {"Content-Length": str(len(form))})
        lines = [
            f"{method} {path} HTTP/1.0",
            f"Cookie: {self.cookie}",
            *(f"{key}: {text}" for key, text in headers.items()),
        ]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + (form or "")).encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        connection.close()
        head, _unused, page = answer.decode().partition("\r\n\r\n")
        found = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        self.cookie = found.get("Set-Cookie", self.cookie).split(";")[0]
        return int(head.split()[1]), found.get("Location", ""), page

    def certificate(self) -> str:
        """What it shows."""
        with self._connection() as connection:
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")

    def _connection(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        return self.tls.wrap_socket(plain, server_hostname="console")


def test_the_console_asks_for_the_password_and_shows_the_state(living: Standin) -> None:
    console = Console(living)
    assert console.ask("/") == (303, "/login", "")
    assert "password" in console.ask("/login")[2]
    assert console.ask("/dashboard")[1] == "/login"
    assert console.ask("/stop", "")[1] == "/"
    assert console.ask("/login", "password=wrong")[0] == 403
    assert console.ask("/login", f"password={CANARY}")[1] == "/dashboard"
    page = console.ask("/dashboard")[2]
    assert '<p class="state">started</p>' in page
    assert "Stop Now" in page
    assert console.ask("/stop", "")[1] == "/dashboard"
    living.until(lambda status: status["State"] == "stopped")
    assert "Start Now" in console.ask("/dashboard")[2]
    living.processes.pop(0).kill()
    assert console.ask("/dashboard")[0] == 503


def test_after_a_reset_the_console_wants_a_new_password(living: Standin) -> None:
    console = Console(living)
    assert living.ctl("auth", "reset", program="replicated").returncode == 0
    assert json.loads(living.ok("console-auth", "export")) == {"Type": ""}
    assert console.ask("/")[1] == "/create-password"
    assert console.ask("/create-password", "password=another")[1] == "/login"
    assert console.ask("/create-password", "password=third")[0] == 403
    assert console.ask("/login", "password=another")[1] == "/dashboard"
    living.ok("console-auth", "import", text='{"Type": "password", "Password": "fourth"}')
    assert "failed to decode" in living.refused("console-auth", "import", text="{}")
    living.ok("console-auth", "reset")


def test_an_anonymous_console_asks_nothing(standin: Standin) -> None:
    standin.install({"DaemonAuthenticationType": "anonymous"})
    assert "No license" in Console(standin).ask("/dashboard")[2]


def pair(folder: Path, name: str) -> None:
    """A certificate and its key."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-subj", f"/CN={name}", "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def test_the_console_shows_the_certificate_that_it_was_given(standin: Standin) -> None:
    for name in ("first", "second"):
        pair(standin.host / "etc", name)
    standin.install(
        {
            **CONF,
            "TlsBootstrapType": "key-cert",
            "TlsBootstrapCert": "/etc/first.crt",
            "TlsBootstrapKey": "/etc/first.key",
        }
    )
    console = Console(standin)
    assert console.certificate() == (standin.host / "etc/first.crt").read_text()
    done = old(standin, "console", "cert", "set", "ci", "/etc/second.key", "/etc/second.crt")
    assert done.returncode == 0, done.stderr
    console.ask("/")
    assert console.certificate() == (standin.host / "etc/second.crt").read_text()
    assert "No such file" in old(standin, "console", "cert", "set", "ci", "/etc/none", "/etc/none").stderr


# -- what it leaves


def test_files_with_secrets_are_roots_alone_and_logs_have_none(living: Standin) -> None:
    living.ok("app-config", "import", text=json.dumps({"lab_item_19": {"value": CANARY}}))
    living.ok("app", "apply-config", "--attach")
    kept = [living.state / "replicated.state", living.state / "lab-effective-settings.json"]
    for path in (*kept, living.root / "run/replicated-cli.sock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CANARY not in living.log()


@pytest.mark.parametrize(
    ("words", "problem"),
    [(["http-proxy=x"], 'unknown parameter "http-proxy=x"'), (["no-proxy"], "no-docker is wanted")],
)
def test_the_vendor_script_refuses_what_it_does_not_know(words: list[str], problem: str) -> None:
    argv = ["bash", str(LAB / "replicated/vendor/docker-install.sh"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode != 0
    assert problem in done.stderr or "as root" in done.stderr


def test_every_file_says_that_it_is_a_stand_in() -> None:
    folder = LAB / "replicated"
    for path in (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        assert "stand-in" in "".join(path.read_text().splitlines(keepends=True)[:5]).lower(), path
