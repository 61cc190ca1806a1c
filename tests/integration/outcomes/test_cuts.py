"""The connection to PostgreSQL is cut before each message of a request: no response claims what nobody can know."""

from typing import Any

import pytest
from fault_injection import RESOURCES, VERBS, FaultInjector, span_of
from outcomes_app import Posting, Postings, app
from protocol_proxy import Fault
from sqlalchemy import text

from gatepost import Service
from gatepost.errors import Problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITES = ("create", "update", "delete")
READS = ("list", "get", "change nothing")


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in READS])
async def test_a_write_is_unknown_inside_its_span_and_nowhere_else(
    injector: FaultInjector, verb: str, resource: str
) -> None:
    undisturbed = await injector.run(verb, resource)
    assert (undisturbed.code, undisturbed.is_written) == ("ok", True)
    begin, end = span_of(undisturbed.messages)
    seen: set[str] = set()

    for index, message in enumerate(undisturbed.messages):
        outcome = await injector.run(verb, resource, Fault(index))
        where = f"{index} {message.name} of {begin}..{end}"
        if outcome.code == "ok":
            assert outcome.is_written, where
        elif index < begin:
            assert (outcome.code, outcome.is_written) == ("database_unavailable", False), where
            assert "retry-after" in outcome.response.headers, where
        elif index <= end:
            assert (outcome.response.status, outcome.code) == (503, "outcome_unknown"), where
            assert "retry-after" not in outcome.response.headers, where
        else:
            pytest.fail(f"{outcome.code} at {where}")
        seen.add(outcome.code)
    assert seen >= {"database_unavailable", "outcome_unknown"}


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("verb", READS)
@pytest.mark.sampled(strength=1)
async def test_what_only_reads_is_never_unknown(injector: FaultInjector, verb: str, resource: str) -> None:
    undisturbed = await injector.run(verb, resource)
    assert undisturbed.code == "ok"
    for index in range(len(undisturbed.messages)):
        outcome = await injector.run(verb, resource, Fault(index))
        assert outcome.code in ("ok", "database_unavailable"), f"{index} of {undisturbed.messages}"


@pytest.mark.parametrize("verb", WRITES)
async def test_a_write_that_is_prepared_already_is_unknown_from_its_first_message_on(
    injector: FaultInjector, verb: str
) -> None:
    undisturbed = await injector.run(verb, "bookings", is_warm=True)
    assert (undisturbed.code, undisturbed.is_written) == ("ok", True)
    begin, end = span_of(undisturbed.messages)
    assert begin == 0
    for index in range(end + 1):
        outcome = await injector.run(verb, "bookings", Fault(index), is_warm=True)
        assert outcome.code == "outcome_unknown" or (outcome.code == "ok" and outcome.is_written)


async def test_nothing_unknown_is_tried_again(injector: FaultInjector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Postings, "attempts", 3)
    begin, end = span_of((await injector.run("create", "postings")).messages)
    for index, is_written in ((begin, False), (end, True)):
        outcome = await injector.run("create", "postings", Fault(index))
        assert (outcome.code, outcome.is_written) == ("outcome_unknown", is_written)


async def test_a_get_whose_service_writes_is_not_unknown(
    injector: FaultInjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count(self: Postings, id: Any, actor: Any, *, lock: bool = False) -> Any:
        await self.session.execute(text("UPDATE postings SET number = number"))
        return await Service.get(self, id, actor, lock=lock)

    monkeypatch.setattr(Postings, "get", count)
    begin, _ = span_of((await injector.run("get", "postings")).messages)
    assert (await injector.run("get", "postings", Fault(begin))).code == "database_unavailable"


async def test_a_transaction_of_the_program_s_own_says_so_too(injector: FaultInjector) -> None:
    async def post() -> None:
        async with app.transaction() as tx:
            tx.session.add(Posting(text="second", number=2))

    begin = 0
    for offset, code in ((None, "ok"), (-1, "database_unavailable"), (0, "outcome_unknown")):
        await injector.prepare("postings")
        await injector.renew_connection()
        messages = injector.proxy.record(None if offset is None else Fault(begin + offset))
        told = "ok"
        try:
            await post()
        except Problem as problem:
            told = problem.code
        injector.proxy.rest()
        assert told == code
        begin = begin or span_of(messages)[0]


@pytest.mark.parametrize("tag", [b"", b"COMMIT 1", b"DISCARD ALL", b"commit"])
async def test_only_the_tag_rollback_says_that_nothing_was_written(injector: FaultInjector, tag: bytes) -> None:
    undisturbed = await injector.run("update", "postings")
    begin, end = span_of(undisturbed.messages)
    index = next(i for i in range(begin, end) if undisturbed.messages[i].name == "<C")
    outcome = await injector.run("update", "postings", Fault(index, "replace", payload=tag + b"\0"))
    assert (outcome.response.status, outcome.code, outcome.is_written) == (503, "outcome_unknown", True)
    assert "retry-after" not in outcome.response.headers
    undone = await injector.run("update", "postings", Fault(index, "replace", payload=b"ROLLBACK\0"))
    assert undone.code == "internal_error"
    await injector.until_served()


@pytest.mark.parametrize("code", ["08006", "08007", "08P01", "57P01"])
@pytest.mark.parametrize(("resource", "is_warm"), [("bookings", True), ("postings", False)])
@pytest.mark.parametrize("severity", ["ERROR", "FATAL"])
async def test_a_connection_whose_outcome_is_unknown_is_closed(
    injector: FaultInjector, resource: str, is_warm: bool, severity: str, code: str
) -> None:
    """A pooler that has lost its server says so, names no routine, and keeps the connection open."""
    undisturbed = await injector.run("update", resource, is_warm=is_warm)
    begin, end = span_of(undisturbed.messages)
    index = next(i for i in range(begin, end) if undisturbed.messages[i].name == "<C")
    report = "".join(f"{field}\0" for field in (f"S{severity}", f"V{severity}", f"C{code}", "Mserver gone", ""))
    fault = Fault(index, "replace", payload=report.encode(), kind=b"E")
    await injector.prepare(resource)
    await injector.renew_connection()
    if is_warm:
        await injector.ask("update", resource)
        await injector.prepare(resource)
    (connection,) = injector.database.pool.open
    injector.proxy.record(fault)
    response = await injector.ask("update", resource)
    injector.proxy.rest()
    assert (response.status, response.json()["code"]) == (503, "outcome_unknown")
    assert connection.raw.is_closed()
    assert connection not in injector.database.pool.open
    await injector.until_served()
