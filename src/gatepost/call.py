"""What passes through the layers: the request with its endpoint and actor, and the response.

The gate makes one `Call` per HTTP request and leaves it in `scope["gatepost"]`; every layer below reads it there.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.asgi import Receive, Scope, Send
from gatepost.errors import BadRequest, Header
from gatepost.languages import preferred_language
from gatepost.operations import Operation, RouteRules
from gatepost.pydantic_models import pydantic_document
from gatepost.response_additions import AfterResponse, ResponseAdditions, StreamedBody
from gatepost.response_fields import SameSite, cookie_field, field_value, response_field
from gatepost.view import NO_FIELDS, View

SAFE = ("GET", "HEAD")
"""Methods that only read (RFC 9110, section 9.2.1): transactions are READ ONLY, and a client that goes ends them."""

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
"""The methods that this server knows, in the order of `Allow`."""

REFUSED_METHODS = ("TRACE", "CONNECT", "QUERY")
"""Known to HTTP and allowed on no path: TRACE shows credentials to scripts, CONNECT is for proxies, and what QUERY asks
in a body, GET asks in the query string."""

KEPT_BYTES_MAX = 65_536
"""Larger bodies are not kept once they are read."""

JSON_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/json"),)


class Response(msgspec.Struct, gc=False):
    """A response: status, headers besides those that the gate adds, and the whole body.

    `cache_control` is its `Cache-Control`; without one, the gate forbids caches to store a response to a signed-in
    user. The fields are bytes as they are sent; `json`, `text`, `html`, `binary` and `redirect` make a response of
    what a program has, and raise `ValueError` for headers that cannot be sent or that the gate sets.
    """

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = JSON_HEADERS
    cache_control: bytes | None = None

    @classmethod
    def binary(
        cls,
        body: bytes,
        content_type: str = "application/octet-stream",
        *,
        status: int = 200,
        headers: Mapping[str, str] = {},
        cache_control: str | None = None,
    ) -> "Response":
        """Bytes of any type."""
        return cls(
            status,
            body,
            (
                (b"content-type", field_value("content-type", content_type)),
                *(response_field(name, value) for name, value in headers.items()),
            ),
            None if cache_control is None else field_value("cache-control", cache_control),
        )

    @classmethod
    def text(cls, text: str, **options: Any) -> "Response":
        """Plain text. The options are `status`, `headers` and `cache_control`, as of `binary`."""
        return cls.binary(text.encode(), "text/plain; charset=utf-8", **options)

    @classmethod
    def html(cls, page: str, **options: Any) -> "Response":
        """A page. It may load and run nothing, unless the endpoint declares other `headers=`."""
        return cls.binary(page.encode(), "text/html; charset=utf-8", **options)

    @classmethod
    def json(cls, value: object, **options: Any) -> "Response":
        """A value as JSON, without an envelope."""
        return cls.binary(msgspec.json.encode(value, enc_hook=pydantic_document), "application/json", **options)

    @classmethod
    def redirect(
        cls, location: str, *, status: int = 303, headers: Mapping[str, str] = {}, cache_control: str | None = None
    ) -> "Response":
        """Another place: 303 to GET it, 307 to send the same there; 301 and 308 are for ever. `location` is a path of
        this server or a URL of another; one that a client gives has to be checked first."""
        if status not in _REDIRECTS:
            raise ValueError(
                f"{status} does not lead to another place: write one of {', '.join(map(str, _REDIRECTS))}."
            )
        target = location_field(location)
        made = cls.binary(b"", status=status, headers=headers, cache_control=cache_control)
        return cls(status, b"", (target, *made.headers[1:]), made.cache_control)


def location_field(location: str) -> Header:
    """The `Location` of a response. What cannot stand in a URL, line breaks among it, becomes an escape."""
    return response_field("location", quote(location, safe=_URL_CHARACTERS))


_REDIRECTS = (301, 302, 303, 307, 308)

_URL_CHARACTERS = "%:/?#[]@!$&'()*+,;=~"
"""Reserved characters (RFC 3986, section 2.2) and escapes; anything else becomes an escape."""


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


class Spent(msgspec.Struct, gc=False):
    """What a request has spent in the database: on statements, on waiting for connections, and how many rows it got.

    `personal` are the values of personal fields of the objects that its code has loaded or made, None where there are
    none: what is written while it is served must not show them. `masked` are the texts that it must not show, with what
    they were made of.
    """

    database_ns: int = 0
    pool_wait_ns: int = 0
    rows: int = 0
    personal: set[str] | None = None
    masked: tuple[Any, tuple[str, ...]] | None = None


CURRENT_SPENT: ContextVar[Spent] = ContextVar("gatepost_spent")
"""That of the request that the running task serves, for the layers that spend it.

