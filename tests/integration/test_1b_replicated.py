# The services host's settings and restarts: once, predicted, joined when interrupted, and no build is lost by them.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import re
import secrets
import signal
import time
from collections.abc import Callable

from tests.integration.builds import Builds, events, exit_codes
from tests.integration.conftest import Play
from tests.integration.hosts import Host
from tests.integration.playbook import Playbook
from tests.integration.replicated import (
    app_status,
    container_starts,
    effective_settings,
    fault,
    is_up,
    job,
    owed,
    settings_of,
    starts,
)

SERVICES = ("--limit", "services")
REPLICATED = ("replicated", "replicated-ui", "replicated-operator")
Start = Callable[..., Playbook]


def setting(**values: object) -> str:
    return json.dumps({"services_host_settings": values})


def wait_for_phase(services: Host, words: str, limit: float = 60) -> None:
    """Until the running restart is at this phase, by its own state file."""
    quoted = json.dumps(words)
    services.run(
        f"python3 - <<'EOT'\nimport json, time\nuntil = time.monotonic() + {limit}\n"
        "while time.monotonic() < until:\n"
        "    try:\n        state = json.load(open('/run/circleci_server_ops/replicated_restart.json'))\n"
        "    except FileNotFoundError:\n        state = {'phase': '', 'finished': True}\n"
        f"    if not state['finished'] and {quoted} in state['phase']:\n        raise SystemExit(0)\n"
        "    time.sleep(0.05)\n"
        "raise SystemExit('the phase was not seen')\nEOT",
        timeout=limit + 30,
    )


