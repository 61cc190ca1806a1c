"""The kinds of responses that a server can give: the request that gets one, and what is expected of it."""

import re
import uuid
from dataclasses import dataclass, field

from gatepost.gateway.header_profiles import PAGES, STRICT
from gatepost.gateway.problem_pages import ProblemPages, gatepost_problems


@dataclass
class Kind:
    """One kind of response. `extra` are the values, as regular expressions, of headers beyond those of its profile."""

    name: str
    status: int
    request: str
    headers: list[str] = field(default_factory=list)
    body: str = ""
    profile: dict[str, str] = field(default_factory=lambda: JSON_PROFILE)
    extra: dict[str, str] = field(default_factory=dict)
    is_private: bool = False
    is_limited: bool = True
    asked_before: int = 0

    def expected(self) -> dict[str, str]:
        """The values of all headers, as regular expressions."""
        fixed = {"vary": "origin", "connection": "close", **self.profile}
        private = {"cache-control": "no-store"} if self.is_private else {}
        return {**{name: re.escape(value) for name, value in fixed.items()}, **private, **self.extra}


JSON_PROFILE = {name.decode(): value.decode() for name, value in STRICT}
PAGE_PROFILE = {name.decode(): value.decode() for name, value in PAGES}
SHARED_PROFILE = {**JSON_PROFILE, "cross-origin-resource-policy": "cross-origin"}
FRAMED_PROFILE = {name: value for name, value in PAGE_PROFILE.items() if name != "x-frame-options"}

ORIGIN = "origin: https://shop.example"
JSON, GZIP = "content-type: application/json", "accept-encoding: gzip"
BEARER, READER = "authorization: Bearer {token}", "authorization: Bearer {reader}"
CORS = {
    "access-control-allow-origin": "https://shop.example",
    "access-control-expose-headers": "etag, link, location, ratelimit, ratelimit-policy, retry-after, x-request-id",
}
PREFLIGHT = {
    "vary": "origin, access-control-request-method, access-control-request-headers",
    "access-control-allow-origin": "https://shop.example",
    "access-control-allow-methods": "GET, .*",
    "access-control-allow-headers": "authorization, .*",
    "access-control-max-age": "7200",
}
PROBLEM_PAGE_PROFILE = {
    **JSON_PROFILE,
    "content-security-policy": ProblemPages(gatepost_problems()).policy,
}
PROBLEM_PAGE = {
    "content-type": re.escape("text/html; charset=utf-8"),
    "cache-control": "public, max-age=3600",
    "vary": "authorization, origin",
}
DATA = {"content-type": "application/json"}
TAG = r'"1\.[0-9a-f]{8}"'
HTML = {"content-type": "text/html"}
PROBLEM = {"content-type": re.escape("application/problem+json")}
CLOSED = {**PROBLEM, "connection": "close"}

