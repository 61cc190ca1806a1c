"""Inside `app.transaction` and services each verb raises its problem where it fails, and what follows is told so."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from errors_app import Booking, Room, Site, Stay, Stays, app, failures
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from gatepost import Actor, Changes, Conflict, Unprocessable
from gatepost.database.guards import TransactionAborted
from gatepost.database.transactions import SwallowedError
from gatepost.services.service_transaction import ServiceTransaction

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = pytest.mark.parametrize("model", [Booking, Stay])


async def run(work: Callable[[ServiceTransaction], Awaitable[None]]) -> None:
    """The work in a transaction outside of a request."""
    async with app.transaction() as tx:
        await work(tx)


async def names(site: Site, model: Any) -> list[str]:
    """The names that are stored."""
    return [row[0] for row in await site.witness.fetch(f"SELECT name FROM {model.__tablename__} WHERE name <> ''")]


@BOTH
async def test_a_duplicate_is_a_conflict_that_except_catches(site: Site, model: Any) -> None:
    await site.clear(model.__tablename__)
    caught: list[Conflict] = []

    async def work(tx: ServiceTransaction) -> None:
        await tx.service(model).create(model(name="a"), tx.actor)
        try:
            await tx.service(model).create(model(name="a"), tx.actor)
        except Conflict as conflict:
            caught.append(conflict)

    with pytest.raises(SwallowedError):
        await run(work)

    assert [error.pointer for error in caught[0].errors] == ["/name"]
    assert isinstance(caught[0].__cause__, IntegrityError)
    assert await names(site, model) == []


@BOTH
async def test_inside_a_savepoint_the_transaction_goes_on(site: Site, model: Any) -> None:
    await site.clear(model.__tablename__)
    async with app.transaction() as tx:
        for name in ("a", "b", "a", "c", "b"):
            try:
                async with tx.session.begin_nested():
                    await tx.service(model).create(model(name=name), tx.actor)
            except Conflict:
                pass

    assert sorted(await names(site, model)) == ["a", "b", "c"]


FOLLOWING = {
    "create": lambda tx, model, row: tx.service(model).create(model(name="b"), tx.actor),
    "update": lambda tx, model, row: tx.service(model).update(row, Changes({"name": "b"}), tx.actor),
    "delete": lambda tx, model, row: tx.service(model).delete(row, tx.actor),
    "get": lambda tx, model, row: tx.service(model).get(1, tx.actor),
}


@BOTH
@pytest.mark.parametrize("verb", FOLLOWING)
async def test_a_verb_that_follows_says_in_words_why_it_cannot(site: Site, model: Any, verb: str) -> None:
    await site.clear(model.__tablename__)
    said: list[BaseException] = []

    async def work(tx: ServiceTransaction) -> None:
        row = await tx.service(model).get(1, tx.actor)
        await tx.service(model).create(model(name="a"), tx.actor)
        with pytest.raises(Conflict):
            await tx.service(model).create(model(name="a"), tx.actor)
        try:
            await FOLLOWING[verb](tx, model, row)
        except TransactionAborted as error:
            said.append(error)

    with pytest.raises(SwallowedError):
        await run(work)

    assert "an earlier statement of this transaction failed" in str(said[0])
    assert "begin_nested" in str(said[0])


async def test_sql_that_follows_an_error_says_so_in_words_as_well(site: Site) -> None:

    async def work(tx: ServiceTransaction) -> None:
        with pytest.raises(Exception, match="division by zero"):
            await tx.session.execute(text("SELECT 1 / 0"))
        await tx.session.execute(select(Booking))

    with pytest.raises(TransactionAborted):
        await run(work)


@BOTH
async def test_every_verb_raises_what_it_means(site: Site, model: Any) -> None:
    table = model.__tablename__
    await site.clear("rooms")
    await site.clear(table)
    await site.write("POST", table, name="a", room_id=1)
    async with app.transaction() as tx:
        row, room = await tx.service(model).get(1, tx.actor), await tx.service(Room).get(1, tx.actor)
        with pytest.raises(Conflict, match="already_exists"):
            async with tx.session.begin_nested():
                await tx.service(model).update(row, Changes({"name": "a"}), tx.actor)
        with pytest.raises(Unprocessable, match="invalid_body"):
            async with tx.session.begin_nested():
                await tx.service(model).update(row, Changes({"price": 13}), tx.actor)
        await tx.session.execute(text(f"SET CONSTRAINTS {table}_room IMMEDIATE"))
        with pytest.raises(Conflict, match="still_referenced"):
            async with tx.session.begin_nested():
                await tx.service(Room).delete(room, tx.actor)
    await site.clear(table)


async def test_what_commit_refuses_is_the_problem_of_the_block(site: Site) -> None:
    await site.clear("bookings")

    async def work(tx: ServiceTransaction) -> None:
        await tx.service(Booking).create(Booking(name="a", room_id=9), tx.actor)

    with pytest.raises(Unprocessable, match="reference_not_found"):
        await run(work)


async def test_a_flush_of_ones_own_raises_what_sqlalchemy_does_and_becomes_the_problem_if_nobody_catches_it(
    site: Site,
) -> None:
    await site.clear("bookings")
    caught: list[BaseException] = []

    async def work(tx: ServiceTransaction) -> None:
        tx.session.add_all([Booking(name="a"), Booking(name="a")])
        try:
            await tx.session.flush()
        except IntegrityError as error:
            caught.append(error)
            raise

    with pytest.raises(Conflict, match="already_exists"):
        await run(work)

    assert len(caught) == 1


@pytest.mark.parametrize("is_nested", [False, True])
async def test_a_service_catches_the_problem_of_a_verb_that_it_calls(
    site: Site, monkeypatch: pytest.MonkeyPatch, is_nested: bool
) -> None:
    await site.clear("bookings")
    await site.clear("stays")
    await site.write("POST", "bookings", name="taken")

    async def before_create(self: Stays, draft: Stay, actor: Actor) -> None:
        bookings = self.service(Booking)
        try:
            if is_nested:
                async with self.session.begin_nested():
                    await bookings.create(Booking(name=draft.name), actor)
            else:
                await bookings.create(Booking(name=draft.name), actor)
        except Conflict as error:
            if not is_nested:
                raise Conflict("room_taken", "The room is taken.") from error
            draft.late = "taken"

    monkeypatch.setattr(Stays, "before_create", before_create)
    response = await site.write("POST", "stays", name="taken")

    if is_nested:
        assert (response.status, response.data["late"]) == (201, "taken")
    else:
        assert (response.status, response.json()["code"]) == (409, "room_taken")
    assert not failures


@BOTH
async def test_a_name_that_the_model_does_not_have_is_refused_with_a_hint(site: Site, model: Any) -> None:
    await site.clear(model.__tablename__)
    async with app.transaction() as tx:
        row = await tx.service(model).get(1, tx.actor)
        with pytest.raises(TypeError, match=rf"^{model.__name__} has no attribute 'nmae'. Did you mean 'name'\?$"):
            await tx.service(model).update(row, Changes({"nmae": "a"}), tx.actor)
        with pytest.raises(TypeError, match="has no attribute 'nonsense'"):
            await tx.service(model).update(row, Changes({"nonsense": 1}), tx.actor)
        with pytest.raises(TypeError, match="Did you mean 'name'"):
            Changes({"nmae": "a"}).apply(row)
        with pytest.raises(TypeError, match="Did you mean 'name'"):
            Changes({"name": "a"}, model=model).replace(nmae="b")
        changed = Changes({"name": "a", "late": "x"}, model=model).replace(name="b")
        await tx.service(model).update(row, changed, tx.actor)

    assert await names(site, model) == ["b"]


async def test_a_service_that_replaces_an_unknown_name_is_a_mistake_with_a_hint(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.clear("stays")

    async def update(self: Stays, row: Stay, changes: Changes[Stay], actor: Actor) -> Stay:
        return await super(Stays, self).update(row, changes.replace(nmae="b"), actor)

    monkeypatch.setattr(Stays, "update", update)

    assert (await site.write("PATCH", "stays", name="a")).status == 500
    assert "Did you mean 'name'?" in str(failures[0])
