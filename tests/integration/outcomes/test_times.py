"""A request whose time runs out while its write is on its way waits for the answer, and tells it."""

import asyncio
import time

import pytest
from ledger import Postings, app
from scenes import Scene, span_of
from wire import Fault

from gatepost.gateway import deadlines

SECONDS = 0.4
"""The time of a request here."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def hasty(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The same app, whose requests have little time, and whose commits have a second more."""
    monkeypatch.setattr(app.running.gate._deadlines, "_request_ns", int(SECONDS * deadlines.NANOSECONDS))
    monkeypatch.setattr(deadlines, "OUTCOME_SECONDS", 1.0)
    return scene


@pytest.mark.parametrize("resource", ["bookings", "postings"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
async def test_an_answer_that_comes_late_is_told(hasty: Scene, verb: str, resource: str) -> None:
    begin, end = span_of((await hasty.run(verb, resource)).messages)
    for index in (begin, end):
        outcome = await hasty.run(verb, resource, Fault(index, "delay", 2 * SECONDS))
        assert (outcome.code, outcome.is_written) == ("ok", True)


@pytest.mark.parametrize("resource", ["bookings", "postings"])
@pytest.mark.parametrize("verb", ["create", "update", "delete"])
async def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(hasty: Scene, verb: str, resource: str) -> None:
    begin, end = span_of((await hasty.run(verb, resource)).messages)
    for index in (begin, end):
        started = time.monotonic()
        outcome = await hasty.run(verb, resource, Fault(index, "stall"))
        assert (outcome.answer.status, outcome.code) == (503, "outcome_unknown")
        assert SECONDS + 0.9 < time.monotonic() - started < 10


@pytest.mark.parametrize("resource", ["bookings", "postings"])
async def test_before_the_write_is_sent_nothing_is_written_when_time_runs_out(hasty: Scene, resource: str) -> None:
    undisturbed = await hasty.run("create", resource)
    begin, _ = span_of(undisturbed.messages)
    for index in (0, begin - 1):
        outcome = await hasty.run("create", resource, Fault(index, "stall"))
        assert (outcome.answer.status, outcome.code, outcome.is_written) == (504, "request_timeout", False)


async def test_what_follows_the_commit_for_too_long_leaves_the_answer_as_it_is(
    hasty: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def follow(self: Postings, draft: object, actor: object) -> None:
        self.after_commit(lambda: asyncio.sleep(30))

    monkeypatch.setattr(Postings, "before_create", follow)
    outcome = await hasty.run("create", "postings")
    assert (outcome.answer.status, outcome.is_written) == (201, True)
