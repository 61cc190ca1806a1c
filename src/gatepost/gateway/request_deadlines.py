"""Requests in flight, and the one sweeper that ends those over their time.

A timer per request would cost more than the rest of the gate. Here requests stand in order of arrival in one dict, and
a sweep every 100 ms looks at its head. The same dict says whether the process is idle, for draining.
"""

import asyncio
import time
from asyncio import current_task, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, takewhile
from typing import Any, TypeAlias

import msgspec

from gatepost.background import background
from gatepost.call import SAFE, Call
from gatepost.errors import GatewayTimeout, Problem, RequestTimeout
from gatepost.events import Events
from gatepost.gateway.admission import AdmissionQueue
from gatepost.gateway.header_profiles import CLOSE
from gatepost.gateway.queue_lanes import Admission
from gatepost.settings import GateSettings

SWEEP_SECONDS = 0.1
NANOSECONDS = 1_000_000_000

WATCH_SECONDS = 0.5
"""The age at which the client of a safe request begins to be watched: most responses are sent before."""

OUTCOME_SECONDS = 5.0
"""How much longer a request whose time is up waits for the response to a COMMIT that was sent: cancelling would not
undo it."""

FindWriting: TypeAlias = "Callable[[asyncio.Task[Any]], Callable[[], None] | None]"
"""What gives up the write whose response a task awaits, None where it awaits none."""


def find_no_writing(task: "asyncio.Task[Any]") -> None:
    """For a gate that knows of no database."""


class Deadline(msgspec.Struct, eq=False):
    """The time of one request, which `RequestDeadlines` alone writes. `task` is what to cancel, and `expired` the
    refusal to send once it was. `waits` counts its waits for its client, the first of which began at `paused_at`.
    `watch` waits for its client to disconnect; `is_abandoned` says that the client did, and the task was cancelled."""

    admission: Admission
    task: asyncio.Task[object] | None = None
    expired: Problem | None = None
    watch: asyncio.Task[None] | None = None
    is_abandoned: bool = False
    waits: int = 0
    paused_at: int = 0

    @property
    def refusal(self) -> Problem | None:
        """The refusal to send, None where the request is in time, or its task was cancelled for another reason too."""
        return self.expired if self.task is None or self.task.cancelling() <= 1 else None


class ClientWait(msgspec.Struct, eq=False):
    """One wait of a request for its client, to send or to take a part of a body, `since` so many monotonic
    nanoseconds."""

    deadline: Deadline
    since: int


