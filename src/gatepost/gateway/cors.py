"""Cross-origin calls from browsers (Fetch standard, CORS protocol): an exact list of origins, nothing else.

Without a list there are no CORS headers at all. Credentials are never allowed: Gatepost's tokens are not cookies.
"""

from collections.abc import Sequence

from gatepost.errors import ConfigurationError, Header
from gatepost.request import Request, Response

EXPOSED = b"etag, link, location, ratelimit, ratelimit-policy, retry-after, x-request-id"
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = b"authorization, content-type, idempotency-key, if-match, if-none-match"
# Browsers keep a preflight's answer for two hours at most.
MAX_AGE = b"7200"

VARY: Header = (b"vary", b"origin")
EXPOSE: Header = (b"access-control-expose-headers", EXPOSED)
NAMES: frozenset[bytes] = frozenset({b"access-control-allow-origin", b"access-control-expose-headers"})


class CORS:
    """The rule of one list of origins: scheme, host and port exactly as browsers send them in `Origin`."""

    def __init__(self, origins: Sequence[str]) -> None:
        for origin in origins:
            _check(origin)
        self._allowed: dict[bytes, Header] = {
            origin.encode(): (b"access-control-allow-origin", origin.encode()) for origin in origins
        }

    def preflight(self, request: Request) -> Response | None:
        """The answer to a preflight from an origin on the list; None for every other request."""
        if request.scope["method"] != "OPTIONS" or b"access-control-request-method" not in request.headers:
            return None
        if request.headers.get(b"origin", b"") not in self._allowed:
            return None
        headers = (
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", REQUEST_HEADERS),
            (b"access-control-max-age", MAX_AGE),
        )
        return Response(204, headers=headers)

    def headers(self, request: Request) -> tuple[Header, ...]:
        """What every answer carries: `Vary`, and the permission where the origin is on the list."""
        allow = self._allowed.get(request.headers.get(b"origin", b""))
        return (VARY,) if allow is None else (VARY, allow, EXPOSE)


def _check(origin: str) -> None:
    scheme, separator, host = origin.partition("://")
    if "*" in origin:
        complaint = f"{origin!r} would let every web page call in."
    elif not separator or scheme not in ("http", "https") or not host or any(sign in host for sign in "/?#@ "):
        complaint = f"{origin!r} is not an origin."
    elif origin != origin.lower() or not origin.isascii():
        complaint = f"{origin!r} is not written the way browsers send it."
    else:
        return
    raise ConfigurationError(
        complaint,
        place="GATEPOST_CORS_ORIGINS",
        cure="List scheme, host and port exactly, in lower case, without a path: https://shop.example",
    )
