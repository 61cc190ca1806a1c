"""Which threads of a worker may interrupt others."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.acceptance.conftest import Start, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the policy")


def name_of(process: int, thread: int) -> str:
    return Path(f"/proc/{process}/task/{thread}/comm").read_text().strip()


def test_the_servers_threads_interrupt_nobody(start: Start, production: Mapping[str, str]) -> None:
    running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=production).ready()
    (worker,) = running.children()
    wait_for(lambda: os.sched_getscheduler(worker.pid) == os.SCHED_OTHER, "the application's thread to be as usual")
    theirs = [thread.id for thread in worker.threads() if name_of(worker.pid, thread.id).startswith("tokio")]
    assert theirs
    assert {os.sched_getscheduler(thread) for thread in theirs} == {os.SCHED_BATCH}


def test_a_policy_that_was_chosen_stays(start: Start, production: Mapping[str, str]) -> None:
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=production).ready()
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))
    (worker,) = running.children()
    assert {os.sched_getscheduler(thread.id) for thread in worker.threads()} == {os.SCHED_BATCH}
