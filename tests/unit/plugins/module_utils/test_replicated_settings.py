# Tests of _replicated_settings: check, apply, apply again, faults and what stays owed, against a program on the PATH.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated, _replicated_settings
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import Entry, as_rows, owe, read_pending
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings import settle_settings
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_settings import ARGUMENT_SPEC
from tests.unit.plugins.module_utils.replicated_host import ReplicatedHost

CANARY = "canary-9f3d"
DEFAULTS = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
SHORT_REASON = "settings changed: hostname"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReplicatedHost:
    monkeypatch.setattr(_replicated, "LOOK_SECONDS", 0.01)
    return ReplicatedHost(tmp_path, monkeypatch)


def settle(host: ReplicatedHost, check: bool = False, **options: Any) -> dict[str, Any]:
    return settle_settings({**DEFAULTS, "owner": "tests", **options}, check, host.pending, host.lock)


def refused(host: ReplicatedHost, **options: Any) -> OpsError:
    with pytest.raises(OpsError) as failed:
        settle(host, **options)
    return failed.value


def owed(host: ReplicatedHost) -> list[tuple[str, str, str, str, str]]:
    return [(one.scope, one.target, one.owner, one.reason, one.when) for one in read_pending(host.pending)]


WANTED: dict[str, Any] = {
    "settings": {"hostname": "circleci.lab", "cloudwatch_enabled": True, "servers": ["a", "b"]},
    "secret_settings": {"secret_passphrase": CANARY + "-passphrase"},
    "files": {"ssl_cert": {"content": "certificate", "name": "site.pem"}},
    "secret_files": {"ssl_private_key": {"content": CANARY + "-key", "name": "site.key"}},
}
ITEMS = ["hostname", "cloudwatch_enabled", "servers", "secret_passphrase", "ssl_cert", "ssl_private_key"]
REASON = "settings changed: " + ", ".join(ITEMS)


def test_check_apply_apply_check(host: ReplicatedHost) -> None:
    before = host.settings
    predicted = settle(host, check=True, **WANTED)
    assert predicted["changed"] is True
    assert host.settings == before and host.imports == 0
    assert owed(host) == []
    applied = settle(host, **WANTED)
    assert applied == predicted
    assert host.imports == 1
    assert host.settings == {
        **before,
        "hostname": {"value": "circleci.lab"},
        "cloudwatch_enabled": {"value": "1"},
        "servers": {"multi_value": ["a", "b"]},
        "secret_passphrase": {"value": CANARY + "-passphrase"},
        "ssl_cert": {"value": "site.pem", "data": base64.b64encode(b"certificate").decode()},
        "ssl_private_key": {"value": "site.key", "data": base64.b64encode(f"{CANARY}-key".encode()).decode()},
    }
    assert owed(host) == [("replicated", "apply_config", "tests", REASON, "now")]
    (entry,) = read_pending(host.pending)
    assert entry.written > 0
    for check in (False, True):
        again = settle(host, check=check, **WANTED)
        assert (again["changed"], again["changes"], again["owed"], again["unchanged"]) == (False, [], [], 6)
        assert again["diff"][0]["before"] == again["diff"][0]["after"]
    assert host.imports == 1
    assert as_rows(read_pending(host.pending)) == as_rows([entry])


def test_the_result(host: ReplicatedHost) -> None:
    host.preset(hostname={"value": "old.lab"}, secret_passphrase={"value": CANARY + "-old"})
    result = settle(host, when="with_next", **WANTED)
    assert result["changes"] == [
        'hostname: "old.lab" -> "circleci.lab"',
        'cloudwatch_enabled: (unset) -> "1"',
        'servers: (unset) -> ["a", "b"]',
        "secret_passphrase: VALUE HIDDEN -> VALUE HIDDEN (changed)",
        'ssl_cert: (unset) -> "site.pem (11 bytes, sha256 03d66dd08835)"',
        "ssl_private_key: (unset) -> VALUE HIDDEN",
    ]
    assert result["changed_items"] == ITEMS
    assert result["unchanged"] == 0
    assert result["before"]["hostname"] == "old.lab"
    assert result["after"]["servers"] == ["a", "b"]
    assert result["owed"] == [
        {"scope": "replicated", "target": "apply_config", "owner": "tests", "reason": REASON, "when": "with_next"}
    ]
    (diff,) = result["diff"]
    assert "hostname: old.lab\n" in diff["before"] and "hostname: circleci.lab\n" in diff["after"]
    assert "servers: a, b\n" in diff["after"]
    assert "secret_passphrase: VALUE HIDDEN (changed)\n" in diff["after"]
    assert result["warnings"] == []


