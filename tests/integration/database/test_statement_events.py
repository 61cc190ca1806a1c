"""Every statement tells subscribers how long it took; where there are none, no clock is read."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Integer, bindparam, func, select, text

from gatepost.call import CURRENT_SPENT, Spent
from gatepost.database.connection import PooledConnection
from gatepost.database.database import Database
from gatepost.database.met_statements import TEXTS_MAX
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.errors import Overloaded
from gatepost.events import Events, StatementFinished, StatementMet, StatementSlow
from gatepost.settings import DatabaseSettings

SERIES = Statement(select(func.generate_series(1, bindparam("count", type_=Integer()))))
SLEEP = Statement(select(func.pg_sleep(0.1)))
FAILS = Statement(select(1 / bindparam("count", type_=Integer())))


def counted(count: int) -> list[object]:
    return SERIES.arguments({"count": count})


@asynccontextmanager
async def observed(dsn: str, emitted: list[StatementFinished]) -> AsyncGenerator[Database]:
    events = Events()
    events.subscribe(StatementFinished, emitted.append)
    database = Database(dsn, DatabaseSettings(pool_size=1), events)
    try:
        yield database
    finally:
        await database.close()


async def test_a_statement_tells_its_name_its_rows_and_its_time(database_url: str) -> None:
    emitted: list[StatementFinished] = []
    async with observed(database_url, emitted) as database:
        for run in (database.run, database.run_unbounded):
            assert len(await run(SERIES, counted(3))) == 3
        await database.run(SLEEP, SLEEP.arguments({}))

    assert [(event.name, event.rows) for event in emitted] == [(SERIES.name, 3), (SERIES.name, 3), (SLEEP.name, 1)]
    assert "generate_series" in SERIES.name
    assert 0.1 <= emitted[2].seconds < 5


async def test_a_request_is_told_how_long_it_waited_for_connections_and_for_statements(database_url: str) -> None:
    emitted: list[StatementFinished] = []

    async def request() -> Spent:
        spent = Spent()
        CURRENT_SPENT.set(spent)
        await database.run(SLEEP, SLEEP.arguments({}))
        await database.transact(lambda transaction: transaction.read(SERIES, {"count": 2}))
        return spent

    async with observed(database_url, emitted) as database:
        first, second = sorted(await asyncio.gather(request(), request()), key=lambda spent: spent.pool_wait_ns)

    assert second.pool_wait_ns > 0.1e9
    for spent in (first, second):
        assert 0.1e9 < spent.database_ns < 5e9
        assert spent.rows == 3
    assert len(emitted) == 4


async def test_statements_of_a_transaction_are_told_as_well(database_url: str) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.read(SERIES, {"count": 2})
        await transaction.fetch(SERIES, {"count": 4})

    emitted: list[StatementFinished] = []
    async with observed(database_url, emitted) as database:
        await database.transact(work)

    assert [(event.name, event.rows) for event in emitted] == [(SERIES.name, 2), (SERIES.name, 4)]


async def test_what_a_session_sends_is_told_under_the_name_of_its_resource(database_url: str) -> None:
    spent = Spent()

    async def work(transaction: Transaction) -> None:
        await transaction.session.execute(text("SELECT generate_series(1, 3)"))
        await transaction.session.execute(select(func.pg_sleep(0.1)))
        with pytest.raises(Exception, match="division by zero"):
            await transaction.session.execute(text("SELECT 1 / 0"))

    async def request() -> None:
        CURRENT_SPENT.set(spent)
        with pytest.raises(Exception, match="nothing of it was committed"):
            await database.for_resource("orders").transact(work)

    emitted: list[StatementFinished] = []
    async with observed(database_url, emitted) as database:
        await asyncio.create_task(request())

    assert [(event.name, event.rows) for event in emitted] == [
        ("orders.session", 3),
        ("orders.session", 1),
        ("orders.session", None),
    ]
    assert 0.1 <= emitted[1].seconds < 5
    assert 0.1e9 <= spent.database_ns < 5e9
    assert spent.rows == 4


async def test_slow_texts_of_a_session_are_told_apart_and_without_their_values(database_url: str) -> None:
    slow: list[StatementSlow] = []

    async def work(transaction: Transaction) -> None:
        for sql in ("SELECT pg_sleep(0.02), 'ada'", "SELECT pg_sleep(0.03), 'bob'", "SELECT pg_sleep(0.02)"):
            await transaction.session.execute(text(sql))

    events = Events()
    events.subscribe(StatementFinished, lambda event: None)
    events.subscribe(StatementSlow, slow.append)
    database = Database(database_url, DatabaseSettings(pool_size=1, slow_seconds=0.01), events)
    await database.for_resource("orders").transact(work)
    await database.close()

    assert [event.sql for event in slow] == ["SELECT pg_sleep(?), ?", "SELECT pg_sleep(?)"]
    assert len({event.statement for event in slow}) == 2
    assert all(event.statement.startswith("orders.session.") for event in slow)


async def test_one_that_failed_has_no_rows(database_url: str) -> None:
    emitted: list[StatementFinished] = []
    async with observed(database_url, emitted) as database:
        with pytest.raises(Exception, match="division by zero"):
            await database.run(FAILS, FAILS.arguments({"count": 0}))
        with pytest.raises(Exception, match="division by zero"):
            await database.transact(lambda transaction: transaction.read(FAILS, {"count": 0}))

    assert [event.rows for event in emitted] == [None, None]


async def test_one_that_was_not_sent_is_none(database_url: str) -> None:
    emitted: list[StatementFinished] = []
    async with observed(database_url, emitted) as database:
        database.backlog.pending = database.backlog.bytes_max
        with pytest.raises(Overloaded):
            await database.run_unbounded(SERIES, counted(3))
        assert len(await database.run(SERIES, counted(1))) == 1, "the connection was given back"

    assert len(emitted) == 1


async def test_without_a_subscriber_nothing_is_timed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted() -> float:
        raise AssertionError("a clock was read")

    monkeypatch.setattr("gatepost.database.connection.perf_counter_ns", unwanted)
    monkeypatch.setattr("gatepost.database.sessions.perf_counter_ns", unwanted)
    monkeypatch.setattr("gatepost.database.pool.perf_counter_ns", itertools.count().__next__)
    database = Database(database_url, DatabaseSettings(pool_size=1), Events())
    assert len(await database.run(SERIES, counted(3))) == 3
    assert len(await database.transact(lambda transaction: transaction.read(SERIES, {"count": 2}))) == 2
    await database.transact(lambda transaction: transaction.session.execute(select(1)))
    assert [type(connection) for connection in database.pool.open] == [PooledConnection]
    await database.close()


async def test_each_text_of_a_statement_is_told_once_without_values_of_requests(database_url: str) -> None:
    met: list[StatementMet] = []
    events = Events()
    events.subscribe(StatementMet, met.append)
    events.subscribe(StatementFinished, lambda _: None)
    texts = [
        Statement(select(func.generate_series(1, 2).label(f"c{number}")).where(text("'x' <> 'y'")), "a.list")
        for number in range(10)
    ]

    async def work(transaction: Transaction) -> None:
        for _ in range(3):
            await transaction.session.execute(text("SELECT 'a value'"))

    database = Database(database_url, DatabaseSettings(pool_size=2), events)
    try:
        for statement in [*texts, *texts, SLEEP]:
            await database.run(statement, statement.arguments({}))
        await database.for_resource("books").transact(work)
    finally:
        await database.close()
    of_list = [event for event in met if event.statement == "a.list"]
    assert len(of_list) == TEXTS_MAX
    assert of_list[0].sql.startswith("SELECT /* a.list */ generate_series(")
    assert of_list[0].sql.endswith("WHERE 'x' <> 'y'")
    assert [event.sql for event in met[TEXTS_MAX:]] == ["SELECT ?"]
    assert met[-1].statement == "books.session"
