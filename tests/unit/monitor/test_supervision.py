"""A monitor that hangs is as good as dead: it is killed, and another takes its place."""

import multiprocessing
import socket
import time
from typing import Any

import pytest

from gatepost.events import Events, MonitorDied
from gatepost.monitor.pulse import Pulse
from gatepost.monitor.supervision import MonitorSupervisor

SECONDS_MAX = 30.0


class Monitor:
    """One that begins, and then does nothing more."""

    def __init__(self) -> None:
        self.pulse = Pulse()

    def leave(self) -> None:
        """Another process than this one was started."""

    def run(self, events: Events) -> None:
        self.pulse.beat()
        time.sleep(10 * SECONDS_MAX)


def test_a_monitor_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.monitor.supervision.HUNG_SECONDS", 0.2)
    context = multiprocessing.get_context("fork")
    monkeypatch.setattr(multiprocessing, "get_context", lambda: context)
    events, died = Events(), list[MonitorDied]()
    events.subscribe(MonitorDied, died.append)
    monitor: Any = Monitor()
    with socket.socket() as listener:
        supervisor = MonitorSupervisor(
            monitor, [], make_events=Events, own_listener=listener, watch_parent=lambda _: None, events=events
        )
        until = time.monotonic() + SECONDS_MAX
        while len(died) < 2 and time.monotonic() < until:
            supervisor.look()
            time.sleep(0.05)
        supervisor.stop()

    assert [event.ended_by for event in died] == ["SIGKILL: it had not responded for 0.2 s"] * 2
    assert died[0].pid != died[1].pid
