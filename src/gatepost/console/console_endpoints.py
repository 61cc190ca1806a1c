"""The console on a public listener: its page and files for everybody, its data for users with the role.

Signing in is in `console_sign_in.py`. Data is asked of the monitor, over the admin socket, in a thread: the monitor
knows no users, and gets the name of the one who asks with what they ask.
"""

from functools import cache, partial
from pathlib import Path
from urllib.parse import parse_qsl, quote

from gatepost.call import Call, Endpoint, Handler, Response
from gatepost.console.console_files import (
    ASSETS,
    CHANGE_OPERATION,
    DATA,
    DATA_OPERATION,
    POLICY,
    ROOT,
    SESSION,
    ConsoleFile,
    console_files,
)
from gatepost.console.console_sessions import (
    READER,
    WRITER,
    ConsoleSessions,
    check_own_origin,
    check_role,
    shown_session,
)
from gatepost.console.forwarding import Forwarding
from gatepost.console.forwarding_queue import ForwardingQueue
from gatepost.declaring.headers import Headers
from gatepost.declaring.policies import anyone
from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.errors import NotFound, ServiceUnavailable
from gatepost.gateway.codings import KeptBody
from gatepost.operations import ANY_TYPE, Operation, RouteRules
from gatepost.sources import location_of

LIMIT = RateLimit(1200, per=minutes(1))
"""Per client: some pages ask for several things every five seconds."""
BODY_BYTES_MAX = 65_536
SEGMENTS = ("{page}", "{name}", "{key}", "{rest}")
"""Of a path below `/console/api/`, as far as one goes: `limits/address/2001:db8::/64`."""
_NO_STORE = "no-store"
_PASSED_BACK = ("etag", "gatepost-before")


class ConsoleEndpoints:
    """Makes them. `admin_socket` is that of the monitor; without one there is no data."""

    def __init__(self, sessions: ConsoleSessions, admin_socket: Path | None) -> None:
        self._sessions = sessions
        self._forwarding = None if admin_socket is None else Forwarding(admin_socket)
        self._queue = ForwardingQueue()

    def endpoints(self) -> list[Endpoint]:
        """All of them. None depends on the role of an actor before it is asked: a cookie names who looks."""
        page = Headers({"content-security-policy": POLICY}, location=ROOT)
        found = [
            _endpoint("console", "GET", ROOT + rest, self.page, page) for rest in ("", "/{page}", "/{page}/{name}")
        ]
        files = ("{name}", "{folder}/{name}", "{version}/{folder}/{name}")
        found += [_endpoint("console.file", "GET", ASSETS + rest, self.file, page) for rest in files]
        found += [
            _endpoint(name, method, DATA + "/".join(SEGMENTS[:depth]), self.data)
            for name, method in ((DATA_OPERATION, "GET"), (CHANGE_OPERATION, "PUT"))
            for depth in range(1, len(SEGMENTS) + 1)
        ]
        found.append(_endpoint("console.session", "GET", f"{DATA}session", self.session))
        found.append(_endpoint("console.sign_out", "DELETE", SESSION, self.sign_out))
        return found

    def close(self) -> None:
        """Nothing more is asked."""
        self._queue.close()

    async def page(self, call: Call) -> Response:
        """The page: the same for everybody, signed in or not."""
        return _sent(call, console_files().index)

    async def file(self, call: Call) -> Response:
        """A file that it loads. Raises `NotFound`."""
        found = console_files().find("/".join(call.path_values))
        if found is None:
            raise NotFound("not_found", "The console has no file of this name.")
        return _sent(call, found)

    async def session(self, call: Call) -> Response:
        """Who looks."""
        return Response.json(shown_session(await self._sessions.find(call)), cache_control=_NO_STORE)

    async def sign_out(self, call: Call) -> Response:
        """End the session."""
        check_own_origin(call)
        self._sessions.end(call)
        return Response(204, headers=(), cache_control=b"no-store")

    async def data(self, call: Call) -> Response:
        """What the page of the admin listener responds to the user. Raises 401 `not_signed_in`, 403 `forbidden` and
        `cross_origin`, 503 `console_unavailable`."""
        method = call.scope["method"]
        is_change = method == "PUT"
        actor = await self._sessions.find(call)
        check_role(actor, WRITER if is_change else READER)
        if self._forwarding is None:
            raise ServiceUnavailable("console_unavailable", "This process has no monitor that it could ask.")
        body = await call.body() if is_change else b""
        ask = partial(
            self._forwarding.ask,
            method,
            DATA + "/".join(quote(each, safe="") for each in call.path_values),
            dict(parse_qsl(call.query_string.decode("latin-1"))),
            {name.decode(): value.decode("latin-1") for name, value in call.headers.items()},
            body,
            operator=f"user {actor.key}",
            # What is shortened on the page is whole in its data, for who may reveal it; that is written.
            is_shortened=WRITER not in actor.roles,
        )
        found = await self._queue.run(actor.key, ask)
        headers = {name: found.headers[name] for name in _PASSED_BACK if name in found.headers}
        return Response.binary(
            found.body, found.content_type, status=found.status, headers=headers, cache_control=_NO_STORE
        )


def _endpoint(name: str, method: str, pattern: str, handler: Handler, headers: Headers | None = None) -> Endpoint:
    rules = RouteRules(
        pattern=pattern,
        limits=(("console", LIMIT),),
        body_bytes_max=BODY_BYTES_MAX,
        content_types=ANY_TYPE,
        headers=headers,
        waits_elsewhere=name in {DATA_OPERATION, CHANGE_OPERATION},
    )
    source = location_of(handler)
    return Endpoint(Operation(name=name, method=method, rules=rules, allow=anyone, source=source), handler)


def _sent(call: Call, file: ConsoleFile) -> Response:
    headers = {"etag": file.tag}
    if file.is_known(call.header("if-none-match") or ""):
        return Response.binary(b"", file.content_type, status=304, headers=headers, cache_control=file.caching)
    return Response.binary(_kept(file), file.content_type, headers=headers, cache_control=file.caching)


@cache
def _kept(file: ConsoleFile) -> KeptBody:
    return KeptBody(file.body)
