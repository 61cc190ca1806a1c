"""Limits of request bodies: size, time and type.

Stands behind the limiter, before the application. A request without a body passes untouched, because under Granian one
`receive()` costs as much as the whole gate. What the JSON says is checked by the data transfer objects.
"""

from dataclasses import dataclass

import msgspec

from gatepost.asgi import Message, Receive
from gatepost.call import Call
from gatepost.errors import BadRequest, ContentTooLarge, Problem, UnsupportedMediaType
from gatepost.gateway.header_profiles import CLOSE
from gatepost.gateway.media_types import is_plain, media_type
from gatepost.gateway.request_deadlines import ClientWait, Deadline, RequestDeadlines
from gatepost.operations import JSON_TYPES, AnyType

METHODS: frozenset[str] = frozenset({"POST", "PUT", "PATCH"})
"""Those that carry a body. With any other one it has no meaning (RFC 9110, section 9.3), and readers disagree."""

LENGTH_DIGITS_MAX = 15

PARTS_MIN, PART_BYTES = 16, 512
"""A body may come in so many parts, and one more for each so many bytes: each costs the server some 50 us."""

BODY_HEADERS = frozenset({b"content-length", b"content-type", b"transfer-encoding"})
"""Under HTTP/1.1 a request without any of these has neither a body nor the pretence of one."""


@dataclass(frozen=True, eq=False)
class BodyLimits:
    """The rules for bodies; `body_bytes_max` is the default of routes that declare none."""

    body_bytes_max: int
    deadlines: RequestDeadlines

    def admit(self, call: Call, deadline: Deadline) -> None:
        """Check the head of a request that carries a body and bound what `receive` may give.

        Raises 400 `malformed_request`, 413 `content_too_large`, 415 `unsupported_media_type`.
        """
        headers = call.headers
        length = headers.get(b"content-length")
        if length is None:
            # HTTP/2 frames a body without announcing it, HTTP/1 does not.
            if b"transfer-encoding" in headers or call.scope["http_version"] >= "2":
                self._admit_body(call, deadline, None)
                return
        elif length != b"0":
            self._admit_body(call, deadline, length)
            return
        # A form without fields has a type and no body; browsers send it to other origins without asking first.
        if b"content-type" in headers and not call.is_mounted:
            _check_type(call)

    def check(self, call: Call, size: int) -> None:
        """Raise what a body of so many bytes is refused with before it is read: for its type, its coding, its size."""
        _check(call, str(size).encode())
        if size > (limit := self._limit_of(call)):
            raise _too_large(limit)

    def _limit_of(self, call: Call) -> int:
        limit = None if call.rules is None else call.rules.body_bytes_max
        return self.body_bytes_max if limit is None else limit

    def _admit_body(self, call: Call, deadline: Deadline, length: bytes | None) -> None:
        rules, headers = call.rules, call.headers
        limit, types = self.body_bytes_max, JSON_TYPES
        if rules is not None:
            limit = limit if rules.body_bytes_max is None else rules.body_bytes_max
            types = rules.content_types
        # The fast path: an accepted type and a stated length, as nearly every client sends, pass every check below.
        if not (
            length is not None
            and length.isdigit()
            and len(length) <= LENGTH_DIGITS_MAX
            and headers.get(b"content-type") in types
            and b"transfer-encoding" not in headers
            and b"content-encoding" not in headers
            and call.scope["method"] in METHODS
        ):
            _check(call, length)
        size = -1 if length is None else int(length)
        if size > limit:
            raise _too_large(limit)
        call.receive = LimitedReceive(call.receive, self.deadlines, deadline, limit, size)


