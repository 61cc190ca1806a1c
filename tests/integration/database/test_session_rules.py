"""What a service may do with its session and what it may not, seen from the rows that are there afterwards."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from transaction_app import Plain, TransactionApp, app, by_flush, failures, nothing

from gatepost import Service
from gatepost.database.connection import PooledConnection
from gatepost.database.guards import TransactionIsManaged
from gatepost.database.sessions import OwningTransaction, RequestSession, Sessions
from gatepost.database.statements import Statement
from gatepost.database.transactions import SwallowedError, TransactionBroken
from gatepost.models.entity import entity_of

Table = Any


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def transaction_app(one_connection_app: TransactionApp) -> TransactionApp:
    """The app, with empty tables."""
    await one_connection_app.database.fetch("TRUNCATE notes, plain, stubborn")
    return one_connection_app


async def _begin(service: Service[Any]) -> None:
    async with service.session.begin():
        pass


async def _with(service: Service[Any]) -> None:
    async with service.session:
        pass


async def _on_connection(service: Service[Any], name: str) -> None:
    await getattr(await service.session.connection(), name)()


async def _isolate(service: Service[Any]) -> None:
    await service.session.connection(execution_options={"isolation_level": "SERIALIZABLE"})


async def _commit_transaction(service: Service[Any]) -> None:
    await service.session.execute(text("SELECT 1"))
    await service.session.get_transaction().commit()  # type: ignore[union-attr]


REFUSED: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "commit": lambda service: service.session.commit(),
    "rollback": lambda service: service.session.rollback(),
    "close": lambda service: service.session.close(),
    "aclose": lambda service: service.session.aclose(),
    "reset": lambda service: service.session.reset(),
    "invalidate": lambda service: service.session.invalidate(),
    "begin": _begin,
    "with": _with,
    "sync commit": lambda service: service.session.run_sync(lambda session: session.commit()),
    "sync rollback": lambda service: service.session.run_sync(lambda session: session.rollback()),
    "sync begin": lambda service: service.session.run_sync(lambda session: session.begin()),
    "sync close": lambda service: service.session.run_sync(lambda session: session.close()),
    "sync prepare": lambda service: service.session.run_sync(lambda session: session.prepare()),
    "sync connection": lambda service: service.session.run_sync(lambda session: session.connection().commit()),
    "connection commit": lambda service: _on_connection(service, "commit"),
    "connection rollback": lambda service: _on_connection(service, "rollback"),
    "connection close": lambda service: _on_connection(service, "close"),
    "connection aclose": lambda service: _on_connection(service, "aclose"),
    "connection invalidate": lambda service: _on_connection(service, "invalidate"),
    "transaction commit": _commit_transaction,
    "COMMIT": lambda service: service.session.execute(text("COMMIT")),
    "commented commit": lambda service: service.session.execute(text("-- so\n /* it */ commit and chain")),
    "ROLLBACK": lambda service: service.session.execute(text("rollback")),
    "BEGIN": lambda service: service.session.execute(text("BEGIN")),
    "PREPARE": lambda service: service.session.execute(text("PREPARE TRANSACTION 'x'")),
    "SET": lambda service: service.session.execute(text("SET statement_timeout = 0")),
}


@pytest.mark.parametrize("way", REFUSED)
async def test_every_way_to_end_the_transaction_is_refused_and_says_why(
    transaction_app: TransactionApp, way: str
) -> None:
    async def step(service: Service[Any]) -> None:
        service.session.add(Plain(text="before"))
        await service.session.flush()
        await REFUSED[way](service)

    response = await transaction_app.create_after(step)
    assert (response.status, response.json()["code"]) == (500, "internal_error")
    assert isinstance(failures[0], TransactionIsManaged)
    assert "is refused" in str(failures[0])
    assert await transaction_app.count("plain") == await transaction_app.count() == 0
    assert (await transaction_app.create_after(nothing)).status == 201, "the connection serves the next request"


@pytest.mark.parametrize("way", REFUSED)
async def test_a_refusal_that_is_swallowed_leaves_all_of_the_request_or_nothing(
    transaction_app: TransactionApp, way: str
) -> None:
    async def step(service: Service[Any]) -> None:
        service.session.add(Plain(text="before"))
        await service.session.flush()
        with contextlib.suppress(TransactionIsManaged):
            await REFUSED[way](service)

    response = await transaction_app.create_after(step)
    assert response.status in (201, 500)
    whole = 1 if response.status == 201 else 0
    assert await transaction_app.count("plain") == await transaction_app.count() == whole
    assert (await transaction_app.create_after(nothing)).status == 201


async def _roll_back_transaction(service: Service[Any]) -> None:
    await service.session.get_transaction().rollback()  # type: ignore[union-attr]


async def _sync_connection(service: Service[Any]) -> None:
    await service.session.run_sync(lambda session: session.connection().rollback())


async def _raw_commit(service: Service[Any]) -> None:
    raw = await (await service.session.connection()).get_raw_connection()
    await raw.driver_connection.execute("COMMIT")  # type: ignore[union-attr]


@pytest.mark.parametrize("way", [_roll_back_transaction, _sync_connection])
async def test_a_transaction_that_sqlalchemy_gave_up_is_not_committed(
    transaction_app: TransactionApp, way: Any
) -> None:
    async def step(service: Service[Any]) -> None:
        service.session.add(Plain(text="before"))
        await service.session.flush()
        await way(service)

    assert (await transaction_app.create_after(step)).status == 500
    assert isinstance(failures[0], SwallowedError)
    assert await transaction_app.count("plain") == await transaction_app.count() == 0


async def test_a_transaction_that_the_bare_driver_ended_is_noticed(transaction_app: TransactionApp) -> None:
    assert (await transaction_app.create_after(_raw_commit)).status == 500
    assert isinstance(failures[0], TransactionBroken)
    assert (await transaction_app.create_after(nothing)).status == 201


async def test_the_isolation_of_a_transaction_that_has_begun_cannot_be_changed(transaction_app: TransactionApp) -> None:
    assert (await transaction_app.create_after(_isolate)).status == 500
    assert isinstance(failures[0], TransactionIsManaged)
    assert "`isolation`" in str(failures[0])
    assert (await transaction_app.create_after(nothing)).status == 201


# Errors that a service swallows


async def _by_statement(service: Service[Any]) -> None:
    await service.session.execute(insert(Plain).values(text="twice"))


async def _by_python(service: Service[Any]) -> None:
    service.session.add(Plain(text="other", number=object()))
    await service.session.flush()


@pytest.mark.parametrize("way", [by_flush, _by_statement, _by_python])
async def test_an_error_swallowed_without_a_savepoint_fails_the_request_and_writes_nothing(
    transaction_app: TransactionApp, way: Any
) -> None:
    async def step(service: Service[Any]) -> None:
        await by_flush(service)
        with contextlib.suppress(IntegrityError, StatementError):
            await way(service)

    response = await transaction_app.create_after(step)
    assert response.status == 500
    assert await transaction_app.count("plain") == await transaction_app.count() == 0


@pytest.mark.parametrize("way", [by_flush, _by_statement])
async def test_an_error_inside_a_savepoint_costs_no_more_than_the_savepoint(
    transaction_app: TransactionApp, way: Any
) -> None:
    async def step(service: Service[Any]) -> None:
        await by_flush(service)
        with pytest.raises(IntegrityError):
            async with service.session.begin_nested():
                await way(service)

    assert (await transaction_app.create_after(step)).status == 201
    assert await transaction_app.count("plain") == await transaction_app.count() == 1


async def test_a_savepoint_that_is_left_open_fails_the_request(transaction_app: TransactionApp) -> None:
    async def step(service: Service[Any]) -> None:
        await service.session.begin_nested()
        await by_flush(service)

    assert (await transaction_app.create_after(step)).status == 500
    assert isinstance(failures[0], TransactionBroken)
    assert await transaction_app.count("plain") == 0
    assert (await transaction_app.create_after(nothing)).status == 201


async def test_an_error_that_is_not_swallowed_rolls_back_and_gets_its_response(transaction_app: TransactionApp) -> None:
    async def step(service: Service[Any]) -> None:
        await by_flush(service)
        await by_flush(service)

    response = await transaction_app.create_after(step)
    assert (response.status, response.json()["code"]) == (409, "already_exists")
    assert await transaction_app.count("plain") == 0


async def test_an_error_of_a_services_own_files_is_not_the_databases(transaction_app: TransactionApp) -> None:
    async def step(service: Service[Any]) -> None:
        raise FileNotFoundError("price list")

    assert (await transaction_app.create_after(step)).status == 500
    assert isinstance(failures[0], FileNotFoundError)


# The identity map and compiled statements


async def test_pending_changes_are_written_before_a_compiled_statement(transaction_app: TransactionApp) -> None:
    seen: list[Any] = []

    async def step(service: Service[Any]) -> None:
        service.session.add(Plain(text="pending", number=3))
        statement = Statement(select(entity_of(Plain).table.c.number))
        seen.extend(await service._unit.transaction.fetch(statement, {}))

    assert (await transaction_app.create_after(step)).status == 201
    assert [record[0] for record in seen] == [3]


async def test_what_changes_on_a_row_after_its_creation_is_written(transaction_app: TransactionApp) -> None:
    async with app.transaction() as tx:
        row = await tx.service(Plain).create(Plain(text="made"), tx.actor)
        row.number = 7
    records = await transaction_app.database.fetch("SELECT text, number FROM plain")
    assert [tuple(record) for record in records] == [("made", 7)]


async def test_a_loaded_row_shows_what_a_compiled_statement_wrote(transaction_app: TransactionApp) -> None:
    seen: list[Any] = []

    async def step(service: Service[Any]) -> None:
        kept, gone = Plain(text="kept", number=1), Plain(text="gone", number=1)
        service.session.add_all([kept, gone])
        table: Table = entity_of(Plain).table
        transaction = service._unit.transaction
        await service.session.flush()
        key = gone.id
        await transaction.fetch(Statement(update(table).values(number=2).returning(table.c.id)), {})
        seen.append(kept.number)
        await transaction.fetch(Statement(table.delete().where(table.c.text == "gone").returning(table.c.id)), {})
        seen.append(gone in service.session)
        seen.append(await service.session.get(Plain, key))

    assert (await transaction_app.create_after(step)).status == 201, failures
    assert seen == [2, False, None]


@pytest.mark.parametrize("way", ["get", "get_one", "select", "refresh", "sync"])
async def test_a_locked_row_shows_its_present_values_and_keeps_pending_ones(
    transaction_app: TransactionApp, way: str
) -> None:
    seen: list[Any] = []

    async def lock(session: Any, row: Plain) -> Any:
        if way == "select":
            return (await session.scalars(select(Plain).where(Plain.id == row.id).with_for_update())).one()
        if way == "refresh":
            await session.refresh(row, with_for_update=True)
            return row
        if way == "sync":
            return await session.run_sync(lambda inner: inner.get(Plain, row.id, with_for_update=True))
        return await getattr(session, way)(Plain, row.id, with_for_update=True)

    async def step(service: Service[Any]) -> None:
        session = service.session
        row = Plain(text="row", number=1)
        session.add(row)
        await session.flush()
        await session.execute(text("UPDATE plain SET number = 5"))
        locked = await lock(session, row)
        seen.append((locked is row, locked.number))
        locked.number = 6
        if way != "refresh":  # whose contract is to discard what is pending
            seen.append((await lock(session, row)).number)

    assert (await transaction_app.create_after(step)).status == 201, failures
    assert seen == [(True, 5), 6][: 1 if way == "refresh" else 2]


# What is not asked for


async def test_a_session_that_nobody_opens_is_not_made(
    transaction_app: TransactionApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    open_session = Sessions.open

    def counting(self: Sessions, connection: PooledConnection, transaction: OwningTransaction) -> RequestSession:
        opened.append(1)
        return open_session(self, connection, transaction)

    monkeypatch.setattr(Sessions, "open", counting)
    path = "/api/plain"
    response = await transaction_app.client.post(path, json={"text": "a"})
    assert response.status == 201, failures
    made = response.data
    assert (
        await transaction_app.client.patch(f"{path}/{made['id']}", json={"text": "b", "version": made["version"]})
    ).status == 200
    assert (await transaction_app.client.get(path)).status == 200
    assert (await transaction_app.client.delete(f"{path}/{made['id']}")).status == 204
    assert opened == []
    assert (await transaction_app.create_after(nothing)).status == 201
    assert opened == [1]


async def test_a_refusal_in_a_service_rolls_everything_back(transaction_app: TransactionApp) -> None:
    async def step(service: Service[Any]) -> None:
        await by_flush(service)
        raise ValueError("no")

    assert (await transaction_app.create_after(step)).status == 500
    assert await transaction_app.count("plain") == await transaction_app.count() == 0
