"""`ErrorReporter`: tells the monitor of each error that nobody expected, as one of its group.

Beside the request path, in the process where it happens. A few of each group are told with their traceback, the others
are counted and told within a second: an error that happens thousands of times costs little.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, cast

import msgspec

from gatepost import events
from gatepost.events import Events
from gatepost.logging.event_lines import LINES
from gatepost.logging.text import shortened, without_secrets
from gatepost.logging.tracebacks import MaskText, as_it_is, message_text, traceback_text
from gatepost.records.fingerprints import fingerprint_of, type_name
from gatepost.records.folded_tracebacks import own_files_of
from gatepost.records.reports import Report

SAMPLES_A_MINUTE = 3
"""So many errors of a group are told with their tracebacks, by each process."""

COUNT_SECONDS = 1.0
GROUPS_MAX = 1000
EVENTS_BEFORE = 20
ACTORS_MAX = 50
"""Users of a group, between two reports."""
TRACEBACK_LENGTH_MAX = 12_000
REASON_LENGTH_MAX = 200
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


_FIELDS_SHOWN = frozenset(
    {
        "address", "alert_name", "attempt", "attempts", "callback", "channel", "constraint", "count", "ended_by",
        "error", "event_name", "file", "fingerprint", "kind", "limit", "limit_kind", "log_category", "log_level",
        "metric",
        "old_pid", "operation", "pid", "reason", "request_id", "route", "running", "seconds", "severity", "size",
        "statement", "subscriber", "table", "tables", "task", "waiting", "where", "worker",
    }
)  # fmt: skip
"""What of other lines may stand beside an error, which is kept for longer than they are: nothing of a client."""

_NOTED = {
    kind: (
        line.name,
        tuple(field.name for field in msgspec.structs.fields(kind) if field.name in _FIELDS_SHOWN),
    )
    for kind, line in LINES.items()
}


class EventBefore(msgspec.Struct):
    """Something that happened in the process before an error. `at` in seconds since the epoch; `fields` are those of
    its line that are no client's."""

    at: float
    name: str
    fields: dict[str, Any] = {}


def _plain(value: Any) -> Any:
    """A number, or a text without the classes that libraries make of theirs: those cannot be sent."""
    return value if isinstance(value, int | float | None) else f"{value}"


class ErrorSample(msgspec.Struct):
    """One error: the request, or what ran instead (`during`), the release, and the traceback without values, of which
    frames in `own_files` are the application's."""

    at: float
    request_id: str | None
    method: str | None
    route: str | None
    operation: str | None
    during: str | None
    release: str | None
    traceback: str
    before: list[EventBefore]
    own_files: list[str] = []


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
        name, fields = _NOTED[type(event)]
        self._before.append(EventBefore(time.time(), name, {field: self._shown(event, field) for field in fields}))

    def _shown(self, event: msgspec.Struct, field: str) -> Any:
        value = getattr(event, field)
        if isinstance(value, BaseException):
            return type_name(value)
        if isinstance(value, list | tuple):
            return [_plain(each) for each in cast("Sequence[Any]", value)]
        # In the task of the request that it is about, whose values are known there alone.
        return shortened(self._mask(without_secrets(value)), REASON_LENGTH_MAX) if field == "reason" else _plain(value)

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
            own_files=own_files_of(error),
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
