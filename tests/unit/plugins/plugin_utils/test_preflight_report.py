# Tests of _preflight_report: every problem once, and the --limit line that goes on.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import pytest

from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_report import (
    Invocation,
    limit_pattern,
    lost,
    report,
)
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import Finding, finding

HOSTS = ["services", "client-1", "client-2"]
RUN = Invocation(("hosts.yml",), ("playbooks/site.yml",))


def problem(host: str, text: str = "wrong", leave_out: str | None = None) -> Finding:
    return finding("size", host, text, leave_out=leave_out)


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        ("", "all:!a:!b"),
        ("nomad_clients", "nomad_clients:!a:!b"),
        ("x,y", "x,y,!a,!b"),
        ("x:y", "x:y:!a:!b"),
    ],
)
def test_limit_pattern(limit: str, wanted: str) -> None:
    assert limit_pattern(limit, ["a", "b"]) == wanted


def test_one_dead_client() -> None:
    assert report([lost("client-2")], HOSTS, ["services"], RUN) == (
        "Preflight found 1 problem; nothing was changed on any host.\n"
        "  client-2\n"
        "    [unreachable] the host could not be reached, or failed before it was checked; its own message is above. "
        "Bring it back, or go on without it.\n"
        "To go on without client-2, with the other options of this run:\n"
        "  ansible-playbook -i hosts.yml playbooks/site.yml --limit 'all:!client-2'"
    )


def test_what_all_say_is_said_once_and_first() -> None:
    errors = [problem("client-1", "a b"), *[finding("release", host, "2.20", leave_out="") for host in HOSTS]]
    lines = report(errors, HOSTS, ["services"], RUN).splitlines()
    assert lines == [
        "Preflight found 2 problems; nothing was changed on any host.",
        "  every host",
        "    [release] 2.20.",
        "  client-1",
        "    [size] a b.",
        "No --limit goes round what is wrong above: correct it, then run again.",
    ]


def test_the_same_words_of_some_hosts_stand_with_each() -> None:
    lines = report([problem("client-1"), problem("client-2")], HOSTS, ["services"], RUN).splitlines()
    assert lines[0] == "Preflight found 1 problem; nothing was changed on any host."
    assert lines[1:5] == ["  client-1", "    [size] wrong.", "  client-2", "    [size] wrong."]
    assert lines[-1].endswith("--limit 'all:!client-1:!client-2'")


@pytest.mark.parametrize(
    ("errors", "last"),
    [
        pytest.param(
            [problem("services"), problem("client-1")],
            "Without the services host nothing can go on: correct what is wrong above, then run again.",
            id="services host",
        ),
        pytest.param(
            [problem(host) for host in HOSTS],
            "No host is left to go on with: correct what is wrong above, then run again.",
            id="all hosts",
        ),
    ],
)
def test_nothing_to_go_on_with(errors: list[Finding], last: str) -> None:
    assert report(errors, HOSTS, ["services"], RUN).splitlines()[-1] == last


def test_a_run_that_was_limited_and_has_odd_paths() -> None:
    text = report([problem("client-1")], ["client-1", "client-2"], ["services"], Invocation(("a b", "c"), (), "x,y"))
    assert text.splitlines()[-1] == "  ansible-playbook -i 'a b' -i c --limit 'x,y,!client-1'"


def test_a_single_host_is_named() -> None:
    assert "  services\n" in report([problem("services")], ["services"], ["services"], RUN)
