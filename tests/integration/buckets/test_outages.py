"""A Valkey that is refused, hangs, forgets its scripts or comes late: requests go on, and it is back by itself."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
from tests.valkey_server import ValkeyServer
from token_taking import admits, take

from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.errors import ConfigurationError
from gatepost.events import BucketsLost, BucketsRestored, Events
from gatepost.gateway.buckets import BucketGroup, TakeRefused
from gatepost.gateway.buckets.valkey import TIMEOUT_SECONDS, ValkeyBuckets

LONG = minutes(15)


class Scene:
    """Buckets in a Valkey of their own, and what they tell; patient, as long as time is not what is looked at."""

    def __init__(self, server: ValkeyServer, timeout_seconds: float = 5.0) -> None:
        self.server = server
        self.emitted: list[BucketsLost | BucketsRestored] = []
        self.events = Events()
        self.events.subscribe(BucketsLost, self.emitted.append)
        self.events.subscribe(BucketsRestored, self.emitted.append)
        self.buckets = ValkeyBuckets(server.url, prefix=uuid.uuid4().hex, timeout_seconds=timeout_seconds)
        self.api = self.buckets.group([("api", RateLimit(100, per=LONG))])
        self.auth = self.buckets.group([("auth", RateLimit(5, per=LONG))], strict=True)

    async def admits(self, group: BucketGroup, key: str = "192.0.2.1") -> bool:
        return await admits(self.buckets, group, key)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.01)


@pytest.fixture
async def scene(own_valkey: ValkeyServer) -> AsyncIterator[Scene]:
    scene = Scene(own_valkey)
    await scene.buckets.start(scene.events)
    yield scene
    await scene.buckets.stop()


async def test_a_dead_server_is_said_once_and_found_again_by_itself(scene: Scene) -> None:
    assert not scene.buckets.is_unavailable
    assert await scene.admits(scene.auth)
    scene.server.kill()
    for _ in range(50):
        assert await scene.admits(scene.api)
    assert scene.buckets.details["limits"] == "local"
    assert [type(event) for event in scene.emitted] == [BucketsLost]
    scene.server.start()
    await scene.until(lambda: not scene.buckets.is_unavailable)
    _, restored = scene.emitted
    assert isinstance(restored, BucketsRestored)
    # The first request may have spent a token of a lease; all others were decided here.
    assert 48 <= restored.decided_locally <= 50
    assert restored.seconds > 0
    assert await scene.admits(scene.auth)


async def test_while_it_is_away_signing_in_is_stricter_and_the_api_is_not(scene: Scene) -> None:
    scene.server.kill()
    assert [await scene.admits(scene.auth) for _ in range(4)] == [True, True, False, False]
    assert sum([await scene.admits(scene.api) for _ in range(200)]) == 100
    refusal = await take(scene.buckets, scene.api, "192.0.2.1")
    assert isinstance(refusal, TakeRefused)
    assert scene.api.specs[0].remaining(refusal.deficits[0])[0] == 0


async def test_what_was_taken_here_is_given_back_here(scene: Scene) -> None:
    scene.server.kill()
    for _ in range(5):
        at = scene.buckets.clock()
        outcome = await take(scene.buckets, scene.auth, "a", at)
        assert not isinstance(outcome, TakeRefused)
        scene.auth.give_back("a", outcome, at)


@pytest.mark.parametrize("way", ["kill", "pause"])
async def test_a_server_that_is_dead_or_hangs_costs_next_to_nothing(own_valkey: ValkeyServer, way: str) -> None:
    scene = Scene(own_valkey, TIMEOUT_SECONDS)
    await scene.buckets.start(scene.events)
    getattr(scene.server, way)()
    # A request that waits for nothing gives the loop no turn. Its seconds would tell less: on a busy machine they are
    # spent waiting for a core.
    loop, waited = asyncio.get_running_loop(), set[int]()
    begun = time.thread_time()
    async with asyncio.timeout(20):
        for number in range(1000):
            turn = loop.call_soon(waited.add, number)
            await scene.admits(scene.api, f"client {number}")
            await scene.admits(scene.auth, f"client {number}")
            turn.cancel()
    assert len(waited) <= 10
    assert time.thread_time() - begun < 1, "seconds of the processor"
    if way == "pause":
        scene.server.go_on()
        await scene.until(lambda: not scene.buckets.is_unavailable)
    await scene.buckets.stop()


async def test_forgotten_scripts_are_loaded_again(scene: Scene) -> None:
    assert scene.server.command("SCRIPT", "FLUSH") == "+OK"
    assert [await scene.admits(scene.auth) for _ in range(6)] == [True] * 5 + [False]
    assert scene.emitted == []


async def test_a_key_that_somebody_else_has_spoilt_is_decided_here(scene: Scene) -> None:
    (name,) = scene.auth.bucket_keys("a")  # type: ignore[attr-defined]
    scene.server.command("RPUSH", name, "x")
    assert [await scene.admits(scene.auth, "a") for _ in range(3)] == [True, True, False]
    assert not scene.buckets.is_unavailable
    assert await scene.admits(scene.auth, "b")


async def test_a_server_that_comes_later_is_no_reason_not_to_start(own_valkey: ValkeyServer) -> None:
    own_valkey.kill()
    scene = Scene(own_valkey)
    await scene.buckets.start(scene.events)
    assert await scene.admits(scene.api)
    own_valkey.start()
    await scene.until(lambda: not scene.buckets.is_unavailable)
    await scene.buckets.stop()


async def test_tokens_that_are_held_go_back_when_the_process_stops(scene: Scene) -> None:
    for _ in range(20):
        assert await scene.admits(scene.api)
    await scene.buckets.stop()
    other = ValkeyBuckets(scene.server.url, prefix=scene.buckets.prefix, timeout_seconds=5)
    group = other.group([("api", RateLimit(100, per=LONG))], strict=True)
    await other.start(scene.events)
    assert sum([await admits(other, group) for _ in range(100)]) == 80
    await other.stop()


async def test_buckets_are_small_and_vanish_when_they_are_full(scene: Scene) -> None:
    fast = scene.buckets.group([("fast", RateLimit(3, per=0.7))], strict=True)
    for number in range(100):
        await scene.admits(scene.auth, f"2001:db8:0:{number:x}::/64")
        await scene.admits(fast, f"2001:db8:0:{number:x}::/64")
    (name,) = scene.auth.bucket_keys("2001:db8:0:7::/64")  # type: ignore[attr-defined]
    response = scene.server.command("MEMORY", "USAGE", name)
    assert response is not None
    assert int(response.removeprefix(":")) <= 150
    await scene.until(lambda: scene.server.command("DBSIZE") == ":100")


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "valkey://localhost:port"])
def test_what_is_no_url_is_said_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_VALKEY_URL"):
        ValkeyBuckets(url)


def test_a_limit_that_cannot_be_counted_exactly_is_refused() -> None:
    buckets = ValkeyBuckets("valkey://localhost")
    with pytest.raises(ConfigurationError, match="too large"):
        buckets.group([("huge", RateLimit(1_000_003, per=86_400.0))])
    buckets.group([("round", RateLimit(1_000_000, per=86_400.0))])