def test_no_secret_is_shown_anywhere(host: ReplicatedHost) -> None:
    host.preset(
        secret_passphrase={"value": CANARY + "-old"},
        ssl_private_key={"value": "x", "data": base64.b64encode(f"{CANARY}-old".encode()).decode()},
    )
    # A password that was not given as a secret, too.
    wanted = {**WANTED, "settings": {**WANTED["settings"], "ghe_client_secret": CANARY + "-password"}}
    shown = json.dumps([settle(host, check=True, **wanted), settle(host, **wanted), settle(host, **wanted)])
    shown += Path(host.pending).read_text() + Path(host.lock).read_text()
    shown += json.dumps(host.read()["seen"])
    assert CANARY not in shown
    assert base64.b64encode(f"{CANARY}-key".encode()).decode() not in shown
    assert host.settings["ghe_client_secret"] == {"value": CANARY + "-password"}


def test_only_what_changed_is_sent(host: ReplicatedHost) -> None:
    host.preset(hostname={"value": "circleci.lab"}, cloudwatch_enabled={"value": "true"}, ghe_client_id={"value": "i"})
    host.change(ignored=["hostname", "cloudwatch_enabled"])  # an import of these would fail
    result = settle(host, settings={"hostname": "circleci.lab", "cloudwatch_enabled": True, "ghe_client_id": "n"})
    assert result["changed_items"] == ["ghe_client_id"]
    assert result["unchanged"] == 2
    assert host.settings["cloudwatch_enabled"] == {"value": "true"}


def test_nothing_wanted_needs_no_replicated(host: ReplicatedHost) -> None:
    host.remove()
    assert settle(host)["changed"] is False


def test_the_debt_stands_before_the_import(host: ReplicatedHost) -> None:
    seen: list[Any] = []

    def killed(*_arguments: Any) -> None:
        seen.append(owed(host))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_replicated_settings, "import_settings", killed)
        with pytest.raises(KeyboardInterrupt):
            settle(host, settings={"hostname": "circleci.lab"})
    assert seen == [[("replicated", "apply_config", "tests", SHORT_REASON, "now")]]
    (entry,) = read_pending(host.pending)
    assert entry.written == 0, "nothing that runs can have read what was never written"
    assert settle(host, settings={"hostname": "circleci.lab"})["changed"] is True
    assert len(owed(host)) == 1


def test_accepted_and_not_applied(host: ReplicatedHost) -> None:
    host.change(ignored=["secret_passphrase", "hostname"])
    error = refused(host, settings={"hostname": "circleci.lab"}, secret_settings={"secret_passphrase": CANARY})
    assert str(error).startswith(
        "Replicated accepted the import, but these items did not take their value: hostname, secret_passphrase; "
        "nothing was changed. Look at them on the Management Console's settings page"
    )
    assert error.facts == {"changed": False, "changed_items": [], "owed": []}
    assert CANARY not in str(error) and "circleci.lab" not in str(error)
    assert owed(host) == []


def test_a_part_took(host: ReplicatedHost) -> None:
    host.change(ignored=["ghe_client_id"])
    error = refused(host, settings={"hostname": "circleci.lab", "ghe_client_id": "x"})
    assert (
        "did not take their value: ghe_client_id; these took it, and the application's restart (apply-config) is owed "
        in str(error)
    )
    assert error.facts["changed"] is True
    assert error.facts["changed_items"] == ["hostname"]
    assert owed(host) == [("replicated", "apply_config", "tests", SHORT_REASON, "now")]
    assert read_pending(host.pending)[0].written > 0


