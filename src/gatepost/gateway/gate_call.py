"""One request and its response, as the gate sees them: what comes in, what goes out, and how long it takes.

Lower layers know it as the `Call` in `scope["gatepost"]`. The response passes through `send_with_headers`, which
adds the gate's headers to whatever the application sends.
"""

import asyncio
import sys
from collections.abc import Awaitable, Generator, Iterable, Sequence

from gatepost.asgi import Message, Send
from gatepost.call import Call, Response
from gatepost.errors import Header, Problem
from gatepost.gateway import cors_rules, header_profiles
from gatepost.gateway.body_limits import LimitedReceive, PassedReceive
from gatepost.gateway.compression import BYTES_MIN, compressed, not_modified
from gatepost.gateway.cors_rules import CORSRules
from gatepost.gateway.header_profiles import (
    HeaderProfiles,
    HeaderTable,
    hsts_of,
    is_json,
    may_be_stored,
    stored_vary_of,
    vary_of,
)
from gatepost.gateway.large_responses import LARGE_BYTES, LargeResponses
from gatepost.gateway.limit_sets import TakenTokens
from gatepost.gateway.queue_lanes import Admission
from gatepost.gateway.request_deadlines import Deadline
from gatepost.operations import RouteRules
from gatepost.response_additions import ResponseAdditions
from gatepost.settings import GateSettings


