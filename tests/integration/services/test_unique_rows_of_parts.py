"""`ensure` and `discard` where a resource serves a part of its table (`where=`, subclasses), has another key, is below
another one, or has no routes."""

import uuid
from typing import Any

import pytest
from parts_app import Badge, Base, Drill, Hammer, Lap, Laps, Pin, Pinned, Saw, Tool, app
from sqlalchemy import MetaData, select, text

from gatepost import Actor, Conflict, Forbidden, system

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("running")]

PARTS = pytest.mark.parametrize("model", [Pin, Badge])
"""By a statement, and through a service."""

ACTORS = pytest.mark.parametrize("actor", [Actor(uuid.uuid4()), system], ids=["user", "system"])


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return Base.metadata


@pytest.fixture
def name() -> str:
    """One that no other row has."""
    return uuid.uuid4().hex


async def stored(model: Any, name: str) -> list[bool]:
    """Of the rows whose names begin so, whether they are removed."""
    rows = select(model.is_removed).where(model.name.startswith(name)).order_by(model.name)
    async with app.transaction() as tx:
        return list(await tx.session.scalars(rows))


async def remove(model: Any, name: str) -> None:
    """Store a row that is not served."""
    async with app.transaction() as tx:
        tx.session.add(model(name=name, is_removed=True))


@PARTS
@ACTORS
async def test_a_row_is_made_and_found_and_deleted_within_the_part(model: Any, actor: Actor, name: str) -> None:
    async with app.transaction(actor) as tx:
        made = await tx.service(model).ensure(model(name=name), actor)
        assert (made.name, made.is_removed) == (name, False)
    async with app.transaction(actor) as tx:
        assert (await tx.service(model).ensure(model(name=name), actor)).id == made.id
        assert await tx.service(model).discard(model(name=name), actor)
        assert not await tx.service(model).discard(model(name=name), actor)


@PARTS
@ACTORS
async def test_a_row_outside_is_a_conflict_and_is_not_discarded(model: Any, actor: Actor, name: str) -> None:
    await remove(model, name)
    async with app.transaction(actor) as tx:
        with pytest.raises(Conflict) as refused:
            await tx.service(model).ensure(model(name=name), actor)
        assert (refused.value.code, [error.pointer for error in refused.value.errors]) == ("already_exists", ["/name"])
        assert not await tx.service(model).discard(model(name=name), actor)
        await tx.service(model).ensure(model(name=name + "2"), actor)  # the transaction is usable
    assert await stored(model, name) == [True, False]


@PARTS
@ACTORS
async def test_a_row_is_not_made_outside_whether_one_is_there_or_not(model: Any, actor: Actor, name: str) -> None:
    refusals = []
    for rows in ([], [True]):
        async with app.transaction(actor) as tx:
            with pytest.raises(Forbidden) as refused:
                await tx.service(model).ensure(model(name=name, is_removed=True), actor)
        refusals.append((refused.value.code, refused.value.detail))
        assert await stored(model, name) == rows
        if not rows:
            await remove(model, name)
    assert set(refusals) == {("forbidden", "The row would not be one of those that are served here.")}


async def test_a_row_below_another_is_found_by_its_columns(name: str) -> None:
    actor = Actor(uuid.uuid4())
    async with app.transaction(actor) as tx:
        pin = await tx.service(Pin).ensure(Pin(name=name), actor)
        pinned = tx.service(Pinned)
        made = await pinned.ensure(Pinned(pin_id=pin.id), actor)
        assert await pinned.ensure(Pinned(pin_id=pin.id), actor) is made
        assert await pinned.discard(Pinned(pin_id=pin.id), actor)


async def test_a_draft_of_a_subclass_is_made_by_the_service_that_is_asked(name: str) -> None:
    actor = Actor(uuid.uuid4())
    async with app.transaction(actor) as tx:
        for model in (Hammer, Saw, Tool):
            made = await tx.service(Tool).ensure(model(name=name + model.__name__), actor)
            assert (type(made), made.made_by) == (model, "tools")
            assert await tx.service(Tool).ensure(model(name=made.name), actor) is made
        plain = await tx.service(Saw).ensure(Saw(name=name), actor)
        assert (type(plain), plain.made_by) == (Saw, "nobody")
        assert await tx.service(Tool).ensure(Tool(name=name), actor) is plain
    async with app.transaction(actor) as tx:
        for model in (Hammer, Saw):
            found = await tx.service(Tool).ensure(model(name=name + model.__name__), actor)
            assert (type(found), found.made_by) == (model, "tools")


@pytest.mark.parametrize("service", [Saw, Tool])
async def test_a_row_of_another_class_has_the_value_already(service: Any, name: str) -> None:
    actor = Actor(uuid.uuid4())
    async with app.transaction(actor) as tx:
        made = await tx.service(Tool).ensure(Tool(name=name), actor)
        with pytest.raises(Conflict, match="already_exists"):
            await tx.service(service).ensure(Saw(name=name), actor)
        assert not await tx.service(service).discard(Saw(name=name), actor)
        assert await tx.service(Tool).ensure(Tool(name=name), actor) is made


async def test_who_loses_a_race_gets_the_row_and_announces_none(name: str) -> None:
    actor, faster = Actor(uuid.uuid4()), name + "2"
    Laps.faster.append(Lap(name=name, code=faster))
    async with app.transaction(actor) as tx:
        laps = tx.service(Laps)
        assert (await laps.ensure(Lap(name=name, code=name), actor, unique=[Lap.name])).code == faster
        assert (await laps.ensure(Lap(name=name + "3", code=name + "3"), actor, unique=[Lap.name])).code == name + "3"
    assert [code for code in Laps.announced if code.startswith(name)] == [name + "3"]


async def test_a_constraint_may_have_another_name_in_the_database(name: str) -> None:
    actor, rename = Actor(uuid.uuid4()), "ALTER TABLE laps RENAME CONSTRAINT {} TO {}"
    try:
        async with app.transaction() as tx:
            await tx.session.execute(text(rename.format("laps_name_key", "elsewhere")))
        Laps.faster.append(Lap(name=name, code=name + "2"))
        async with app.transaction(actor) as tx:
            found = await tx.service(Lap).ensure(Lap(name=name, code=name), actor, unique=[Lap.name])
            assert found.code == name + "2"
    finally:
        async with app.transaction() as tx:
            await tx.session.execute(text(rename.format("elsewhere", "laps_name_key")))


async def test_another_constraint_than_the_one_asked_for_is_a_conflict(name: str) -> None:
    actor = Actor(uuid.uuid4())
    Laps.faster.append(Lap(name=name + "2", code=name))
    async with app.transaction(actor) as tx:
        laps = tx.service(Laps)
        with pytest.raises(Conflict) as refused:
            await laps.ensure(Lap(name=name, code=name), actor, unique=[Lap.name])
        assert [error.pointer for error in refused.value.errors] == ["/code"]
        assert (await laps.ensure(Lap(name=name, code=name), actor, unique=[Lap.code])).name == name + "2"


async def test_a_row_of_a_subclass_is_deleted_by_its_own_service(name: str) -> None:
    actor = Actor(uuid.uuid4())
    async with app.transaction(actor) as tx:
        await tx.service(Drill).ensure(Drill(name=name), actor)
        await tx.service(Saw).ensure(Saw(name=name + "2"), actor)
        with pytest.raises(Conflict, match="kept"):
            await tx.service(Tool).discard(Tool(name=name), actor)
        assert await tx.service(Tool).discard(Tool(name=name + "2"), actor)