class RequestDeadlines:
    """`request_seconds` of the settings bounds a request until its response begins, `body_seconds` the wait for its
    client to send or take one part of a body; both to 0.1 s.

    An expired request's task is cancelled, once; what its deadline has in `expired` then is the response to send. A
    request that waits to begin is left to the admission queue, which refuses it as overload, at the cost of no token.
    One that waits to hear whether it was written continues for OUTCOME_SECONDS; then `find_writing` tells what ends
    the wait.

    A safe request (RFC 9110, section 9.2.1) is cancelled as well when its client disconnects before the response
    begins: nobody would read it. Whatever may write goes on.
    """

    def __init__(
        self, settings: GateSettings, queue: AdmissionQueue, find_writing: FindWriting, events: Events
    ) -> None:
        self._find_writing = find_writing
        self._request_ns = int(settings.request_seconds * NANOSECONDS)
        self._body_ns = int(settings.body_seconds * NANOSECONDS)
        self._queue = queue
        self._events = events
        self.in_flight: dict[Deadline, Call] = {}
        self._streaming: dict[Deadline, Call] = {}
        self._waits: dict[ClientWait, None] = {}  # in the order in which they began
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future[None] | None = None

    def enter(self, deadline: Deadline, call: Call) -> None:
        """A request has come in; its task is the one to cancel."""
        loop = self._loop
        task = None if loop is None else current_task(loop)
        if loop is None or task is None:
            # Which loop runs is not asked every time: Python 3.11 makes a system call of it.
            loop = get_running_loop()
            task = current_task(loop)
            if loop is not self._loop:  # the old one is gone, and its timer with it
                self._loop, self._timer = loop, None
        deadline.task = task
        self.in_flight[deadline] = call
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep)

    def leave(self, deadline: Deadline) -> None:
        """The request is over."""
        if deadline.watch is not None:
            deadline.watch.cancel()
        if (deadline.expired is not None or deadline.is_abandoned) and deadline.task is not None:
            deadline.task.uncancel()
        del self.in_flight[deadline]
        if self._idle is not None and self._is_idle and not self._idle.done():
            self._idle.set_result(None)

    def begin_streaming(self, deadline: Deadline) -> None:
        """The body of the response is sent while it is made, which may take any time: from now on only the wait for its
        client to take a part is bounded, and the request stands in nobody's way."""
        if deadline.watch is not None:
            deadline.watch.cancel()
        self._streaming[deadline] = self.in_flight.pop(deadline)
        self._queue.release(deadline.admission)

    def end_streaming(self, deadline: Deadline) -> None:
        """The body is sent, and the request about to be over."""
        self.in_flight[deadline] = self._streaming.pop(deadline)

    def pause(self, deadline: Deadline) -> ClientWait:
        """The request waits for its client from now on, which the time of a body bounds. It may wait for several things
        at once, as for a body and for room for the response, and is paused until the last of these waits ends."""
        wait = ClientWait(deadline, time.monotonic_ns())
        self._waits[wait] = None
        if not deadline.waits:
            deadline.paused_at = wait.since
            self._queue.pause(deadline.admission)
        deadline.waits += 1
        return wait

    def resume(self, wait: ClientWait) -> None:
        """The client has sent or taken its part, or is no longer waited for."""
        del self._waits[wait]
        deadline = wait.deadline
        deadline.waits -= 1
        if not deadline.waits:
            self._queue.resume(deadline.admission, deadline.paused_at)

    def find(self, task: asyncio.Task[object]) -> Call | None:
        """The request that a task serves. Looks through all that are in flight: not for the path of a request."""
        known = chain(self.in_flight.items(), self._streaming.items())
        return next((call for deadline, call in known if deadline.task is task), None)

    @property
    def _is_idle(self) -> bool:
        return not self.in_flight and not self._streaming

    async def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is in flight; False where that took too long."""
        if self._is_idle:
            return True
        self._idle = get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._idle, timeout_seconds)
        except TimeoutError:
            return self._is_idle
        return True

    def _sweep(self) -> None:
        now = time.monotonic_ns()
        bound = now - self._request_ns
        for deadline in list(takewhile(lambda each: each.admission.arrived_at <= bound, self.in_flight)):
            if deadline.task is not None and (give_up := self._find_writing(deadline.task)) is not None:
                if deadline.admission.arrived_at < bound - OUTCOME_SECONDS * NANOSECONDS:
                    give_up()
            elif not self.in_flight[deadline].status:  # a response that has begun ends with its client or application
                # A client that is still sending is late; one that waits for the response is not.
                _expire(deadline, _late_body() if deadline.waits else _late_request())
        for wait in list(takewhile(lambda each: each.since <= now - self._body_ns, self._waits)):
            # None where an application reads on after its response.
            call = self.in_flight.get(wait.deadline) or self._streaming.get(wait.deadline)
            if call is not None and not (call.status and call.is_foreign):
                _expire(wait.deadline, _late_body())
        self._watch_clients(now - int(WATCH_SECONDS * NANOSECONDS))
        loop = self._loop
        self._timer = None if self._is_idle or loop is None else loop.call_later(SWEEP_SECONDS, self._sweep)

    def _watch_clients(self, bound: int) -> None:
        """Begin to watch the clients of safe requests that arrived before this time. Applications behind the gate
        watch for themselves."""
        for deadline, call in takewhile(lambda each: each[0].admission.arrived_at <= bound, self.in_flight.items()):
            is_watched = deadline.watch is not None or call.status or call.is_foreign
            if not is_watched and call.scope["method"] in SAFE:
                deadline.watch = background(_watch(call, deadline), "watch-client", self._events)


async def _watch(call: Call, deadline: Deadline) -> None:
    """Cancel a request when its client has disconnected, unless its response has begun."""
    with suppress(Problem):  # of a body that breaks a limit
        message = await call.receive()
        if message["type"] == "http.request":  # the body, of which there is none
            message = await call.receive()
        if message["type"] != "http.disconnect":
            return
        is_waiting = deadline.admission.pending is not None or call.status
        if not is_waiting and deadline.expired is None and deadline.task is not None and deadline.task.cancel():
            deadline.is_abandoned = True


def _expire(deadline: Deadline, problem: Problem) -> None:
    if deadline.admission.pending is not None or deadline.expired is not None:
        return
    if deadline.task is not None and deadline.task.cancel():
        deadline.expired = problem


def _late_request() -> Problem:
    return GatewayTimeout("request_timeout", "The request took too long and was cancelled.")


def _late_body() -> Problem:
    return RequestTimeout("body_timeout", "The body did not arrive in time.", headers=[CLOSE])
