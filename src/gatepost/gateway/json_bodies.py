"""JSON on its way to an application that reads it by itself: whole, strict (RFC 8259), neither too deep nor too long.

Used behind the gate alone. Gatepost's own bodies are read by the data transfer objects, which hold the same rules and
know the fields. What is good is handed on byte for byte.
"""

from typing import Any

import msgspec

from gatepost.asgi import Message, Receive
from gatepost.dtos.json_values import Bounds, NumberReader, members, read
from gatepost.dtos.strict_json import may_hide_keys, read_json
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest, FieldError, Unprocessable
from gatepost.gateway.security_headers import is_json
from gatepost.request import Request


class JSONBodies:
    """Reads and checks bodies before the application is called, so that a slow one occupies nothing but the gate."""

    __slots__ = (
        "_bounds",
        "_decode",
        "_numbers",
    )

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._numbers = NumberReader(bounds)
        self._decode = msgspec.json.Decoder(float_hook=self._numbers).decode

    async def admit(self, request: Request, receive: Receive) -> Receive:
        """The `receive` that gives the checked body, where it is JSON; `receive` itself where it is not.

        Raises 400 `malformed_json`, 422 `invalid_body`, and what reading raises.
        """
        if not is_json(request.headers.get(b"content-type", b"")):
            return receive
        body = await request.body()
        if body:
            self.check(body)
        return Replay(body, receive)

    def check(self, body: bytes) -> None:
        """Raise 400 `malformed_json` for what is not strict JSON, 422 `invalid_body` for what is beyond the bounds."""
        try:
            is_good, count = self._decoded(body)
            if not is_good:
                read(read_json(body), self._bounds)
            elif may_hide_keys(body, {}, count):
                read_json(body)
        except Violation as violation:
            error = FieldError(violation.pointer, violation.code, violation.detail)
            raise Unprocessable("invalid_body", "The body violates the bounds of JSON here.", errors=[error]) from None
        except RecursionError:
            raise BadRequest("malformed_json", "The body is not strict JSON: it nests too deeply.") from None

    def _decoded(self, body: bytes) -> tuple[bool, int]:
        """Whether the fast decoder takes it, and how many members all of its objects have."""
        self._numbers.surplus = 0
        try:
            value: Any = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Violation):
            return False, 0
        return self._numbers.is_within(body), members(value, self._bounds)


class Replay:
    """`receive` of a body that has been read: once the whole of it, then what the server says."""

    __slots__ = (
        "_message",
        "_receive",
        "body",
    )

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body = body
        self._message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._receive = receive

    async def __call__(self) -> Message:
        message, self._message = self._message, None
        return await self._receive() if message is None else message
