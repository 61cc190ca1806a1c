import pytest
from gate_conversation import ROUTES, call_of, route, scope

from gatepost.actor import Actor
from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import TooManyRequests
from gatepost.events import Events, LimitExceeded
from gatepost.gateway.buckets import LocalBuckets
from gatepost.gateway.gate_call import GateCall
from gatepost.gateway.limiter import Limiter
from gatepost.operations import RouteRules

SECOND = 1_000_000_000
LIMITS = {"api": RateLimit(3, per=30.0), "auth": RateLimit(1, per=30.0)}


class Bench:
    def __init__(self) -> None:
        self.now = 123 * SECOND
        self.exceeded: list[LimitExceeded] = []
        events = Events()
        events.subscribe(LimitExceeded, self.exceeded.append)
        self.limiter = Limiter(LIMITS, LocalBuckets(clock=lambda: self.now), events)

    def call(self, which: RouteRules | None, client: str = "192.0.2.1", actor: Actor | None = None) -> GateCall:
        call = call_of(scope(client=client))
        call.rules = which
        if actor is not None:
            call.actor = actor
        return call

    def headers(self, call: GateCall) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in call.taken.headers()}


def test_the_headers_say_what_is_left_and_when_it_is_whole_again() -> None:
    bench = Bench()
    call = bench.call(ROUTES["/api/books"])
    bench.limiter.admit_address(call)
    assert bench.headers(call) == {"ratelimit-policy": '"api";q=3;w=30', "ratelimit": '"api";r=2;t=10'}


def test_a_refusal_says_when_to_come_again_and_is_emitted() -> None:
    bench = Bench()
    for _ in range(3):
        bench.limiter.admit_address(bench.call(None, client="2001:db8::1"))
    bench.now += SECOND // 2
    call = bench.call(None, client="2001:db8::2")
    with pytest.raises(TooManyRequests) as caught:
        bench.limiter.admit_address(call)
    assert caught.value.headers == ((b"retry-after", b"10"),)
    assert bench.headers(call)["ratelimit"] == '"api";r=0;t=30'
    assert bench.exceeded == [LimitExceeded(limit="api", key="2001:db8::/64")]


def test_addresses_and_kinds_have_buckets_of_their_own_and_system_has_none() -> None:
    bench = Bench()
    bench.limiter.admit_address(bench.call(ROUTES["/api/auth/login"]))
    with pytest.raises(TooManyRequests):
        bench.limiter.admit_address(bench.call(ROUTES["/api/auth/login"]))
    bench.limiter.admit_address(bench.call(ROUTES["/api/auth/login"], client="192.0.2.2"))
    bench.limiter.admit_address(bench.call(ROUTES["/api/books"]))
    for _ in range(10):
        probe = bench.call(ROUTES["/livez"])
        bench.limiter.admit_address(probe)
        assert probe.taken is None


def test_a_routes_own_limits_stand_in_place_of_the_default() -> None:
    bench = Bench()
    call = bench.call(ROUTES["/api/rare"])
    bench.limiter.admit_address(call)
    assert bench.headers(call) == {
        "ratelimit-policy": '"Rare.get 1 / 1 min";q=1;w=60, "Rare.get 2 / 1 h";q=2;w=3600',
        "ratelimit": '"Rare.get 1 / 1 min";r=0;t=60, "Rare.get 2 / 1 h";r=1;t=1800',
    }
    with pytest.raises(TooManyRequests):
        bench.limiter.admit_address(bench.call(ROUTES["/api/rare"]))
    for _ in range(3):
        bench.limiter.admit_address(bench.call(ROUTES["/api/books"]))


def test_an_actor_is_limited_over_all_addresses_and_a_refusal_gives_the_address_its_token_back() -> None:
    bench = Bench()
    actor = Actor(7)
    for number in range(3):
        call = bench.call(ROUTES["/api/books"], client=f"192.0.2.{number}", actor=actor)
        bench.limiter.admit_address(call)
        bench.limiter.admit_actor(call)
    assert bench.headers(call) == {
        "ratelimit-policy": '"api";q=3;w=30, "api-actor";q=3;w=30',
        "ratelimit": '"api";r=2;t=10, "api-actor";r=0;t=30',
    }
    refused = bench.call(ROUTES["/api/books"], client="192.0.2.9", actor=actor)
    bench.limiter.admit_address(refused)
    with pytest.raises(TooManyRequests):
        bench.limiter.admit_actor(refused)
    assert bench.headers(refused)["ratelimit"] == '"api-actor";r=0;t=30'
    stranger = bench.call(ROUTES["/api/books"], client="192.0.2.9")
    bench.limiter.admit_address(stranger)
    assert bench.headers(stranger)["ratelimit"] == '"api";r=2;t=10'


async def test_a_refusal_of_an_account_tells_no_email() -> None:
    bench, email = Bench(), "ada@example.com"
    calls = [bench.call(None, client) for client in ("192.0.2.1", "198.51.100.1")]
    for call in calls:
        call.attempts = 1
    await bench.limiter.admit_account(calls[0], email, is_own_device=False)
    with pytest.raises(TooManyRequests):
        await bench.limiter.admit_account(calls[1], email, is_own_device=False)
    [exceeded] = bench.exceeded
    assert exceeded.limit == "auth-account"
    assert exceeded.key.startswith("account:")
    assert "ada" not in exceeded.key


def test_the_second_stage_takes_nothing_from_the_anonymous() -> None:
    bench = Bench()
    requests = [bench.call(ROUTES["/api/books"]) for _ in range(10)]
    assert [bench.limiter.admit_actor(call) for call in requests] == [None] * 10
    assert {call.taken for call in requests} == {None}
    assert bench.exceeded == []


def test_a_name_cannot_break_the_structured_field() -> None:
    bench = Bench()
    call = bench.call(route('a"b\\ü%s', limits=(RateLimit(5, per=5.0),)))
    bench.limiter.admit_address(call)
    assert bench.headers(call)["ratelimit"] == '"a\\"b\\\\__s";r=4;t=1'
