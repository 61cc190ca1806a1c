"""JSON on its way to an application that reads it by itself: whole and checked.

Used behind the gate alone. What is good is handed on byte for byte.
"""

from collections.abc import Callable

import msgspec

from gatepost.asgi import Message, Receive
from gatepost.call import Call
from gatepost.gateway.header_profiles import is_json


async def read_json_body(call: Call, receive: Receive, check: Callable[[bytes], None]) -> Receive:
    """The `receive` that gives the checked body, where it is JSON; `receive` itself where it is not.

    The body is read before the application is called, so that a slow one occupies nothing but the gate. Raises what
    reading raises, and what `check` raises for a body that it refuses.
    """
    if not is_json(call.headers.get(b"content-type", b"")):
        return receive
    body = await call.body()
    if body:
        check(body)
    return Replay(body, receive)


class Replay(msgspec.Struct, eq=False):
    """`receive` of a body that has been read: once the whole of it, then what the server says."""

    body: bytes
    receive: Receive
    is_given: bool = False

    async def __call__(self) -> Message:
        if self.is_given:
            return await self.receive()
        self.is_given = True
        return {"type": "http.request", "body": self.body, "more_body": False}
