"""What passes through the layers: the request with its endpoint and actor, and the response.

The gate makes one `Call` per HTTP request and leaves it in `scope["gatepost"]`; every layer below reads it there.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.asgi import Receive, Scope
from gatepost.errors import BadRequest, Header
from gatepost.operations import Operation, RouteRules
from gatepost.view import NO_FIELDS, View

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
"""The methods that this server knows, in the order of `Allow`."""

REFUSED_METHODS = ("TRACE", "CONNECT")
"""Known to HTTP and allowed on no path: TRACE shows credentials to scripts, CONNECT is for proxies."""

JSON_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/json"),)


class Response(msgspec.Struct, gc=False):
    """A response: status, headers besides those that the gate adds, and the whole body.

    `cache_control` is its `Cache-Control`; without one, the gate forbids caches to store a response to a signed-in
    user.
    """

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = JSON_HEADERS
    cache_control: bytes | None = None


Handler = Callable[["Call"], Awaitable[Response]]

Admit = Callable[["Call"], Awaitable[None] | None]
"""Raises the refusal of a request that may not continue. Returns what has to be awaited, where that takes time."""


class Endpoint(NamedTuple):
    """An operation with the function that responds to its requests."""

    operation: Operation
    handler: Handler


Match = tuple[RouteRules, Endpoint | None, tuple[str, ...]]
"""What a method and a path lead to: the rules for the gate, the endpoint where it is one of ours, and the decoded
segments that stand for `{...}` in its path. A plain tuple, because one is made per request."""

FindMatch = Callable[[str, str], Match]
"""Finds what a method and a decoded path lead to. Raises a `Problem` where that is nothing."""


class Call(msgspec.Struct, eq=False):
    """One HTTP request. A struct, because one is made per request; it compares by identity.

    `headers` maps lower-case names to the last value given; `query_string` is still encoded; `client` is the address
    that limits and logs use; `rules` are what the gate goes by, None until the path has been matched; `endpoint` is
    None where another application responds; `path_values` are the segments of the path that stand for `{...}` in the
    endpoint's, decoded (a handler gets that of a composite key with its escapes); `is_ambient` says that the actor was
    found by credentials that browsers send by themselves;
    `view` is what the actor sees and sets of the endpoint's resource, and `below` which row stands above its rows, as
    its controller knows; `unit` is the unit of
    work while a service's transaction runs; `tables_read` are the names of the tables whose rows the response shows or
    depends on, None where that is not known, because a service or a function of the database may have read others;
    `status` is that of the response, 0 until it has begun; `code` is the error code of a refusal, for the access line;
    `is_malformed` says that the request is refused for its head or its path, before any path has a say.
    """

    scope: Scope
    receive: Receive
    id: str
    client: str
    headers: dict[bytes, bytes]
    query_string: bytes
    rules: RouteRules | None = None
    endpoint: Endpoint | None = None
    path_values: tuple[str, ...] = ()
    actor: Actor = anonymous
    is_ambient: bool = False
    view: View = NO_FIELDS
    below: Any = None
    unit: Any = None
    tables_read: frozenset[str] | None = None
    status: int = 0
    code: str | None = None
    is_malformed: bool = False

    @property
    def is_foreign(self) -> bool:
        """True if another application responds: below a mount, or behind `Gate(app)`."""
        return self.rules is not None and self.rules.is_foreign

    @property
    def is_mounted(self) -> bool:
        """True if another application responds below a mount."""
        return self.rules is not None and self.rules.kind == "mount"

    def cookie(self, name: str) -> str | None:
        """The value of a cookie, without the quotes around it; None where the request has no cookie of this name.

        Of several with one name the first counts, which is that of the longest path. Names are case-sensitive. Never
        raises: a pair that is malformed does not hide the others. Bytes beyond ASCII are decoded as Latin-1, so that
        `value.encode("latin-1")` is what the client sent. RFC 6265, sections 4.2 and 5.4.
        """
        for pair in self.headers.get(b"cookie", b"").decode("latin-1").split(";"):
            key, equals, value = pair.partition("=")
            if equals and key.strip(" \t") == name:
                value = value.strip(" \t")
                is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
                return value[1:-1] if is_quoted else value
        return None

    async def respond(self, response: Response) -> None:
        """Send a whole response. Implemented by the gate, which adds its headers."""
        raise NotImplementedError("only the gate can send a response")

    async def body(self) -> bytes:
        """The whole body. The gate's `receive` holds it to the size and time limits of the route."""
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            return body
        chunks = [body]
        while message.get("more_body", False):
            message = await self.receive()
            chunks.append(message.get("body", b""))
        if message["type"] == "http.disconnect":
            raise BadRequest("malformed_request", "The body ended before it was complete.")
        return b"".join(chunks)