KINDS = [
    Kind("list", 200, "GET /api/notes?limit=2", extra={**DATA, "link": "<.*"}),
    Kind("compressed", 200, "GET /api/notes?limit=30", [GZIP], extra={
        **DATA, "link": "<.*", "content-encoding": "gzip", "vary": "accept-encoding, origin"}),
    Kind("row", 200, "GET /api/notes/{id}", extra={**DATA, "etag": TAG}),
    Kind("row, signed in", 200, "GET /api/notes/{id}", [BEARER], extra={**DATA, "etag": TAG}, is_private=True),
    Kind("unchanged", 304, "GET /api/notes/{id}", ["if-none-match: {tag}"], extra={
        "etag": TAG, "vary": "accept-encoding, origin"}),
    Kind("head", 200, "HEAD /api/notes/{id}", extra={**DATA, "etag": TAG}),
    Kind("options", 204, "OPTIONS /api/notes", extra={"allow": "GET, HEAD, POST, OPTIONS"}),
    Kind("preflight", 204, "OPTIONS /api/notes", [ORIGIN, "access-control-request-method: PATCH"], extra=PREFLIGHT),
    Kind("cross origin", 200, "GET /api/notes/{id}", [ORIGIN], extra={**DATA, **CORS, "etag": TAG}),
    Kind("created", 201, "POST /api/notes", [JSON, BEARER], '{"title": "Second"}', extra={
        **DATA, "location": "/api/notes/.*", "etag": TAG}, is_private=True),
    Kind("taken", 409, "POST /api/notes", [JSON, BEARER], '{"title": "First"}', extra=PROBLEM, is_private=True),
    Kind("strange path", 400, "GET /api/notes%2f", extra=PROBLEM),
    Kind("strange query", 400, "GET /api/notes?colour=red", extra=PROBLEM),
    Kind("strange JSON", 400, "POST /api/notes", [JSON, BEARER], '{"title"', extra=PROBLEM, is_private=True),
    Kind("not signed in", 401, "POST /api/notes", [JSON], "{}", extra={**PROBLEM, "www-authenticate": "Bearer"}),
    Kind("forged", 401, "GET /api/notes", ["authorization: Bearer x.y.z"], extra={
        **PROBLEM, "www-authenticate": 'Bearer error="invalid_token"'}),
    Kind("wrong role", 403, "POST /api/notes", [JSON, READER], '{"title": "x"}',
         extra=PROBLEM, is_private=True),
    Kind("no such path", 404, "GET /nowhere", extra=PROBLEM),
    Kind("no such row", 404, f"GET /api/notes/{uuid.UUID(int=1)}", extra=PROBLEM),
    Kind("no such method here", 405, "DELETE /api/notes", extra={**PROBLEM, "allow": "GET, HEAD, POST, OPTIONS"}),
    Kind("no such method", 501, "BREW /api/notes", extra=PROBLEM),
    Kind("slow body", 408, "POST /api/notes", [JSON, BEARER, "content-length: 9"], extra=CLOSED, is_private=True),
    Kind("stale version", 412, "PATCH /api/notes/{id}", [JSON, BEARER, 'if-match: "77"'], '{"title": "New"}',
         extra=PROBLEM, is_private=True),
    Kind("too large", 413, "POST /api/notes", [JSON, "content-length: 99999999"], extra=CLOSED),
    Kind("wrong type", 415, "POST /api/notes", ["content-type: text/plain"], "{}", extra={
        **PROBLEM, "accept": "application/json, application/merge-patch\\+json"}),
    Kind("violation", 422, "POST /api/notes", [JSON, BEARER], "{}", extra=PROBLEM, is_private=True),
    Kind("no version", 428, "PATCH /api/notes/{id}", [JSON, BEARER], '{"title": "New"}',
         extra=PROBLEM, is_private=True),
    Kind("failure", 500, f"GET /api/broken/{uuid.UUID(int=1)}", extra=PROBLEM),
    Kind("cached", 200, "GET /api/shared", profile=SHARED_PROFILE, extra={
        **DATA, "cache-control": "public, max-age=60", "vary": "authorization, origin"}),
    Kind("limited", 429, "GET /api/rare", profile=SHARED_PROFILE, extra={
        **PROBLEM, "retry-after": r"\d+"}, asked_before=1),
    Kind("live", 200, "GET /livez", extra={**DATA, "cache-control": "no-store"}, is_limited=False),
    Kind("ready", 200, "GET /readyz", extra={**DATA, "cache-control": "no-store"}, is_limited=False),
    Kind("problem", 200, "GET /problems/not_found", profile=PROBLEM_PAGE_PROFILE, extra=PROBLEM_PAGE),
    Kind("problem's head", 200, "HEAD /problems/not_found", profile=PROBLEM_PAGE_PROFILE, extra=PROBLEM_PAGE),
    Kind("problem, signed in", 200, "GET /problems/not_found", [BEARER], profile=PROBLEM_PAGE_PROFILE,
         extra=PROBLEM_PAGE),
    Kind("no such problem", 404, "GET /problems/xyz", profile=PROBLEM_PAGE_PROFILE, extra=PROBLEM),
    Kind("no list of problems", 404, "GET /problems", extra=PROBLEM),
    Kind("no change of a problem", 405, "POST /problems/not_found", [JSON], "{}", extra={
        **PROBLEM, "allow": "GET, HEAD, OPTIONS"}),
    Kind("wrong password", 401, "POST /api/auth/login", [JSON], '{"email": "a@b.example", "password": "x"}', extra={
        **PROBLEM, "www-authenticate": "Bearer"}),
    Kind("page", 200, "GET /page", profile=PAGE_PROFILE, extra=HTML),
    Kind("page's head", 200, "HEAD /page", profile=PAGE_PROFILE, extra=HTML),
    Kind("no such page", 404, "GET /missing", profile=PAGE_PROFILE, extra=HTML),
    Kind("page elsewhere", 302, "GET /moved", profile=PAGE_PROFILE, extra={"location": "/page"}),
    Kind("unchanged page", 304, "GET /unchanged", profile=PAGE_PROFILE, extra={"etag": '"1"'}),
    Kind("data of a mount", 200, "GET /data", extra=DATA),
    Kind("headers of a mount", 200, "GET /framed", profile=FRAMED_PROFILE, extra={**HTML, "x-robots-tag": "noindex"}),
    Kind("large body to a mount", 413, "POST /page", ["content-length: 99999999"], extra=CLOSED),
    Kind("failing mount", 500, "GET /fails", extra=PROBLEM),
    Kind("slow mount", 504, "GET /slow", extra=PROBLEM),
]  # fmt: skip
