"""Bodies on their way in: how large, how slow, and of which type.

Stands behind the limiter, before the application. A request without a body passes untouched, because under Granian one
`receive()` costs as much as the whole gate. What the JSON says is checked by the data transfer objects.
"""

import time
from typing import TYPE_CHECKING

from gatepost.errors import BadRequest, ContentTooLarge, Problem, UnsupportedMediaType
from gatepost.request import Message, Receive, Request

if TYPE_CHECKING:
    from gatepost.gateway.deadlines import Deadlines
    from gatepost.gateway.exchange import Exchange

CONTENT_TYPES: frozenset[bytes] = frozenset({b"application/json", b"application/merge-patch+json"})
METHODS: frozenset[str] = frozenset({"POST", "PUT", "PATCH"})


class Bodies:
    """The rules for bodies; `body_bytes_max` is the default of actions that declare none."""

    __slots__ = ("_body_bytes_max", "_deadlines")

    def __init__(self, body_bytes_max: int, deadlines: "Deadlines") -> None:
        self._body_bytes_max = body_bytes_max
        self._deadlines = deadlines

    def admit(self, exchange: "Exchange") -> None:
        """Check the head of a request that carries a body and bound what `receive` may give.

        Raises 400 `malformed_request`, 413 `content_too_large`, 415 `unsupported_media_type`.
        """
        headers = exchange.headers
        length = headers.get(b"content-length")
        if length is None:
            # HTTP/2 frames a body without announcing it, HTTP/1 does not.
            if b"transfer-encoding" not in headers and exchange.scope["http_version"] < "2":
                return
        elif length == b"0":
            return
        self._admit_body(exchange, length)

    def _admit_body(self, exchange: "Exchange", length: bytes | None) -> None:
        action = exchange.action
        limit = self._body_bytes_max
        if action is not None and action.body_bytes_max is not None:
            limit = action.body_bytes_max
        _check_framing(exchange, length)
        if length is not None and int(length) > limit:
            raise too_large(limit)
        if not exchange.is_mounted:
            _check_type(exchange, is_certain=exchange.scope["http_version"] < "2" or length is not None)
        exchange.receive = LimitedReceive(exchange, self._deadlines, limit)


class LimitedReceive:
    """`receive` that counts the bytes and tells the sweeper how long it waits."""

    __slots__ = ("_deadlines", "_exchange", "_is_complete", "_left", "_limit", "_receive")

    def __init__(self, exchange: "Exchange", deadlines: "Deadlines", limit: int) -> None:
        self._exchange = exchange
        self._receive: Receive = exchange.receive
        self._deadlines = deadlines
        self._limit = limit
        self._left = limit
        self._is_complete = False

    async def __call__(self) -> Message:
        """The next message; raises 413 `content_too_large` when the body has grown too large."""
        if self._is_complete:
            # Only a disconnect can still come, and that may take its time.
            return await self._receive()
        reading = self._deadlines.reading
        reading[self._exchange] = time.monotonic_ns()
        try:
            message = await self._receive()
        finally:
            reading.pop(self._exchange, None)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            # A framework in between may turn what we raise into an answer of its own; the exchange overrules it.
            self._exchange.overruling = problem = too_large(self._limit)
            raise problem
        self._is_complete = not message.get("more_body", False)
        return message


def too_large(limit: int) -> Problem:
    """The refusal of a body above `limit` bytes; what is still on its way is not read."""
    return ContentTooLarge(
        "content_too_large",
        f"The body has more than {limit} bytes.",
        headers=[(b"connection", b"close")],
    )


def _check_framing(request: Request, length: bytes | None) -> None:
    if length is not None and not length.isdigit():
        raise BadRequest("malformed_request", "Content-Length is not a number.", headers=[(b"connection", b"close")])
    # A server in front that reads another framing than ours would see another request (RFC 9112, 11.2).
    headers = request.headers
    if b"transfer-encoding" in headers and headers[b"transfer-encoding"].lower() != b"chunked":
        raise BadRequest(
            "malformed_request", "The only transfer encoding is chunked.", headers=[(b"connection", b"close")]
        )


def _check_type(request: Request, *, is_certain: bool) -> None:
    headers = request.headers
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise UnsupportedMediaType("unsupported_media_type", "Compressed bodies are not accepted.")
    given = headers.get(b"content-type")
    if given in CONTENT_TYPES or request.scope["method"] not in METHODS or (given is None and not is_certain):
        return
    media_type, *parameters = (given or b"").lower().split(b";")
    wanted = all(_is_utf8(parameter.strip()) for parameter in parameters)
    if media_type.strip() not in CONTENT_TYPES or not wanted:
        raise UnsupportedMediaType(
            "unsupported_media_type",
            "The body must be application/json or application/merge-patch+json, in UTF-8.",
            headers=[(b"accept", b"application/json, application/merge-patch+json")],
        )


def _is_utf8(parameter: bytes) -> bool:
    """True for `charset=utf-8` and for every parameter that is no charset."""
    name, _, value = parameter.partition(b"=")
    return name.strip() != b"charset" or value.strip().strip(b'"') == b"utf-8"
