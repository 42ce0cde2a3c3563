# From what came back to a verdict on each service: pure, so that every case can be tried. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Expectations", "Row", "rows"]

import fnmatch
import json
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._health_containers import State, trouble, words
from ansible_collections.circleci_server.ops.plugins.module_utils._health_rules import (
    ABSENT,
    APPLICATION,
    CONSOLE,
    CONSOLE_PORT,
    DISK_PREFIX,
    ENGINE,
    FAILING,
    HEALTHY,
    MAY_LACK,
    MISSING,
    NOMAD,
    NOMAD_LEADER_PATH,
    NOMAD_PORT,
    NOT_USED,
    OWN,
    READY_AGENT,
    READY_AGENT_PORT,
    REPLICATED,
    SERVICES,
    TCP_PORTS,
    UNEXPECTED,
    UNKNOWN_STATUS,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._health_sweep import Disk, Sweep
from ansible_collections.circleci_server.ops.plugins.module_utils._http_probe import Answer

# What an installation has only with some condition of the catalogue, in words.
CONDITIONS = {"ldap": "LDAP", "vm_service": "VM service", "not_s3": "storage on this host"}
STATUS_COMMAND = "replicatedctl app status"


class Expectations(NamedTuple):
    """What this installation has, as far as a person says so.

    ldap, vm_service, s3: None: judged by whether their containers are there.
    expected:             names or images of containers that are no surprise; * and ? stand for anything.
    disk_percent:         a file system that is as full as this, or fuller, is failing; inode_percent: its inodes.
    ready_agent_path:     for the endpoint that is shown.
    """

    ldap: Optional[bool] = None
    vm_service: Optional[bool] = None
    s3: Optional[bool] = None
    expected: Tuple[str, ...] = ()
    disk_percent: float = 90
    inode_percent: float = 90
    ready_agent_path: str = "/"

    def condition(self, name: str) -> Optional[bool]:
        """Whether a condition of the catalogue is met; None when nobody says."""
        if name == "not_s3":
            return None if self.s3 is None else not self.s3
        return {"ldap": self.ldap, "vm_service": self.vm_service}.get(name, True)


class Row(NamedTuple):
    """The verdict on one service. endpoint: what was asked, "" when its state alone was looked at."""

    name: str
    status: str
    detail: str
    endpoint: str = ""
    milliseconds: Optional[int] = None


class _Verdict(NamedTuple):
    """What an answer says. good None: it says nothing."""

    good: Optional[bool]
    text: str


def rows(found: Sweep, expect: Expectations) -> List[Row]:
    """The engine, the application, every container of the catalogue, those that nobody knows, the disks."""
    judged = [_engine_row(found), _application_row(found)]
    for container in catalogue.CONTAINERS:
        judged.append(_container_row(container, found, expect))
    judged += _unexpected_rows(found, expect)
    judged += [_disk_row(disk, found, expect) for disk in found.disks.values()]
    return judged


def _engine_row(found: Sweep) -> Row:
    engine = found.engine
    status, detail = HEALTHY, "{0} containers".format(len(engine.containers))
    if engine.problem:
        status, detail = FAILING if engine.installed else MISSING, engine.problem
    return Row(ENGINE, status, detail, "docker container ls --all", found.milliseconds.get(ENGINE))


def _application_row(found: Sweep) -> Row:
    status, detail = _application(found)
    return Row(APPLICATION, status, detail, STATUS_COMMAND, found.milliseconds.get(APPLICATION))


def _application(found: Sweep) -> Tuple[str, str]:
    if _replicated_absent(found):
        return ABSENT, "Replicated is not installed"
    daemon = found.daemon
    if daemon is None or not daemon.installed:
        return UNKNOWN_STATUS, "replicatedctl is not on this host" if daemon else "not asked"
    if daemon.look is None or (daemon.look.status is None and not daemon.look.empty):
        return UNKNOWN_STATUS, "Replicated does not answer"
    app = daemon.look.status
    if app is None:
        return MISSING, "Replicated has no application yet: no licence is activated"
    if app.up:
        return HEALTHY, "started"
    parts = ["state {0}".format(app.state or "unknown"), "wanted {0}".format(app.desired or "unknown")]
    parts += ["in transition"] if app.transitioning else []
    return FAILING, ", ".join(parts) + (": {0}".format(app.error) if app.error else "")


def _container_row(container: catalogue.Container, found: Sweep, expect: Expectations) -> Row:
    name = container.name
    endpoint = _endpoint(name, expect)
    left_out = _left_out(container, found, expect)
    if left_out is not None:
        return Row(name, left_out[0], left_out[1], endpoint)
    verdict = _verdict(name, found)
    state = found.engine.containers.get(name)
    if state is not None:
        status, detail = _present(container, state, verdict)
    elif found.engine.problem:
        status, detail = _unseen(container, verdict, expect)
    else:
        status, detail = _gone(container, verdict, expect)
    asked = APPLICATION if name == REPLICATED else name
    return Row(name, status, detail, endpoint, found.milliseconds.get(asked) if endpoint else None)


def _left_out(container: catalogue.Container, found: Sweep, expect: Expectations) -> Optional[Tuple[str, str]]:
    """Status and reason of a container that is not part of this installation, or None."""
    if container.name in OWN and _replicated_absent(found):
        return ABSENT if container.name in SERVICES else NOT_USED, "Replicated is not installed"
    if not container.condition:
        return None
    wanted = expect.condition(container.condition)
    if wanted is False:
        return NOT_USED, "no {0} here, as the options say".format(CONDITIONS[container.condition])
    family = [other.name for other in catalogue.CONTAINERS if other.condition == container.condition]
    seen = any(name in found.engine.containers for name in family)
    if wanted or seen or found.engine.problem or container.condition == "not_s3":
        return None
    return NOT_USED, "no {0}: none of its containers is there".format(CONDITIONS[container.condition])


def _present(container: catalogue.Container, state: State, verdict: _Verdict) -> Tuple[str, str]:
    wrong = trouble(state, container.runs_once)
    if wrong:
        return FAILING, "; ".join(filter(None, [wrong, "" if verdict.good else verdict.text]))
    if verdict.good is False:
        return FAILING, "{0}; {1}".format(verdict.text, words(state))
    if verdict.text:
        noted = "; " + words(state) if state.out_of_memory or state.restarts else ""
        return (HEALTHY if verdict.good else UNKNOWN_STATUS), verdict.text + noted
    return HEALTHY, ("has done its work, " if state.status == "exited" else "") + words(state)


def _unseen(container: catalogue.Container, verdict: _Verdict, expect: Expectations) -> Tuple[str, str]:
    """A container of an engine that does not answer."""
    if not verdict.good and container.condition and expect.condition(container.condition) is None:
        return UNKNOWN_STATUS, "Docker does not answer, so whether it is in use is not known"
    if verdict.good is None:
        return UNKNOWN_STATUS, "; ".join(filter(None, [verdict.text, "Docker does not answer"]))
    return (HEALTHY if verdict.good else FAILING), verdict.text


def _gone(container: catalogue.Container, verdict: _Verdict, expect: Expectations) -> Tuple[str, str]:
    """A container that the engine does not have."""
    if verdict.good:
        return HEALTHY, verdict.text + "; there is no container of this name"
    if container.runs_once:
        return NOT_USED, "runs at the application's start only; not there later is normal (guide L2366)"
    if container.name in MAY_LACK:
        return UNKNOWN_STATUS, "no such container; only the listing of one version shows it (guide L2035)"
    if container.condition == "not_s3" and expect.s3 is None:
        return UNKNOWN_STATUS, "no such container: normal with storage on S3 only; option s3 says which it is"
    return MISSING, "; ".join(filter(None, ["no such container", verdict.text]))


def _verdict(name: str, found: Sweep) -> _Verdict:
    if name == REPLICATED:
        return _daemon_verdict(found)
    if name not in found.asked:
        return _Verdict(None, "")
    answer = found.answers.get(name)
    if answer is None:
        return _Verdict(False, "no answer in time")
    if answer.problem:
        return _Verdict(False, answer.problem)
    if name in TCP_PORTS:
        return _Verdict(True, "takes connections")
    if name == CONSOLE:
        return _Verdict(True, "answers {0}".format(answer.status))
    if name == NOMAD:
        return _leader(answer)
    if name == READY_AGENT:
        return _ready(answer)
    return _status(answer)


def _daemon_verdict(found: Sweep) -> _Verdict:
    daemon = found.daemon
    if daemon is None or not daemon.installed:
        return _Verdict(None, "")
    if daemon.look is None:
        return _Verdict(False, "{0}: no answer in time".format(STATUS_COMMAND))
    answered = daemon.look.status is not None or daemon.look.empty
    return _Verdict(answered, "answers" if answered else "{0}: {1}".format(STATUS_COMMAND, daemon.look.problem))


def _status(answer: Answer) -> _Verdict:
    if answer.status == 200:
        return _Verdict(True, "answers 200")
    meaning = " (bad configuration, guide L1400)" if answer.status == 500 else ""
    return _Verdict(False, "answers {0}{1}".format(answer.status, meaning))


def _leader(answer: Answer) -> _Verdict:
    """Nomad names its leader as a JSON text, an empty one while there is none."""
    if answer.status != 200:
        return _status(answer)._replace(text="answers {0}".format(answer.status), good=False)
    try:
        leader = json.loads(answer.body)
    except ValueError:
        return _Verdict(False, "answers something else than the name of a leader")
    return _Verdict(True, "leader {0}".format(leader)) if leader else _Verdict(False, "has no leader")


def _ready(answer: Answer) -> _Verdict:
    """200 when all services are up, some 5XX until then (guide L1392); of which path, no source says."""
    if answer.status == 200:
        return _Verdict(True, "answers 200: all services are up")
    if answer.status >= 500:
        return _Verdict(False, "answers {0}: not all services are up (guide L1392)".format(answer.status))
    return _Verdict(None, "answers {0}, which says nothing: is its path another one?".format(answer.status))


def _endpoint(name: str, expect: Expectations) -> str:
    if name == REPLICATED:
        return STATUS_COMMAND
    if name == CONSOLE:
        return "https://localhost:{0}/".format(CONSOLE_PORT)
    if name == NOMAD:
        return "http://localhost:{0}{1}".format(NOMAD_PORT, NOMAD_LEADER_PATH)
    if name == READY_AGENT:
        return "http://localhost:{0}{1}".format(READY_AGENT_PORT, expect.ready_agent_path)
    if name in TCP_PORTS:
        return "tcp://localhost:{0}".format(TCP_PORTS[name])
    health = catalogue.get(name).health
    return "http://localhost:{0}{1}".format(health.port, health.path) if health is not None else ""


def _replicated_absent(found: Sweep) -> bool:
    """Neither its program nor any of its services is on this host."""
    if found.daemon is None or found.daemon.installed:
        return False
    return not any(name in found.engine.containers for name in SERVICES)


def _unexpected_rows(found: Sweep, expect: Expectations) -> List[Row]:
    unknown: Dict[str, State] = {
        name: state for name, state in found.engine.containers.items() if catalogue.resolve(name) is None
    }
    return [
        Row(name, UNEXPECTED, "image {0}, {1}".format(state.image, words(state)))
        for name, state in sorted(unknown.items())
        if not any(_matches(pattern, state) for pattern in expect.expected)
    ]


def _matches(pattern: str, state: State) -> bool:
    return fnmatch.fnmatchcase(state.name, pattern) or fnmatch.fnmatchcase(state.image, pattern)


def _disk_row(disk: Disk, found: Sweep, expect: Expectations) -> Row:
    name = DISK_PREFIX + disk.path
    if disk.problem:
        return Row(name, FAILING, disk.problem, "", found.milliseconds.get(name))
    detail = "{0:g} % of its space and {1:g} % of its inodes are used".format(disk.space, disk.inodes)
    over = ["space, limit {0:g} %".format(expect.disk_percent)] if disk.space >= expect.disk_percent else []
    over += ["inodes, limit {0:g} %".format(expect.inode_percent)] if disk.inodes >= expect.inode_percent else []
    if over:
        detail += " ({0})".format("; ".join(over))
    if disk.also:
        detail += "; also {0}".format(", ".join(disk.also))
    return Row(name, FAILING if over else HEALTHY, detail, "", found.milliseconds.get(name))
