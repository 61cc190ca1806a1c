"""Calls across origins (Fetch standard, CORS protocol): preflights, and the headers of every response.

Stands first in the gate. The response to a preflight is bytes made at start, the same for every path, method and
header, so that it does not reveal which paths exist: the browser compares. Without a rule there are no CORS
headers at all.
"""

from collections.abc import Iterable, Sequence

from gatepost.call import Call, FindMatch, Response
from gatepost.declaring.cors import CORS
from gatepost.errors import Header, Problem
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

EXPOSED = ("etag", "link", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id")
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "if-match", "if-none-match")

VARY: Header = (b"vary", b"origin")
PREFLIGHT_VARY: Header = (b"vary", b"origin, access-control-request-method, access-control-request-headers")
CREDENTIALS: Header = (b"access-control-allow-credentials", b"true")
NAMES: frozenset[bytes] = frozenset(
    {b"access-control-allow-origin", b"access-control-expose-headers", b"access-control-allow-credentials"}
)


class CompiledCORS:
    """One declared rule, compiled to bytes."""

    def __init__(self, declared: CORS, credential_headers: Iterable[str]) -> None:
        credentials = (CREDENTIALS,) * declared.credentials
        exposed = ", ".join(sorted({*EXPOSED, *declared.exposed})).encode()
        self._origins = declared.origins
        self._public = declared.public
        self._exposure = (*credentials, (b"access-control-expose-headers", exposed))
        self._granted = (
            *credentials,
            (b"access-control-allow-methods", METHODS),
            (
                b"access-control-allow-headers",
                ", ".join(sorted({*REQUEST_HEADERS, *credential_headers, *declared.headers} - {"cookie"})).encode(),
            ),
            (b"access-control-max-age", b"%d" % declared.max_age_seconds),
        )
        self._refused = Response(204, headers=(PREFLIGHT_VARY,))

    def headers(self, call: Call) -> tuple[Header, ...]:
        """What every response carries: `Vary`, and the permission where the origin has it."""
        permission = self._permission(call)
        return (VARY,) if permission is None else (VARY, permission, *self._exposure)

    def preflight(self, call: Call) -> Response:
        """The response to a preflight. One that asks for a private network gets no permission, whatever its origin."""
        permission = self._permission(call)
        if permission is None or b"access-control-request-private-network" in call.headers:
            return self._refused
        return Response(204, headers=(PREFLIGHT_VARY, permission, *self._granted))

    def _permission(self, call: Call) -> Header | None:
        if self._public:
            return b"access-control-allow-origin", b"*"
        origin = call.headers.get(b"origin")
        if origin is None or origin not in self._origins:
            return None
        return b"access-control-allow-origin", origin


class CORSRules:
    """All rules of an app: its own, and those of routes that declare one. `match` finds the route of a preflight."""

    def __init__(
        self, default: CORS, declared: Iterable[CORS], match: FindMatch, credential_headers: Sequence[str]
    ) -> None:
        self._rules = {rule: CompiledCORS(rule, credential_headers) for rule in (default, *declared)}
        self._default = self._rules[default]
        self._match = match

    def headers(self, call: Call) -> tuple[Header, ...]:
        """What a response carries; a preflight's has it already."""
        rules = call.rules
        if rules is PREFLIGHT:
            return ()
        return self._rule(rules).headers(call)

    def preflight(self, call: Call) -> Response:
        """The response to a preflight."""
        headers = call.headers
        method = headers[b"access-control-request-method"].decode("latin-1")
        try:
            rules, _, _ = self._match(method, call.scope["path"])
        except Problem:
            return self._default.preflight(call)
        return self._rule(rules).preflight(call)

    def _rule(self, rules: RouteRules | None) -> CompiledCORS:
        return self._default if rules is None or rules.cors is None else self._rules[rules.cors]


def compile_cors(
    settings: GateSettings, routes: Iterable[RouteRules], match: FindMatch, credential_headers: Sequence[str]
) -> CORSRules | None:
    """The rules of these settings and routes; None where there are none. Raises `ConfigurationError`.

    Pages of admitted origins may send `credential_headers`.
    """
    declared = [rules.cors for rules in routes if rules.cors is not None]
    default = CORS(
        *settings.cors_origins,
        public=settings.cors_public,
        credentials=settings.cors_credentials,
        location="GATEPOST_CORS_ORIGINS",
    )
    if not (declared or settings.cors_origins or settings.cors_public):
        return None
    return CORSRules(default, declared, match, credential_headers)


def is_preflight(call: Call) -> bool:
    """Whether a browser asks what it may send, instead of sending it."""
    headers = call.headers
    return call.scope["method"] == "OPTIONS" and b"access-control-request-method" in headers and b"origin" in headers


PREFLIGHT = RouteRules(pattern="preflight", kind="preflight")
"""What a preflight counts as: its kind has a rate limit of its own, and takes nothing from its client's others."""
