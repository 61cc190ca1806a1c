"""Which threads of a worker may interrupt others."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.acceptance.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the policy")


def test_no_thread_of_a_worker_interrupts_another(start: Start, production: Mapping[str, str]) -> None:
    running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=production).ready()
    (worker,) = running.children()
    threads = {thread.id: name_of(worker.pid, thread.id) for thread in worker.threads()}
    assert worker.pid in threads
    assert any(name.startswith("tokio") for name in threads.values())
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}
    assert os.sched_getscheduler(running.process.pid) == os.SCHED_OTHER


def test_a_policy_that_was_chosen_stays(start: Start, production: Mapping[str, str]) -> None:
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=production).ready()
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))
    (worker,) = running.children()
    assert {os.sched_getscheduler(thread.id) for thread in worker.threads()} == {os.SCHED_IDLE}


def name_of(process: int, thread: int) -> str:
    return Path(f"/proc/{process}/task/{thread}/comm").read_text().strip()
