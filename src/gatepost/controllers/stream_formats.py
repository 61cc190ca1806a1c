"""The forms of streams: one JSON value per line (NDJSON), or server-sent events (HTML, section 9.2).

Pure. `running_streams.py` sends what is made here.
"""

import re
from typing import Protocol

from gatepost.declaring.streams import ServerSentEvent

_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)

ACCEPTED_MAX = 20
"""So many media types are read of `Accept`."""


class StreamFormat(Protocol):
    """A form of streams. `opening` is sent at once, so that the client knows that it is connected, `heartbeat` where
    there is nothing else to send. `is_resumed` says that clients connect again after an end: then a stream that the
    server interrupts may end in order."""

    content_type: bytes
    opening: bytes
    heartbeat: bytes
    is_resumed: bool

    def part(self, data: bytes, event: ServerSentEvent[object] | None) -> bytes:
        """An item, from its JSON."""
        ...

    def failure(self, problem: bytes) -> bytes | None:
        """What tells of a problem, from its JSON; None where nothing but a cut can."""
        ...


class JSONLines:
    """NDJSON: a value per line. An empty line is a heartbeat, which readers of lines skip."""

    content_type = b"application/x-ndjson"
    opening = b""
    heartbeat = b"\n"
    is_resumed = False

    def part(self, data: bytes, event: ServerSentEvent[object] | None) -> bytes:
        """A line."""
        return one_line(data) + b"\n"

    def failure(self, problem: bytes) -> bytes | None:
        """Any line is an item, so only the missing end of the body tells that it is not complete."""
        return None


class EventStream:
    """Server-sent events. A comment is a heartbeat."""

    content_type = b"text/event-stream"
    opening = b":\n\n"
    heartbeat = b":\n\n"
    is_resumed = True

    def part(self, data: bytes, event: ServerSentEvent[object] | None) -> bytes:
        """An event: its fields, then an empty line."""
        line = b"data: %b\n\n" % one_line(data)
        if event is None:
            return line
        fields = b""
        if event.id is not None:
            fields += b"id: %b\n" % event.id.encode()
        if event.name is not None:
            fields += b"event: %b\n" % event.name.encode()
        if event.retry_seconds is not None:
            fields += b"retry: %d\n" % round(event.retry_seconds * 1000)
        return fields + line

    def failure(self, problem: bytes) -> bytes | None:
        """An event `error` with the problem."""
        return b"event: error\ndata: %b\n\n" % one_line(problem)


JSON_LINES = JSONLines()
EVENTS = EventStream()


def one_line(data: bytes) -> bytes:
    """JSON without line breaks. Those inside of texts are escapes, so what is left stands between its values."""
    return data.replace(b"\n", b" ").replace(b"\r", b" ")


def preferred_format(accept: str) -> StreamFormat:
    """The form that `Accept` asks for (RFC 9110, section 12.5.1): events where they are named with a greater weight
    than lines, as by the `EventSource` of browsers; else lines."""
    weights = {JSON_LINES.content_type: 0.0, EVENTS.content_type: 0.0}
    for item in accept.split(",", ACCEPTED_MAX)[:ACCEPTED_MAX]:
        media_type, *parameters = item.split(";")
        name = media_type.strip().lower().encode("latin-1", "replace")
        if name in weights:
            found = [match[1] for each in parameters if (match := _WEIGHT.fullmatch(each)) is not None]
            weights[name] = float(found[0]) if found else 1.0
    return EVENTS if weights[EVENTS.content_type] > weights[JSON_LINES.content_type] else JSON_LINES
