"""`ErrorReporter`: tells the monitor of each error that nobody expected, as one of its group.

Beside the request path, in the process where it happens. A few of each group are told with their traceback, the others
are counted and told within a second: an error that happens thousands of times costs little.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from gatepost import events
from gatepost.events import Events
from gatepost.logging.event_lines import LINES
from gatepost.logging.tracebacks import MaskText, as_it_is, message_text, traceback_text
from gatepost.records.fingerprints import fingerprint_of, type_name
from gatepost.records.reports import Report

SAMPLES_A_MINUTE = 3
"""So many errors of a group are told with their tracebacks, by each process."""

COUNT_SECONDS = 1.0
GROUPS_MAX = 1000
EVENTS_BEFORE = 20
ACTORS_MAX = 50
"""Users of a group, between two reports."""
TRACEBACK_LENGTH_MAX = 12_000
MESSAGE_LENGTH_MAX = 300
MINUTE_SECONDS = 60.0

_ERRORS = (
    events.RequestFailed,
    events.TaskFailed,
    events.AfterCommitFailed,
    events.AfterResponseFailed,
    events.SubscriberFailed,
)
_DURING = ("task", "callback", "subscriber")
"""Where an event says what ran, if no request."""


class EventBefore(msgspec.Struct):
    """Something that happened in the process before an error. `at` in seconds since the epoch."""

    at: float
    name: str


class ErrorSample(msgspec.Struct):
    """One error: the request, or what ran instead (`during`), the release, and the traceback without values."""

    at: float
    request_id: str | None
    method: str | None
    route: str | None
    operation: str | None
    during: str | None
    release: str | None
    traceback: str
    before: list[EventBefore]


class ErrorsSeen(Report):
    """`count` errors of one group, the last at `last_at`: `kind` is the type of the exception, `where` the user's
    innermost function. `actors` are digests of the users who met them: who they are stands in the log."""

    fingerprint: str
    kind: str
    where: str
    message: str
    count: int
    last_at: float
    actors: list[bytes]
    sample: ErrorSample | None = None


class ErrorReporter:
    """Reports by `send`; `release` is that of this process, `mask` masks the values that messages and tracebacks must
    not show."""

    def __init__(self, send: Callable[[Report], object], release: str | None, mask: MaskText = as_it_is) -> None:
        self._send = send
        self._mask = mask
        self._release = release
        self._before = deque[EventBefore](maxlen=EVENTS_BEFORE)
        self._waiting: dict[str, ErrorsSeen] = {}
        self._sampled: dict[str, int] = {}
        self._minute = 0

    def subscribe(self, source: Events) -> None:
        """Report the errors that these events tell of. Call it before the application is started."""
        for kind in LINES:
            source.subscribe(kind, self._note)
        for kind in _ERRORS:
            source.subscribe(kind, self._report)

    def _note(self, event: msgspec.Struct) -> None:
        self._before.append(EventBefore(time.time(), LINES[type(event)].name))

    def _report(self, event: Any) -> None:
        error: BaseException = event.error
        fingerprint, where = fingerprint_of(error)
        actor = getattr(event, "actor_id", None)
        seen = ErrorsSeen(
            fingerprint=fingerprint,
            kind=type_name(error),
            where=where,
            message=message_text(error, MESSAGE_LENGTH_MAX, self._mask),
            count=1,
            last_at=time.time(),
            actors=[] if actor is None else [blake2b(str(actor).encode(errors="replace"), digest_size=8).digest()],
        )
        if self._may_sample(fingerprint):
            seen.sample = self._sample(event, error)
            self._send(seen)
        else:
            self._count(seen)

    def _may_sample(self, fingerprint: str) -> bool:
        minute = int(time.monotonic() // MINUTE_SECONDS)
        if minute != self._minute:
            self._minute = minute
            self._sampled.clear()
        count = self._sampled.get(fingerprint, 0)
        if count >= SAMPLES_A_MINUTE or (count == 0 and len(self._sampled) >= GROUPS_MAX):
            return False
        self._sampled[fingerprint] = count + 1
        return True

    def _sample(self, event: Any, error: BaseException) -> ErrorSample:
        return ErrorSample(
            at=time.time(),
            request_id=getattr(event, "request_id", None),
            method=getattr(event, "method", None),
            route=getattr(event, "route", None),
            operation=getattr(event, "operation", None),
            during=next((str(found) for name in _DURING if (found := getattr(event, name, None)) is not None), None),
            release=self._release,
            traceback=traceback_text(error, TRACEBACK_LENGTH_MAX, self._mask),
            before=list(self._before)[:-1],  # the last one is this error
        )

    def _count(self, seen: ErrorsSeen) -> None:
        """Tell it within COUNT_SECONDS, together with others of its group."""
        if not self._waiting:
            try:
                asyncio.get_running_loop().call_later(COUNT_SECONDS, self._flush)
            except RuntimeError:  # without a loop nothing would send it later
                self._send(seen)
                return
        elif seen.fingerprint not in self._waiting and len(self._waiting) >= GROUPS_MAX:
            self._flush()
        waiting = self._waiting.setdefault(seen.fingerprint, seen)
        if waiting is not seen:
            waiting.count += 1
            waiting.last_at, waiting.message = seen.last_at, seen.message
            if len(waiting.actors) < ACTORS_MAX:
                waiting.actors += seen.actors

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for seen in waiting.values():
            self._send(seen)
