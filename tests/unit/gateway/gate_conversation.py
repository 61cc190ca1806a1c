"""What the gate's tests share: a scope as Granian makes it, small applications, and one whole exchange."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.call import Match
from gatepost.declaring.rate_limits import RateLimit, named
from gatepost.errors import Header, MethodNotAllowed, NotFound
from gatepost.events import Events
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.gateway.gate_call import GateCall
from gatepost.gateway.queue_lanes import Admission
from gatepost.gateway.request_deadlines import Deadline
from gatepost.operations import Kind, RouteRules
from gatepost.response_backlog import ResponseBacklog
from gatepost.settings import GateSettings


class GateResponse(msgspec.Struct):
    """What a client would have got."""

    status: int
    headers: list[Header]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header, None where absent; a doubled header is a mistake."""
        values = [value.decode() for key, value in self.headers if key == name.encode()]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def problem(self) -> dict[str, Any]:
        """The problem details."""
        assert self.header("content-type") == "application/problem+json"
        details: dict[str, Any] = msgspec.json.decode(self.body)
        return details


def route(
    name: str = "Book.get",
    *,
    kind: Kind = "api",
    limits: tuple[RateLimit, ...] = (),
    body_bytes_max: int | None = None,
) -> RouteRules:
    """The rules of a route; the application under test responds."""
    return RouteRules(
        pattern=f"/{name}",
        kind=kind,
        limits=named(name, limits) if limits else (),
        body_bytes_max=body_bytes_max,
        is_foreign=kind == "mount",
        waits_elsewhere=kind == "mount",
    )


ROUTES = {
    "/api/books": route(),
    "/api/small": route("Small.create", body_bytes_max=4),
    "/api/rare": route("Rare.get", limits=(RateLimit(1, per=60), RateLimit(2, per=3600))),
    "/api/auth/login": route("login", kind="auth"),
    "/livez": route("livez", kind="probe"),
    "/legacy": route("legacy", kind="mount"),
}


def match(method: str, path: str) -> Match:
    """A matcher with one path of each kind."""
    if path not in ROUTES:
        raise NotFound("not_found", "There is nothing here.")
    if method == "DELETE":
        raise MethodNotAllowed("method_not_allowed", "Not this.", headers=[(b"allow", b"GET, POST")])
    return ROUTES[path], None, ()


def gate(
    app: ASGIApp,
    events: Events | None = None,
    *,
    backlog: ResponseBacklog | None = None,
    **settings: Any,
) -> GateMiddleware:
    """A gate around `app`, with the defaults of production unless told otherwise."""
    chosen, events = GateSettings(**settings), events or Events()
    limiter = make_limiter(chosen, events)
    return GateMiddleware(app, match=match, limiter=limiter, settings=chosen, events=events, backlog=backlog)


def scope(
    method: str = "GET",
    path: str = "/api/books",
    headers: Sequence[Header] = (),
    *,
    client: str = "192.0.2.1",
    raw_path: bytes | None = None,
    scheme: str = "http",
    http_version: str = "1.1",
) -> Scope:
    """A scope as Granian makes it: ports are texts, `raw_path` keeps the bytes."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": http_version,
        "server": ("127.0.0.1", "8000"),
        "client": (client, "43434"),
        "scheme": scheme,
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000"), *headers],
    }


def call_of(asked: Scope, *, arrived_at: int = 0) -> GateCall:
    """The request that the gate makes of a scope."""
    address = asked["client"]
    client = address[0] if address else ""
    admission = Admission(arrived_at)
    return GateCall(
        asked,
        forbidden_receive,
        "id",
        client,
        dict(asked["headers"]),
        asked["query_string"],
        send=None,  # type: ignore[arg-type]
        response_headers=None,  # type: ignore[arg-type]
        admission=admission,
        deadline=Deadline(admission),
    )


async def forbidden_receive() -> Message:
    """A `receive` that nobody may call."""
    raise AssertionError("receive() was called for a request without a body")


def parts(*chunks: bytes) -> Receive:
    """A body in parts."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


async def ask(app: ASGIApp, asked: Scope | None = None, receive: Receive = forbidden_receive) -> GateResponse:
    """Send one request through and collect the response."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope() if asked is None else asked, receive, send)
    return collect(messages)


def collect(messages: list[Message]) -> GateResponse:
    """The response that these messages make."""
    assert [message["type"] for message in messages[:1]] == ["http.response.start"]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return GateResponse(messages[0]["status"], list(messages[0]["headers"]), body)


def responding(status: int = 200, body: bytes = b"{}", headers: Sequence[Header] = ()) -> ASGIApp:
    """An application that always sends the same response, with the very same message objects each time."""
    start = {"type": "http.response.start", "status": status, "headers": list(headers)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app


def raising(error: BaseException) -> ASGIApp:
    """An application that raises."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that responds with the body it has read."""
    body = await scope["gatepost"].body()
    await responding(body=body)(scope, receive, send)
