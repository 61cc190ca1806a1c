"""Services find each other, select under a policy, and lock what they get, in one transaction."""

import asyncio
import uuid

import pytest
from services_app import Book, Books, Note, app
from sqlalchemy import func, select

from gatepost import Actor, Changes, ConfigurationError, NotFound, Service, anonymous, system
from gatepost.testing import TestApp

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("running")]


class Unserved(Service[Book]):
    """A service that no resource names."""


async def test_a_service_is_the_same_by_its_class_and_by_its_model(running: TestApp) -> None:
    async with app.transaction() as tx:
        books = tx.service(Books)
        assert books.low() == "low"
        assert books is tx.service(Book)
        assert books.service(Books) is books
        assert books.service(Book) is books
        assert type(books.service(Note)) is Service
        assert books.service(Note) is tx.service(Note)
        assert tx.actor is system
        with pytest.raises(ConfigurationError, match="no resource has service=Unserved"):
            tx.service(Unserved)
        with pytest.raises(ConfigurationError, match="int has no resource"):
            tx.service(int)
        assert not hasattr(tx, "model")


async def test_verbs_of_another_service_are_in_the_same_transaction(running: TestApp) -> None:
    text = uuid.uuid4().hex

    async def fail() -> None:
        async with app.transaction() as tx:
            await tx.service(Books).service(Note).create(Note(text=text), tx.actor)
            assert await tx.session.scalar(select(func.count()).where(Note.text == text)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with app.transaction() as tx:
        assert await tx.session.scalar(select(func.count()).where(Note.text == text)) == 0


async def test_a_select_finds_what_the_actor_may_list(running: TestApp) -> None:
    first, second = Actor(uuid.uuid4()), Actor(uuid.uuid4())
    async with app.transaction() as tx:
        for actor in (first, second):
            for title in ("b", "a"):
                await tx.service(Book).create(Book(title=title, owner_id=actor.id), tx.actor)
    async with app.transaction(first) as tx:
        found = (await tx.session.scalars(tx.select(Book).order_by(Book.title))).all()
        assert [(book.title, book.owner_id) for book in found] == [("a", first.id), ("b", first.id)]
        of_both = tx.select(Book).where(Book.id.in_(tx.service(Books).select(second).with_only_columns(Book.id)))
        assert (await tx.session.scalars(of_both)).all() == []
        either = select(Book.id).where(
            Book.id.in_(tx.select(Book).with_only_columns(Book.id))
            | Book.id.in_(tx.service(Books).select(second).with_only_columns(Book.id))
        )
        assert len((await tx.session.scalars(either)).all()) == 4
    async with app.transaction(anonymous) as tx:
        assert (await tx.session.scalars(tx.select(Book))).all() == []
    async with app.transaction() as tx:
        assert len((await tx.session.scalars(tx.select(Book))).all()) >= 4


async def test_who_locks_a_row_waits_for_others_and_sees_what_they_wrote(running: TestApp) -> None:
    owner = Actor(uuid.uuid4())
    async with app.transaction(owner) as tx:
        id = (await tx.service(Book).create(Book(title="a", owner_id=owner.id), owner)).id
    locked, counted = asyncio.Event(), 0

    async def add(count: int) -> None:
        nonlocal counted
        async with app.transaction(owner) as tx:
            await tx.service(Books).get(id, owner)  # what the session has of it is older than the lock
            book = await tx.service(Books).get(id, owner, lock=True)
            locked.set()
            for _ in range(10):
                await asyncio.sleep(0)
            await tx.service(Book).update(book, Changes[Book]({Book.stock: book.stock + count}), owner)
            counted += count

    await asyncio.gather(*(add(count) for count in (1, 2, 3)))
    assert locked.is_set()
    async with app.transaction(owner) as tx:
        assert (await tx.service(Book).get(id, owner)).stock == counted == 6


async def test_a_row_that_the_actor_may_not_read_is_not_locked(running: TestApp) -> None:
    async with app.transaction() as tx:
        id = (await tx.service(Book).create(Book(title="a", owner_id=uuid.uuid4()), tx.actor)).id
    async with app.transaction(Actor(uuid.uuid4())) as tx:
        with pytest.raises(NotFound):
            await tx.service(Book).get(id, tx.actor, lock=True)
