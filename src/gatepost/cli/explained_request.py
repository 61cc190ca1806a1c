"""The request that `gatepost explain` is asked about: its text taken apart, and the call that it makes of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gatepost.actor import Actor, anonymous
from gatepost.call import Call, Endpoint
from gatepost.errors import ConfigurationError
from gatepost.operations import RouteRules

_AS_WRITTEN = "/%:?@!$&'()*+,;=[]|~"
"""What a client may send without an escape, or most send so; anything else of the path and query is escaped."""


class AskedRequest(NamedTuple):
    """A request as it was asked about. `path` is decoded, `raw_path` and `query_string` are as they are sent."""

    method: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: dict[bytes, bytes]
    body: bytes | None

    @property
    def scope(self) -> dict[str, Any]:
        """What a server would make of it."""
        return {
            "type": "http",
            # Only HTTP/1.0 may have no Host: one that is not given is not asked about.
            "http_version": "1.1" if b"host" in self.headers else "1.0",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.raw_path,
            "query_string": self.query_string,
            "headers": [*self.headers.items()],
        }

    @property
    def with_body_headers(self) -> dict[bytes, bytes]:
        """Its headers; of a body that has no type it is JSON."""
        return self.headers if self.body is None else {b"content-type": b"application/json", **self.headers}

    def call(
        self,
        rules: RouteRules | None = None,
        endpoint: Endpoint | None = None,
        values: tuple[str, ...] = (),
        actor: Actor = anonymous,
        body: bytes = b"",
    ) -> Call:
        """The call of this request, as it is before its handler runs."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return Call(
            self.scope,
            receive,
            "explained",
            "127.0.0.1",
            self.with_body_headers,
            self.query_string,
            rules=rules,
            endpoint=endpoint,
            path_values=values,
            actor=actor,
        )


def parse_request(text: str, headers: Sequence[str], body: str | None) -> AskedRequest:
    """`GET /api/books?price[lt]=5`; without a method it is GET. Raises `ConfigurationError`."""
    words = text.split(None, 1)
    method, target = ("GET", text.strip()) if text.lstrip()[:1] == "/" else (words[0], words[-1]) if words else ("", "")
    if not target.startswith("/"):
        raise ConfigurationError(
            f"{text!r} is not a request.", location="REQUEST", hint='Write "GET /api/books?price[lt]=5".'
        )
    path, _, query = target.partition("?")
    raw = quote(path, safe=_AS_WRITTEN).encode()
    return AskedRequest(
        method.upper(),
        unquote_to_bytes(raw).decode("utf-8", "surrogateescape"),
        raw,
        quote(query, safe=_AS_WRITTEN).encode(),
        dict(map(_header, headers)),
        None if body is None else body.encode(),
    )


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not (colon and name.strip()):
        raise ConfigurationError(f"{line!r} is not a header.", location="--header", hint="Write 'If-Match: \"1\"'.")
    return name.strip().lower().encode(), value.strip().encode()
