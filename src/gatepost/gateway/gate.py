"""The gate: an ASGI application around any ASGI application.

First in the request path. `GateMiddleware.__call__` is the whole of it, in order; each part stands in a module of its
own beside this one. It leaves to others who is asking (auth), what a path means (the injected matcher) and what a body
says (DTOs).
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from time import monotonic_ns

from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.background import is_failure
from gatepost.call import CURRENT_SPENT, Call, FindMatch, Response
from gatepost.errors import OutcomeUnknown, Overloaded, Problem
from gatepost.events import Events, RequestFailed, RequestFinished
from gatepost.gateway.admission import AdmissionQueue
from gatepost.gateway.body_limits import BODY_HEADERS, BodyLimits
from gatepost.gateway.buckets import Buckets, LocalBuckets
from gatepost.gateway.compression import CONDITIONS, strip_entity_tags
from gatepost.gateway.cors_rules import PREFLIGHT, compile_cors, is_preflight
from gatepost.gateway.dialect_problems import DialectProblems
from gatepost.gateway.gate_call import GateCall, ResponseHeaders
from gatepost.gateway.header_checks import HeaderChecks
from gatepost.gateway.header_profiles import NO_STORE
from gatepost.gateway.large_responses import LargeResponses
from gatepost.gateway.limiter import Limiter
from gatepost.gateway.paths import check_path
from gatepost.gateway.problems import CHALLENGE, INTERNAL, render, render_body
from gatepost.gateway.queue_lanes import Admission
from gatepost.gateway.request_deadlines import Deadline, FindWriting, RequestDeadlines, find_no_writing
from gatepost.gateway.response_callbacks import ResponseCallbacks
from gatepost.operations import RouteRules
from gatepost.response_additions import StreamedBody
from gatepost.response_backlog import ResponseBacklog
from gatepost.settings import GateSettings

NANOSECONDS = 1_000_000_000

HEADERS_TO_CHECK = CONDITIONS | BODY_HEADERS
"""A request without any of these has neither a body nor an entity tag, as most reads."""

UNMATCHED = "unmatched"
"""The route of requests whose path leads nowhere."""

CANCELLED = 499
"""The status in `RequestFinished` where the server cancelled a request before its response."""


class GateMiddleware:
    """Limits, headers, CORS, bodies, deadlines and refusals in front of an ASGI application, of parts that a
    composition root has built: `composition.py` for an app of Gatepost, `standalone.py` for any other.
    """

    def __init__(  # noqa: PLR0913 - what the gate is composed of
        self,
        app: ASGIApp,
        *,
        match: FindMatch,
        limiter: Limiter,
        settings: GateSettings,
        events: Events,
        routes: Sequence[RouteRules] = (),
        challenges: Sequence[str] = ("Bearer",),
        problem_types: Mapping[str, str] = {},
        dialect_problems: DialectProblems | None = None,
        credential_headers: Sequence[str] = ("authorization",),
        is_known: Callable[[Call], bool] = lambda call: False,
        find_writing: FindWriting = find_no_writing,
        backlog: ResponseBacklog | None = None,
    ) -> None:
        """`match` finds the route of a request; one of kind "mount" gets the byte limit and the headers of a page,
        one of kind "probe" no rate limit. `routes` are all that it can find, for what is made at start. `limiter`
        takes the tokens of addresses here; those of actors are taken behind the gate. `is_known` tells whether the
        client is signed in, without a query. `challenges` are those of a 401, `credential_headers` the request headers
        (in lower case) by which clients are told apart behind the gate: each stands once, may be sent by pages that
        CORS admits, and is named in `Vary`. `problem_types` are the `type` of problems by code;
        `dialect_problems` make the bodies of those below a path, once the path is known to be one.
        `find_writing` gives what ends the wait of a task that has sent a COMMIT (`request_deadlines.py`).
        `backlog` is told how many bytes clients have not yet taken.
        """
        self._app = app
        self._match = match
        self.limiter = limiter
        limiter.prepare(routes)
        self._uri_bytes_max = settings.uri_bytes_max
        self._header_checks = HeaderChecks(settings, match, credential_headers)
        self._cors = compile_cors(settings, routes, match, credential_headers)
        self._compresses = settings.compress
        self._queue = AdmissionQueue(settings, events, is_known)
        self._deadlines = RequestDeadlines(settings, self._queue, find_writing, events)
        self._response_headers = ResponseHeaders(
            self._cors,
            settings,
            LargeResponses(backlog or ResponseBacklog(), self._deadlines),
            credential_headers,
        )
        self._body_limits = BodyLimits(settings.body_bytes_max, self._deadlines)
        self._problem_types = problem_types
        self._dialect_problems = dialect_problems
        self._challenges = tuple((CHALLENGE, each.encode()) for each in challenges)
        self._emit_finished = events.emitter(RequestFinished)
        self._emit_failed = events.emitter(RequestFailed)
        self.callbacks = ResponseCallbacks(events)
        self._id_prefix = f"{secrets.token_urlsafe(9)}."
        self._numbers = count(1)
        self.is_draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0912 - all its steps
        """Serve one request, in this order:

        head (framing, sizes, method, Host, who the client is), path, preflight, matching, limit of the address,
        admission, body (type, size, time), application; around them all the deadline, the headers and the rendering
        of refusals.
        What an application gets before its own code runs is in `standalone.py`.
        """
        if scope["type"] != "http":
            return await self._serve_other(scope, receive, send)
        address = scope["client"]
        admission = Admission(monotonic_ns())
        deadline = Deadline(admission)
        call = GateCall(
            scope,
            receive,
            f"{self._id_prefix}{next(self._numbers):x}",
            address[0] if address else "",
            dict(scope["headers"]),
            scope["query_string"],
            send=send,
            response_headers=self._response_headers,
            admission=admission,
            deadline=deadline,
        )
        scope["gatepost"] = call
        CURRENT_SPENT.set(call.spent)
        # Each stage returns None when it has decided, and an awaitable only when it has to wait: a coroutine for each
        # would cost more than most decisions.
        self._deadlines.enter(deadline, call)
        try:
            try:
                self._header_checks.check(call)
                check_path(scope, self._uri_bytes_max)
            except Problem:
                call.is_malformed = True
                raise
            if self._cors is not None and is_preflight(call):
                call.rules = PREFLIGHT
                if (pending := self.limiter.admit_address(call)) is not None:
                    await pending
                await call.respond(self._cors.preflight(call))
            else:
                # As local names: Python 3.11 is slow at calling an attribute that is not a method.
                match, app = self._match, self._app
                call.rules, call.endpoint, call.path_values = match(scope["method"], scope["path"])
                if (pending := self.limiter.admit_address(call)) is not None:
                    await pending
                # After the limit of the address, so that a client over its limit takes no place in the queue.
                if (pending := self._queue.admit(call, admission)) is not None:
                    await pending
                names = call.headers.keys()
                if not names.isdisjoint(HEADERS_TO_CHECK) or scope["http_version"] >= "2":
                    self._body_limits.admit(call, deadline)
                    if self._compresses and not names.isdisjoint(CONDITIONS):
                        strip_entity_tags(call)
                await app(scope, call.receive, call.send_with_headers)
            if not call.status or call.held_start is not None:
                await self._refuse(call, RuntimeError("The application returned without a response."))
        except BaseException as error:
            await self._refuse(call, error)
        finally:
            self._deadlines.leave(deadline)
            self._queue.leave(admission)
            # Both lead back to the call; without them it is freed at once, and the garbage collector has no work.
            call.receive = receive
            scope.pop("gatepost", None)
            if call.additions is not None:
                self.callbacks.start(call, call.additions)
            if (emit := self._emit_finished) is not None:
                rules, spent = call.rules, call.spent
                emit(
                    RequestFinished(
                        call.id,
                        scope["method"],
                        scope["path"],
                        rules.pattern if rules is not None else UNMATCHED,
                        endpoint.operation.name if (endpoint := call.endpoint) is not None else None,
                        call.status or CANCELLED,
                        (monotonic_ns() - admission.arrived_at) / NANOSECONDS,
                        spent.database_ns / NANOSECONDS,
                        spent.pool_wait_ns / NANOSECONDS,
                        spent.rows,
                        call.bytes_sent,
                        call.client,
                        call.actor.id,
                        call.code,
                    )
                )

    def check_head(self, call: Call) -> None:
        """Raise what the head of a request is refused with, before its path is looked at."""
        self._header_checks.check(call)

    def check_body(self, call: Call, size: int) -> None:
        """Raise what a body of so many bytes is refused with before it is read; `call` is matched."""
        self._body_limits.check(call, size)

    def find_current(self) -> Call | None:
        """The request that the running task serves, None if there is none. Slow: for rare use, such as a log line."""
        try:
            task = asyncio.current_task()
        except RuntimeError:  # a thread without a loop
            return None
        return None if task is None else self._deadlines.find(task)

    def find_caching(self, rules: RouteRules, *, is_private: bool) -> str | None:
        """The `Cache-Control` of data that a path sends without one of its own, to a signed-in user where it
        `is_private`; None where it has none."""
        table = self._response_headers.table(rules, is_page=False, is_caching_decided=False)
        return dict(table[is_private]).get(NO_STORE[0], b"").decode() or None

    @property
    def load(self) -> tuple[int, int]:
        """How many requests run, and how many wait for admission."""
        return self._queue.running, self._queue.waiting

    def drain(self) -> None:
        """From now on every response closes its connection. The readiness probe reads `is_draining`."""
        self.is_draining = True
        self._response_headers.profiles = self._response_headers.profiles.closing()

    async def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until no request is in flight and nothing runs after a response; False where that took longer than
        `timeout_seconds`."""
        until = monotonic_ns() + int(timeout_seconds * NANOSECONDS)
        is_idle = await self._deadlines.wait_idle(timeout_seconds)
        seconds_left = max(0.0, (until - monotonic_ns()) / NANOSECONDS)
        return await self.callbacks.wait_idle(seconds_left) and is_idle

    async def _refuse(self, call: GateCall, error: BaseException) -> None:
        if call.deadline.is_abandoned:
            return  # nobody would read it
        if call.held_start is not None:  # nothing has been sent yet
            call.held_start, call.status = None, 0
        problem = self._problem(call, error)
        if isinstance(problem, Overloaded) and call.taken is not None:
            call.taken.give_back()
        if call.rules is None and call.taken is None:
            # Guessing paths costs tokens as well.
            try:
                if (pending := self.limiter.admit_address(call)) is not None:
                    await pending
            except Problem as refusal:
                problem = refusal
        call.code = problem.code
        if call.status and problem is call.deadline.expired:
            return  # the client has stopped reading: the body stays shorter than stated, and the server cuts it off
        if call.status and call.additions is not None and call.additions.streamed is not None:
            await self._end_stream(call, call.additions.streamed, problem)
            return
        if call.status:
            # The response has begun: all that can be done is to let the server cut the connection.
            if problem is not INTERNAL:
                self._report_failure(call, error)
            raise error
        await call.respond(self._rendered(call, problem))

    async def _end_stream(self, call: GateCall, body: StreamedBody, problem: Problem) -> None:
        """Tell the client of a problem of a response that has begun: in its own form, or by a body without its end,
        upon which the server closes the connection."""
        part = body.failure(self._rendered(call, problem).body)
        if part is not None:
            await call.send_part(call.send, part, is_last=True)

    def _rendered(self, call: GateCall, problem: Problem) -> Response:
        """The response of a refusal: in the form of the dialect, where it has one."""
        if self._dialect_problems is not None and self._dialect_problems.concerns(call):
            try:
                return render_body(problem, self._dialect_problems.body(problem, call), self._challenges)
            except Exception as error:  # of the application's own code
                self._report_failure(call, error)
                problem = INTERNAL
                call.code = problem.code
        return render(problem, call.id, self._challenges, self._problem_types)

    def _problem(self, call: GateCall, error: BaseException) -> Problem:
        """The response to send; raises the error itself where no response can be sent."""
        if (refusal := call.body_refusal) is not None:
            return refusal
        if isinstance(error, OutcomeUnknown):
            return error  # also where its time was up: what counts is that it may have been written
        if (refusal := call.deadline.refusal) is not None:
            return refusal
        if isinstance(error, Problem):
            return error
        if not is_failure(error):
            raise error
        self._report_failure(call, error)
        return INTERNAL

    def _report_failure(self, call: GateCall, error: BaseException) -> None:
        if self._emit_failed is not None:
            route = call.rules.pattern if call.rules is not None else UNMATCHED
            operation = call.endpoint.operation.name if call.endpoint is not None else None
            self._emit_failed(RequestFailed(call.id, call.scope["method"], route, operation, call.actor.id, error))

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "WebSockets are not served here."})
        else:
            await self._app(scope, receive, send)


def make_limiter(
    settings: GateSettings,
    events: Events,
    buckets: Buckets | None = None,
    *,
    find_device: Callable[[Call], str] = lambda call: "",
) -> Limiter:
    """The limiter of these settings; without `buckets`, with those of this process."""
    return Limiter(
        {"api": settings.api_limit, "auth": settings.auth_limit, "preflight": settings.preflight_limit},
        buckets or LocalBuckets(),
        events,
        find_device=find_device,
        returns_on_success=settings.auth_counts == "failures",
    )