class LimitedReceive(msgspec.Struct, eq=False):
    """`receive` that counts the bytes, and pauses its request while it waits for the client.

    `refusal` is that of the body, once it has broken a limit. `length` is what the client stated, -1 where it stated
    nothing. With so many bytes `received` the body is complete, whatever the server says of more: Granian tells the end
    apart from the last bytes, and asking for it would wake two threads once more.

    An application may call it again while it waits, as one does that watches for the disconnect: the `callers` share
    one `wait`, which begins anew with each part and ends with the body.
    """

    receive: Receive
    deadlines: RequestDeadlines
    deadline: Deadline
    limit: int
    length: int
    received: int = 0
    parts: int = 0
    is_complete: bool = False
    refusal: Problem | None = None
    callers: int = 0
    wait: ClientWait | None = None

    async def __call__(self) -> Message:
        """The next message; raises 413 `content_too_large` when the body has grown too large, 400 `malformed_request`
        when it comes in too many small parts."""
        if self.is_complete:
            return await self._skip_end(await self.receive())
        self.callers += 1
        if self.wait is None:
            self.wait = self.deadlines.pause(self.deadline)
        try:
            message = await self.receive()
        finally:
            self.callers -= 1
            if not self.callers:
                self._end_wait()
        if self.is_complete:  # another caller has got the end in the meantime
            return await self._skip_end(message)
        received = self.received = self.received + len(message.get("body", b""))
        self.parts += 1
        if received > self.limit or self.parts > PARTS_MIN + received // PART_BYTES:
            # A framework in between may turn what we raise into a response of its own; the gate sends this one.
            self.refusal = _too_large(self.limit) if received > self.limit else _too_many_parts()
            raise self.refusal
        if received == self.length:
            message["more_body"] = False
        self.is_complete = not message.get("more_body", False)
        if self.callers:
            self._end_wait()
            if not self.is_complete:
                self.wait = self.deadlines.pause(self.deadline)
        return message

    def _end_wait(self) -> None:
        if self.wait is not None:
            self.deadlines.resume(self.wait)
            self.wait = None

    async def _skip_end(self, message: Message) -> Message:
        """Only a disconnect can still come, and that may take its time; or the end, which was not asked for."""
        return message if message["type"] != "http.request" else await self.receive()


class PassedReceive(msgspec.Struct, eq=False):
    """`receive` as a middleware passes it on, with the one of the gate that it is made of."""

    receive: Receive
    limited: Receive

    @property
    def refusal(self) -> Problem | None:
        """The refusal of the body, once it has broken a limit."""
        return self.limited.refusal if isinstance(self.limited, LimitedReceive) else None

    async def __call__(self) -> Message:
        """The next message."""
        return await self.receive()


def _too_large(limit: int) -> Problem:
    """The refusal of a body above `limit` bytes; what is still on its way is not read."""
    return ContentTooLarge("content_too_large", f"The body has more than {limit} bytes.", headers=[CLOSE])


def _too_many_parts() -> Problem:
    detail = f"The body comes in too many small parts; send {PART_BYTES} bytes at a time or more."
    return BadRequest("malformed_request", detail, headers=[CLOSE])


def _check(call: Call, length: bytes | None) -> None:
    _check_framing(call, length)
    if call.is_mounted:
        return
    headers, method = call.headers, call.scope["method"]
    # Under HTTP/2 there may be a body and may be none: then its absence has no say in what is right.
    if length is not None or call.scope["http_version"] < "2":
        if method not in METHODS:
            raise BadRequest("malformed_request", f"{method} takes no body.", headers=[CLOSE])
        if b"content-type" not in headers and not isinstance(_types_of(call), AnyType):
            raise _wrong_type(_types_of(call))
    if b"content-encoding" in headers and not is_plain(headers[b"content-encoding"]):
        raise UnsupportedMediaType(
            "unsupported_media_type",
            "Compressed bodies are not accepted.",
            headers=[(b"accept-encoding", b"identity")],
        )
    _check_type(call)


def _check_framing(call: Call, length: bytes | None) -> None:
    """A reader that believes another framing than ours would see another request (RFC 9112, section 11.2)."""
    headers = call.headers
    if length is not None and (
        not length.isdigit() or len(length) > LENGTH_DIGITS_MAX or b"transfer-encoding" in headers
    ):
        raise BadRequest("malformed_request", "Content-Length is not the one number it has to be.", headers=[CLOSE])
    if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise BadRequest("malformed_request", "The only transfer encoding is chunked.", headers=[CLOSE])


def _check_type(call: Call) -> None:
    given = call.headers.get(b"content-type")
    types = _types_of(call)
    if given is None or given in types or call.scope["method"] not in METHODS:
        return
    if media_type(given) not in types:
        raise _wrong_type(types)


def _types_of(call: Call) -> frozenset[bytes]:
    return JSON_TYPES if call.rules is None else call.rules.content_types


def _wrong_type(types: frozenset[bytes]) -> Problem:
    accepted = ", ".join(sorted(name.decode() for name in types))
    return UnsupportedMediaType(
        "unsupported_media_type",
        f"The body must be one of: {accepted}; its charset, where it says one, UTF-8.",
        headers=[(b"accept", accepted.encode())],
    )
