"""An error that says that the connection is lost closes it at once: nothing is sent on it to look."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import select
from tests.unit.database.failing_driver import Driver, VirtualTimeLoop

from gatepost.database.database import Database
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.events import Events
from gatepost.settings import DatabaseSettings

READ = Statement(select(1))
LOST = (
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.ConnectionFailureError("server closed the connection"),
    asyncpg.InternalClientError("cannot switch to state 12"),
)
KEPT = (asyncpg.QueryCanceledError("statement timeout"), asyncpg.UniqueViolationError("duplicate key"))


async def work(transaction: Transaction) -> None:
    """Begin, and send one statement."""
    await transaction.begin()
    await transaction.connection.raw.execute("INSERT")


@pytest.mark.parametrize("way", ["run", "transact"])
@pytest.mark.parametrize("error", [*LOST, *KEPT], ids=lambda error: type(error).__name__)
def test_a_lost_connection_is_closed_and_another_is_asked_again(way: str, error: Exception) -> None:
    loop = VirtualTimeLoop()
    driver, database = Driver(loop), Database("", DatabaseSettings(pool_size=1), Events())
    database.pool.openings.connect = driver.connect  # type: ignore[assignment]
    running: Any = database.run(READ, []) if way == "run" else database.transact(work)
    task = loop.create_task(running)
    loop.settle()
    for _ in range(2):  # the opening, and PREPARE or BEGIN
        driver.pending[-1].set_result(None)
        loop.settle()
    driver.pending[-1].set_exception(error)
    loop.settle()

    is_lost = error in LOST
    assert bool(driver.open) is not is_lost
    assert database.pool.size == len(driver.open)
    # Of a connection that is kept, the transaction is rolled back.
    assert len(driver.pending) == (way == "transact" and not is_lost)
    for pending in driver.pending:
        pending.set_result(None)
    loop.settle()
    assert task.exception() is not None
    for raw in driver.open:
        raw.terminate()
    loop.settle()
    loop.close()
