"""Overload: whose turn it is, when more is asked for than can be done.

In the gate, behind the limit of the address and before all that costs something. A request begins at once while few
are running and the event loop keeps up: two comparisons. Otherwise it waits for its turn, a short time at most, and is
refused with 503 where it has none. Signed-in clients come first. When somebody has waited long, there is too much
for all: from then on whoever cannot begin at once is refused at once, but for a few signed-in clients, of whom the last
come first. So what is served is served fast, however much is asked for.

How many may run follows the time that they take (`concurrency.py`). Applications that are not ours wait for what they
wait for, which says nothing about this process: of them only those wait that come when the event loop is behind.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gatepost.errors import Overloaded
from gatepost.gateway.concurrency import ConcurrencyLimit
from gatepost.observations import LoadShed, Observations

if TYPE_CHECKING:
    from gatepost.gateway.exchange import Exchange
    from gatepost.request import Action

MILLISECONDS = 1_000_000

SLICE_NS = 3 * MILLISECONDS
"""How long one pass of the event loop may take before whoever comes has to wait for the next."""

TIMER_NS = 900_000
"""How late a timer of the loop may be though it has nothing to do: it counts in milliseconds."""

HURRY_SHARE = 2
"""When somebody has waited for half of the longest wait, there is too much for all, and a hurry begins. It ends when
for HURRY_LASTS_NS nobody has been refused. A burst that is over by then is served whole, in order."""

HURRY_LASTS_NS = 1_000 * MILLISECONDS

HURRIED_NS = 10 * MILLISECONDS
"""How long a signed-in client waits in a hurry."""

HURRIED_KNOWN_MAX = 8
"""How many may wait then; of others nobody: whoever cannot begin at once is refused."""

SAMPLED = 4
"""Of requests that run beside others, one in so many is looked at."""

STALE_NS = 2_000 * MILLISECONDS
"""No pass takes so long: the loop that was to look after the queue is gone, as in tests, and another one is here."""

RETRY_SECONDS_MAX = 3
WAITING_MAX = 1000
KNOWN, FOREIGN, OTHERS = range(3)
"""Queues, in the order in which they are served."""

BULK_URGENCY = b"u=5", b"u=6", b"u=7"
"""What RFC 9218 has for work that nobody waits for."""


class Waiter:
    """A request that waits for its turn since `since`."""

    __slots__ = ("exchange", "since", "turn")

    def __init__(self, exchange: "Exchange", turn: "asyncio.Future[None]", since: int) -> None:
        self.exchange = exchange
        self.turn = turn
        self.since = since


class Turns:
    """`wait_seconds` is how long a request waits at most; `is_known` tells whether somebody is signed in, without
    asking the database. So many are `running`, and so many `waiting`."""

    __slots__ = (
        "_due",
        "_hurries_until",
        "_is_draining",
        "_is_known",
        "_limit",
        "_loop",
        "_queues",
        "_shed",
        "_timer",
        "_wait_ns",
        "running",
        "waiting",
    )

    def __init__(self, wait_seconds: float, observations: Observations, is_known: Callable[["Exchange"], bool]) -> None:
        self.running = 0
        self.waiting = 0
        self._limit = ConcurrencyLimit()
        self._wait_ns = int(wait_seconds * 1000) * MILLISECONDS
        self._is_known = is_known
        self._queues: tuple[deque[Waiter], ...] = (deque(), deque(), deque())
        self._shed = observations.emitter(LoadShed)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0
        self._hurries_until = 0
        self._is_draining = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, exchange: "Exchange") -> Awaitable[None] | None:
        """Called with every request that has passed the limiter. None where it begins at once, else what to await;
        that raises `Overloaded`. Whoever has begun has to `end`.
        """
        now = exchange.started
        if now >= self._due and (self._timer is None or now > self._due + STALE_NS):
            self._is_draining = False
            self._tick_from(now)
        action = exchange.action
        if now < self._due and (not self.waiting or (now < self._hurries_until and not self._queues[KNOWN])):
            if action is not None and action.is_foreign:
                return None
            if self.running < self._limit.allowed:
                self.running += 1
                exchange.turn_at = now
                return None
        if action is None or action.kind == "system":
            return None
        rank = self._rank(exchange, action)
        if now < self._hurries_until and (rank != KNOWN or len(self._queues[KNOWN]) >= HURRIED_KNOWN_MAX):
            raise self._refusal()
        return self._wait(exchange, rank)

    def end(self, exchange: "Exchange") -> None:
        """The request is over."""
        self.running = running = self.running - 1
        limit = self._limit
        limit.count += 1
        if not running or not limit.count % SAMPLED:
            limit.note(exchange.action, time.monotonic_ns() - exchange.turn_at, running)
        if self.waiting:
            self._drain_soon()

    def rest(self, exchange: "Exchange") -> None:
        """The request waits for its client: a slow one must not keep others from a turn, nor look like slow work."""
        if exchange.turn_at:
            self.running -= 1
            if self.waiting:
                self._drain_soon()

    def resume(self, exchange: "Exchange", since: int) -> None:
        """The client has been waited for since then. Nobody waits for a turn twice."""
        if exchange.turn_at:
            self.running += 1
            exchange.turn_at += time.monotonic_ns() - since

    def _wait(self, exchange: "Exchange", rank: int) -> Awaitable[None]:
        loop = self._loop = asyncio.get_running_loop() if exchange.task is None else exchange.task.get_loop()
        waiter = Waiter(exchange, loop.create_future(), exchange.started)
        self._queues[rank].append(waiter)
        self.waiting += 1
        self._limit.is_reached = True
        if self.waiting > WAITING_MAX:
            self._refuse(next(queue for queue in reversed(self._queues) if queue).popleft())
        self._drain_soon()
        return waiter.turn

    def _rank(self, exchange: "Exchange", action: "Action") -> int:
        """The queue for a request; the first is served first. Clients may call their own work less urgent, not more."""
        if action.is_foreign:
            return FOREIGN
        is_bulk = exchange.headers.get(b"priority", b"").startswith(BULK_URGENCY)
        return KNOWN if self._is_known(exchange) and not is_bulk else OTHERS

    def _drain_soon(self) -> None:
        if not self._is_draining and self._loop is not None:
            self._is_draining = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Once in a pass of the loop, behind those who have come in it."""
        self._is_draining = False
        now = time.monotonic_ns()
        self._expire(now)
        hurries = now < self._hurries_until
        count = self._limit.per(SLICE_NS)
        for rank, queue in enumerate(self._queues):
            while queue and count > 0 and (rank == FOREIGN or self.running < self._limit.allowed):
                waiter = queue.pop() if hurries else queue.popleft()
                self.waiting -= 1
                if waiter.turn.done():  # its request was cancelled
                    continue
                waiter.turn.set_result(None)
                count -= 1
                if rank != FOREIGN:
                    waiter.exchange.turn_at = now
                    self.running += 1
        if self.waiting and (self.running < self._limit.allowed or self._queues[FOREIGN]):
            self._drain_soon()

    def _expire(self, now: int) -> None:
        hurries = now < self._hurries_until
        patience = min(self._wait_ns, HURRIED_NS) if hurries else self._wait_ns
        for queue in self._queues:
            if queue and not hurries and queue[0].since < now - self._wait_ns // HURRY_SHARE:
                self._hurries_until = now + HURRY_LASTS_NS
            while queue and queue[0].since < now - patience:
                self._refuse(queue.popleft())

    def _refuse(self, waiter: Waiter) -> None:
        self.waiting -= 1
        if waiter.turn.done():
            return
        waiter.turn.set_exception(self._refusal())

    def _refusal(self) -> Overloaded:
        self._hurries_until = max(self._hurries_until, time.monotonic_ns() + HURRY_LASTS_NS)
        if self._shed is not None:
            self._shed(LoadShed(running=self.running, waiting=self.waiting))
        # So that not all come again at the same moment.
        seconds = 1 + int(random.random() * RETRY_SECONDS_MAX)  # noqa: S311
        return Overloaded("overloaded", "More is asked for than can be done.", retry_after_seconds=seconds)

    def _tick_from(self, now: int) -> None:
        self._due = now + SLICE_NS + TIMER_NS
        self._timer = asyncio.get_running_loop().call_later(SLICE_NS / 1e9, self._tick)

    def _tick(self) -> None:
        """While anything is under way: once in a slice, or in a pass where that takes longer."""
        self._timer = None
        now = time.monotonic_ns()
        self._limit.adapt(now)
        if self.waiting:
            self._expire(now)
            self._drain_soon()
        elif not self.running:
            return
        self._tick_from(now)
