"""A client that speaks to an ASGI application in the same process, with the identity it was made for."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec

from gatepost.asgi import ASGIApp, Message
from gatepost.testing.streams import ClientStream, Exchange, cut_off, headers_of

BODY_SHOWN_MAX = 500
"""Characters of a body in a sentence."""


class NoBody(AssertionError):
    """A test looks at what a response does not have."""


class ClientResponse(msgspec.Struct, frozen=True):
    """A response. `headers` are by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded. Raises `NoBody` where there is none, or one that is not JSON."""
        if not self.body:
            raise NoBody(f"The response {self.status} has no body.{self._reason()}")
        try:
            return msgspec.json.decode(self.body)
        except ValueError:
            kind = self.headers.get("content-type", "no content type")
            raise NoBody(f"The body of the response {self.status} is not JSON, but {kind}.") from None

    @property
    def data(self) -> Any:
        """`data` of the envelope. Raises `NoBody` where there is none, as in a problem."""
        body: Any = self.json()
        if not (isinstance(body, dict) and "data" in body):
            text = self.body.decode(errors="replace")[:BODY_SHOWN_MAX]
            raise NoBody(f"The response {self.status} has no data: {text}")
        return cast("dict[str, Any]", body)["data"]

    def _reason(self) -> str:
        if self.status == 201:
            return (
                " The actor may create the row but not read it: add a policy for get=, or look at it as another user."
            )
        return ""


class Client:
    """Requests as one identity; without a `token`, anonymous ones. `scheme` is how the token is sent."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        address: str = "127.0.0.1",
        scheme: str = "Bearer",
        settle: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`settle` is awaited after each response: for what runs after it."""
        self._app = app
        self._settle = settle
        self._address = address
        self._headers = {"authorization": f"{scheme} {token}"} if token is not None else {}

    async def get(self, path: str, **options: Any) -> ClientResponse:
        """GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> ClientResponse:
        """POST."""
        return await self.request("POST", path, **options)

    async def patch(self, path: str, **options: Any) -> ClientResponse:
        """PATCH."""
        return await self.request("PATCH", path, **options)

    async def put(self, path: str, **options: Any) -> ClientResponse:
        """PUT."""
        return await self.request("PUT", path, **options)

    async def delete(self, path: str, **options: Any) -> ClientResponse:
        """DELETE."""
        return await self.request("DELETE", path, **options)

    async def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        content: bytes | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ClientResponse:
        """Send one request and wait for the whole response. `json` is encoded, `content` is sent as it is. Raises
        `ConnectionError` for a response that is cut off before its end."""
        scope, body = self._scope(method, path, json=json, content=content, params=params, headers=headers)
        return await self._call(scope, body)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncGenerator[ClientStream]:
        """Send one request and read its response while it is sent. The options are those of `request`. At the end of
        the block the client disconnects."""
        scope, body = self._scope(method, path, **options)
        exchange = Exchange(body)
        serving = asyncio.ensure_future(exchange.serve(self._app, scope))
        try:
            start = await exchange.next()
            if start is None:
                await serving
                raise cut_off()
            yield ClientStream(exchange, start)
        finally:
            exchange.disconnect()
            await serving
            if self._settle is not None:
                await self._settle()

    def _scope(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        content: bytes | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[dict[str, Any], bytes]:
        """A request and its body."""
        body = msgspec.json.encode(json) if json is not msgspec.UNSET else content
        sent = {"host": "test", **self._headers, **{name.lower(): value for name, value in (headers or {}).items()}}
        if body is not None:
            sent = {"content-type": "application/json", "content-length": str(len(body)), **sent}
        path, _, query = path.partition("?")
        if params:
            query = "&".join(filter(None, [query, urlencode({name: str(value) for name, value in params.items()})]))
        raw_path = quote(path, safe="/%!$&'()*+,;=:@").encode()  # RFC 3986: a segment may contain all of these
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": (self._address, "0"),
            "server": ("test", "80"),
        }
        return scope, body or b""

    async def _call(self, scope: dict[str, Any], body: bytes) -> ClientResponse:
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        await self._app(scope, Exchange(body).receive, send)
        if self._settle is not None:
            await self._settle()
        start, *parts = messages
        if parts and parts[-1].get("more_body", False):
            raise cut_off()
        return ClientResponse(start["status"], headers_of(start), b"".join(part.get("body", b"") for part in parts))
