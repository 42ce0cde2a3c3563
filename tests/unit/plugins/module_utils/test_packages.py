# Tests of _packages: what is decided from what is wanted and what is there, with a package manager in memory.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _packages
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._package_locks import Holder
from ansible_collections.circleci_server.ops.plugins.module_utils._packages import (
    choose_version,
    compare,
    find_manager,
    settle_packages,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_apt import Apt
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_base import (
    Offer,
    PackageManager,
    State,
    Target,
    Wanted,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._packages_rpm import Rpm

from .test_packages_apt import options

ABSENT = State()


class Memory(PackageManager):
    """A package manager without a host: a dictionary of states, and what it was told to do."""

    name_pattern = Apt.name_pattern

    def __init__(self, states: dict[str, State], offers: dict[str, Offer] | None = None, **lock: Any) -> None:
        super().__init__(**lock)
        self.states = states
        self.on_offer = offers or {}
        self.calls: list[Any] = []
        self.holder: Holder | None = None
        self.broken = ""
        self.lazy = False

    def lock_holder(self) -> Holder | None:
        return self.holder

    def read(self, names: Sequence[str]) -> dict[str, State]:
        return {name: self.states.get(name, ABSENT) for name in names}

    def refresh(self) -> str:
        self.calls.append("refresh")
        return ""

    def offers(self, names: Sequence[str]) -> dict[str, Offer]:
        return {name: self.on_offer[name] for name in names if name in self.on_offer}

    def change(self, targets: Sequence[Target], removed: Sequence[str]) -> None:
        self.calls.append(("change", [target.name for target in targets], list(removed)))
        if self.broken:
            raise OpsError(self.broken)
        if not self.lazy:
            self.states.update({target.name: State(target.version) for target in targets})
            self.states.update(dict.fromkeys(removed, ABSENT))

    def set_hold(self, names: Sequence[str], hold: bool) -> None:
        self.calls.append(("hold" if hold else "unhold", list(names)))
        self.states.update({name: self.states[name]._replace(hold=hold) for name in names})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use_manager(manager: PackageManager) -> PackageManager:
        monkeypatch.setattr(_packages, "find_manager", lambda _params: manager)
        monkeypatch.setattr(_packages, "host_lock", lambda *_arguments: nullcontext())
        return manager

    return use_manager


@pytest.mark.parametrize(
    ("wanted", "before", "action", "hold"),
    [
        (Wanted("a"), ABSENT, "install", False),
        (Wanted("a"), State("1"), "keep", False),
        (Wanted("a"), State("1", hold=True), "keep", True),
        (Wanted("a", hold=True), State("1"), "keep", True),
        (Wanted("a", hold=False), State("1", hold=True), "keep", False),
        (Wanted("a", version="1"), State("1.5"), "keep", False),
        (Wanted("a", version="2", hold=True), State("1.5", hold=True), "install", True),
        (Wanted("a", default_version="2"), State("1.5"), "keep", False),
        (Wanted("a"), State("1", complete=False), "finish", False),
        (Wanted("a", version="2"), State("1", complete=False), "install", False),
        (Wanted("a", "absent"), State("1", hold=True), "remove", False),
        (Wanted("a", "absent", hold=True), ABSENT, "keep", False),
    ],
)
def test_decisions(wanted: Wanted, before: State, action: str, hold: bool) -> None:
    (decision,) = compare([wanted], {"a": before})
    assert (decision.action, decision.hold) == (action, hold)
    assert decision.changes is (action != "keep" or hold != before.hold)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("a"), "2.0"),
        (Wanted("a", version="2"), "2.0"),
        (Wanted("a", version="1"), "1.5"),
        (Wanted("a", default_version="3"), "3.0"),
        (Wanted("a", version="1.4", default_version="3"), "1.4"),
        (Wanted("a", version="9"), ""),
    ],
)
def test_the_candidate_wins_where_it_fits(wanted: Wanted, expected: str) -> None:
    (decision,) = compare([wanted], {"a": ABSENT})
    assert choose_version(decision, Offer("2.0", ("3.0", "2.1", "2.0", "1.5", "1.4"))) == expected


