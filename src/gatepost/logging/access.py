"""Access lines: one per request, encoded where it happens, in about a microsecond.

On the request path, after the answer has left: `RequestFinished` goes in, one whole line comes out. The path is
written without its query, which holds values of people.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gatepost.logging.text import TEXT_LENGTH_MAX, escaped, is_plain, shortened
from gatepost.observations import RequestFinished

Subscriber = Callable[[RequestFinished], None]
Write = Callable[[bytes], None]

_MILLISECONDS = tuple(b"%03d" % number for number in range(1000))
_INFO = b'Z","level":"info","event":"request",'
_ERROR = b'Z","level":"error","event":"request",'
_COLOURS = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"}


def json_lines(write: Write, clock: Callable[[], float] = time.time) -> Subscriber:
    """A subscriber that writes `{"time", "level", "event": "request", ...}` with the fields of `RequestFinished`."""
    encode = msgspec.json.Encoder().encode
    joined = b"".join
    second = -2
    head = b""

    def subscriber(event: RequestFinished) -> None:
        nonlocal second, head
        now = clock()
        part = now - second
        if not 0 <= part < 1:
            second = int(now)
            part = now - second
            head = datetime.fromtimestamp(second, UTC).strftime('{"time":"%Y-%m-%dT%H:%M:%S.').encode()
        if not event.path.isascii() or len(event.path) > TEXT_LENGTH_MAX or not event.method.isascii():
            event = _made_safe(event)
        level = _INFO if event.status < 500 else _ERROR
        write(joined((head, _MILLISECONDS[int(part * 1000)], level, encode(event)[1:], b"\n")))

    return subscriber


def console_lines(write: Write, *, coloured: bool, clock: Callable[[], float] = time.time) -> Subscriber:
    """A subscriber that writes lines for people: time, status, method, path, duration, and who asked."""

    def subscriber(event: RequestFinished) -> None:
        now = clock()
        moment = datetime.fromtimestamp(now).astimezone()
        status = str(event.status)
        if coloured:
            status = f"\x1b[{_COLOURS.get(event.status // 100, '0')}m{status}\x1b[0m"
        text = event if is_plain(event.path) and is_plain(event.method) else _made_safe(event)
        parts = [f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}", status, f"{text.method:<6}", text.path]
        parts += [f"{event.seconds * 1000:.1f} ms", event.code or "", f"[{event.request_id}]"]
        write((" ".join(part for part in parts if part) + "\n").encode(errors="backslashreplace"))

    return subscriber


def _made_safe(event: RequestFinished) -> RequestFinished:
    return msgspec.structs.replace(
        event, path=escaped(shortened(event.path)), method=escaped(shortened(event.method, 32))
    )
