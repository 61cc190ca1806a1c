"""Which threads of a worker may interrupt others: all while it has time to spare, none while it is busy."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, Start, wait_for

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the policy"),
]

APP = '''
"""An application that computes for a second when it is asked."""
import time

from gatepost import App

async def computing(scope, receive, send):
    until = time.thread_time() + 1
    while time.thread_time() < until:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

app = App(mount={"/computing": computing})
'''


IDLE = """
import os, sys

os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_the_threads_of_a_worker_interrupt_nobody_while_it_is_busy(start: Start, production: Mapping[str, str]) -> None:
    running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=production).ready()
    (worker,) = running.workers()
    assert policies(worker) == {os.SCHED_OTHER}

    def takes_turns() -> bool:
        compute(running)  # again: beside other programs a worker is not always busy while it computes
        return policies(worker) == {os.SCHED_BATCH}

    wait_for(takes_turns, "threads that take turns")
    assert os.sched_getscheduler(running.process.pid) == os.SCHED_OTHER
    wait_for(lambda: policies(worker) == {os.SCHED_OTHER}, "threads that interrupt")


def test_a_policy_that_was_chosen_stays(start: Start, production: Mapping[str, str]) -> None:
    words = ("serve", "app:app", "--port", "0", "--workers", "1")
    running = start(*words, environ=production, launcher=[sys.executable, "-c", IDLE]).ready()
    (worker,) = running.workers()
    for _ in range(2):
        compute(running)
        assert policies(worker) == {os.SCHED_IDLE}


def compute(running: Running) -> None:
    """Keep the worker's main thread busy for a second."""
    assert running.get("/computing")[0] == 200


def policies(worker: psutil.Process) -> set[int]:
    """Those of all its threads, the HTTP library's too."""
    threads = [thread.id for thread in worker.threads()]
    assert worker.pid in threads
    assert any(name_of(worker.pid, thread).startswith("tokio") for thread in threads)
    return {os.sched_getscheduler(thread) for thread in threads}


def name_of(process: int, thread: int) -> str:
    return Path(f"/proc/{process}/task/{thread}/comm").read_text().strip()
