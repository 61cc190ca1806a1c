"""The one-line application of `benchmarks.gate`, alone and behind the gate, made by factories that Granian calls.

The gate has everything on: limits, all headers, CORS, body and time limits, request ids, compression. Nobody subscribes
to its events, so there is no access line.
"""

import os

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.declaring.rate_limits import RateLimit, minutes, named
from gatepost.events import Events
from gatepost.gateway.buckets import Buckets, BucketTable, LocalBuckets
from gatepost.gateway.buckets.valkey import ValkeyBuckets
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

ORIGIN = "https://shop.example"
BODY = b'{"hello":"world"}'
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}
END: Message = {"type": "http.response.body", "body": BODY}

LIMIT = RateLimit(100, per=minutes(15), burst=10_000_000)
"""The default limit's refill, which decides how long a lease is good, and a bucket that nobody empties in a run."""

TIMEOUT_SECONDS = 5.0
"""A pause of the machine must not turn a measurement of Valkey into one of the buckets that stand in for it."""


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """The application: one line of content."""
    await send(START)
    await send(END)


def alone() -> ASGIApp:
    """The application with nothing around it."""
    return hello


def private() -> ASGIApp:
    """The gate as it is around an application of another kind: buckets of the process."""
    return _gate(LocalBuckets())


def shared() -> ASGIApp:
    """The gate as `gatepost serve` has it: buckets in shared memory, and leases in front of them."""
    return _gate(LocalBuckets(BucketTable.shared("gatepost-benchmark")))


def valkey() -> ASGIApp:
    """The gate with buckets in a Valkey, and leases. Nothing starts it: the first question loads the script."""
    return _gate(ValkeyBuckets(os.environ["VALKEY_URL"], timeout_seconds=TIMEOUT_SECONDS))


def _gate(buckets: Buckets) -> GateMiddleware:
    settings = GateSettings(
        cors_origins=(ORIGIN,),
        trusted_proxies=("127.0.0.1",) if os.environ.get("BEHIND_A_PROXY") else (),
    )
    events = Events()
    rules = RouteRules(pattern="/", limits=named("hello", (LIMIT,)))
    return GateMiddleware(
        hello,
        settings=settings,
        events=events,
        match=lambda method, path: (rules, None, None),
        limiter=make_limiter(settings, events, buckets),
    )
