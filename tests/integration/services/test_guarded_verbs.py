"""Policies, owners, references and refusals hold around the verbs that a service writes itself, whoever calls them."""

import uuid

import pytest
from guarded_app import Depot, Parcel, Parcels, app
from sqlalchemy import func, select, text

from gatepost import Actor, Changes, Conflict, Forbidden, Unprocessable, system
from gatepost.testing import TestApp

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("running")]


def sender() -> Actor:
    return Actor(uuid.uuid4())


def a_code(letter: str = "p") -> str:
    return f"{letter}-{uuid.uuid4().hex}"


async def made(code: str, actor: Actor) -> int:
    """The key of a parcel of an actor."""
    async with app.transaction() as tx:
        return (await tx.service(Parcels).create(Parcel(code=code, owner_id=actor.id), tx.actor)).id


async def code_of(id: int) -> str | None:
    async with app.transaction() as tx:
        return await tx.session.scalar(select(Parcel.code).where(Parcel.id == id))


async def test_the_owner_is_filled_in() -> None:
    actor = sender()
    async with app.transaction(actor) as tx:
        parcel = await tx.service(Parcels).create(Parcel(code=a_code()), actor)
        assert parcel.owner_id == actor.id


@pytest.mark.parametrize("code", ["p", "q"])
async def test_a_row_that_the_policy_refuses_is_not_created(code: str) -> None:
    actor, code = sender(), a_code(code)
    parcel = Parcel(code=code, owner_id=actor.id if code.startswith("q") else uuid.uuid4())
    async with app.transaction(actor) as tx:
        with pytest.raises(Forbidden):
            await tx.service(Parcels).create(parcel, actor)
    async with app.transaction() as tx:
        assert await tx.session.scalar(select(func.count()).where(Parcel.code == code)) == 0


async def test_a_verb_may_complete_the_draft_before_the_policy_is_asked() -> None:
    actor = sender()
    async with app.transaction(actor) as tx:
        assert (await tx.service(Parcels).create(Parcel(code="complete me"), actor)).code == "p-completed"


async def test_a_refused_row_reveals_no_other_one() -> None:
    taken, mine = a_code("q"), a_code()
    await made(taken, sender())
    actor = sender()
    id = await made(mine, actor)
    async with app.transaction(actor) as tx:
        with pytest.raises(Forbidden):
            await tx.service(Parcels).create(Parcel(code=taken), actor)
    async with app.transaction(actor) as tx:
        parcel = await tx.service(Parcels).get(id, actor)
        with pytest.raises(Forbidden):
            await tx.service(Parcels).update(parcel, Changes[Parcel]({Parcel.code: taken}), actor)
        assert parcel.code == mine
    assert await code_of(id) == mine


async def test_what_postgresql_refuses_is_a_problem_at_the_verb() -> None:
    taken, actor = a_code(), sender()
    await made(taken, actor)
    async with app.transaction(actor) as tx:

        async def create(parcel: Parcel) -> None:
            async with tx.session.begin_nested():
                await tx.service(Parcels).create(parcel, actor)

        with pytest.raises(Conflict):
            await create(Parcel(code=taken))
        with pytest.raises(Unprocessable):
            await create(Parcel(code=a_code(), depot_id=2_000_000_000))
        await create(Parcel(code=a_code()))


async def test_a_row_is_changed_and_deleted_only_under_its_policy() -> None:
    actor, other, code = sender(), sender(), a_code()
    id = await made(code, actor)
    async with app.transaction(other) as tx:
        parcel = await tx.session.get_one(Parcel, id)
        with pytest.raises(Forbidden):
            await tx.service(Parcels).update(parcel, Changes[Parcel]({Parcel.code: a_code()}), other)
        with pytest.raises(Forbidden):
            await tx.service(Parcels).delete(parcel, other)
    async with app.transaction(actor) as tx:
        parcel = await tx.session.get_one(Parcel, id)
        with pytest.raises(Forbidden):  # to somebody else
            await tx.service(Parcels).update(parcel, Changes[Parcel]({Parcel.owner_id: other.id}), actor)
    assert await code_of(id) == code
    async with app.transaction(actor) as tx:
        await tx.service(Parcels).delete(await tx.session.get_one(Parcel, id), actor)
    assert await code_of(id) is None


