# Does the steps of a restart of the services host, one after another, and strikes off what each has settled. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["DOCKER_UNIT", "TITLES", "Runner", "sentence"]

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_restart_plan as plans
from ansible_collections.circleci_server.ops.plugins.module_utils._container_restart import restart_containers
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    Entry,
    owe,
    read_pending,
    settle_as_read,
    started_since,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import AppStatus
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_containers import (
    Endpoint,
    Seen,
    containers,
    endpoints,
    require_engine,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_plan import Step
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_services import Services, clean
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart_watch import (
    Daemon,
    Watch,
    answering,
    web_endpoints,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program

DOCKER_UNIT = "docker"
CALL_SECONDS = 60
ENGINE_SECONDS = 120
TITLES = {
    plans.DAEMON: "restarts Replicated's services",
    plans.STOP: "stops the application",
    plans.DOCKER: "restarts Docker under the stopped services",
    plans.START: "starts the application",
    plans.APPLY: "applies the settings, which restarts the application",
    plans.CONTAINERS: "restarts containers",
}


class Runner:
    """The steps on one host. done: what was done, a sentence each; settled: the entries that were struck off."""

    def __init__(
        self,
        options: Mapping[str, Any],
        services: Services,
        left: Callable[[], float],
        phase: Callable[[str], None],
        pending_file: str,
        lock_file: str,
    ) -> None:
        """left: seconds until the deadline; phase: tells what is being done."""
        self.options = options
        self.services = services
        self.has_docker = find_program("docker") is not None
        self.units: List[str] = services.present(options["replicated_units"])
        self.left = left
        self.phase = phase
        self.pending_file = pending_file
        self.lock_file = lock_file
        self.watch = Watch(options, left, self._daemon())
        self.web = web_endpoints(options)
        self.done: List[str] = []
        self.steps: List[str] = []
        self.reasons: List[str] = []
        self.settled: List[Entry] = []
        self.restarted: List[str] = []
        self.not_restarted: Dict[str, str] = {}
        self.notes: List[str] = []
        self._answered: List[Endpoint] = []
        self._settles: List[Entry] = []  # of the step that is being done
        self._acts: Dict[str, Callable[[], None]] = {
            plans.DAEMON: self._restart_daemon,
            plans.STOP: self._stop_app,
            plans.DOCKER: self._restart_docker,
            plans.START: self._start_app,
            plans.APPLY: self._apply_config,
            plans.CONTAINERS: self._restart_containers,
        }

    def remember(self, tolerant: bool) -> None:
        """What runs and answers before the first step: the same must run and answer after the last.

        tolerant: go on when the engine does not answer; the steps may be what helps.
        """
        try:
            seen = self._containers()
        except OpsError as error:
            if not tolerant:
                raise
            self.notes.append("Before the restart: {0}".format(error.message))
            seen = []
        self.watch.ran_before = sorted({container.name for container in seen if container.status == "running"})
        known = endpoints(seen, []) if self.options["dependents"] else []
        self._answered = answering(known + self.web)[0]

    def act(self, step: Step) -> None:
        """Do a step; what it settles is struck off when it was seen to work."""
        self._settles = step.settles
        self._acts[step.kind]()
        self.steps.append(step.kind)
        self.reasons += [reason for reason in step.reasons if reason not in self.reasons]
        if step.kind != plans.CONTAINERS:  # that one strikes off each container by itself
            self.strike(step.settles)

    def strike(self, entries: Sequence[Entry]) -> None:
        """Take entries off the record."""
        settle_as_read(entries, self.pending_file)
        self.settled.extend(entries)

    def _daemon(self) -> Optional[Daemon]:
        # The service of the daemon itself carries Replicated's plain name; the others serve its console and agents.
        names = [name for name in self.units if not name.endswith(("-ui", "-operator"))]
        if not names:
            return None
        return Daemon(self.services, names[0], self.services.shape(names[0]).restarts)

    def _restart_daemon(self) -> None:
        if not self.units:
            raise OpsError(
                "this host has none of Replicated's services",
                option="replicated_units",
                value=self.options["replicated_units"],
                remedy="Install Replicated with role services_host, or name its services",
            )
        before = replicated.look().status
        for name in self.units:
            self.phase("restarts {0}".format(name))
            self.services.restart(name)
        self.watch.daemon = self._daemon()
        self.phase("waits until Replicated's daemon answers")
        self.watch.answer()
        if before is not None and before.up:
            self._up("waits until the application is up as before", self._answered)
        self.done.append("{0} restarted".format(", ".join(self.units)))

    def _stop_app(self) -> None:
        if self._services_stopped_by_us():
            return
        if self._settled().state == "stopped":
            return
        # Before the stop: if this process dies now, the next run starts the app again.
        owe([plans.stopped_by_us()], self.pending_file)
        self._call("app", "stop")
        self.watch.until("waits until the application is stopped", _stopped)
        self.done.append("the application stopped")

    def _settled(self) -> AppStatus:
        return _there(self.watch.settled())

    def _services_stopped_by_us(self) -> bool:
        """Whether a dead restart has stopped the services; the app was stopped before them, or did not run."""
        marked = any(entry.key == plans.services_stopped().key for entry in read_pending(self.pending_file))
        return marked and replicated.look().status is None

    def _start_app(self) -> None:
        self._call("app", "start")
        self._up("waits until the application is up", None)
        settle_as_read([plans.stopped_by_us()], self.pending_file)
        self.done.append("the application started")

    def _apply_config(self) -> None:
        stopped = self._settled().state == "stopped"
        processes = self._processes()
        self._call("app", "apply-config")
        # A stopped app: facts 4 do not say what apply-config does with it. If nothing comes of it within
        # transition_timeout, a start follows; both together are one start of the app.
        moved = self.watch.leaves("stopped" if stopped else "started", self.options["transition_timeout"])
        if stopped and not moved:
            self._call("app", "start")
        self._up("waits until the application is up with its settings", None)
        # A transition may be over between two looks; the containers are others then.
        if not moved and not stopped and not self._processes() - processes:
            self._seen_to_have_restarted()
        settle_as_read([plans.stopped_by_us()], self.pending_file)
        self.done.append("the settings applied, the application restarted")

    def _processes(self) -> Set[Tuple[str, int]]:
        """What runs of the application: containers with their processes."""
        return {(container.identity, container.pid) for container in self._containers() if container.pid}

    def _containers(self) -> List[Seen]:
        return containers() if self.has_docker else []

    def _seen_to_have_restarted(self) -> None:
        """No transition was seen: the settings are in effect only if the containers are younger than the import."""
        owed = [entry for entry in self._settles if entry.target == plans.APPLY and entry.scope == "replicated"]
        if not owed:
            self.notes.append("app apply-config began no transition: Replicated had nothing to apply")
            return
        pids = [container.pid for container in self._containers() if container.pid and container.known is not None]
        if pids and all(started_since(pid, entry) for pid in pids for entry in owed):
            self.notes.append("app apply-config began no transition: the application was restarted since the import")
            return
        raise OpsError(
            "replicatedctl accepted `app apply-config`, but the application began no transition within {0:g} seconds, "
            "and its containers are older than the imported settings: they are not in effect".format(
                self.options["transition_timeout"]
            ),
            option="transition_timeout",
            value=self.options["transition_timeout"],
            remedy="Run `replicatedctl app apply-config --attach` on the host and read what it says, or restart the "
            "application with scope: app; raise the option if Replicated only begins later. The settings stay owed",
        )

    def _restart_docker(self) -> None:
        if self.units:
            # Before the first service stops: if this process dies now, the next run goes on from here.
            owe([plans.services_stopped()], self.pending_file)
        for name in reversed(self.units):
            self.phase("stops {0}".format(name))
            self.services.stop(name)
        self.phase("restarts the engine")
        self.services.restart(DOCKER_UNIT)
        require_engine(min(ENGINE_SECONDS, max(1.0, self.left())))
        for name in self.units:
            self.phase("starts {0}".format(name))
            self.services.start(name)
        if self.units:
            self.watch.daemon = self._daemon()
            self.phase("waits until Replicated's daemon answers")
            self.watch.answer()
            settle_as_read([plans.services_stopped()], self.pending_file)
        self.done.append("Docker restarted")

    def _restart_containers(self) -> None:
        self._let_the_app_come_to_rest()
        options = dict(self.options, names=None, would_owe=[])
        result = restart_containers(options, False, self.pending_file, self.lock_file)
        left = {(row["target"], row["owner"], row["reason"]) for row in result["owed"]}
        self.settled.extend(e for e in self._settles if (e.target, e.owner, e.reason) not in left)
        self.restarted.extend(result["restarted"])
        self.not_restarted.update(result["not_restarted"])
        self.not_restarted.update(dict.fromkeys(result["absent"], "no such container on this host"))
        self.done.extend(result["changes"])
        if result["restarted"]:
            self.phase("waits until what answered before answers again")
            self.watch.endpoints("waits until what answered before the restart answers again", self._answered)

    def _let_the_app_come_to_rest(self) -> None:
        """At a first start, or in somebody else's restart, containers come and go by themselves."""
        status = replicated.look().status if find_program(replicated.PROGRAM) is not None else None
        if status is not None and status.transitioning:
            self.phase("waits for the end of the application's present transition")
            self.watch.settled()

    def _up(self, title: str, wanted: Optional[List[Endpoint]]) -> None:
        """Wait for the app's state, then for the endpoints (None: all of this installation), then look once more."""
        while True:
            self.phase(title)
            _there(self.watch.until(title, _is_up))
            if wanted is None:
                seen = self._containers()
                known = endpoints(seen, self.watch.ran_before) if self.options["dependents"] else []
            else:
                known = [endpoint for endpoint in wanted if endpoint not in self.web]
            self.watch.endpoints("waits until the application's services answer", known)
            web = self.web if wanted is None else [endpoint for endpoint in self.web if endpoint in wanted]
            self.watch.endpoints("waits until the web application answers", web)
            status = replicated.look().status
            if status is not None and status.up:
                return

    def _call(self, *words: str) -> None:
        done = replicated.call(*words, timeout=max(1.0, min(CALL_SECONDS, self.left())))
        if done.rc != 0:
            said = clean(done.stderr.strip() or done.stdout.strip()) or "exit code {0}".format(done.rc)
            raise OpsError(
                "replicatedctl {0} failed: {1}".format(" ".join(words), said),
                remedy="Correct what it says and run again; what is owed stays recorded",
            )


def sentence(step: Step) -> str:
    """A step and its reasons, for people."""
    return "{0}: {1}".format(TITLES[step.kind], "; ".join(step.reasons) or "asked for")


def _there(status: Optional[AppStatus]) -> AppStatus:
    if status is None:
        raise OpsError(
            "Replicated has no application, so there is none to restart",
            remedy="Activate the licence (role services_host), then run again",
        )
    return status


def _is_up(status: AppStatus) -> bool:
    return status.up


def _stopped(status: AppStatus) -> bool:
    return status.state == "stopped" and not status.transitioning
