"""What passes through the layers: the request with its action and actor, and the response.

The gate makes one `Request` per HTTP request and leaves it in `scope["gatepost"]`; every layer below reads it there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.asgi import Receive, Scope
from gatepost.declaring.cors import CORS
from gatepost.declaring.headers import Headers
from gatepost.declaring.policies import Policy
from gatepost.declaring.rate_limits import NamedLimits
from gatepost.errors import BadRequest, Header

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
"""The methods that this server knows, in the order of `Allow`."""

REFUSED_METHODS = ("TRACE", "CONNECT")
"""Known to HTTP and allowed on no path: TRACE shows credentials to scripts, CONNECT is for proxies."""

JSON_TYPES: frozenset[bytes] = frozenset({b"application/json", b"application/merge-patch+json"})
"""The content types of JSON bodies."""

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


Handler = Callable[["Request"], Awaitable[Response]]


class Action:
    """One method on one path: what the gate matches a request to, before anything else runs.

    `kind` chooses the default rate limit ("api", "auth") or exempts ("system": probes). `limits` are those declared for
    the action or its resource, in place of the default; actions with the same limits share their buckets.
    `body_bytes_max` and `content_types` bound the body. `source` is the file and line of the code that handles it.
    `headers` and `cors` replace those of all responses, None where nothing is declared. `is_foreign` says that another
    ASGI application handles it, which may send pages and streams.
    """

    __slots__ = (
        "allow",
        "body_bytes_max",
        "content_types",
        "cors",
        "handler",
        "headers",
        "is_foreign",
        "kind",
        "limits",
        "method",
        "name",
        "pattern",
        "source",
    )

    def __init__(
        self,
        name: str,
        method: str,
        pattern: str,
        handler: Handler,
        *,
        allow: Policy,
        source: str,
        kind: str = "api",
        limits: NamedLimits = (),
        body_bytes_max: int | None = None,
        content_types: frozenset[bytes] = JSON_TYPES,
        headers: Headers | None = None,
        cors: CORS | None = None,
        is_foreign: bool = False,
    ) -> None:
        self.name = name
        self.method = method
        self.pattern = pattern
        self.handler = handler
        self.allow = allow
        self.source = source
        self.kind = kind
        self.limits = limits
        self.body_bytes_max = body_bytes_max
        self.content_types = content_types
        self.headers = headers
        self.cors = cors
        self.is_foreign = is_foreign or kind == "mount"

    def __repr__(self) -> str:
        return f"Action({self.method} {self.pattern} -> {self.name})"


class Request(msgspec.Struct, eq=False):
    """One HTTP request. A struct, because one is made per request; it compares by identity.

    `headers` maps lower-case names to the last value given; `query_string` is still encoded; `key` is the decoded
    `{id}` segment of the path or None; `client` is the address that limits and logs use; `code` is the error code of a
    refusal, for the access line; `admission` is what the gate's limiter took, None where no limit applies, and private
    to the limiter.
    """

    scope: Scope
    receive: Receive
    id: str
    client: str
    headers: dict[bytes, bytes]
    query_string: bytes
    action: Action | None = None
    key: str | None = None
    actor: Actor = anonymous
    code: str | None = None
    admission: Any = None

    async def respond(self, response: Response) -> None:
        """Send a whole response. Implemented by the gate, which adds its headers."""
        raise NotImplementedError("only the gate can send a response")

    async def body(self) -> bytes:
        """The whole body. The gate's `receive` holds it to the size and time limits of the action."""
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
