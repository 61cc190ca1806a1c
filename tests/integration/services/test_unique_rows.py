"""`ensure` and `discard`: one row with unique values, whoever makes it, whatever the race, and no more than policies
say."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from services_app import Book, Country, Favorite, Hidden, HiddenRows, Label, Seat, Secret, Short, Tag, app
from sqlalchemy import delete, func, select

from gatepost import Actor, ConfigurationError, Conflict, Forbidden, Unauthorized, anonymous
from gatepost.errors import ServiceUnavailable
from gatepost.services.service_transaction import ServiceTransaction
from gatepost.services.unique_rows import INSERTS_MAX
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.testing import TestApp

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("running")]

OTHER_ID = 7_000_000

NAMED = pytest.mark.parametrize("model", [Tag, Label, Secret, Hidden])
"""Made by a service, by the ORM without one, and with a policy over the row by a statement and by a service."""


def user() -> Actor:
    return Actor(uuid.uuid4())


def draft(model: Any, name: str) -> Any:
    return model(name=name)


async def count(model: Any, name: str) -> int:
    async with app.transaction() as tx:
        return int(await tx.session.scalar(select(func.count()).select_from(model).where(model.name == name)) or 0)


@NAMED
async def test_a_row_is_made_once_and_found_afterwards(model: Any) -> None:
    actor, name = user(), uuid.uuid4().hex
    async with app.transaction(actor) as tx:
        made = await tx.service(model).ensure(draft(model, name), actor)
        assert (await tx.service(model).ensure(draft(model, name), actor)) is made
    async with app.transaction(actor) as tx:
        assert (await tx.service(model).ensure(draft(model, name), actor)).id == made.id
        assert getattr(made, "owner_id", actor.id) == actor.id
    assert getattr(made, "made_by", None) in {Tag: ("tags",), Label: ("listener",)}.get(model, (None,))
    assert await count(model, name) == 1


async def test_a_plain_row_is_made_with_its_defaults_and_left_as_it_is_afterwards() -> None:
    actor = user()
    async with app.transaction(actor) as tx:
        favorites = tx.service(Favorite)
        made = await favorites.ensure(Favorite(book_id=1, stars=None), actor)
        assert (made.user_id, made.stars) == (actor.id, 5)
        again = await favorites.ensure(Favorite(user_id=actor.id, book_id=1, stars=1), actor)
        assert again is made
        assert again.stars == 5
        assert (await favorites.ensure(Favorite(book_id=2, stars=3), actor)).stars == 3
        assert not tx.session.new
        with pytest.raises(Forbidden):
            await favorites.ensure(Favorite(user_id=uuid.uuid4(), book_id=1), actor)


@NAMED
@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_of_two_at_once_both_get_the_same_row(model: Any, isolation: str) -> None:
    actor, name = user(), uuid.uuid4().hex
    begun, first = asyncio.Barrier(2), asyncio.Event()

    async def one() -> Any:
        async with app.transaction(actor) as tx:
            row = await tx.service(model).ensure(draft(model, name), actor)
            first.set()
            await begun.wait()
            await asyncio.sleep(0.05)  # the other one waits for this commit
        return row.id

    async def other() -> Any:
        await first.wait()

        async def work(tx: ServiceTransaction) -> Any:
            await tx.session.execute(select(1))
            if isolation != "read committed":
                await tx.session.scalar(select(func.count()).select_from(model))  # the snapshot is older than the row
            if begun.n_waiting:
                await begun.wait()
            row = await tx.service(model).ensure(draft(model, name), actor)
            assert await tx.session.scalar(select(1)) == 1  # the session is usable
            return row.id

        return await transact(work, isolation, actor)

    ids = await asyncio.gather(one(), other())
    assert ids[0] == ids[1]
    assert await count(model, name) == 1


async def transact(
    work: Callable[[ServiceTransaction], Awaitable[Any]], isolation: str, actor: Actor, *, attempts: int = 5
) -> Any:
    """The work as a service's verb runs, which is tried again where another transaction was faster."""
    running = app.running

    async def in_transaction(transaction: Any) -> Any:
        return await work(ServiceTransaction(UnitOfWork(transaction, running.registry), actor))

    return await running.database.transact(in_transaction, isolation=isolation, attempts=attempts)


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_row_that_is_gone_when_it_is_looked_for_is_made_again(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, name, create = user(), uuid.uuid4().hex, HiddenRows.create
    seen: list[str] = []

    async def crossed(self: HiddenRows, draft: Hidden, by: Actor) -> Hidden:
        """Another transaction commits the row before this one, and deletes it afterwards."""
        seen.append(draft.name)
        if len(seen) > times:
            return await create(self, draft, by)
        async with app.transaction() as other:
            other.session.add(Hidden(name=name, owner_id=actor.id))
        try:
            draft.id = OTHER_ID
            return await create(self, draft, by)
        finally:
            async with app.transaction() as other:
                await other.session.execute(delete(Hidden).where(Hidden.name == name))

    monkeypatch.setattr(HiddenRows, "create", crossed)
    async with app.transaction(actor) as tx:
        if times < INSERTS_MAX:
            made = await tx.service(Hidden).ensure(draft(Hidden, name), actor)
            assert made.name == name
            assert made.id != OTHER_ID, "made of what was given"
        else:
            with pytest.raises(ServiceUnavailable, match="transaction_conflict"):
                await tx.service(Hidden).ensure(draft(Hidden, name), actor)
    assert seen == [name] * min(times + 1, INSERTS_MAX)
    assert await count(Hidden, name) == (times < INSERTS_MAX)


@pytest.mark.parametrize("model", [Tag, Secret])
async def test_a_snapshot_that_is_older_than_the_row_is_a_collision_and_no_conflict(model: Any) -> None:
    actor, name = user(), uuid.uuid4().hex

    async def work(tx: ServiceTransaction) -> None:
        await tx.session.scalar(select(func.count()).select_from(model))
        async with app.transaction(actor) as other:
            await other.service(model).ensure(draft(model, name), actor)
        await tx.service(model).ensure(draft(model, name), actor)

    with pytest.raises(ServiceUnavailable, match="transaction_conflict"):
        await transact(work, "repeatable read", actor, attempts=1)


@pytest.mark.parametrize("model", [Secret, Hidden])
async def test_a_row_that_the_actor_may_not_read_is_a_conflict_and_the_transaction_goes_on(model: Any) -> None:
    first, second, name = user(), user(), uuid.uuid4().hex
    async with app.transaction(first) as tx:
        await tx.service(model).ensure(draft(model, name), first)
    async with app.transaction(second) as tx:
        with pytest.raises(Conflict) as refused:
            await tx.service(model).ensure(draft(model, name), second)
        assert (refused.value.code, [error.pointer for error in refused.value.errors]) == ("already_exists", ["/name"])
        await tx.service(model).ensure(draft(model, name + "2"), second)
        assert not await tx.service(model).discard(draft(model, name), second)
    assert (await count(model, name), await count(model, name + "2")) == (1, 1)


@NAMED
async def test_who_may_not_create_learns_only_of_what_he_may_read(model: Any) -> None:
    actor, name = user(), uuid.uuid4().hex
    async with app.transaction(anonymous) as tx:
        with pytest.raises(Unauthorized):
            await tx.service(model).ensure(draft(model, name), anonymous)
    async with app.transaction(actor) as tx:
        made = await tx.service(model).ensure(draft(model, name), actor)
    async with app.transaction(anonymous) as tx:
        if model in (Tag, Label):
            assert (await tx.service(model).ensure(draft(model, name), anonymous)).id == made.id
        else:
            with pytest.raises(Unauthorized):
                await tx.service(model).ensure(draft(model, name), anonymous)


async def test_a_policy_that_needs_sql_holds_for_what_is_made() -> None:
    actor, name = user(), uuid.uuid4().hex
    async with app.transaction(actor) as tx:
        with pytest.raises(Forbidden):
            await tx.service(Short).ensure(Short(name="l" + name), actor)
        assert (await tx.service(Short).ensure(Short(name="s" + name), actor)).name == "s" + name
    assert (await count(Short, "l" + name), await count(Short, "s" + name)) == (0, 1)


async def test_one_of_several_constraints_is_named() -> None:
    actor = user()
    async with app.transaction(actor) as tx:
        seats = tx.service(Seat)
        for choose in (seats.ensure, seats.discard):
            with pytest.raises(ConfigurationError) as refused:
                await choose(Seat(row="a", number=1), actor)
            assert str(refused.value) == (
                "Seat: has several unique constraints. Write unique=[Seat.code] or unique=[Seat.row, Seat.number]."
            )
        with pytest.raises(ConfigurationError, match=r"Seat: has no unique constraint over number\. Write"):
            await seats.ensure(Seat(row="a", number=1), actor, unique=["number"])
        with pytest.raises(ConfigurationError, match=r"names Tag\.name, of another model"):
            await seats.ensure(Seat(row="a", number=1), actor, unique=[Tag.name])
        with pytest.raises(TypeError, match=r"^Seat\.code must have a value"):
            await seats.ensure(Seat(row="a", number=1), actor, unique=[Seat.code])
        with pytest.raises(ConfigurationError, match="Book"):
            await tx.service(Book).ensure(Book(title="a", owner_id=actor.id), actor, unique=["title"])
        made = await seats.ensure(Seat(row="a", number=1, code="x"), actor, unique=[Seat.number, "row"])
        assert await seats.ensure(Seat(row="b", number=2, code="x"), actor, unique=[Seat.code]) is made
        with pytest.raises(Conflict, match="already_exists"):
            async with tx.session.begin_nested():
                await seats.ensure(Seat(row="c", number=3, code="x"), actor, unique=["row", "number"])
        assert await seats.discard(Seat(code="x"), actor, unique=[Seat.code])
        assert not await seats.discard(Seat(code="x"), actor, unique=[Seat.code])


async def test_a_key_of_its_own_counts_where_there_is_no_other_constraint() -> None:
    async with app.transaction() as tx:
        countries = tx.service(Country)
        made = await countries.ensure(Country(code="de", name="Germany"), tx.actor)
        assert await countries.ensure(Country(code="de", name="Deutschland"), tx.actor) is made
        assert await countries.discard(Country(code="de"), tx.actor)
        assert not await countries.discard(Country(code="de"), tx.actor)


async def test_what_is_discarded_is_deleted_under_its_policy_and_once(running: TestApp) -> None:
    actor, name = user(), uuid.uuid4().hex
    async with app.transaction(actor) as tx:
        await tx.service(Favorite).ensure(Favorite(book_id=9), actor)
        await tx.service(Tag).ensure(Tag(name=name), actor)
    async with app.transaction(actor) as tx:
        with pytest.raises(Forbidden):
            await tx.service(Tag).discard(Tag(name=name), actor)

    async def discard() -> bool:
        async with app.transaction(actor) as tx:
            found = await tx.service(Favorite).discard(Favorite(book_id=9), actor)
            await asyncio.sleep(0.02)
        return found

    assert sorted(await asyncio.gather(*(discard() for _ in range(3)))) == [False, False, True]


async def test_what_is_pending_in_the_session_is_found() -> None:
    actor, name = user(), uuid.uuid4().hex
    async with app.transaction(actor) as tx:
        pending = Label(name=name)
        tx.session.add(pending)
        assert await tx.service(Label).ensure(Label(name=name), actor) is pending
