"""Access lines: one per request, made of `RequestFinished` and the moment it was emitted.

Off the request path: the event is kept as it is, and the writer's thread makes lines of many at once, which costs a
third of making each between two requests. The path is written without its query, which holds values of people.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gatepost.events import RequestFinished
from gatepost.logging.clients import ShownClient
from gatepost.logging.masking import NO_MASKING, Masking, MaskRequest
from gatepost.logging.text import TEXT_LENGTH_MAX, escaped, is_plain, shortened

Render = Callable[[float, RequestFinished], bytes]
"""Makes a line of an event and its moment, in seconds since the epoch."""

FindMasking = Callable[[], Masking]

_MILLISECONDS = tuple(b"%03d" % number for number in range(1000))
_COLOURS = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"}


def is_error(event: RequestFinished) -> bool:
    """Whether its line has the level of an error. A method that does not exist is a mistake of the client's, whatever
    the number of its status."""
    return event.status >= 500 and event.status != 501


def json_lines(
    show_client: ShownClient | None = None, find_masking: FindMasking = lambda: NO_MASKING, *, level: str = "info"
) -> Render:
    """Lines `{"time", "level", "category": "access", "event": "request", ...}` with the fields of `RequestFinished`:
    of level error those that are errors, of this one all others."""
    ordinary, error = _after_time(level), _after_time("error")
    encode = msgspec.json.Encoder().encode
    joined = b"".join
    second = -2
    head = b""
    mask: MaskRequest | None = None

    def render(now: float, event: RequestFinished) -> bytes:
        nonlocal second, head, mask
        part = now - second
        if not 0 <= part < 1:
            second = int(now)
            part = now - second
            head = datetime.fromtimestamp(second, UTC).strftime('{"time":"%Y-%m-%dT%H:%M:%S.').encode()
            mask = find_masking().of_requests()  # once a second: an application that serves does not change
        if mask is not None:
            event = mask(event)
        path, method = event.path, event.method
        # A method is as short and plain as those that exist, or the client's invention.
        if not (path.isascii() and len(path) <= TEXT_LENGTH_MAX and len(method) <= 8 and method.isascii()):
            event = _made_safe(event)
        if show_client is not None:
            event = msgspec.structs.replace(event, client=show_client(event.client or ""))
        middle = error if is_error(event) else ordinary
        return joined((head, _MILLISECONDS[int(part * 1000)], middle, encode(event)[1:], b"\n"))

    return render


def console_lines(*, coloured: bool, find_masking: FindMasking = lambda: NO_MASKING) -> Render:
    """Lines for people: time, status, method, path, duration, and who asked."""

    def render(now: float, event: RequestFinished) -> bytes:
        if (mask := find_masking().of_requests()) is not None:
            event = mask(event)
        moment = datetime.fromtimestamp(now).astimezone()
        status = str(event.status)
        if coloured:
            status = f"\x1b[{_COLOURS.get(event.status // 100, '0')}m{status}\x1b[0m"
        text = event if is_plain(event.path) and is_plain(event.method) else _made_safe(event)
        parts = [f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}", status, f"{text.method:<6}", text.path]
        parts += [f"{event.seconds * 1000:.1f} ms", event.code or "", f"[{event.request_id}]"]
        return (" ".join(part for part in parts if part) + "\n").encode(errors="backslashreplace")

    return render


def _after_time(level: str) -> bytes:
    return b'Z","level":"%s","category":"access","event":"request",' % level.encode()


def _made_safe(event: RequestFinished) -> RequestFinished:
    return msgspec.structs.replace(
        event, path=escaped(shortened(event.path)), method=escaped(shortened(event.method, 32))
    )
