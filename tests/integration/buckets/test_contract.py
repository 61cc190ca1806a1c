"""What the limiter may rely on, whoever keeps the buckets."""

import asyncio
from fractions import Fraction

import pytest
from token_taking import admits, left, take

from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.gateway.buckets import Buckets, TakeRefused

LONG = minutes(15)
SECOND = 1_000_000_000

strictness = pytest.mark.parametrize("strict", [True, False], ids=["strict", "leased"])


@strictness
async def test_a_full_bucket_admits_its_capacity_and_then_says_when_to_come_again(
    buckets: Buckets, strict: bool
) -> None:
    group = buckets.group([("api", RateLimit(5, per=LONG))], strict=strict)
    for expected in (4, 3, 2, 1, 0):
        outcome = await take(buckets, group, "a")
        assert not isinstance(outcome, TakeRefused)
        assert left(group, outcome) == [expected]
    for _ in range(10):
        refusal = await take(buckets, group, "a")
        assert isinstance(refusal, TakeRefused)
        assert (refusal.spec.name, left(group, refusal.deficits)) == ("api", [0])
        assert 178 <= refusal.seconds <= 180
    assert await admits(buckets, group, "b")


@strictness
async def test_as_many_at_once_as_there_are_tokens(buckets: Buckets, strict: bool) -> None:
    group = buckets.group([("api", RateLimit(10, per=LONG))], strict=strict)
    assert sum(await asyncio.gather(*(admits(buckets, group) for _ in range(100)))) == 10


@strictness
async def test_rules_of_different_names_have_buckets_of_their_own_and_a_burst_may_differ(
    buckets: Buckets, strict: bool
) -> None:
    first = buckets.group([("one", RateLimit(1, per=LONG, burst=3))], strict=strict)
    second = buckets.group([("two", RateLimit(3, per=LONG, burst=1))], strict=strict)
    assert [await admits(buckets, first) for _ in range(4)] == [True, True, True, False]
    assert [await admits(buckets, second) for _ in range(2)] == [True, False]


@strictness
async def test_of_several_rules_all_are_taken_or_none(buckets: Buckets, strict: bool) -> None:
    both = buckets.group([("wide", RateLimit(10, per=LONG)), ("narrow", RateLimit(2, per=LONG))], strict=strict)
    wide = buckets.group([("wide", RateLimit(10, per=LONG))], strict=strict)
    assert [await admits(buckets, both) for _ in range(5)] == [True, True, False, False, False]
    refusal = await take(buckets, both, "192.0.2.1")
    assert isinstance(refusal, TakeRefused)
    assert (refusal.spec.name, left(both, refusal.deficits)) == ("narrow", [8, 0])
    assert sum([await admits(buckets, wide) for _ in range(20)]) == 8


@strictness
async def test_what_is_given_back_can_be_taken_again(buckets: Buckets, strict: bool) -> None:
    group = buckets.group([("api", RateLimit(3, per=LONG))], strict=strict)
    for _ in range(10):
        at = buckets.clock()
        outcome = await take(buckets, group, "a", at)
        assert not isinstance(outcome, TakeRefused)
        group.give_back("a", outcome, at)
        await asyncio.sleep(0)
    assert sum([await admits(buckets, group, "a") for _ in range(5)]) == 3


