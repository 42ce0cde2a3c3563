# Tests of _detached: real processes that outlive their caller, are joined, killed, and found to have died.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils import _detached
from ansible_collections.circleci_server.ops.plugins.module_utils._detached import (
    Job,
    attend,
    begin,
    follow,
    living,
    read,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock

Work = Callable[[Job], dict[str, Any]]


class Jobs:
    """A directory for jobs, a gate that holds a job until it is opened, and short names for the calls."""

    def __init__(self, root: Path) -> None:
        self.run = str(root / "run")
        self.lock = str(root / "lock")
        self.gate = root / "gate"
        os.mkfifo(self.gate)

    def begin(self, work: Work, job_id: str = "a", deadline: float = 60, lock_timeout: float = 10) -> dict[str, Any]:
        return begin("job", deadline, work, job_id, lock_timeout, self.run, self.lock)

    def held(self, job: Job) -> dict[str, Any]:
        """A job that goes on when somebody has opened the gate."""
        job.phase("holds", ["the rest"])
        self.gate.read_bytes()
        job.say("goes on")
        return {"pid": os.getpid(), "left": job.deadline_left()}

    def open(self) -> None:
        self.gate.write_bytes(b"")

    def news(self, job_id: str = "a", seen: int = 0, wait: float = 10) -> dict[str, Any]:
        return follow("job", job_id, seen, wait, self.run)

    def end(self, job_id: str = "a") -> dict[str, Any]:
        """The last news of a job."""
        found = self.news(job_id)
        while not found["finished"]:
            found = self.news(job_id, found["seen"])
        return found

    def until_phase(self, phase: str) -> None:
        found = self.news()
        while found["phase"] != phase:
            found = self.news(seen=found["seen"])


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job in this process: for what needs no process of its own."""
    monkeypatch.setattr(_detached, "_detach", lambda run: run(lambda: None))


def test_the_job_is_nobodys_child_and_holds_nothing_open(jobs: Jobs) -> None:
    reading, writing = os.pipe()

    def work(job: Job) -> dict[str, Any]:
        del job
        names = [os.readlink("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd") if int(name) < 3]
        pipes = [name for name in map(_link, os.listdir("/proc/self/fd")) if name.startswith("pipe:")]
        hup = signal.getsignal(signal.SIGHUP)
        return {
            "stdio": names,
            "pipes": pipes,
            "hup": hup == signal.SIG_IGN,
            "session": os.getsid(0),
            "parent": os.getppid(),
            "cwd": os.getcwd(),
        }

    jobs.begin(work)
    os.close(writing)
    assert os.read(reading, 1) == b"", "the job holds no pipe of its caller"
    os.close(reading)
    result = jobs.end()["result"]
    assert result["stdio"] == ["/dev/null"] * 3
    assert (result["pipes"], result["hup"], result["cwd"]) == ([], True, "/")
    assert result["session"] != os.getsid(0)
    assert result["parent"] != os.getpid()


def _link(name: str) -> str:
    try:
        return os.readlink("/proc/self/fd/" + name)
    except OSError:  # the one of the listing
        return ""


def test_state_is_private_and_says_all(jobs: Jobs) -> None:
    begun = jobs.begin(jobs.held)
    assert begun["joined"] is False
    assert living(begun)
    jobs.until_phase("holds")
    path = Path(jobs.run) / "job.json"
    assert path.stat().st_mode & 0o777 == 0o600
    state = json.loads(path.read_text())
    assert (state["id"], state["name"], state["phase"], state["left"]) == ("a", "job", "holds", ["the rest"])
    assert state["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    jobs.open()
    last = jobs.end()
    assert last["result"]["pid"] == state["pid"]
    assert 0 < last["result"]["left"] <= 60
    assert jobs.news()["messages"] == ["waits for the host's lock", "holds", "goes on"]
    assert last["error"] is None
    found = read("job", jobs.run)
    assert found is not None and found["finished"] and not living(found)


def test_it_outlives_its_caller_and_is_joined(jobs: Jobs) -> None:
    def caller() -> None:
        jobs.begin(jobs.held)
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=caller)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    joined = jobs.begin(lambda job: {"second": job.id}, "b")
    assert (joined["joined"], joined["id"]) == (True, "a")
    os.kill(joined["pid"], signal.SIGHUP)
    jobs.open()
    assert jobs.end()["result"]["pid"] == joined["pid"]


def test_the_next_job_begins_when_the_first_has_ended_and_both_are_known(jobs: Jobs) -> None:
    jobs.begin(lambda job: {"me": job.id})
    assert jobs.end()["result"] == {"me": "a"}
    assert jobs.begin(lambda job: {"me": job.id}, "b")["joined"] is False
    assert jobs.end("b")["result"] == {"me": "b"}
    assert jobs.end("a")["result"] == {"me": "a"}, "a late follower of the first still gets its result"
    jobs.begin(lambda job: {}, "c")
    jobs.end("c")
    with pytest.raises(OpsError, match="the job job a is not known on this host any more.*Run again"):
        jobs.news("a")


def test_a_killed_job_is_told(jobs: Jobs) -> None:
    begun = jobs.begin(jobs.held)
    jobs.until_phase("holds")
    os.kill(begun["pid"], signal.SIGKILL)
    with pytest.raises(OpsError, match=r"the job job \(pid \d+\) ended without a word at: holds\. Run again"):
        jobs.end()
    assert jobs.begin(lambda job: {"me": job.id}, "b")["joined"] is False


def test_another_process_with_its_pid_is_not_the_job(jobs: Jobs) -> None:
    begun = jobs.begin(lambda job: {})
    jobs.end()
    state = dict(begun, finished="", pid=os.getpid())
    assert not living(state)
    assert living(dict(state, ticks=_detached._ticks(os.getpid())))
    assert not living(dict(state, ticks=_detached._ticks(os.getpid()), boot="another"))
    assert not living(dict(state, ticks=0, pid=2**22 + 1))


def test_quiet_news_come_at_the_end_of_the_wait(jobs: Jobs) -> None:
    jobs.begin(jobs.held)
    jobs.until_phase("holds")
    quiet = jobs.news(seen=2, wait=0)
    assert (quiet["messages"], quiet["finished"], quiet["phase"], quiet["seen"]) == ([], False, "holds", 2)
    jobs.open()
    jobs.end()


def test_the_job_holds_the_hosts_lock_and_others_wait_for_its_deadline(jobs: Jobs) -> None:
    jobs.begin(jobs.held, deadline=2)
    jobs.until_phase("holds")
    with (
        pytest.raises(OpsError, match=r"pid \d+, job, since .*; it is at: holds\."),
        host_lock("another module", timeout=0, path=jobs.lock),
    ):
        pass
    state = read("job", jobs.run)
    assert state is not None
    assert state["deadline"] <= _detached.time.monotonic(), "it was waited for longer than lock_timeout"
    jobs.open()
    jobs.end()
    with host_lock("another module", timeout=10, path=jobs.lock):
        pass


def test_a_job_waits_for_the_lock_no_longer_than_asked(jobs: Jobs) -> None:
    with host_lock("a module", path=jobs.lock):
        jobs.begin(lambda job: {}, lock_timeout=0)
        error = jobs.end()["error"]
    assert "lock_timeout = 0: another run works on this host" in error["msg"]


def test_an_ops_error_keeps_its_facts_and_a_bug_is_told(jobs: Jobs, inline: None) -> None:
    def refuses(job: Job) -> dict[str, Any]:
        raise OpsError("no", option="x", value=1, remedy="Do it", facts={"seconds": 2})

    def breaks(job: Job) -> dict[str, Any]:
        return {"x": {}["missing"]}

    left = jobs.begin(lambda job: {"id": job.id, "left": job.deadline_left()}, "z", deadline=0)["result"]
    assert left == {"id": "z", "left": 0.0}
    jobs.begin(refuses)
    assert jobs.end()["error"] == {"msg": "x = 1: no. Do it.", "seconds": 2}
    jobs.begin(breaks, "b")
    assert jobs.end("b")["error"]["msg"].startswith("the job broke off: KeyError: 'missing' (test_detached.py:")


def test_messages_are_bounded_and_a_full_disk_stops_no_work(
    jobs: Jobs, inline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _detached.write_atomic

    def work(job: Job) -> dict[str, Any]:
        def full(*_arguments: Any) -> None:
            raise OpsError("no space left")

        monkeypatch.setattr(_detached, "write_atomic", full)
        for number in range(_detached.MESSAGES + 5):
            job.say(str(number))
        monkeypatch.setattr(_detached, "write_atomic", real)
        return {"done": True}

    jobs.begin(work)
    last = jobs.end()
    assert last["result"] == {"done": True}
    assert last["seen"] == _detached.MESSAGES


def test_a_process_that_cannot_be_made(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(_detached.os, "fork", fails)
        with pytest.raises(OpsError, match="no process can be started: .*Look for free memory"):
            jobs.begin(lambda job: {})
    monkeypatch.setattr(_detached, "_detach", lambda run: None)
    with pytest.raises(OpsError, match="the job job could not be started: its process left no state in"):
        jobs.begin(lambda job: {})


def test_a_broken_state_file_counts_as_none(jobs: Jobs) -> None:
    os.makedirs(jobs.run)
    path = Path(jobs.run) / "job.json"
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        assert read("job", jobs.run) is None


class Module:
    """A followed module: it owes work until a job of its own has done it."""

    def __init__(self, jobs: Jobs, work: Work) -> None:
        self.jobs = jobs
        self.work = work
        self.due = True

    def start(self, job_id: str) -> dict[str, Any]:
        return self.jobs.begin(self.work, job_id) if self.due else {"changed": False}

    def again(self, result: dict[str, Any], job_id: str) -> dict[str, Any]:
        return self.jobs.begin(self.work, job_id) if self.due else result

    def call(self, **handover: Any) -> dict[str, Any]:
        return attend("job", handover, self.start, self.again, self.jobs.run)


def test_short_calls_follow_a_job_to_its_result(jobs: Jobs) -> None:
    module = Module(jobs, jobs.held)
    job = module.call(mine="m1", id="", seen=0, wait=5)["job"]
    assert (job["id"], job["joined"], job["finished"]) == ("m1", False, False)
    lost = module.call(mine="m1", id="", seen=0, wait=5)["job"]
    assert lost["id"] == "m1", "the answer to the first call was lost: the same job is followed"
    jobs.open()
    seen = 0
    while True:
        answer = module.call(mine="m1", id="m1", seen=seen, wait=5)
        if "job" not in answer:
            break
        seen = answer["job"]["seen"]
    assert set(answer) == {"pid", "left", "joined"}
    assert answer["joined"] is False
    module.due = False
    assert module.call(mine="m1", id="", seen=0, wait=5)["pid"] == answer["pid"], "also after its end"
    assert module.call() == {"changed": False}


@pytest.mark.parametrize("due", [False, True])
def test_a_second_call_joins_and_looks_again(jobs: Jobs, due: bool) -> None:
    first, second = Module(jobs, jobs.held), Module(jobs, lambda job: {"me": job.id})
    first.call(mine="m1", id="", seen=0, wait=5)
    job = second.call(mine="m2", id="", seen=0, wait=5)["job"]
    assert (job["id"], job["joined"]) == ("m1", True)
    second.due = due
    jobs.open()
    answer: dict[str, Any] = {"job": job}
    while "job" in answer:
        answer = second.call(mine="m2", id=answer["job"]["id"], seen=answer["job"]["seen"], wait=5)
    if due:
        assert answer == {"me": "m2", "joined": False}
    else:
        assert answer["joined"] is True and "pid" in answer


def test_a_failed_job_is_a_failed_result(jobs: Jobs) -> None:
    def refuses(job: Job) -> dict[str, Any]:
        raise OpsError("no", facts={"seconds": 2})

    assert Module(jobs, refuses).call() == {"failed": True, "joined": False, "msg": "no.", "seconds": 2}
