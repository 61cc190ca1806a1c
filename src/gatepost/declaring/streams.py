"""Streams: what an endpoint returns that sends items while they are made, as lines of JSON or as server-sent events.

Declared values; `controllers/running_streams.py` sends them.
"""

from collections.abc import AsyncIterable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

_LINE_BREAKS = "\r\n\0"
"""What ends a field of an event, or voids its id (HTML, section 9.2.6)."""


class ServerSentEvent(Generic[T]):
    """An item of a stream with the fields of an event: `id` comes back as `Last-Event-ID` when the client connects
    again, `name` is its type (`message` without one), and `retry_seconds` how long the client waits before it does.
    `data` is sent as JSON.

    Raises `ValueError` for an id or a name with a line break, which would begin another field.
    """

    __slots__ = ("data", "id", "name", "retry_seconds")

    def __init__(
        self, data: T, *, id: str | None = None, name: str | None = None, retry_seconds: float | None = None
    ) -> None:
        for field, text in (("id", id), ("name", name)):
            if text is not None and any(sign in text for sign in _LINE_BREAKS):
                raise ValueError(f"The {field} of an event cannot be {text!r}: write it without line breaks and NUL.")
        if retry_seconds is not None and not 0 <= retry_seconds < 1e9:
            raise ValueError(f"retry_seconds={retry_seconds!r} is not a duration.")
        self.data = data
        self.id = id
        self.name = name
        self.retry_seconds = retry_seconds


class Stream(Generic[T]):
    """What an endpoint returns to send items while they are made: `return Stream(ticks())`, with `ticks` an async
    generator.

    Items are plain data, rows of a served model, or `ServerSentEvent`s of either. The source begins when the
    transaction of the call is committed, is asked for the next item when the client has room for it, and is closed when
    the stream ends, for whatever reason.
    """

    __slots__ = ("source",)

    def __init__(self, source: AsyncIterable[T]) -> None:
        if not hasattr(cast("Any", source), "__aiter__"):
            raise TypeError(f"Stream takes an async iterator, such as `ticks()` of an async generator, not {source!r}.")
        self.source = source
