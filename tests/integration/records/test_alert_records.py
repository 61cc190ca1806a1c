"""The alerts of instances that share a database: who tells, what a new monitor knows, and what the database is told."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from tests.integration.records.alert_instances import Instance
from tests.receivers import Received, receiving

from gatepost.alerting.alerts import Alert
from gatepost.events import ErrorGroupFound, ErrorGroupResolved
from gatepost.metrics.families import DATABASE_REACHABLE, MEMORY
from gatepost.monitor.alert_records import AlertRecords


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as found:
        yield found


@pytest.fixture
def instances(database_url: str, received: Received) -> Iterator[list[Instance]]:
    """Two."""
    made = [Instance(name, database_url, received) for name in ("one", "two")]
    yield made
    for instance in made:
        instance.close()


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in other threads as well
            await asyncio.sleep(0.02)


async def rows(dsn: str, query: str) -> list[Any]:
    connection: Any = await asyncpg.connect(dsn)
    try:
        return [tuple(row.values()) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def firing(records: AlertRecords) -> set[str]:
    return {alert.name for alert in records.alerts.newest_first() if alert.state == "firing"}


READS = "objective:reads"


async def test_what_two_instances_share_is_told_once(
    instances: list[Instance], received: Received, database_url: str
) -> None:
    one, two = instances
    async with one.monitor() as first, two.monitor() as second:
        await asyncio.sleep(1)
        for instance in instances:
            instance.count(good=100, bad=60)
        await until(lambda: READS in firing(first) and READS in firing(second))
        await until(lambda: f"{READS}:budget" in firing(first) and f"{READS}:budget" in firing(second))
        await until(lambda: received.mails)
        await asyncio.sleep(0.5)
        assert [subject.rpartition(" at ")[0] for subject in received.subjects] == ["[page] objective:reads"]
        text = received.mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
        assert "60 of 160 requests (37.50%)" in text
        assert "Each instance" not in text
        claims = await rows(database_url, "SELECT alert, instance FROM gatepost.alert_claims ORDER BY 1, 2")
        assert [claim for claim in claims if claim[0] == READS] == [(READS, "one"), (READS, "two")]
        kinds = [change.kind for change in first._context.changes.newest_first()]
        assert kinds == ["alert"] * 2
        shown = json.loads((await one.ask("GET", f"/alerts/{READS}:budget")).body)
        assert (shown["follows_name"], shown["deliveries"]) == (READS, [])
        await until(lambda: all(each.is_copied for each in first.deliveries.newest_first()))
    copied = await rows(database_url, "SELECT name, channel, state, attempts FROM gatepost.alert_deliveries")
    assert set(copied) <= {(READS, "mail", "delivered", 1)}


async def test_a_new_monitor_knows_what_fires_and_what_was_counted(
    instances: list[Instance], received: Received
) -> None:
    one = instances[0]
    async with one.monitor() as records:
        await asyncio.sleep(0.8)
        one.count(good=100, bad=60)
        await until(lambda: [each.state for each in records.deliveries.newest_first()] == ["delivered"])
        await until(lambda: f"{READS}:budget" in firing(records))
    one.count(bad=40)
    async with one.monitor(reports=False) as records:
        assert firing(records) == {READS, f"{READS}:budget"}
        await until(lambda: "100 of 200 requests" in records.alerts.newest_first()[0].sentence)
        await asyncio.sleep(1)
        assert len(received.mails) == 1, "it is no news"


async def test_what_a_server_claimed_and_forgot_keeps_nobody_silent(
    instances: list[Instance], received: Received, database_url: str
) -> None:
    one, two = instances
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO gatepost.alert_claims VALUES ($1, 'one', now()), ('disk', 'one', now())", READS
    )
    await connection.close()
    async with one.monitor():
        for _ in range(500):
            if not await rows(database_url, "SELECT FROM gatepost.alert_claims WHERE instance = 'one'"):
                break
            await asyncio.sleep(0.05)
        async with two.monitor():
            await asyncio.sleep(0.8)
            two.count(bad=60)
            await until(lambda: "[page] objective:reads at two" in received.subjects)


async def test_a_database_that_is_away_keeps_nobody_waiting(received: Received) -> None:
    gone = Instance("one", "postgresql://nobody@127.0.0.1:1/none", received)
    async with gone.monitor():
        await asyncio.sleep(0.8)
        gone.count(bad=60)
        await until(lambda: received.mails)
        text = received.mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
        assert "Each instance that sees this sends it by itself. Records stay with this instance:" in text
    gone.close()


async def test_new_kinds_of_errors_are_alerts_until_they_are_resolved(
    instances: list[Instance], received: Received
) -> None:
    one = instances[0]
    async with one.monitor() as records:
        one.events.emit(ErrorGroupFound("a1b2", "ValueError", "shop.orders.pay", False))
        await until(lambda: received.subjects == ["[ticket] error:a1b2 at one"])
        shown = json.loads((await one.ask("GET", "/alerts/error%3Aa1b2")).body)
        assert shown["sentence"] == "An error was not known before: ValueError in shop.orders.pay."
        assert shown["look_at"] == "gatepost errors show a1b2"
        assert [each["state"] for each in shown["deliveries"]] == ["delivered"]
        one.events.emit(ErrorGroupResolved("a1b2", "uid 7"))
        await until(lambda: not firing(records))
        one.events.emit(ErrorGroupFound("a1b2", "ValueError", "shop.orders.pay", True))
        await until(lambda: len(received.mails) == 3)


async def test_operators_act_by_pages(instances: list[Instance], received: Received) -> None:
    one = instances[0]
    async with one.monitor() as records:
        one.events.emit(ErrorGroupFound("a1b2", "ValueError", "shop.orders.pay", False))
        await until(lambda: received.mails)
        name = "/alerts/error:a1b2"
        silenced = json.loads(
            (await one.ask("PUT", name, {"state": "silenced", "reason": "known", "seconds": 60})).body
        )
        assert (silenced["alert"]["state"], silenced["alert"]["by"]) == ("silenced", "uid 7")
        listed = json.loads((await one.ask("GET", "/alerts")).body)
        assert [(each["name"], each["reason"]) for each in listed["silences"]] == [("error:a1b2", "known")]
        assert (await one.ask("PUT", name, {"state": "resolved", "reason": "fixed"})).status == 200
        for path, body, status in (
            (name, {"state": "resolved", "reason": "fixed"}, 404),
            (name, {"state": "resolved", "reason": ""}, 422),
            (name, {"state": "silenced", "reason": "x", "seconds": 1e9}, 422),
            (name, {"state": "firing", "reason": "x"}, 422),
            ("/alerts/a%0Ab", {"state": "silenced", "reason": "x"}, 422),
        ):
            assert (await one.ask("PUT", path, body)).status == status, body
        assert (await one.ask("GET", "/alerts/nothing")).status == 404
        tested = json.loads((await one.ask("PUT", "/alert-test", {})).body)["deliveries"]
        assert [(each["channel"], each["is_delivered"]) for each in tested] == [("mail", True)]
        named = await one.ask("PUT", "/alerts/disk", {"state": "silenced", "reason": "an alert that could fire"})
        assert (named.status, json.loads(named.body)) == (200, {"alert": None})
        unknown = await one.ask("PUT", "/alerts/objective:raeds", {"state": "silenced", "reason": "a typing error"})
        assert unknown.status == 422
        assert "Did you mean 'objective:reads'?" in json.loads(unknown.body)["detail"]
        said = [change.summary for change in one.context.changes.newest_first()]
        assert any("Silenced for 1 min by uid 7: error:a1b2. known" in each for each in said)
        assert any("uid 7 had alerts tested: mail: " in each for each in said)
        found: list[Alert] = records.alerts.newest_first()
        assert [(alert.state, alert.by) for alert in found] == [("resolved", "uid 7")]


async def test_one_outage_is_one_message_and_one_recovery(instances: list[Instance], received: Received) -> None:
    one = instances[0]
    has_database = one.region.place(DATABASE_REACHABLE, ("7",))
    one.region.set(one.region.place(MEMORY, ("7",)), 1.0)
    one.region.set(has_database, 1)
    async with one.monitor() as records:
        await asyncio.sleep(0.8)
        one.count(good=100, bad=60)
        await asyncio.sleep(0.3)  # workers find that the database is away a little later
        one.region.set(has_database, 0)
        await until(lambda: firing(records) == {"database", READS, f"{READS}:budget"})
        await until(lambda: received.mails)
        one.count(bad=60)
        one.region.set(has_database, 1)
        await until(lambda: "database" not in firing(records))
        assert READS in firing(records)
        await until(lambda: len(received.mails) == 2)
        await asyncio.sleep(0.5)
        assert received.subjects == ["[page] database at one", "[resolved] database at one"]
        over = received.mails[1].get_payload(decode=True).decode()  # type: ignore[union-attr]
        assert f"With it   {READS}, {READS}:budget" in over
        assert {each.name for each in records.deliveries.newest_first()} == {"database"}
        await asyncio.sleep(3)
        one.count(bad=200)
        await until(lambda: f"[page] {READS} at one" in received.subjects)