@strictness
async def test_what_has_flown_in_meanwhile_is_not_given_back(buckets: Buckets, strict: bool) -> None:
    group = buckets.group([("api", RateLimit(2, per=0.2, burst=1))], strict=strict)
    at = buckets.clock()
    early = await take(buckets, group, "a", at)
    assert not isinstance(early, TakeRefused)
    await until_clock(buckets, at + SECOND // 5)
    begun = buckets.clock()
    assert await admits(buckets, group, "a")
    group.give_back("a", early, at)
    await asyncio.sleep(0)
    outcome = await take(buckets, group, "a")
    assert isinstance(outcome, TakeRefused) or buckets.clock() - begun > SECOND // 10


@strictness
async def test_no_stretch_of_time_admits_more_than_capacity_and_refill(buckets: Buckets, strict: bool) -> None:
    limit = RateLimit(40, per=0.4, burst=7)
    group = buckets.group([("api", limit)], strict=strict)
    # The moment before it is asked and the one after: admitted was it in between.
    admitted: list[tuple[int, int]] = []
    asked: list[int] = []
    refused = 0
    end = buckets.clock() + SECOND
    while (before := buckets.clock()) < end:
        asked.append(before)
        if await admits(buckets, group):
            admitted.append((before, buckets.clock()))
        else:
            refused += 1
        if not len(asked) % 16:
            await asyncio.sleep(0.001)
    for first, (start, _) in enumerate(admitted):
        for last in range(first, len(admitted)):
            stretch = Fraction(admitted[last][1] - start, SECOND)
            assert last - first + 1 <= limit.burst + stretch * 100  # type: ignore[operator]
    # Nor is it stingy: it admits nearly all that a bucket can that is asked at these moments, which on a busy machine
    # are fewer than there are tokens.
    tokens, admissible = Fraction(7), 0
    for earlier, moment in zip([asked[0], *asked], asked, strict=False):
        tokens = min(Fraction(7), tokens + Fraction(moment - earlier, SECOND) * 100)
        if tokens >= 1:
            tokens, admissible = tokens - 1, admissible + 1
    assert len(admitted) >= 0.9 * admissible
    assert refused or admissible >= 0.9 * len(asked)


async def test_a_sliding_limit_is_the_literal_bound(buckets: Buckets) -> None:
    group = buckets.group([("slow", RateLimit(3, per=0.3, sliding=True))])
    admitted: list[tuple[int, int]] = []
    admissible: list[int] = []
    end = buckets.clock() + SECOND
    while (before := buckets.clock()) < end:
        if len(admissible) < 3 or before - admissible[-3] > 0.3 * SECOND:
            admissible.append(before)
        outcome = await take(buckets, group, "a")
        if isinstance(outcome, TakeRefused):
            assert outcome.seconds == 1
        else:
            admitted.append((before, buckets.clock()))
        await asyncio.sleep(0.002)
    for (start, _), (_, fourth) in zip(admitted, admitted[3:], strict=False):
        assert fourth - start > 0.3 * SECOND
    # Of the twelve that the bound allows in a second; a busy machine does not ask in time for all of them.
    assert 0.75 * len(admissible) <= len(admitted) <= 12


async def test_a_sliding_limit_gives_back_and_tells_what_is_left(buckets: Buckets) -> None:
    group = buckets.group([("slow", RateLimit(2, per=LONG, sliding=True))], strict=True)
    at = buckets.clock()
    first = await take(buckets, group, "a", at)
    assert not isinstance(first, TakeRefused)
    assert left(group, first) == [1]
    second = await take(buckets, group, "a")
    assert not isinstance(second, TakeRefused)
    assert left(group, second) == [0]
    refusal = await take(buckets, group, "a")
    assert isinstance(refusal, TakeRefused)
    assert 898 <= refusal.seconds <= 900
    group.give_back("a", first, at)
    assert [await admits(buckets, group, "a") for _ in range(2)] == [True, False]


@strictness
async def test_a_limit_that_has_been_made_smaller_refuses_who_has_used_more(buckets: Buckets, strict: bool) -> None:
    before = buckets.group([("api", RateLimit(100, per=LONG))], strict=strict)
    for _ in range(90):
        assert await admits(buckets, before)
    after = buckets.group([("api", RateLimit(10, per=minutes(1)))], strict=strict)
    for _ in range(3):
        refusal = await take(buckets, after, "192.0.2.1")
        assert isinstance(refusal, TakeRefused)
        assert 13 * 60 - 60 <= refusal.seconds <= 900


@strictness
async def test_parts_of_a_tick_are_kept(buckets: Buckets, strict: bool) -> None:
    limit = RateLimit(7, per=0.011, burst=1000)  # a token is no whole number of the ticks of either clock
    group = buckets.group([("api", limit)], strict=strict)
    begun = buckets.clock()
    admitted = 0
    while await admits(buckets, group):
        admitted += 1
    after = buckets.clock()
    assert 1000 <= admitted <= 1000 + Fraction(after - begun, SECOND) * 7 / Fraction("0.011")


@strictness
async def test_odd_keys_are_keys(buckets: Buckets, strict: bool) -> None:
    group = buckets.group([("api", RateLimit(1, per=LONG))], strict=strict)
    for key in ("", "2001:db8::/64", "a b", "{x}", "é\n\0", "k" * 500):
        assert [await admits(buckets, group, key) for _ in range(2)] == [True, False]


async def until_clock(buckets: Buckets, moment: int) -> None:
    while buckets.clock() < moment:  # noqa: ASYNC110 - the clock is not the loop's
        await asyncio.sleep((moment - buckets.clock()) / SECOND + 0.001)