def test_holds_are_set_again_when_the_move_fails(use: Any) -> None:
    manager = use(Memory({"a": State("1", hold=True)}, {"a": Offer("2", ("2", "1"))}))
    manager.broken = "no luck"
    with pytest.raises(OpsError, match="no luck"):
        settle_packages(options({"name": "a", "version": "2"}, {"name": "b", "state": "absent"}))
    assert manager.calls == ["refresh", ("unhold", ["a"]), ("change", ["a"], []), ("hold", ["a"])]
    assert manager.states == {"a": State("1", hold=True)}


def test_what_did_not_come_about_is_an_error(use: Any) -> None:
    manager = use(Memory({}, {"a": Offer("2", ("2",))}))
    manager.lazy = True
    with pytest.raises(OpsError) as caught:
        settle_packages(options({"name": "a"}))
    assert str(caught.value) == (
        "a is not installed after the change, it should be 2. See the package manager's log on the host "
        "(/var/log/apt/term.log, /var/log/dnf.log)."
    )


def test_lists_are_read_when_told_always(use: Any) -> None:
    manager = use(Memory({"a": State("1")}))
    settle_packages(options({"name": "a", "hold": True}, update_lists="always"))
    assert manager.calls == ["refresh", ("hold", ["a"])]


def test_who_holds_the_lock_is_returned_or_named(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = use(Memory({"a": State("1")}, lock_timeout=0))
    manager.holder = Holder(7, "apt-get upgrade", "/lock")
    wanted = {"name": "a", "hold": True}
    result = settle_packages(options(wanted, handover={"look": True, "patience": 0}))
    assert result["waiting_for"] == {"pid": 7, "command": "apt-get upgrade", "path": "/lock"}
    assert (result["changed"], result["changes"]) == (False, [])
    with pytest.raises(OpsError, match=r"pid 7 \(apt-get upgrade\), which holds /lock. Wait until it has ended"):
        settle_packages(options(wanted))
    assert manager.calls == []

    def let_go(_seconds: float) -> None:
        manager.holder = None

    monkeypatch.setattr("time.sleep", let_go)
    assert settle_packages(options(wanted, handover={"patience": 5}))["changed"] is True


def test_many_versions_are_shown_in_part(use: Any) -> None:
    use(Memory({}, {"a": Offer("", tuple(str(number) for number in range(12)))}))
    with pytest.raises(OpsError, match=r"packages.default_version = '99': .*they offer 0, 1, 2, .*9 and 2 older ones"):
        settle_packages(options({"name": "a", "default_version": "99"}))


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ([], "packages = []: names no package. Leave the task out, or name one."),
        (
            [{"name": "a"}, {"name": "a"}],
            "packages.name = 'a': is named twice. Keep one of the entries.",
        ),
        (
            [{"name": "-o=x"}],
            "packages.name = '-o=x': is not the name of a package. Give the name alone; a version has its own key.",
        ),
        (
            [{"name": "nginx=1"}],
            "packages.name = 'nginx=1': is not the name of a package. Give the name alone; a version has its own key.",
        ),
        (
            [{"name": "nginx-"}],
            "packages.name = 'nginx-': is not the name of a package. Give the name alone; a version has its own key.",
        ),
    ],
)
def test_bad_names_are_refused(use: Any, packages: list[dict[str, Any]], message: str) -> None:
    use(Memory({}))
    with pytest.raises(OpsError) as caught:
        settle_packages(options(*packages))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("programs", "kind"),
    [({"dpkg-query", "apt-get"}, Apt), ({"rpm", "dnf"}, Rpm), ({"rpm", "yum"}, Rpm), ({"rpm"}, None), (set(), None)],
)
def test_the_package_manager_is_found(programs: set[str], kind: type | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packages, "find_program", lambda name: name if name in programs else None)
    if kind is not None:
        assert isinstance(find_manager(options()), kind)
        return
    with pytest.raises(OpsError, match=r"neither apt-get and dpkg-query nor rpm and dnf or yum. Supported are the"):
        find_manager(options())


def test_the_base_leaves_the_work_to_others() -> None:
    base = PackageManager()
    base.check_hold(["a"])
    base.repair()
    assert base.interrupted() is False
    for call in (
        lambda: base.read([]),
        base.refresh,
        lambda: base.offers([]),
        lambda: base.inspect_file(""),
        lambda: base.change([], []),
        lambda: base.set_hold([], True),
    ):
        with pytest.raises(NotImplementedError):
            call()