def test_a_changed_setting_is_predicted_imported_and_applied_once(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    text = f"changed {secrets.token_hex(4)}"
    arguments = (*SERVICES, "--diff", "-e", setting(hostname="services", lab_item_01=text, lab_item_13=True))
    before = starts(services)
    predicted = play("site.yml", "--check", *arguments)
    assert starts(services) == before
    assert settings_of(services).get("lab_item_01") != text
    real = play("site.yml", *arguments)
    assert real.changed() == predicted.changed()
    assert starts(services) == before + 1
    assert settings_of(services)["lab_item_13"] == "1"
    assert effective_settings(services)["lab_item_01"]["value"] == text
    assert re.search(r"downtime.* s", real.output), "the downtime must be told"
    assert job(services)["result"]["downtime_seconds"] > 0
    assert owed(services) == []
    assert play("site.yml", *arguments).changed() == set()
    assert starts(services) == before + 1


def test_a_run_that_dies_before_the_restart_is_completed(start: Start, play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    before = starts(services)
    text = f"survives {secrets.token_hex(4)}"
    arguments = ("-e", setting(lab_item_02=text))
    run = start("site.yml", *SERVICES, *arguments, kill_at="services|Import the application's settings")
    assert run.wait().rc == -signal.SIGKILL, "the run ended before the point"
    assert settings_of(services)["lab_item_02"] == text
    assert effective_settings(services).get("lab_item_02", {}).get("value") != text
    assert owed(services) == [("replicated", "apply_config")]
    predicted = play("restart.yml", "--check")
    assert "lab_item_02" in predicted.output
    assert starts(services) == before
    play("restart.yml")
    assert effective_settings(services)["lab_item_02"]["value"] == text
    assert starts(services) == before + 1
    assert owed(services) == []
    assert play("restart.yml").changed() == set()


def test_a_restart_whose_controller_dies_is_joined(start: Start, play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    before = starts(services)
    run = start("restart.yml", "-e", "restart_scope=app")
    wait_for_phase(services, "stop")
    run.process.kill()
    run.process.wait()
    identity = job(services)["id"]
    joined = play("restart.yml")
    assert "joins replicated_restart" in joined.output
    assert job(services)["id"] == identity
    assert starts(services) == before + 1
    assert is_up(services)


def test_builds_and_a_run_survive_a_restart_under_a_lost_connection(
    start: Start, lab: dict[str, Host], builds: Builds
) -> None:
    """The app's stop takes the Nomad server away; the builds on the clients go on (facts 11: measured)."""
    services = lab["services"]
    before = starts(services)
    running = {driver: builds.start(driver, client) for driver, client in BUILDS.items()}
    run = start("restart.yml", "-e", "restart_scope=app")
    wait_for_phase(services, "stop")
    services.ssh("pkill -KILL -f '^sshd: ops'")
    outcome = run.wait()
    assert outcome.rc == 0, outcome.output
    assert "the connection is lost" in outcome.output
    assert starts(services) == before + 1
    assert len(job(services)["result"]["builds"]) >= len(running)
    for client in BUILDS.values():
        builds.ready(client)
    for driver, allocation in running.items():
        ended = builds.end(allocation)
        assert (driver, events(ended).count("Started"), exit_codes(ended)) == (driver, 1, ["0"])


BUILDS = {"docker": "nomad-client-1", "raw_exec": "nomad-client-2"}


def test_builds_refuse_a_restart_when_told_so(play: Play, lab: dict[str, Host], builds: Builds) -> None:
    services = lab["services"]
    allocation = builds.start("raw_exec", "nomad-client-1")
    before = container_starts(services)
    refused = play("restart.yml", "-e", "restart_scope=app", "-e", "restart_when_builds=refuse", rc=2)
    assert "nomad-client-1" in refused.failures()["services"]
    assert container_starts(services) == before
    builds.end(allocation)


def test_scope_daemon_leaves_the_application_running(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    count, before = starts(services), container_starts(services)
    play("restart.yml", "-e", "restart_scope=daemon")
    after = container_starts(services)
    assert {name for name in after if after[name] != before.get(name)} == set(REPLICATED)
    order = services.run(f"systemctl show -p ExecMainStartTimestampMonotonic --value {' '.join(REPLICATED)}").split()
    daemon, console, operator = map(int, order)
    assert console < daemon < operator, "the guide's order is ui, replicated, operator"
    assert starts(services) == count
    assert is_up(services)


def test_scope_docker_stops_the_application_first(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    count = starts(services)
    engine = services.run("systemctl show docker -p MainPID --value")
    daemon_json = json.dumps({"docker_daemon": {"log-level": "info"}})
    play("site.yml", *SERVICES, "-e", daemon_json)
    assert services.run("systemctl show docker -p MainPID --value") != engine
    assert json.loads(services.run("cat /etc/docker/daemon.json"))["log-level"] == "info"
    assert starts(services) == count + 1
    assert is_up(services)
    assert owed(services) == []


def test_a_container_that_will_not_start_is_named_with_its_last_lines(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    with fault(services, container_will_not_start=["workflows-conductor"]):
        failed = play("restart.yml", "-e", "restart_scope=app", "-e", "restart_timeout=60", rc=2)
    message = failed.failures()["services"]
    assert "workflows-conductor" in message
    assert app_status(services)["Error"] or "Error" in message
    play("restart.yml", "-e", "restart_scope=app")
    assert is_up(services)


def test_a_transition_without_end_ends_at_the_deadline(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    with fault(services, transition_never_ends="starting"):
        began = time.monotonic()
        failed = play("restart.yml", "-e", "restart_scope=app", "-e", "restart_timeout=25", rc=2)
        assert time.monotonic() - began < 25 + 30
    message = failed.failures()["services"]
    assert "starting" in message
    assert "25" in message
    play("restart.yml", "-e", "restart_timeout=120")
    assert is_up(services)


def test_a_daemon_in_a_crash_loop_is_called_by_its_name(play: Play, lab: dict[str, Host]) -> None:
    services = lab["services"]
    with fault(services, daemon_dies="at start"):
        failed = play("restart.yml", "-e", "restart_scope=daemon", "-e", "restart_timeout=30", rc=2)
    message = failed.failures()["services"]
    assert "replicated" in message
    assert "journal" in message or "restarted" in message or "crash" in message
    play("restart.yml", "-e", "restart_scope=daemon")
    assert is_up(services)
