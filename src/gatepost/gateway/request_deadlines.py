"""Requests in flight, and the one sweeper that ends those over their time.

A timer per request would cost more than the rest of the gate. Here requests stand in order of arrival in one dict, and
a sweep every 100 ms looks at its head. The same dict says whether the process is idle, for draining.
"""

import asyncio
import time
from asyncio import current_task, get_running_loop
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from gatepost.errors import GatewayTimeout, Problem, RequestTimeout

if TYPE_CHECKING:
    from gatepost.gateway.gate_call import GateCall

SWEEP_SECONDS = 0.1
NANOSECONDS = 1_000_000_000

OUTCOME_SECONDS = 5.0
"""How much longer a request whose time is up waits for the answer to a COMMIT that was sent: cancelling would not undo
it."""

FindWriting: TypeAlias = "Callable[[asyncio.Task[Any]], Callable[[], None] | None]"
"""What gives up the write whose answer a task awaits, None where it awaits none."""


def find_no_writing(task: "asyncio.Task[Any]") -> None:
    """For a gate that knows of no database."""


class RequestDeadlines:
    """`request_seconds` bounds a request until it is answered, `body_seconds` the wait for its client to send or take
    one part of a body; both to 0.1 s. In `waiting` stands since when each waits for its client.

    An expired request's task is cancelled, once; what the call has in `expired` then is the answer to give. A
    request that waits to begin is left to the admission queue, which refuses it as overload, at the cost of no token.
    One that waits to hear whether it was written goes on for OUTCOME_SECONDS; then `find_writing` tells what ends the
    wait.
    """

    __slots__ = (
        "_body_ns",
        "_find_writing",
        "_idle",
        "_loop",
        "_request_ns",
        "_timer",
        "in_flight",
        "waiting",
    )

    def __init__(
        self, request_seconds: float, body_seconds: float, find_writing: FindWriting = find_no_writing
    ) -> None:
        self._find_writing = find_writing
        self._request_ns = int(request_seconds * NANOSECONDS)
        self._body_ns = int(body_seconds * NANOSECONDS)
        self.in_flight: dict[GateCall, None] = {}
        self.waiting: dict[GateCall, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None

    def enter(self, call: "GateCall") -> None:
        """A request has come in; its task is the one to cancel."""
        loop = self._loop
        task = None if loop is None else current_task(loop)
        if loop is None or task is None:
            # Which loop runs is not asked every time: Python 3.11 makes a system call of it.
            loop = get_running_loop()
            task = current_task(loop)
            if loop is not self._loop:  # the old one is gone, and its timer with it
                self._loop, self._timer = loop, None
        call.task = task
        self.in_flight[call] = None
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep)

    def leave(self, call: "GateCall") -> None:
        """The request is over."""
        del self.in_flight[call]
        if self._idle is not None and not self.in_flight and not self._idle.done():
            self._idle.set_result(None)

    def find(self, task: asyncio.Task[object]) -> "GateCall | None":
        """The request that a task serves. Looks through all that are in flight: not for the path of a request."""
        return next((call for call in self.in_flight if call.task is task), None)

    async def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is in flight; False where that took too long."""
        if not self.in_flight:
            return True
        self._idle = get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._idle, timeout_seconds)
        except TimeoutError:
            return not self.in_flight
        return True

    def _sweep(self) -> None:
        now = time.monotonic_ns()
        for call in _older(self.in_flight, now - self._request_ns):
            if call.task is not None and (give_up := self._find_writing(call.task)) is not None:
                if call.started < now - self._request_ns - OUTCOME_SECONDS * NANOSECONDS:
                    give_up()
                continue
            if not call.status:  # what has begun to answer ends with its client, or with its own application
                # A client that is still sending is late; who waits for it is not.
                _expire(call, _late_body() if call in self.waiting else _late_request())
        for call, since in list(self.waiting.items()):
            if since > now - self._body_ns:
                break
            if not (call.status and call.is_foreign):
                _expire(call, _late_body())
        loop = self._loop
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep) if self.in_flight and loop is not None else None


def _older(in_flight: "dict[GateCall, None]", bound: int) -> "list[GateCall]":
    """Those that came before `bound`, up to the first that did not."""
    found: list[GateCall] = []
    for call in in_flight:
        if call.started > bound:
            break
        found.append(call)
    return found


def _expire(call: "GateCall", problem: Problem) -> None:
    if call.queued is not None or call.expired is not None:
        return
    if call.task is not None and call.task.cancel():
        call.expired = problem


def _late_request() -> Problem:
    return GatewayTimeout("request_timeout", "The request took too long and was cancelled.")


def _late_body() -> Problem:
    return RequestTimeout(
        "body_timeout",
        "The body did not arrive in time.",
        headers=[(b"connection", b"close")],
    )
