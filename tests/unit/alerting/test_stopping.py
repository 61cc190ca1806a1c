"""A monitor that is told to stop while a mail is sent does so, also where the library does not hear of it."""

import asyncio

import pytest

from gatepost.alerting.alerts import Alert
from gatepost.alerting.deliveries import Deliveries
from gatepost.alerting.messages import AlertMessage, message_of

ALERT = Alert("1", "disk", "page", "firing", 1.0, "Full.", "df -h")


class Deaf:
    """A channel that goes on when it is cancelled, as `asyncio.wait_for` may."""

    name = "mail"

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def send(self, id: str, message: AlertMessage) -> str:
        self.began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "250 queued"
        return "never"


async def test_a_cancellation_that_a_library_swallows_ends_it_all_the_same() -> None:
    channel = Deaf()
    deliveries = Deliveries([channel], [], changed=lambda: None, failed=lambda _: None)
    deliveries.add("1", "disk", message_of(ALERT, "web-1", None))
    task = asyncio.ensure_future(deliveries.run(channel))
    await channel.began.wait()
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert deliveries.newest_first()[0].state == "delivered"
