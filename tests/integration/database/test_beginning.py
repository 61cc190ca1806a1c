"""A transaction begins with the first statement that needs one: what only reads has none, all else has a whole one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select, text
from transaction_app import Leaf, Leaves, Plain, Retried, TransactionApp, app, failures, nothing

from gatepost import Service, system
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction, TransactionBroken
from gatepost.models.entity import entity_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSERT = "INSERT INTO plain (text, number, kind) VALUES ('by hand', 1, 'a')"
ABSENT = "01890000-0000-7000-8000-000000000000"


@pytest_asyncio.fixture(loop_scope="module")
async def transaction_app(one_connection_app: TransactionApp) -> TransactionApp:
    """The app, with empty tables but for one leaf."""
    await one_connection_app.database.fetch("TRUNCATE notes, plain, stubborn, leaves")
    await one_connection_app.database.fetch("INSERT INTO leaves (id, text) VALUES (gen_random_uuid(), 'green')")
    return one_connection_app


@pytest_asyncio.fixture(loop_scope="module")
async def other(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another process on the same database."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


class Commands:
    """What is sent that begins or ends a transaction. asyncpg tells of it in the next pass of the loop."""

    def __init__(self) -> None:
        self._sent: list[str] = []

    def note(self, record: Any) -> None:
        if record.query.split()[0] in ("BEGIN", "COMMIT", "ROLLBACK"):
            self._sent.append(record.query)

    async def taken(self) -> list[str]:
        """Those that were sent since this was called last."""
        await asyncio.sleep(0)
        taken, self._sent = self._sent, []
        return taken


@pytest_asyncio.fixture(loop_scope="module")
async def commands(transaction_app: TransactionApp) -> AsyncIterator[Commands]:
    """The commands of the one connection."""
    found = Commands()
    with transaction_app.database.pool.idle[-1].raw.query_logger(found.note):
        yield found


async def key_of_leaf(transaction_app: TransactionApp) -> Any:
    return (await transaction_app.database.fetch("SELECT id FROM leaves"))[0][0]


async def test_a_service_that_only_reads_opens_no_transaction(
    transaction_app: TransactionApp, commands: Commands
) -> None:
    response = await transaction_app.read_after(nothing, await key_of_leaf(transaction_app))
    assert (response.status, response.data["text"]) == (200, "green")
    assert [row["text"] for row in (await transaction_app.read_after(nothing)).data] == ["green"]
    assert (await transaction_app.read_after(nothing, ABSENT)).status == 404
    assert await commands.taken() == []


async def test_outside_a_request_too(transaction_app: TransactionApp, commands: Commands) -> None:
    key = await key_of_leaf(transaction_app)
    Leaves.step = staticmethod(nothing)
    async with app.transaction(actor=system) as work:
        assert (await work.service(Leaf).get(key, work.actor)).text == "green"
    assert await commands.taken() == []


async def test_what_was_put_off_until_the_commit_follows_reading_alone(transaction_app: TransactionApp) -> None:
    ran: list[str] = []

    async def step(service: Service[Any]) -> None:
        service.after_commit(lambda: ran.append("after"))

    assert (await transaction_app.read_after(step)).status == 200
    assert ran == ["after"]


# All that may write


async def _by_flush(service: Service[Any]) -> None:
    service.session.add(Plain(text="row"))
    await service.session.flush()


async def _by_being_pending(service: Service[Any]) -> None:
    service.session.add(Plain(text="row"))


async def _by_statement(service: Service[Any]) -> None:
    await service.session.execute(insert(Plain).values(text="row"))


async def _by_many(service: Service[Any]) -> None:
    await service.session.execute(insert(Plain.__table__), [{"text": "row"}])  # type: ignore[arg-type]


async def _by_text(service: Service[Any]) -> None:
    await service.session.execute(text(INSERT))


async def _by_compiled_statement(service: Service[Any]) -> None:
    await service._unit.transaction.fetch(
        Statement(
            insert(entity_of(Plain).table).values(text="row", number=1, kind="a").returning(entity_of(Plain).table.c.id)
        ),
        {},
    )


async def _by_driver(service: Service[Any]) -> None:
    raw: Any = await (await service.session.connection()).get_raw_connection()
    await raw.driver_connection.execute(INSERT)


async def _by_driver_inside(service: Service[Any]) -> None:
    def find(session: Any) -> Any:
        return session.connection().connection.dbapi_connection.driver_connection

    await (await service.session.run_sync(find)).execute(INSERT)


async def _by_run_async(service: Service[Any]) -> None:
    def run(session: Any) -> None:
        session.connection().connection.dbapi_connection.run_async(lambda raw: raw.execute(INSERT))

    await service.session.run_sync(run)


async def _by_cursor(service: Service[Any]) -> None:
    await service.session.run_sync(lambda session: session.connection().connection.cursor().execute(INSERT))


async def _by_savepoint(service: Service[Any]) -> None:
    async with service.session.begin_nested():
        await service.session.execute(text(INSERT))


async def _by_autoflush(service: Service[Any]) -> None:
    service.session.add(Plain(text="row"))
    await service._unit.transaction.load(select(Leaf), {})


WRITES: dict[str, Callable[[Service[Any]], Awaitable[None]]] = {
    "autoflush": _by_autoflush,
    "compiled statement": _by_compiled_statement,
    "cursor": _by_cursor,
    "driver": _by_driver,
    "driver in run_sync": _by_driver_inside,
    "flush": _by_flush,
    "many": _by_many,
    "pending": _by_being_pending,
    "run_async": _by_run_async,
    "savepoint": _by_savepoint,
    "statement": _by_statement,
    "text": _by_text,
}


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize("reads", [False, True])
async def test_whatever_writes_has_a_transaction_from_then_on(
    transaction_app: TransactionApp, commands: Commands, way: str, reads: bool
) -> None:
    async def step(service: Service[Any]) -> None:
        if reads:
            await service._unit.transaction.load(select(Leaf), {})
        await WRITES[way](service)

    async def vain_deed(service: Service[Any]) -> None:
        await step(service)
        await service.session.flush()
        raise ValueError("no")

    key = await key_of_leaf(transaction_app)
    assert (await transaction_app.read_after(vain_deed, key)).status == 500
    assert [type(error) for error in failures] == [ValueError]
    assert await commands.taken() == ["BEGIN", "ROLLBACK"]
    assert await transaction_app.count("plain") == 0
    assert (await transaction_app.read_after(step, key)).status == 200, failures
    assert await commands.taken() == ["BEGIN", "COMMIT"]
    assert await transaction_app.count("plain") == 1


# What holds until the end


async def test_a_lock_is_held_until_the_end(transaction_app: TransactionApp, other: "asyncpg.Connection[Any]") -> None:
    key = await key_of_leaf(transaction_app)

    async def step(service: Service[Any]) -> None:
        await service.session.get_one(Leaf, key, with_for_update=True)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute("SELECT 1 FROM leaves FOR UPDATE NOWAIT")

    assert (await transaction_app.read_after(step, key)).status == 200, failures
    await other.execute("SELECT 1 FROM leaves FOR UPDATE NOWAIT")


async def test_a_stream_has_a_transaction(transaction_app: TransactionApp, commands: Commands) -> None:
    seen: list[str] = []

    async def step(service: Service[Any]) -> None:
        rows = await service.session.stream_scalars(select(Leaf))
        seen.extend([row.text async for row in rows])

    assert (await transaction_app.read_after(step)).status == 200, failures
    assert seen == ["green"]
    assert await commands.taken() == ["BEGIN", "COMMIT"]


async def test_what_is_set_holds_for_the_statements_that_follow_and_no_longer(transaction_app: TransactionApp) -> None:
    seen: list[str] = []
    statement = Statement(select(func.current_setting("application_name")))

    async def look(service: Service[Any]) -> None:
        seen.append((await service._unit.transaction.read(statement, {}))[0][0])

    async def step(service: Service[Any]) -> None:
        await look(service)
        await service.session.execute(text("SET LOCAL application_name = 'mine'"))
        await look(service)

    assert (await transaction_app.read_after(step)).status == 200, failures
    assert (await transaction_app.read_after(look)).status == 200, failures
    assert seen == ["gatepost", "mine", "gatepost"]


async def test_above_read_committed_all_statements_see_one_snapshot(
    transaction_app: TransactionApp, commands: Commands, other: "asyncpg.Connection[Any]"
) -> None:
    seen: list[int] = []
    statement = Statement(select(func.count()).select_from(entity_of(Plain).table))

    async def step(service: Service[Any]) -> None:
        for _ in range(2):
            seen.append((await service._unit.transaction.read(statement, {}))[0][0])
            await other.execute(INSERT.replace("by hand", f"number {len(seen)}"))

    assert (await transaction_app.create_after(step, Retried)).status == 201, failures
    assert seen == [0, 0]
    assert await commands.taken() == ["BEGIN ISOLATION LEVEL SERIALIZABLE", "COMMIT"]


# What goes wrong


async def test_an_error_in_a_read_that_is_swallowed_breaks_nothing(
    transaction_app: TransactionApp, commands: Commands
) -> None:
    async def step(service: Service[Any]) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await service._unit.transaction.read(Statement(select(1 / func.length(""))), {})

    assert (await transaction_app.create_after(step)).status == 201, failures
    assert await commands.taken() == ["BEGIN", "COMMIT"]


async def test_a_task_that_still_reads_at_the_end_is_noticed(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    tasks: list[asyncio.Task[Any]] = []
    statement = Statement(select(entity_of(Plain).table.c.id))

    async def work(transaction: Transaction) -> None:
        tasks.append(asyncio.create_task(transaction.read(statement, {})))
        await asyncio.sleep(0)

    async with other.transaction():
        await other.execute("LOCK TABLE plain")
        with pytest.raises(TransactionBroken, match="still reading"):
            await transaction_app.database.transact(work)
        assert (await transaction_app.read_after(nothing)).status == 200, (
            "nobody is given a connection that somebody uses"
        )
    await asyncio.wait(tasks)


async def test_what_was_kept_of_a_session_is_of_no_use_after_the_end(transaction_app: TransactionApp) -> None:
    kept: list[Any] = []

    async def step(service: Service[Any]) -> None:
        kept.append(await service.session.connection())

    assert (await transaction_app.read_after(step)).status == 200
    with pytest.raises(TransactionBroken, match="is over"):
        await kept[0].execute(text(INSERT))
    assert await transaction_app.count("plain") == 0
