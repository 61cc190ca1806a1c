"""No signal is lost, whenever it comes: uvloop by itself forgets those that come while it does not run."""

import asyncio
import os
import signal
from collections.abc import Iterator

import granian
import pytest

from gatepost.server.loop import LOOP_NAME, SignalSafeLoop


@pytest.fixture
def loop() -> Iterator[SignalSafeLoop]:
    """The loop that Granian makes in a worker."""
    made = granian.loops.get(LOOP_NAME)
    assert isinstance(made, SignalSafeLoop)
    yield made
    made.close()
    asyncio.set_event_loop(None)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


@pytest.fixture
def heard(loop: SignalSafeLoop) -> asyncio.Event:
    """Set by the signal."""
    event = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, event.set)
    return event


async def send_soon() -> None:
    """The signal, by another thread, while the loop waits for it."""
    await asyncio.sleep(0.05)
    await asyncio.to_thread(os.kill, os.getpid(), signal.SIGUSR1)


def test_before_the_loop_runs(loop: SignalSafeLoop, heard: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_until_complete(asyncio.wait_for(heard.wait(), 5))


def test_between_two_runs(loop: SignalSafeLoop, heard: asyncio.Event) -> None:
    loop.run_until_complete(asyncio.sleep(0))
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_until_complete(asyncio.wait_for(heard.wait(), 5))


def test_while_it_runs(loop: SignalSafeLoop, heard: asyncio.Event) -> None:
    async def both() -> None:
        await asyncio.gather(send_soon(), asyncio.wait_for(heard.wait(), 5))

    loop.run_until_complete(both())


def test_it_is_called_once_for_each_and_not_after_it_was_removed(loop: SignalSafeLoop) -> None:
    calls: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR1)
        loop.run_until_complete(asyncio.sleep(0))
    assert calls == [1, 1]
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert not loop.remove_signal_handler(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
