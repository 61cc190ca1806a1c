"""A stop that every worker obeys is a clean one."""

import logging
from typing import Any

import pytest

from gatepost.events import Events
from gatepost.server.granian_server import Server
from gatepost.server.supervisor import WorkerSupervisor


class Late:
    """A worker of Granian's that is still called alive for a while after its process has ended, as when another thread
    has waited for the process first."""

    idx = 0

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.said: list[str] = []

    def is_alive(self) -> bool:
        self.looks -= 1
        return self.looks > 0

    def terminate(self) -> None:
        self.said.append("terminate")

    def kill(self) -> None:
        self.said.append("kill")
        self.looks = 0

    def join(self) -> None:
        self.said.append("join")


def stop(worker: Late, seconds: int) -> None:
    server: Any = Server.__new__(Server)
    server.wrks, server.workers_kill_timeout, server.interrupt_signal = [worker], seconds, False
    server.supervisor = WorkerSupervisor(server, Events(), lambda: None)
    server._stop_workers()
    assert server.wrks == []


def test_a_worker_that_is_called_alive_a_little_longer_is_not_killed(caplog: pytest.LogCaptureFixture) -> None:
    worker = Late(looks=10)
    with caplog.at_level(logging.WARNING):
        stop(worker, seconds=60)
    assert (worker.said, caplog.messages) == (["terminate"], [])


def test_a_worker_that_does_not_stop_in_time_is_killed_and_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    worker = Late(looks=1_000_000)
    with caplog.at_level(logging.WARNING):
        stop(worker, seconds=0)
    assert worker.said == ["terminate", "kill", "join"]
    [message] = caplog.messages
    assert message.startswith("Worker 1 had not ended 0 s after it was asked to, and was killed")
