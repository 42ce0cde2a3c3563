# Tests of _replicated: what replicatedctl says, also when something is wrong, against a program on the PATH.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated, _run
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import (
    AppStatus,
    FormItem,
    call,
    export_settings,
    import_settings,
    look,
    program,
    version,
    view_form,
    view_items,
    wait_until_ready,
)
from tests.unit.plugins.module_utils.replicated_host import ReplicatedHost

STARTED = AppStatus("a1", 7, "started", "started", "", False)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplicatedHost:
    monkeypatch.setattr(_replicated, "LOOK_SECONDS", 0.01)
    return ReplicatedHost(tmp_path, monkeypatch)


def test_the_program_is_found_off_the_path(host: ReplicatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(_run, "SEARCH_PATH", str(host.programs))
    assert program() == str(host.programs / "replicatedctl")


def test_a_missing_program(host: ReplicatedHost) -> None:
    host.remove()
    with pytest.raises(OpsError, match=r"replicatedctl was not found on this host .*Install Replicated with role"):
        program()
    assert look().status is None
    assert "was not found" in look().problem
    assert version() == ""
    assert view_items(5) is None
    with pytest.raises(OpsError, match="was not found"):
        wait_until_ready(5)


def test_a_call_returns_failures(host: ReplicatedHost) -> None:
    done = call("nonsense")
    assert (done.rc, done.stderr.strip()) == (1, "Error: unknown command")


@pytest.mark.parametrize(
    ("values", "up"),
    [
        pytest.param({}, True, id="started"),
        pytest.param({"IsTransitioning": True}, False, id="still-starting"),
        pytest.param({"State": "stopped"}, False, id="stopped"),
        pytest.param({"Error": "container exited"}, False, id="error"),
    ],
)
def test_the_app_is_up(host: ReplicatedHost, values: dict[str, Any], up: bool) -> None:
    host.status(**values)
    seen = look()
    assert seen.problem == ""
    assert seen.status is not None
    assert seen.status.up is up


def test_all_of_a_status(host: ReplicatedHost) -> None:
    assert look().status == STARTED
    host.status(Sequence="x", Error=None, AppID=None, DesiredState=None)
    assert look().status == AppStatus("", 0, "started", "", "", False)
    host.change(status=json.dumps({"State": "stopping", "IsTransitioning": True}))
    assert look().status == AppStatus("", 0, "stopping", "", "", True)


@pytest.mark.parametrize("text", ["", "not JSON", "[1]", "{}", "3", '[{"State": 5}]'])
def test_nonsense_is_no_status(host: ReplicatedHost, text: str) -> None:
    host.change(status=text)
    assert look() == (None, "`replicatedctl app status` printed something else than a status", False)


def test_a_daemon_that_is_not_ready_or_slow(host: ReplicatedHost) -> None:
    host.change(not_ready=1)
    assert look() == (None, "Error: daemon is not ready", False)
    host.write("replicatedctl", "#!/bin/sh\nexit 3\n")
    assert look().problem == "replicatedctl app status failed and said nothing"
    host.write("replicatedctl", "#!/bin/sh\nexec sleep 5\n")
    assert "did not end within 0.2 seconds" in look(timeout=0.2).problem


def test_waiting_until_the_daemon_answers(host: ReplicatedHost) -> None:
    host.change(not_ready=3)
    said: list[str] = []
    assert wait_until_ready(30, said.append) == STARTED
    assert said == ["Replicated's daemon is not ready: Error: daemon is not ready"]


def test_waiting_in_vain(host: ReplicatedHost) -> None:
    host.change(not_ready=10**6)
    with pytest.raises(OpsError) as failed:
        wait_until_ready(0.05)
    assert str(failed.value).startswith(
        "Replicated's daemon was not ready within 0.05 seconds: Error: daemon is not ready. See `systemctl status"
    )


@pytest.mark.parametrize("text", ["[]", "null"])
def test_a_daemon_without_an_app_is_ready(host: ReplicatedHost, text: str) -> None:
    host.change(status=text)
    assert look() == (None, "Replicated has no application yet", True)
    assert wait_until_ready(0) is None


def test_exports(host: ReplicatedHost) -> None:
    host.preset(secret_passphrase={"value": "s"}, hostname=None)
    shown, hidden = export_settings(False, 20), export_settings(True, 20)
    assert hidden["secret_passphrase"] == {"value": "s"}
    assert "secret_passphrase" not in shown
    assert shown["hostname"] == {}


@pytest.mark.parametrize("text", ["canary-31c2", "[]", '{"a": "canary-31c2"}'])
def test_an_export_that_is_none_is_not_shown(host: ReplicatedHost, text: str) -> None:
    host.change(export=text)
    with pytest.raises(OpsError, match="printed something else than item names") as failed:
        export_settings(True, 20)
    assert "canary" not in str(failed.value)


def test_an_export_that_fails_shows_no_settings(host: ReplicatedHost) -> None:
    host.preset(hostname={"value": "canary-31c2"})
    host.change(exports_left=0)
    with pytest.raises(OpsError, match="cannot be exported: Error: connection refused") as failed:
        export_settings(True, 20)
    assert "canary" not in str(failed.value)


def test_an_import_goes_through_the_input(host: ReplicatedHost) -> None:
    import_settings({"hostname": {"value": "canary-31c2"}}, 20)
    state = host.read()
    assert state["settings"]["hostname"] == {"value": "canary-31c2"}
    assert state["calls"] == [["app-config", "import"]]
    assert "canary-31c2" not in state["seen"]


def test_a_refused_import_is_told_without_the_values(host: ReplicatedHost) -> None:
    host.change(refusal="Error: hostname: x is wrong, so is 1, in VALUES")
    document = {
        "hostname": {"value": "x"},
        "cloudwatch_enabled": {"value": "1"},
        "ssl_private_key": {"value": "key.pem", "data": "Y2FuYXJ5LTMxYzI="},
        "servers": {"multi_value": ["canary-31c2", "two\nlines-of-it"]},
    }
    with pytest.raises(OpsError) as failed:
        import_settings(document, 20)
    text = str(failed.value)
    assert "refused the import of the settings: Error: hostname: ******** is wrong, so is 1, in" in text
    for value in ("canary", "Y2Fu", "key.pem", "lines-of-it"):
        assert value not in text
    assert "`replicatedctl app-config view`" in text


def test_a_full_disk_in_an_import(host: ReplicatedHost) -> None:
    host.change(refusal="Error: write /var/lib/replicated/db: no space left on device")
    with pytest.raises(
        OpsError, match=r"no space left on device\. Free space on the file system of /var/lib/replicated"
    ):
        import_settings({}, 20)


def test_the_settings_page(host: ReplicatedHost) -> None:
    types = view_items(20)
    assert types is not None
    assert (types["hostname"], types["ssl_cert"]) == ("text", "file")
    items = view_form(20).items
    assert items is not None
    assert items["servers"].multiple is True
    assert items["ghe_type"] == FormItem("select", False, False, ("github_type_public", "github_type_enterprise"))


def test_boxes_to_tick_are_items(host: ReplicatedHost) -> None:
    row = {"name": "many", "type": "select_many", "hidden": True, "items": [{"name": "one"}, {"name": "two"}]}
    host.change(view=json.dumps([{"name": "group", "items": [row]}]))
    assert view_form(20).items == {
        "many": FormItem("select_many", None, True),
        "one": FormItem("bool"),
        "two": FormItem("bool"),
    }


@pytest.mark.parametrize(
    "view",
    [
        "text",
        "{}",
        "[]",
        "[1]",
        '[{"items": 5}]',
        '[{"items": [{"name": "a"}]}]',
        '[{"items": [{"name": 1, "type": "b"}]}]',
    ],
)
def test_a_page_of_another_shape(host: ReplicatedHost, view: str) -> None:
    host.change(view=view)
    assert view_form(20) == (None, "`replicatedctl app-config view` printed an unknown shape")
    assert view_items(20) is None


def test_a_page_that_cannot_be_had(host: ReplicatedHost) -> None:
    host.change(view="")
    assert view_form(20) == (None, "Error: unknown command view")


def test_versions(host: ReplicatedHost) -> None:
    assert version() == "2.38.6"
    host.change(version="unknown")
    assert version() == ""
    host.change(not_ready=1)
    assert version() == ""


def test_long_words_are_cut(host: ReplicatedHost) -> None:
    host.write("replicatedctl", "#!/bin/sh\nyes word | head -n 900 >&2\nexit 1\n")
    assert len(look().problem) == 600
    assert look().problem.endswith("...")
