# Tests of _preflight_plan: who tries what, and what each answer means.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_plan as plan
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_plan import Host, Target
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, SERVICES

NOW = 1000.0


def host(name: str, kind: str, **more: Any) -> Host:
    """A host that was looked at and on which preflight's listener has the usual ports."""
    ports = frozenset(plan.listen_ports([kind]))
    fields = {"in_play": True, "looked": True, "answering": ports, "ours": ports, "until": NOW + 60, **more}
    return Host(name, (kind,), "address-of-" + name, **fields)


SERVER = host("services", SERVICES)
FIRST = host("client-1", CLIENTS)
SECOND = host("client-2", CLIENTS)


def seen(outcome: str, error: str = "") -> dict[str, Any]:
    errors = {"refused": "Connection refused", "timeout": "no answer within 5 seconds"}
    return {"outcome": outcome, "error": error or errors.get(outcome, "")}


def target(source: Host, to: Host, port: int) -> Target:
    (found,) = [entry for entry in plan.targets(source, [to], "") if entry.port == port]
    return found


def test_listen_ports() -> None:
    assert {4647, 8585, 7171, 3001} <= set(plan.listen_ports([SERVICES]))
    assert 8125 not in plan.listen_ports([SERVICES])
    assert plan.listen_ports([CLIENTS]) == [4646]
    assert set(plan.listen_ports([SERVICES, CLIENTS])) == {4646, *plan.listen_ports([SERVICES])}


def test_targets_of_a_client() -> None:
    found = plan.targets(FIRST, [SERVER, FIRST], "github.com")
    assert {(entry.host, entry.address, entry.port) for entry in found} == {
        ("services", "address-of-services", 3001),
        ("services", "address-of-services", 4647),
        ("services", "address-of-services", 7171),
        ("services", "address-of-services", 8585),
        ("", "github.com", 22),
        ("", "github.com", 80),
        ("", "github.com", 443),
    }


def test_targets_of_the_services_host() -> None:
    found = plan.targets(SERVER, [SERVER, FIRST, SECOND], "")
    assert sorted((entry.host, entry.port) for entry in found) == [("client-1", 4646), ("client-2", 4646)]


def test_a_dead_host_of_this_run_is_not_tried_but_one_outside_of_it_is() -> None:
    dead = host("client-1", CLIENTS, looked=False)
    outside = host("client-2", CLIENTS, looked=False, in_play=False)
    assert [entry.host for entry in plan.targets(SERVER, [dead, outside], "")] == ["client-2"]


def test_open() -> None:
    assert plan.judge_host(FIRST, target(FIRST, SERVER, 4647), SERVER, seen("open"), NOW) == plan.Verdict()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        pytest.param(
            seen("refused"),
            "connection refused; although something listens there: a firewall on the way, or on the host, rejects it",
            id="refused",
        ),
        pytest.param(
            seen("timeout"),
            "no answer within 5 seconds; a firewall on the way, or on the host, drops it, or the address is wrong",
            id="timeout",
        ),
        pytest.param(
            seen("unreachable", "No route to host"),
            "no route to host; no route, or a firewall on the way answers so",
            id="unreachable",
        ),
        pytest.param(
            seen("unknown name", "Name or service not known"),
            "name or service not known; the address is a name that does not resolve on client-1",
            id="unknown name",
        ),
    ],
)
def test_closed_from_a_client_to_the_services_host(outcome: dict[str, Any], words: str) -> None:
    error = plan.judge_host(FIRST, target(FIRST, SERVER, 4647), SERVER, outcome, NOW).error
    assert error is not None
    assert error.message == (
        "circleci_server_address of services = 'address-of-services': client-1 cannot reach services on tcp port 4647 "
        "({0}): {1}. Allow tcp 4647 from client-1 (address-of-client-1) to services (address-of-services), "
        "or correct that address (playbooks/preflight.yml prints all rows).".format(
            target(FIRST, SERVER, 4647).row.purpose, words
        )
    )
    assert (error.check, error.host, error.leave_out) == ("port", "client-1", "client-1")


def test_closed_from_the_services_host_to_a_client_leaves_the_client_out() -> None:
    error = plan.judge_host(SERVER, target(SERVER, FIRST, 4646), FIRST, seen("timeout"), NOW).error
    assert error is not None
    assert (error.host, error.leave_out) == ("services", "client-1")
    assert "services cannot reach client-1 on tcp port 4646" in error.message


