"""`Deliveries`: messages on their way, each kept until it has arrived or is given up, and how that ended.

Sending waits for nobody else: each channel has a task of its own, and what cannot be delivered now is tried again
later, less and less often. The list is bounded, and kept in a file: a monitor that takes the place of another goes on
with it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from gatepost.alerting.channels import Channel
from gatepost.alerting.messages import AlertMessage, new_id
from gatepost.alerting.texts import one_line
from gatepost.alerting.undelivered import Undelivered
from gatepost.background import stop_if_cancelled

DELIVERIES_MAX = 200
PENDING_MAX = 100
"""Of one channel; beyond it the oldest is given up."""

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
GIVE_UP_SECONDS = 12 * 3600.0
OUTCOME_LENGTH_MAX = 300

DeliveryState = Literal["pending", "delivered", "failed"]


class Delivery(msgspec.Struct):
    """A message on one channel. `outcome` is what the receiver said last, or why it was not reached. Times are seconds
    since the epoch."""

    id: str
    channel: str
    alert: str
    name: str
    message: AlertMessage | None
    created_at: float
    state: DeliveryState = "pending"
    attempts: int = 0
    next_at: float = 0.0
    ended_at: float | None = None
    outcome: str = ""
    is_copied: bool = False


class Deliveries:
    """Those of an instance. `changed` is called when one has changed, `failed` with each that is given up or does not
    arrive at the first attempt."""

    def __init__(
        self,
        channels: list[Channel],
        saved: list[Delivery],
        *,
        changed: Callable[[], object],
        failed: Callable[[Delivery], object],
    ) -> None:
        self.channels = channels
        self._list = saved
        self._changed = changed
        self._failed = failed
        self._wakes = {channel.name: asyncio.Event() for channel in channels}
        for delivery in self._list:
            if delivery.state == "pending" and delivery.channel not in self._wakes:
                self._end(delivery, "failed", "there is no such channel any more")

    def add(self, alert: str, name: str, message: AlertMessage) -> list[Delivery]:
        """Send a message on all channels."""
        now = time.time()
        added = [Delivery(new_id(), channel.name, alert, name, message, now) for channel in self.channels]
        self._list += added
        for channel in self.channels:
            pending = self._pending(channel.name)
            for delivery in pending[: max(0, len(pending) - PENDING_MAX)]:
                self._end(delivery, "failed", f"more than {PENDING_MAX} wait for {channel.name}")
            self._wakes[channel.name].set()
        self._forget()
        self._changed()
        return added

    def newest_first(self) -> list[Delivery]:
        """Those that are kept, the newest first."""
        return self._list[::-1]

    def uncopied(self) -> list[Delivery]:
        """Those that have ended and the database does not have."""
        return [each for each in self._list if each.ended_at is not None and not each.is_copied]

    async def run(self, channel: Channel) -> None:
        """Send what is for this channel, one after the other, without end."""
        wake = self._wakes[channel.name]
        while True:
            wake.clear()
            now = time.time()
            waiting = self._first_of_each_alert(channel.name)
            for each in waiting:  # a clock may have been set back
                each.next_at = min(each.next_at, now + LONGEST_PAUSE_SECONDS)
            due = [each for each in waiting if each.next_at <= now]
            for delivery in due:
                await self._send(channel, delivery)
                stop_if_cancelled()
            if not due:
                later = min((each.next_at for each in self._first_of_each_alert(channel.name)), default=now + 3600.0)
                try:
                    async with asyncio.timeout(max(0.05, later - now)):
                        await wake.wait()
                except TimeoutError:
                    continue

    async def _send(self, channel: Channel, delivery: Delivery) -> None:
        if delivery.message is None:
            self._end(delivery, "failed", "it has no message")
            return
        delivery.attempts += 1
        try:
            said = await channel.send(delivery.id, delivery.message)
        except Undelivered as error:
            self._postpone(delivery, str(error))
        except Exception as error:
            self._postpone(delivery, f"{type(error).__name__}: {error}")
        else:
            self._end(delivery, "delivered", said)
        self._changed()

    def _postpone(self, delivery: Delivery, reason: str) -> None:
        now = time.time()
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(delivery.attempts - 1, 16), LONGEST_PAUSE_SECONDS)
        delivery.next_at, delivery.outcome = now + pause, one_line(reason, OUTCOME_LENGTH_MAX)
        if now - delivery.created_at > GIVE_UP_SECONDS:
            self._end(delivery, "failed", reason)
        if delivery.attempts == 1 or delivery.state == "failed":
            self._failed(delivery)

    def _end(self, delivery: Delivery, state: DeliveryState, outcome: str) -> None:
        delivery.state, delivery.ended_at = state, time.time()
        # Words of the receiver: neither a file nor the database takes every one of them.
        delivery.outcome = one_line(outcome, OUTCOME_LENGTH_MAX)
        delivery.message = None

    def _pending(self, channel: str) -> list[Delivery]:
        return [each for each in self._list if each.channel == channel and each.state == "pending"]

    def _first_of_each_alert(self, channel: str) -> list[Delivery]:
        """What may be sent now: nobody is to hear that an alert is over before that it fires."""
        found: dict[str, Delivery] = {}
        for each in self._pending(channel):
            found.setdefault(each.alert, each)
        return list(found.values())

    def _forget(self) -> None:
        ended = [each for each in self._list if each.state != "pending"]
        forgotten = {id(each) for each in ended[: max(0, len(self._list) - DELIVERIES_MAX)]}
        self._list = [each for each in self._list if id(each) not in forgotten]
