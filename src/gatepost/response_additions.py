"""What code adds to the response of its call: headers, cookies, and what runs afterwards.

A foundation. Made when the first of them is added, so that other calls carry nothing. The dispatch puts them on the
response of an endpoint, the gate on that of a mounted application; a refusal has none of them.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import msgspec

from gatepost.asgi import Message, Receive, Send
from gatepost.errors import Header

AfterResponse = Callable[[], Awaitable[object] | None]

NO_STORE = b"no-store"

_LISTS = frozenset({b"vary", b"link"})
"""Headers that several lines of a response add up to."""


class StreamedBody(Protocol):
    """A body that is made while it is sent. `is_sent` says that its last part is on its way."""

    is_sent: bool

    async def send(self, start: Message, receive: Receive, send: Send) -> None:
        """Send the response. Raises what ends it before its end."""
        ...

    def failure(self, problem: bytes) -> bytes | None:
        """The part that tells the client of a problem, as JSON, once the response has begun; None where only a body
        that is cut off tells it."""
        ...


class ResponseAdditions(msgspec.Struct, eq=False):
    """The additions of one call. `cookies` are by name and path, because a later one replaces an earlier one.
    `callbacks` run after the response `is_kept`: once the work is done, and not where it was refused. `streamed` is the
    body where it is no whole one."""

    fields: dict[bytes, Header] = {}
    varies_by: dict[bytes, None] = {}
    cookies: dict[tuple[str, str], Header] = {}
    cache_control: bytes | None = None
    callbacks: list[AfterResponse] = []
    is_kept: bool = False
    streamed: StreamedBody | None = None

    def add(self, field: Header) -> None:
        """Add a header, or replace the one that was added; `Vary` and `Cache-Control` have rules of their own."""
        name, value = field
        if name == b"vary":
            self.varies_by[value] = None
        elif name == b"cache-control":
            self.cache_control = value
        else:
            self.fields[name] = field

    def copy(self) -> "ResponseAdditions":
        """The same additions, to which others can be added."""
        return ResponseAdditions(
            dict(self.fields),
            dict(self.varies_by),
            dict(self.cookies),
            self.cache_control,
            list(self.callbacks),
            self.is_kept,
            self.streamed,
        )

    def headers(self, given: Iterable[Header]) -> tuple[Header, ...]:
        """The headers of a response together with these, which replace those of the same name."""
        replaced = self.fields.keys() - _LISTS
        kept = [header for header in given if header[0] not in replaced]
        vary = [(b"vary", value) for value in self.varies_by]
        return (*kept, *self.fields.values(), *vary, *self.cookies.values())

    def caching(self, given: bytes | None) -> bytes | None:
        """The `Cache-Control` of a response that would have the given one: no cache stores a cookie."""
        return NO_STORE if self.cookies else self.cache_control or given