class _Done:
    """An awaitable that does not wait."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE = _Done()


class ResponseHeaders:
    """What the gate adds to responses: security headers, CORS if configured, compression from `compressed_from` bytes
    on, and the sending of large bodies in parts."""

    def __init__(
        self,
        cors: CORSRules | None,
        settings: GateSettings,
        large_responses: LargeResponses,
        credential_headers: Sequence[str],
    ) -> None:
        self.cors = cors
        self.large_responses = large_responses
        self.profiles = HeaderProfiles(
            hsts_of(settings), vary_of(credential_headers), stored_vary_of(credential_headers)
        )
        self.compressed_from = BYTES_MIN if settings.compress else sys.maxsize

    def caching(self, cache_control: bytes) -> tuple[Header, ...]:
        """What tells caches whether, and for whom, they may store a response."""
        vary = self.profiles.stored_vary if may_be_stored(cache_control) else ()
        return ((b"cache-control", cache_control), *vary)

    def table(self, rules: RouteRules | None, *, is_page: bool, is_caching_decided: bool) -> HeaderTable:
        """The security headers of a response whose route may declare its own."""
        if rules is not None and rules.headers is not None:
            return self.profiles.declared(rules.headers, is_page=is_page, is_caching_decided=is_caching_decided)
        return self.profiles.pages if is_page else self.profiles.json


class GateCall(Call, kw_only=True, eq=False):
    """A request in flight. `send` is the server's; `response_headers` adds the gate's headers.

    It holds one object for each concern, and only the owner of that concern writes it: `admission` the admission
    queue, `deadline` the deadlines, `taken` the limiter (None where it took nothing). What was read of a body is in
    `receive`, which is then a `LimitedReceive`.

    `attempts_counted` and `accounts_counted` are the limiter's as well: the numbers of the last attempts to sign in
    that have counted for the address (None before the first) and for the account.

    `held_start` is the start of an application's response until the next message: until then a refusal can replace it.
    Servers do not send it earlier either, but do not take another one.
    """

    send: Send
    response_headers: ResponseHeaders
    admission: Admission
    deadline: Deadline
    taken: TakenTokens | None = None
    attempts_counted: int | None = None
    accounts_counted: int = -1
    held_start: Message | None = None

    async def respond(self, response: Response) -> None:
        """Send a response made by Gatepost, which repeats none of the gate's headers."""
        self.status = status = response.status
        scope = self.scope
        response_headers = self.response_headers
        if len(response.body) >= response_headers.compressed_from:
            response = compressed(self, response)
        elif status == 304 and response_headers.compressed_from == BYTES_MIN:
            response = not_modified(self, response)
        body = response.body
        caching = response.cache_control
        is_private = caching is None and self.actor.id is not None
        rules = self.rules
        if rules is None or rules.headers is None:
            table = response_headers.profiles.json
        else:
            table = response_headers.table(
                rules, is_page=False, is_caching_decided=caching is not None or status >= 400
            )
        headers: list[Header] = [
            *response.headers,
            (b"x-request-id", self.id.encode()),
            *table[(scope["scheme"] == "https") * 2 + is_private],
        ]
        if caching is not None:
            headers += response_headers.caching(caching)
        if self.taken is not None:
            headers += self.taken.headers()
        if response_headers.cors is not None:
            headers += response_headers.cors.headers(self)
        if scope["method"] == "HEAD":
            # With a body the server states its length; without one we have to.
            if status not in _BODILESS:
                headers.append((b"content-length", b"%d" % len(body)))
            body = b""
        is_large = len(body) > LARGE_BYTES
        if is_large:  # sent in parts, it has a length only where we say it
            headers.append((b"content-length", b"%d" % len(body)))
        send = self.send
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if is_large:
            await response_headers.large_responses.send(send, body, self.deadline)
        else:
            await send({"type": "http.response.body", "body": body})
        self.bytes_sent = len(body)

    def begin_streaming(self) -> None:
        """The body of the response is sent while it is made: the time of a request no longer bounds it."""
        self.response_headers.large_responses.deadlines.begin_streaming(self.deadline)

    def end_streaming(self) -> None:
        """The body is sent."""
        self.response_headers.large_responses.deadlines.end_streaming(self.deadline)

    async def send_part(self, send: Send, part: bytes, *, is_last: bool = False) -> None:
        """Send a part of a body, and wait until there is room for it."""
        await self.response_headers.large_responses.send_part(send, part, self.deadline, is_last=is_last)
        self.bytes_sent += len(part)
        # Servers take parts without waiting while there is room, and all of them for a client that has gone: a source
        # that never waits would let nothing else run, not even what notices that.
        await asyncio.sleep(0)

    @property
    def body_refusal(self) -> Problem | None:
        """The refusal of the body, which replaces whatever the application sends."""
        receive = self.receive
        return receive.refusal if isinstance(receive, LimitedReceive | PassedReceive) else None

    def send_with_headers(self, message: Message) -> Awaitable[None]:
        """The `send` that the application gets. A plain function, which saves a coroutine for most messages."""
        if self.held_start is not None:
            return self._send_held(message)
        if message["type"] == "http.response.start":
            if (refusal := self.body_refusal) is not None:
                raise refusal
            self.status = message["status"]
            # A copy: the application may send the same message object again and again.
            self.held_start = {**message, "headers": self._add_headers(message.get("headers", ()))}
            return _DONE
        body = message.get("body", b"")
        if self.scope["method"] == "HEAD" and body:
            message = {**message, "body": b""}
        else:
            self.bytes_sent += len(body)
        return self.send(message)

    async def _send_held(self, message: Message) -> None:
        start, self.held_start = self.held_start, None
        if start is not None:
            await self.send(start)
        await self.send_with_headers(message)

    def _add_headers(self, given: Iterable[Header]) -> list[Header]:
        rules, response_headers = self.rules, self.response_headers
        headers: list[Header] = [*given]
        if self.additions is not None and self.endpoint is None:  # those of an endpoint are on its response already
            headers = self._with_additions(headers, self.additions)
        named = dict(headers)
        is_page = self.is_foreign
        is_private = self.actor.id is not None
        is_caching_decided = self.status >= 400
        clashes = rules is not None and rules.headers is not None
        if named.keys() <= _NEVER_CLASHING and len(named) == len(headers):  # as of nearly every response
            headers = [*named.items()]
            is_page = is_page and not is_json(named.get(b"content-type", b""))
        else:
            # ASGI requires lower-case names; Django sends them capitalised.
            headers = [(name.lower(), value) for name, value in headers]
            for name, value in headers:
                if name == b"content-type":
                    is_page = is_page and not is_json(value)
                elif name == b"cache-control":
                    is_private, is_caching_decided = False, True
                elif name in _REPEATABLE:
                    clashes = True
        given_count = len(headers)
        table = response_headers.table(rules, is_page=is_page, is_caching_decided=is_caching_decided)
        is_tls: bool = self.scope["scheme"] == "https"
        headers += table[is_tls * 2 + is_private]
        headers.append((b"x-request-id", self.id.encode()))
        if self.taken is not None:
            headers += self.taken.headers()
        if response_headers.cors is not None:
            headers += response_headers.cors.headers(self)
        return _resolve_clashes(headers[:given_count], headers[given_count:]) if clashes else headers

    def _with_additions(self, headers: list[Header], additions: ResponseAdditions) -> list[Header]:
        caching = additions.caching(None)
        if caching is None:
            return [*additions.headers(headers)]
        kept = [header for header in headers if header[0].lower() != b"cache-control"]
        return [*additions.headers(kept), (b"cache-control", caching)]


_BODILESS = frozenset({204, 304})
"""These have no body and must not state its length (RFC 9110, section 8.6)."""

_REPEATABLE = header_profiles.NAMES | header_profiles.OURS | cors_rules.NAMES

_NEVER_CLASHING = frozenset(
    {b"content-type", b"content-length", b"date", b"etag", b"last-modified", b"location", b"link"}
)
"""Headers of an application that cannot contradict those of the gate."""

_LISTS = frozenset({b"vary", b"ratelimit", b"ratelimit-policy"})
"""Lists, to which both an application and the gate may add a line."""


def may_clash(headers: Sequence[Header]) -> bool:
    """Whether headers of an application, with names in lower case, may say what the gate's own do."""
    return any(name in _REPEATABLE for name, _ in headers)


def _resolve_clashes(given: list[Header], ours: list[Header]) -> list[Header]:
    """Headers of the application win, except for those that only the gate sets."""
    given = [header for header in given if header[0] not in header_profiles.OURS]
    names = {name for name, _ in given} - _LISTS
    return given + [header for header in ours if header[0] not in names]
