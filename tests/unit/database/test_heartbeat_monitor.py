"""The heartbeat monitor: one timer that judges by what was heard since, and knows when its own process stood still."""

import asyncio
from collections.abc import Callable

from gatepost.database import heartbeat_monitor
from gatepost.database.heartbeat_monitor import HeartbeatMonitor, clock

SECONDS = 0.2


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a timer sets no event
            await asyncio.sleep(0.005)


async def test_nothing_is_known_before_the_first_response() -> None:
    assert HeartbeatMonitor(lambda: None).is_silent


async def test_silence_is_noted_once_when_its_time_is_over_and_ends_with_a_response() -> None:
    noted: list[float] = []
    detector = HeartbeatMonitor(lambda: noted.append(clock()), SECONDS)
    for _ in range(2):
        noted.clear()
        detector.record()
        heard = clock()
        assert not detector.is_silent
        await until(lambda: detector.is_silent)
        assert len(noted) == 1
        assert noted[0] - heard >= SECONDS - 0.01
    detector.stop()


async def test_a_peer_that_responds_in_time_is_never_silent() -> None:
    noted: list[None] = []
    detector = HeartbeatMonitor(lambda: noted.append(None), SECONDS)
    ends = clock() + 3 * SECONDS
    while clock() < ends:
        detector.record()
        await asyncio.sleep(SECONDS / 10)
    assert (detector.is_silent, noted) == (False, [])
    detector.stop()


async def test_a_process_that_stood_still_does_not_call_its_peer_silent() -> None:
    noted: list[None] = []
    detector = HeartbeatMonitor(lambda: noted.append(None), SECONDS)
    detector.record()
    wakes = clock() + SECONDS + 2 * heartbeat_monitor.STALL_SECONDS
    while clock() < wakes:
        pass
    # What arrived while it stood still is read now, after the timer that was due long ago.
    await asyncio.sleep(0)
    detector.record()
    assert (detector.is_silent, noted) == (False, [])
    await until(lambda: detector.is_silent)
    assert len(noted) == 1, "a peer that goes on being silent is noticed all the same"
    detector.stop()
