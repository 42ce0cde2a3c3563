# Runs a job on the host that outlives its connection, and lets short calls follow it. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module uses it.

The module has an option ``handover`` (a dictionary) and calls ``attend(NAME, params["handover"], start, again)``:

- ``start(job_id)`` decides what is to be done. It returns a finished result, or what ``begin(...)`` returned.
- ``again(result)`` is asked after a job of another call was joined and ended well: is something still to be done?
  It returns that job's result, or what ``begin(...)`` returned.

Its action calls ``follow_job`` (plugins/plugin_utils/_follow.py). The two speak by ``handover``: ``mine`` is the id of
the job that this call may begin, ``id`` the job that is followed (empty in the first call), ``seen`` how many of its
messages are known, ``wait`` the seconds that one call may last. Without an action (an empty ``handover``) the call
lasts as long as the job.

One job a name runs on a host. All imports are done before the fork: Ansible deletes a module's files when it ends.
"""

from __future__ import annotations

__all__ = ["RUN_DIRECTORY", "Job", "Start", "attend", "begin", "follow", "living", "read"]

import contextlib
import json
import os
import signal
import time
import traceback
import uuid
from types import TracebackType
from typing import Any, Callable, Dict, NoReturn, Optional, Sequence, Type

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import read_file, write_atomic
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import LOCK_FILE, host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import moment

RUN_DIRECTORY = "/run/circleci_server_ops"
LOOK_SECONDS = 0.1
FOLLOW_SECONDS = 20.0
START_SECONDS = 30.0
MESSAGES = 500

Start = Callable[[str], Dict[str, Any]]


class Job:
    """A running job as its work sees it; each word that it says is in the state file at once."""

    def __init__(self, path: str, state: Dict[str, Any]) -> None:
        self._path = path
        self._state = state

    @property
    def id(self) -> str:
        """What the caller named this job."""
        return str(self._state["id"])

    def phase(self, text: str, left: Sequence[str] = ()) -> None:
        """What is being done now, and what is left after it."""
        self._state["phase"] = text
        self._state["left"] = list(left)
        self.say(text)

    def say(self, text: str) -> None:
        """A line for whoever follows."""
        messages = self._state["messages"]
        if len(messages) < MESSAGES:
            messages.append({"at": _now(), "text": text})
        with contextlib.suppress(OpsError):  # a full /run must not stop the work in its middle
            _write(self._path, self._state)

    def deadline_left(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, float(self._state["deadline"]) - time.monotonic())

    def finish(self, result: Optional[Dict[str, Any]], error: Optional[Dict[str, Any]]) -> None:
        """The job's last word."""
        self._state.update(result=result, error=error, finished=_now())
        _write(self._path, self._state)