def test_an_earlier_debt_stays_when_nothing_took(host: ReplicatedHost) -> None:
    earlier = Entry("replicated", "apply_config", "tests", SHORT_REASON)
    other = Entry("unit", "docker", "tests", "daemon.json changed")
    owe([earlier, other], host.pending)
    host.change(ignored=["hostname"])
    refused(host, settings={"hostname": "circleci.lab"})
    assert [entry[3] for entry in owed(host)] == [SHORT_REASON, "daemon.json changed"]


def test_a_refused_import(host: ReplicatedHost) -> None:
    host.change(refusal="Error: no space left on device while saving VALUES", ignored=["hostname", "secret_passphrase"])
    error = refused(host, settings={"hostname": "circleci.lab"}, secret_settings={"secret_passphrase": CANARY})
    assert "refused the import of the settings: Error: no space left on device while saving" in str(error)
    assert "; nothing was changed. Free space on the file system of /var/lib/replicated" in str(error)
    assert CANARY not in str(error) and "circleci.lab" not in str(error)
    assert owed(host) == []


def test_a_refused_import_that_took_a_part(host: ReplicatedHost) -> None:
    host.change(refusal="Error: no space left on device", ignored=["secret_passphrase"])
    error = refused(host, settings={"hostname": "circleci.lab"}, secret_settings={"secret_passphrase": CANARY})
    assert "these took it, and the application's restart (apply-config) is owed for them: hostname" in str(error)
    assert [entry[3] for entry in owed(host)] == [SHORT_REASON]


def test_an_import_that_fails_though_all_took(host: ReplicatedHost) -> None:
    host.change(refusal="Error: timeout")
    error = refused(host, settings={"hostname": "circleci.lab"})
    assert "Error: timeout; these took it" in str(error)
    assert [entry[3] for entry in owed(host)] == [SHORT_REASON]


@pytest.mark.parametrize("refusal", ["", "Error: broken pipe"])
def test_a_daemon_that_dies_after_the_import(host: ReplicatedHost, refusal: str) -> None:
    host.change(exports_left=4, refusal=refusal)
    error = refused(host, settings={"hostname": "circleci.lab"})
    assert "what of them took cannot be read: the settings cannot be exported: Error: connection refused" in str(error)
    assert "the restart that the settings need stays recorded" in str(error)
    assert [entry[3] for entry in owed(host)] == [SHORT_REASON]


def test_refusals_send_nothing(host: ReplicatedHost) -> None:
    before = host.settings
    error = refused(host, settings={"hostnam": "x", "hostname": "circleci.lab"})
    assert "settings.hostnam: the application has no such setting. Did you mean hostname?" in str(error)
    assert host.settings == before and host.imports == 0
    assert not os.path.exists(host.pending) and not os.path.exists(host.lock)


def test_a_changed_domain_is_refused_in_check_mode_too(host: ReplicatedHost) -> None:
    host.preset(ghe_domain={"value": "ghe.lab"})
    for check in (True, False):
        assert "must not change" in str(refused(host, check=check, settings={"ghe_domain": "other.lab"}))
    assert host.imports == 0
    assert settle(host, settings={"ghe_domain": "other.lab"}, fixed_items=[])["changed"] is True


def test_a_page_of_another_shape_is_a_warning(host: ReplicatedHost) -> None:
    host.change(view='{"something": "else"}')
    result = settle(host, settings={"hostname": "circleci.lab"})
    assert result["warnings"] == [
        "The settings page could not be read (`replicatedctl app-config view` printed an unknown shape), so names and "
        "types of items were not checked beforehand"
    ]
    assert host.settings["hostname"] == {"value": "circleci.lab"}


def test_an_unknown_item_is_left_out_with_a_warning(host: ReplicatedHost) -> None:
    result = settle(host, settings={"hostname": "circleci.lab", "nonsense": "x"}, unknown_items="warn")
    assert result["changed_items"] == ["hostname"]
    assert "settings.nonsense: the application has no such setting" in result["warnings"][0]
    assert "nonsense" not in host.settings