async def test_what_a_statement_of_the_verb_writes_is_checked_in_the_database() -> None:
    actor, code = sender(), a_code()
    id = await made(code, actor)

    async def update() -> None:
        async with app.transaction(actor) as tx:
            parcel = await tx.session.get_one(Parcel, id)
            await tx.service(Parcels).update(parcel, Changes[Parcel]({Parcel.code: "by statement"}), actor)

    with pytest.raises(Forbidden):
        await update()
    assert await code_of(id) == code


async def test_a_verb_that_returns_another_row_is_checked_on_the_one_that_it_was_given(running: TestApp) -> None:
    user, id = await running.user_and_id()
    actor = Actor(id)
    shown = await made(a_code(), actor)
    async with app.transaction() as tx:
        await tx.session.execute(
            text("INSERT INTO depots (id) OVERRIDING SYSTEM VALUE VALUES (:id)"), {"id": shown + 5_000}
        )
        given = Parcel(code=a_code(), owner_id=id)
        given.depot_id = shown + 5_000
        await tx.service(Parcels).create(given, system)
        key = given.id

    refused = await user.patch(f"/api/parcels/{key}", json={"code": "another row"})
    assert refused.status == 403
    async with app.transaction() as tx:
        assert await tx.session.scalar(select(Parcel.owner_id).where(Parcel.id == key)) == id


async def test_ensure_finds_the_row_that_the_verb_could_not_create() -> None:
    actor, code = sender(), a_code()
    id = await made(code, actor)
    async with app.transaction(actor) as tx:
        assert (await tx.service(Parcels).ensure(Parcel(code=code), actor)).id == id
        assert await tx.service(Parcels).discard(Parcel(code=code), actor)
    assert await code_of(id) is None


async def test_null_is_stored_where_the_column_has_a_default(running: TestApp) -> None:
    client = await running.user()
    absent = await client.post("/api/parcels", json={"code": a_code()})
    null = await client.post("/api/parcels", json={"code": a_code(), "note": None})
    assert (absent.status, absent.data["note"]) == (201, "none")
    assert (null.status, null.data["note"]) == (201, None)


async def test_a_body_refers_only_to_rows_that_its_sender_may_read(running: TestApp) -> None:
    client, clerk = await running.user(), await running.user("clerk")
    async with app.transaction() as tx:
        depot = await tx.service(Depot).create(Depot(), system)
        id = depot.id
    for path in ("/api/parcels", "/api/parcels/sent"):
        refused = await client.post(path, json={"code": a_code(), "note": None, "depot_id": id})
        assert (refused.status, refused.json()["code"]) == (422, "reference_not_found")
        assert (await clerk.post(path, json={"code": a_code(), "note": None, "depot_id": id})).status == 201
    parcel = (await client.post("/api/parcels", json={"code": a_code()})).data
    for path in (f"/api/parcels/{parcel['id']}", f"/api/parcels/{parcel['id']}/moved"):
        refused = await client.patch(path, json={"depot_id": id})
        assert (refused.status, refused.json()["code"]) == (422, "reference_not_found")


@pytest.mark.filterwarnings("ignore:DELETE statement on table")
async def test_a_write_that_a_trigger_suppresses_is_refused(running: TestApp) -> None:
    client = await running.user()
    id = (await client.post("/api/parcels", json={"code": a_code()})).data["id"]
    async with app.transaction() as tx:
        await tx.session.execute(text("CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS "
                                      "$$ BEGIN RETURN NULL; END $$"))  # fmt: skip
        await tx.session.execute(text("CREATE TRIGGER suppress BEFORE INSERT OR UPDATE OR DELETE ON parcels "
                                      "FOR EACH ROW EXECUTE FUNCTION suppress()"))  # fmt: skip
    try:
        responses = [
            await client.post("/api/parcels", json={"code": a_code()}),
            await client.patch(f"/api/parcels/{id}", json={"note": "changed"}),
            await client.delete(f"/api/parcels/{id}"),
        ]
    finally:
        async with app.transaction() as tx:
            await tx.session.execute(text("DROP FUNCTION suppress() CASCADE"))
    assert [response.status for response in responses] == [409] * 3
    assert {response.json()["code"] for response in responses} == {"suppressed_by_trigger"}