Not the request itself: timers and tasks that are started while one is served keep its context, some of them for ever,
and a request that is not freed keeps its connection open.
"""


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
    `is_malformed` says that the request is refused for its head or its path, before any path has a say;
    `additions` are what code has added to the response, None where it has added nothing; `attempts` is how often the
    request has tried to sign in or to register somebody, in the present run of its transaction; `issued_token` is the
    token that it has issued for its actor; `bytes_sent` and `spent` are what `RequestFinished` tells of it; `content`
    is its body once that has been read, unless it is large, for what must not be written down while it is served.
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
    additions: ResponseAdditions | None = None
    attempts: int = 0
    issued_token: str | None = None
    bytes_sent: int = 0
    spent: Spent = msgspec.field(default_factory=Spent)
    content: bytes = b""

    @property
    def is_foreign(self) -> bool:
        """True if another application responds: below a mount, or behind `Gate(app)`."""
        return self.rules is not None and self.rules.is_foreign

    @property
    def is_mounted(self) -> bool:
        """True if another application responds below a mount."""
        return self.rules is not None and self.rules.kind == "mount"

    def header(self, name: str) -> str | None:
        """The value of a header; of several lines with one name the last. Bytes beyond ASCII are decoded as Latin-1."""
        value = self.headers.get(name.lower().encode("latin-1", "replace"))
        return None if value is None else value.decode("latin-1")

    @property
    def language(self) -> str | None:
        """The language that the client asks for most, such as "de-CH"; None where it asks for none. The response then
        says that it varies by it, for caches."""
        self._add().varies_by[b"accept-language"] = None
        return preferred_language(self.headers.get(b"accept-language", b"").decode("latin-1"))

    @property
    def state(self) -> dict[str, Any]:
        """What code keeps for the length of this call: `scope["state"]`, which middlewares share (Starlette's
        `request.state`)."""
        state: dict[str, Any] = self.scope.setdefault("state", {})
        return state

    def set_header(self, name: str, value: str) -> None:
        """Add a header to the response, in place of one that it has; a refusal goes without. `Vary` is added to.

        Raises `ValueError` for what cannot be sent in a header, and for headers that the gate sets.
        """
        self._add().add(response_field(name, value))

    def set_cookie(  # noqa: PLR0913 - the attributes of a cookie
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        secure: bool | None = None,
        http_only: bool = True,
        same_site: SameSite = "lax",
    ) -> None:
        """Set a cookie with the response; a refusal goes without. `max_age` is in seconds: None until the browser is
        closed, 0 removes the cookie. It is `secure` where the client came over TLS, unless it says otherwise. No cache
        stores a response with a cookie.

        Raises `ValueError` for what browsers refuse.
        """
        is_secure = self.scope["scheme"] == "https" if secure is None else secure
        self._add().cookies[name, path] = cookie_field(
            name, value, max_age=max_age, path=path, secure=is_secure, http_only=http_only, same_site=same_site
        )

    def after_response(self, callback: AfterResponse) -> None:
        """Call `callback` after the last byte of the response, and never where the call is refused or fails.

        It may be asynchronous; a synchronous one must not block. A client that disconnects does not stop it. What it
        raises is logged and changes nothing. A process that stops waits for it as for requests.
        """
        self._add().callbacks.append(callback)

    def _add(self) -> ResponseAdditions:
        if self.additions is None:
            self.additions = ResponseAdditions()
        return self.additions

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

    def stream(self, body: StreamedBody) -> None:
        """Send the response of this call with a body that is made while it is sent."""
        self._add().streamed = body

    def begin_streaming(self) -> None:
        """The body of the response is sent from now on, for any time. Implemented by the gate, which bounds only how
        long the client may take for a part, and counts the request as running no longer."""
        raise NotImplementedError("only the gate can send a response")

    def end_streaming(self) -> None:
        """The body is sent. Implemented by the gate."""
        raise NotImplementedError("only the gate can send a response")

    async def send_part(self, send: Send, part: bytes, *, is_last: bool = False) -> None:
        """Send a part of such a body, and wait until the client has room for it. Implemented by the gate."""
        raise NotImplementedError("only the gate can send a response")

    async def body(self) -> bytes:
        """The whole body. The gate's `receive` holds it to the size and time limits of the route."""
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            if len(body) <= KEPT_BYTES_MAX:
                self.content = body
            return body
        chunks = [body]
        while message.get("more_body", False):
            message = await self.receive()
            chunks.append(message.get("body", b""))
        if message["type"] == "http.disconnect":
            raise BadRequest("malformed_request", "The body ended before it was complete.")
        body = b"".join(chunks)
        if len(body) <= KEPT_BYTES_MAX:
            self.content = body
        return body