@pytest.mark.parametrize(
    ("to", "outcome", "words"),
    [
        pytest.param(
            host("services", SERVICES, until=NOW - 1),
            "refused",
            "preflight's listener there had ended by then",
            id="listener ended",
        ),
        pytest.param(
            host("services", SERVICES, answering=frozenset(), ours=frozenset()),
            "refused",
            "nothing listens on it, and preflight could not listen there",
            id="could not listen",
        ),
        pytest.param(
            host("services", SERVICES, in_play=False, looked=False, answering=frozenset()),
            "refused",
            "nothing listens on it, and the host is outside of this run's --limit",
            id="outside of the limit",
        ),
    ],
)
def test_not_told_apart(to: Host, outcome: str, words: str) -> None:
    verdict = plan.judge_host(FIRST, target(FIRST, to, 4647), to, seen(outcome), NOW)
    assert verdict.error is None
    assert verdict.warning.startswith("client-1 could not reach services on tcp port 4647")
    assert verdict.warning.endswith("that says nothing about a firewall, since " + words)


def test_ended_listener_says_nothing_of_a_program_of_the_host() -> None:
    living = host("services", SERVICES, ours=frozenset(), until=NOW - 1)
    assert plan.judge_host(FIRST, target(FIRST, living, 4647), living, seen("refused"), NOW).error is not None


@pytest.mark.parametrize("outcome", ["timeout", "unreachable"])
def test_outside_of_the_limit(outcome: str) -> None:
    """A client that was left out may be dead; the services host must answer all the same."""
    client = host("client-2", CLIENTS, in_play=False, looked=False)
    services = host("services", SERVICES, in_play=False, looked=False)
    assert plan.judge_host(SERVER, target(SERVER, client, 4646), client, seen(outcome), NOW).error is None
    assert plan.judge_host(FIRST, target(FIRST, services, 4647), services, seen(outcome), NOW).error is not None


def github(**outcomes: str) -> list[tuple[Target, dict[str, Any]]]:
    targets = {entry.port: entry for entry in plan.targets(FIRST, [], "github.com")}
    return [(targets[int(port[1:])], seen(outcome)) for port, outcome in outcomes.items()]


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param({"p22": "open", "p80": "open", "p443": "open"}, id="all"),
        pytest.param({"p22": "open", "p80": "refused", "p443": "open"}, id="no 80"),
        pytest.param({"p22": "open", "p80": "open", "p443": "timeout"}, id="no 443"),
        pytest.param({}, id="not tried"),
    ],
)
def test_github_good(outcomes: dict[str, str]) -> None:
    assert plan.judge_github(FIRST, github(**outcomes), "refuse") == plan.Verdict()


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        pytest.param({"p22": "refused", "p80": "open", "p443": "timeout"}, "22: connection refused", id="no 22"),
        pytest.param(
            {"p22": "open", "p80": "refused", "p443": "timeout"},
            "80: connection refused, 443: no answer within 5 seconds",
            id="neither 80 nor 443",
        ),
    ],
)
def test_github_bad(outcomes: dict[str, str], words: str) -> None:
    verdict = plan.judge_github(FIRST, github(**outcomes), "refuse")
    assert verdict.error is not None
    assert verdict.error.message == (
        "circleci_server_github_host = 'github.com': client-1 does not reach it on every port that is needed "
        "(22, and 80 or 443); {0}. Correct that option, or open these ports from this host to GitHub; "
        "preflight_github_check: warn only says so, none leaves it out.".format(words)
    )


def test_github_with_an_unknown_name_is_a_warning_when_asked_so() -> None:
    tried = [(entry, seen("unknown name", "Name or service not known")) for entry, _outcome in github(p22="", p80="")]
    verdict = plan.judge_github(FIRST, tried, "warn")
    assert verdict.error is None
    assert verdict.warning == (
        "client-1: circleci_server_github_host = 'github.com': the name does not resolve on this host: "
        "Name or service not known. Correct that option, or open these ports from this host to GitHub."
    )


def test_an_answer_without_words() -> None:
    assert plan._answer({"outcome": "refused", "error": ""}) == "refused"