class _Ending:
    """Notes how the work ended, also by an error that nobody foresaw, so that no follower waits in vain."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result: Dict[str, Any] = {}

    def __enter__(self) -> _Ending:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        if error is None:
            self.job.finish(self.result, None)
        elif isinstance(error, OpsError):
            self.job.finish(None, error.as_result())
        else:
            said = "".join(traceback.format_exception_only(kind, error)).strip()
            place = traceback.extract_tb(trace)[-1]
            where = "{0}:{1}".format(os.path.basename(place.filename), place.lineno)
            self.job.finish(None, {"msg": "the job broke off: {0} ({1})".format(said, where)})
        return True


def begin(
    name: str,
    deadline: float,
    work: Callable[[Job], Dict[str, Any]],
    job_id: str = "",
    lock_timeout: float = 600,
    run_dir: str = RUN_DIRECTORY,
    lock_file: str = LOCK_FILE,
) -> Dict[str, Any]:
    """Start a job, or join the living one of that name: its state, with "joined".

    deadline:     seconds that the job may take; told to whoever meets its lock.
    work:         what it does; it gets the Job and returns the result. It runs under the host's lock.
    lock_timeout: seconds to wait for that lock, at most the deadline.
    """
    os.makedirs(run_dir, mode=0o755, exist_ok=True)
    with host_lock("starts " + name, START_SECONDS, os.path.join(run_dir, name + ".start")):
        state = read(name, run_dir)
        if state is not None and living(state):
            return dict(state, joined=True)
        fresh = {
            "id": job_id or uuid.uuid4().hex,
            "name": name,
            "started": _now(),
            "began": time.monotonic(),
            "deadline": time.monotonic() + deadline,
            "phase": "starts",
            "left": [],
            "messages": [],
            "finished": "",
            "result": None,
            "error": None,
            "previous": _ended(state),
        }
        path = _path(name, run_dir)
        _detach(lambda ready: _run(path, fresh, work, min(lock_timeout, deadline), lock_file, ready))
        begun = read(name, run_dir)
    if begun is None or begun["id"] != fresh["id"]:
        raise OpsError(
            "the job {0} could not be started: its process left no state in {1}".format(name, run_dir),
            remedy="Look for free memory and for free space on that file system, and run again",
        )
    return dict(begun, joined=False)


def read(name: str, run_dir: str = RUN_DIRECTORY) -> Optional[Dict[str, Any]]:
    """The state of the last job of a name, None where there was none since the boot (or where it is not readable)."""
    content = read_file(_path(name, run_dir))
    try:
        state = json.loads(content.decode("utf-8")) if content is not None else None
    except ValueError:
        return None
    return state if isinstance(state, dict) and "pid" in state else None


def living(state: Dict[str, Any]) -> bool:
    """Whether the job still runs: not finished, and its very process exists (a pid may be another's by now)."""
    if state["finished"] or state["boot"] != moment()[0]:
        return False
    return bool(state["ticks"]) and state["ticks"] == _ticks(state["pid"])


def follow(name: str, job_id: str, seen: int, wait: float, run_dir: str = RUN_DIRECTORY) -> Dict[str, Any]:
    """The job's news: returns as soon as there are some, after `wait` seconds at the latest.

    Returns id, name, phase, left, seconds, messages (those after the first `seen`), seen, finished, and when it has
    finished result or error. Raises OpsError for a job that ended without a word, and for one that nobody knows.
    """
    until = time.monotonic() + wait
    while True:
        state = _find(name, job_id, run_dir)
        alive = living(state)
        if not alive and not state["finished"]:
            state = _find(name, job_id, run_dir)  # it may have ended between the two looks
            if not state["finished"]:
                raise OpsError(
                    "the job {0} (pid {1}) ended without a word at: {2}".format(name, state["pid"], state["phase"]),
                    remedy="Run again: it goes on from what it finds, and what is owed is still recorded",
                )
        if state["finished"] or len(state["messages"]) > seen or time.monotonic() >= until:
            return _view(state, seen)
        time.sleep(LOOK_SECONDS)


def attend(
    name: str,
    handover: Dict[str, Any],
    start: Start,
    again: Callable[[Dict[str, Any], str], Dict[str, Any]],
    run_dir: str = RUN_DIRECTORY,
) -> Dict[str, Any]:
    """The host's side of a followed module: a finished result, or {"job": news} for the action to go on with."""
    if handover:
        return _attend_once(name, handover, start, again, run_dir)
    own = {"mine": uuid.uuid4().hex}
    result = _attend_once(name, own, start, again, run_dir)
    while "job" in result:
        job = result["job"]
        result = _attend_once(name, dict(own, id=job["id"], seen=job["seen"]), start, again, run_dir)
    return result


def _attend_once(
    name: str,
    handover: Dict[str, Any],
    start: Start,
    again: Callable[[Dict[str, Any], str], Dict[str, Any]],
    run_dir: str,
) -> Dict[str, Any]:
    mine, followed = str(handover["mine"]), str(handover.get("id") or "")
    if not followed and _known(name, mine, run_dir):
        followed = mine  # the answer to the call that began it was lost
    if not followed:
        return _first_view(start(mine), mine)
    news = follow(name, followed, int(handover.get("seen", 0)), float(handover.get("wait", FOLLOW_SECONDS)), run_dir)
    if not news["finished"]:
        return {"job": news}
    if news["error"] is not None:
        return dict(news["error"], failed=True, joined=followed != mine)
    if followed == mine:
        return dict(news["result"], joined=False)
    return _first_view(again(dict(news["result"], joined=True), mine), mine)


def _first_view(begun: Dict[str, Any], mine: str) -> Dict[str, Any]:
    """What start() and again() returned: a result as it is, a job's state as news."""
    if "ticks" not in begun:
        return begun
    return {"job": dict(_view(dict(begun, finished=""), 0), joined=begun["id"] != mine)}


def _view(state: Dict[str, Any], seen: int) -> Dict[str, Any]:
    return {
        "id": state["id"],
        "name": state["name"],
        "phase": state["phase"],
        "left": state["left"],
        "seconds": round(time.monotonic() - state["began"], 1),
        "messages": [message["text"] for message in state["messages"][seen:]],
        "seen": len(state["messages"]),
        "finished": bool(state["finished"]),
        "result": state["result"],
        "error": state["error"],
    }


def _known(name: str, job_id: str, run_dir: str) -> bool:
    state = read(name, run_dir)
    return state is not None and job_id in (state["id"], (state["previous"] or {}).get("id"))


def _find(name: str, job_id: str, run_dir: str) -> Dict[str, Any]:
    """The state of this very job: the last one of its name, or the one before that."""
    state = read(name, run_dir)
    for found in (state, (state or {}).get("previous")):
        if found is not None and found["id"] == job_id:
            return dict(found)
    raise OpsError(
        "the job {0} {1} is not known on this host any more".format(name, job_id),
        remedy="The host was restarted, or other jobs came after it. Run again",
    )


def _ended(state: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """The job before, without its own predecessor: its followers may not have heard of its end yet."""
    return dict(state, previous=None) if state is not None else None


def _run(
    path: str,
    state: Dict[str, Any],
    work: Callable[[Job], Dict[str, Any]],
    lock_timeout: float,
    lock_file: str,
    ready: Callable[[], None],
) -> None:
    """The detached process from its first breath to its last; ready() is called when its state can be read."""
    state.update(pid=os.getpid(), ticks=_ticks(os.getpid()), boot=moment()[0])
    _write(path, state)
    ready()
    job = Job(path, state)
    with _Ending(job) as ending:
        job.phase("waits for the host's lock")
        with host_lock(state["name"], lock_timeout, lock_file, job=path):
            ending.result = work(job)


def _detach(run: Callable[[Callable[[], None]], None]) -> None:
    """Call run() in a process of its own session without our descriptors; returns when run() says ready, or died."""
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        raise OpsError("no process can be started: {0}".format(error), remedy="Look for free memory") from error
    if child == 0:
        _be_detached(run, writing)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as stream:
        stream.read()


def _be_detached(run: Callable[[Callable[[], None]], None], writing: int) -> NoReturn:
    """After the second fork the process leads no session, so it never gets a terminal; its parent is init."""
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork() == 0:
            _leave_everything(writing)
            run(lambda: os.close(writing))
    finally:
        os._exit(0)


def _leave_everything(writing: int) -> None:
    """No terminal, no pipe of ssh, no lock and no foreign directory stays open: the connection may end."""
    os.chdir("/")
    os.umask(0o022)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number != writing:
            with contextlib.suppress(OSError):  # the one of the listing itself is closed already
                os.close(number)


def _ticks(pid: int) -> int:
    """When a process was started, in ticks since the boot; 0 for none and for one that has ended (a zombie)."""
    try:
        with open("/proc/{0}/stat".format(pid), encoding="utf-8", errors="replace") as handle:
            fields = handle.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def _path(name: str, run_dir: str) -> str:
    return os.path.join(run_dir, name + ".json")


def _write(path: str, state: Dict[str, Any]) -> None:
    write_atomic(path, (json.dumps(state, sort_keys=True) + "\n").encode("utf-8"), 0o600)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
