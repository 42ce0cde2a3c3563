# Tests of _replicated_restart_services: what the restart's own tests do not reach of both service managers.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_services as services
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_services import (
    Services,
    Shape,
    clean,
)

from .restart_host import Host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", "{}:/usr/bin:/bin".format(made.bin))
    monkeypatch.setattr(services, "UPSTART_LOGS", str(tmp_path))
    yield made
    made.close()


def test_auto_takes_the_init_that_runs(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(services, "BOOTED", str(tmp_path))
    assert Services("auto", 5).systemd
    monkeypatch.setattr(services, "BOOTED", str(tmp_path / "none"))
    assert not Services("auto", 5).systemd
    assert Services("systemd", 5).systemd


def test_a_service_under_systemd(host: Host) -> None:
    units = Services("systemd", 5)
    with host.change() as state:
        state["units"]["replicated"]["restarts"] = 4
    assert units.shape("replicated") == Shape("active (running)", True, False, 4)
    assert units.present(["replicated", "none"]) == ["replicated"]
    assert units.started(["replicated", "none"]) == {"replicated": 1}
    units.stop("replicated")
    assert units.shape("replicated") == Shape("inactive (dead)", False, False, 4)
    units.start("replicated")
    assert units.shape("replicated").runs
    assert units.last_lines("replicated") == ["Started journalctl.", "panic: cannot open state.db"]


def test_a_unit_that_has_failed_is_reset_before_its_start(host: Host) -> None:
    with host.change() as state:
        state["units"]["replicated"].update(active=False, dies=True)
    with pytest.raises(OpsError, match="replicated.service is failed"):
        Services("systemd", 5).start("replicated")
    assert host.calls == ["systemctl reset-failed replicated.service", "systemctl start replicated.service"]


def test_a_service_under_upstart(host: Host, tmp_path: Path) -> None:
    jobs = Services("service", 5)
    assert jobs.started(["replicated"]) == {}
    assert jobs.shape("replicated") == Shape("replicated start/running, process 7", True)
    jobs.start("replicated")
    jobs.restart("replicated")
    jobs.stop("replicated")
    assert jobs.shape("replicated") == Shape("replicated stop/waiting", False)
    jobs.stop("replicated")
    jobs.restart("replicated")
    assert host.calls == [
        "service replicated restart",
        "service replicated stop",
        "service replicated start",
    ], "what runs is not started, what does not run is neither stopped nor restarted"
    assert jobs.last_lines("replicated") == []
    (tmp_path / "replicated.log").touch()
    assert jobs.last_lines("replicated") == ["Started tail.", "panic: cannot open state.db"]


def test_a_service_that_does_not_stay_up(host: Host) -> None:
    with host.change() as state:
        state["units"]["replicated"].update(dies=True)
    with pytest.raises(OpsError, match="replicated does not run after `service replicated restart`"):
        Services("service", 5).restart("replicated")


def test_a_service_that_cannot_be_stopped(host: Host) -> None:
    (host.bin / "service").write_text(
        "#!/bin/sh\n[ $2 = status ] && echo ok || { echo 'no \033[1mway' >&2; exit 1; }\n"
    )
    with pytest.raises(OpsError, match="service replicated stop failed: no way. Correct what it says"):
        Services("service", 5).stop("replicated")


def test_text_is_made_fit_to_be_shown() -> None:
    assert clean("a\x1b[31mb\x1b[0m\x00\udcffc\td\n") == "ab\ufffdc\td\n"