def test_names_that_the_host_does_not_know(host: ReplicatedHost) -> None:
    settings = {"hostname": "circleci.example.com", "ghe_client_id": "nowhere"}
    result = settle(host, check=True, settings=settings)
    assert result["warnings"] == ["hostname: this host's DNS does not know the name 'circleci.example.com'"]
    secret = settle(host, check=True, secret_settings={"hostname": "secret.example.com"})
    assert secret["warnings"] == ["hostname: this host's DNS does not know the name"]
    blank = settle(host, check=True, settings={"hostname": ""}, hostname_items=["hostname", "ghe_domain"])
    assert blank["warnings"] == []
    host.write("getent", "#!/bin/sh\nexec sleep 5\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_replicated_settings, "RESOLVE_TIMEOUT", 0.1)
        assert len(settle(host, check=True, settings={"hostname": "a.lab"})["warnings"]) == 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param("missing", "the program replicatedctl was not found on this host", id="not-installed"),
        pytest.param("not ready", "Error: daemon is not ready", id="not-ready"),
        pytest.param("empty", "Replicated has no application yet", id="no-app"),
    ],
)
def test_check_mode_before_replicated_answers(host: ReplicatedHost, how: str, message: str) -> None:
    if how == "missing":
        host.remove()
    host.change(not_ready=10**6 if how == "not ready" else 0, status="[]" if how == "empty" else "")
    result = settle(host, check=True, handover={"patience": 0}, **WANTED)
    assert result["changed_items"] == ITEMS
    assert result["changes"][0] == 'hostname: (not known) -> "circleci.lab"'
    assert [row["reason"] for row in result["owed"]] == [REASON]
    (warning,) = result["warnings"]
    assert warning.startswith("Replicated cannot be asked yet (" + message)
    assert "every item counts as a change" in warning
    assert CANARY not in json.dumps(result)


def test_a_daemon_that_gets_ready(host: ReplicatedHost) -> None:
    host.change(not_ready=3)
    assert settle(host, settings={"hostname": "circleci.lab"})["changed"] is True


def test_a_daemon_that_does_not(host: ReplicatedHost) -> None:
    host.change(not_ready=10**6)
    waiting = settle(host, settings={"hostname": "circleci.lab"}, handover={"patience": 0})
    assert waiting == {"changed": False, "waiting_for": "Error: daemon is not ready"}
    error = refused(host, settings={"hostname": "circleci.lab"}, ready_timeout=0)
    assert "was not ready within 0 seconds: Error: daemon is not ready" in str(error)
    assert "raise ready_timeout" in str(error)


def test_without_an_application(host: ReplicatedHost) -> None:
    host.change(status="[]")
    assert "Activate the licence" in str(refused(host, settings={"hostname": "circleci.lab"}))


def test_without_replicated(host: ReplicatedHost) -> None:
    host.remove()
    assert "replicatedctl was not found" in str(refused(host, settings={"hostname": "circleci.lab"}))


def test_short_secrets_turn_the_result_off(host: ReplicatedHost) -> None:
    secret: dict[str, Any] = {"secret_settings": {"secret_passphrase": "x"}, "allow_short_secrets": True}
    assert settle(host, check=True, **secret) == {"changed": True}
    assert settle(host, **secret) == {"changed": True}
    assert settle(host, **secret) == {"changed": False}
    assert host.settings["secret_passphrase"] == {"value": "x"}
    host.change(ignored=["secret_passphrase"])
    error = refused(host, secret_settings={"secret_passphrase": "y"}, allow_short_secrets=True)
    assert error.facts == {"changed": False}


def test_another_run_that_works_on_the_host(host: ReplicatedHost) -> None:
    os.makedirs(os.path.dirname(host.lock))
    with open(host.lock, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        error = refused(host, settings={"hostname": "circleci.lab"}, lock_timeout=0)
    assert "another run works on this host" in str(error)
    assert host.imports == 0


def test_another_run_that_did_it_meanwhile(host: ReplicatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*arguments: Any) -> Any:
        host.preset(hostname={"value": "circleci.lab"})
        return host_lock(*arguments)

    monkeypatch.setattr(_replicated_settings, "host_lock", late)
    assert settle(host, settings={"hostname": "circleci.lab"})["changed"] is False
    assert host.imports == 0
    assert owed(host) == []
