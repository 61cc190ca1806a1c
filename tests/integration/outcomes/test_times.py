"""A request whose time runs out while its write is on its way waits for the response, and tells it."""

import asyncio
import time

import pytest
from fault_injection import FaultInjector, span_of
from outcomes_app import Postings
from protocol_proxy import Fault

from gatepost.gateway import request_deadlines

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("resource", ["bookings", "postings"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
async def test_a_response_that_comes_late_is_told(injector: FaultInjector, verb: str, resource: str) -> None:
    begin, end = span_of((await injector.run(verb, resource)).messages)
    for index in (begin, end):
        outcome = await injector.run(verb, resource, Fault(index, "delay", 0.5), is_last_moment=True)
        assert (outcome.code, outcome.is_written) == ("ok", True)


@pytest.mark.parametrize("resource", ["bookings", "postings"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
async def test_a_response_that_does_not_come_leaves_the_outcome_unknown(
    injector: FaultInjector, verb: str, resource: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_deadlines, "OUTCOME_SECONDS", 0.5)
    begin, end = span_of((await injector.run(verb, resource)).messages)
    for index in (begin, end):
        started = time.monotonic()
        outcome = await injector.run(verb, resource, Fault(index, "stall"), is_last_moment=True)
        assert (outcome.response.status, outcome.code) == (503, "outcome_unknown")
        assert 0.5 < time.monotonic() - started < 10


@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_before_the_write_is_sent_nothing_is_written_when_time_runs_out(
    injector: FaultInjector, resource: str
) -> None:
    undisturbed = await injector.run("create", resource)
    begin, _ = span_of(undisturbed.messages)
    for index in (0, begin - 1):
        outcome = await injector.run("create", resource, Fault(index, "stall"), is_last_moment=True)
        assert (outcome.response.status, outcome.code, outcome.is_written) == (504, "request_timeout", False)


async def test_what_follows_the_commit_for_too_long_leaves_the_response_as_it_is(
    injector: FaultInjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    follows = asyncio.Event()

    async def wait_long() -> None:
        follows.set()
        await asyncio.sleep(30)

    async def follow(self: Postings, draft: object, actor: object) -> None:
        self.after_commit(wait_long)

    monkeypatch.setattr(Postings, "before_create", follow)
    async with injector.no_more_time(follows):
        outcome = await injector.run("create", "postings")
    assert (outcome.response.status, outcome.is_written) == (201, True)
