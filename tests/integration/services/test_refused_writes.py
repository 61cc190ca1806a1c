"""What a policy refuses is not written, however the refusal is treated, and whoever changes the row meanwhile."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from refused_app import Badge, Crew, Draft, Drafts, Journal, Ledger, Memo, Shift, Ticket, Tickets, app
from sqlalchemy import Engine, event, func, select, update

from gatepost import Actor, Changes, Conflict, Forbidden, ListQuery, NotFound, system
from gatepost.testing import TestApp

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("running")]


@pytest.fixture
def sent_statements() -> Iterator[list[str]]:
    """The statements that sessions have sent."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def someone() -> Actor:
    return Actor(uuid.uuid4())


def a_text(letter: str = "t") -> str:
    return f"{letter}-{uuid.uuid4().hex}"


async def made(row: Any) -> int:
    """The key of a row that is written past all policies."""
    async with app.transaction() as tx:
        tx.session.add(row)
        await tx.session.flush()
        return int(row.id)


async def count(model: type[Any], *conditions: Any) -> int:
    async with app.transaction() as tx:
        return await tx.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


@pytest.mark.parametrize("path", ["caught", "ensured"])
async def test_whoever_catches_a_refusal_does_not_commit_the_row(running: TestApp, path: str) -> None:
    text = a_text()
    response = await (await running.user()).post(f"/api/memos/{path}?text={text}")
    assert (response.status, response.json()["code"]) == (403, "forbidden")
    assert await count(Memo, Memo.text == text) == 0


async def test_a_savepoint_undoes_the_refused_row_alone(running: TestApp) -> None:
    text = a_text()
    assert (await (await running.user()).post(f"/api/memos/undone?text={text}")).status == 204
    assert (await count(Memo, Memo.text == text), await count(Journal, Journal.text == text)) == (0, 1)


async def test_a_refusal_in_a_savepoint_that_was_kept_counts() -> None:
    actor, text = someone(), a_text()
    with pytest.raises(Forbidden) as caught:  # noqa: PT012 - the end of the block raises
        async with app.transaction(actor) as tx, tx.session.begin_nested():
            with pytest.raises(Forbidden):
                await tx.service(Memo).create(Memo(text=text), actor)
    assert "begin_nested" in caught.value.__notes__[0]
    assert await count(Memo, Memo.text == text) == 0


async def test_a_verb_has_to_return_the_row_whoever_calls_it() -> None:
    actor, code = someone(), a_text()
    with pytest.raises(TypeError, match=r"Tickets\.create returned NoneType"):  # noqa: PT012 - the block raises again
        async with app.transaction(actor) as tx:
            with pytest.raises(TypeError):
                await tx.service(Tickets).create(Ticket(code=code, status="lost"), actor)
    assert await count(Ticket, Ticket.code == code) == 0


async def test_a_verb_that_returns_no_row_is_checked_all_the_same() -> None:
    actor, code = someone(), a_text("q")
    with pytest.raises(Forbidden):
        async with app.transaction(actor) as tx:
            await tx.service(Tickets).create(Ticket(code=code, status="lost"), actor)
    assert await count(Ticket, Ticket.code == code) == 0


async def test_who_may_change_a_row_may_not_delete_it_on_the_way(running: TestApp) -> None:
    user, admin = await running.user(), await running.user("admin")
    tickets = [(await each.post("/api/tickets", json={"code": a_text()})).data["id"] for each in (user, admin)]
    for client, id, status in ((user, tickets[0], 403), (admin, tickets[1], 204)):
        response = await client.patch(f"/api/tickets/{id}", json={"status": "cancelled"})
        assert response.status == status
    assert await count(Ticket, Ticket.id.in_(tickets)) == 1


@pytest.mark.parametrize(
    "changes",
    [{"holder": uuid.UUID(int=9)}, {"owner_id": uuid.UUID(int=9)}, {"code": "give away"}],
    ids=["synonym", "column", "validator"],
)
async def test_a_row_is_not_given_away(changes: dict[str, Any]) -> None:
    actor = someone()
    id = await made(Badge(owner_id=actor.id))

    async def give_away() -> None:
        async with app.transaction(actor) as tx:
            badge = await tx.session.get_one(Badge, id)
            await tx.service(Badge).update(badge, Changes[Badge](changes), actor)

    with pytest.raises(Forbidden):
        await give_away()
    assert await count(Badge, Badge.id == id, Badge.owner_id == actor.id) == 1


async def test_a_row_is_not_given_away_by_a_relationship() -> None:
    actor = someone()
    ours, theirs = await made(Crew(lead_id=actor.id)), await made(Crew(lead_id=uuid.uuid4()))
    id = await made(Shift(crew_id=ours))

    async def give_away() -> None:
        async with app.transaction(actor) as tx:
            shift, crew = await tx.session.get_one(Shift, id), await tx.session.get_one(Crew, theirs)
            await tx.service(Shift).update(shift, Changes[Shift]({Shift.crew: crew}), actor)

    with pytest.raises(Forbidden):
        await give_away()
    assert await count(Shift, Shift.id == id, Shift.crew_id == ours) == 1


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_a_row_that_another_transaction_has_given_away_is_left_alone(verb: str) -> None:
    actor = someone()
    id = await made(Badge(owner_id=actor.id))

    async def write() -> None:
        async with app.transaction(actor) as tx:
            badge = await tx.service(Badge).get(id, actor)
            async with app.transaction() as other:
                await other.session.execute(update(Badge).where(Badge.id == id).values(owner_id=uuid.uuid4()))
            if verb == "update":
                await tx.service(Badge).update(badge, Changes[Badge]({Badge.code: "ours"}), actor)
            else:
                await tx.service(Badge).delete(badge, actor)

    with pytest.raises(Forbidden):
        await write()
    assert await count(Badge, Badge.id == id, Badge.code == "") == 1


async def test_a_row_that_another_transaction_has_deleted_is_not_found() -> None:
    actor = someone()
    id = await made(Badge(owner_id=actor.id))
    async with app.transaction(actor) as tx:
        badge = await tx.service(Badge).get(id, actor)
        async with app.transaction() as other:
            await other.session.delete(await other.session.get_one(Badge, id))
        with pytest.raises(NotFound):
            await tx.service(Badge).update(badge, Changes[Badge]({Badge.code: "ours"}), actor)


async def test_changes_that_were_made_of_an_older_version_conflict() -> None:
    actor = someone()
    id = await made(Ledger(owner_id=actor.id))

    async def write(title: str, *, meanwhile: str | None = None) -> None:
        async with app.transaction(actor) as tx:
            ledger = await tx.service(Ledger).get(id, actor)
            if meanwhile is not None:
                await write(meanwhile)
            await tx.service(Ledger).update(ledger, Changes[Ledger]({Ledger.title: title}), actor)

    with pytest.raises(Conflict) as refused:
        await write("second", meanwhile="first")
    assert refused.value.code == "version_conflict"
    assert await count(Ledger, Ledger.id == id, Ledger.title == "first") == 1


async def test_a_lock_ends_with_its_savepoint() -> None:
    actor = someone()
    id = await made(Badge(owner_id=actor.id))

    async def write() -> None:
        async with app.transaction(actor) as tx:
            badge = await tx.service(Badge).get(id, actor)
            savepoint = await tx.session.begin_nested()
            await tx.service(Badge).update(badge, Changes[Badge]({Badge.code: "undone"}), actor)
            await savepoint.rollback()
            async with app.transaction() as other:
                await other.session.execute(update(Badge).where(Badge.id == id).values(owner_id=uuid.uuid4()))
            await tx.service(Badge).update(badge, Changes[Badge]({Badge.code: "written"}), actor)

    with pytest.raises(Forbidden):
        await write()
    assert await count(Badge, Badge.id == id, Badge.code == "") == 1


async def test_a_row_of_another_session_is_written() -> None:
    actor = someone()
    id = await made(Badge(owner_id=actor.id))
    async with app.transaction(actor) as tx:
        badge = await tx.service(Badge).get(id, actor)
    async with app.transaction(actor) as tx:
        await tx.service(Badge).update(badge, Changes[Badge]({Badge.code: "later"}), actor)
    assert await count(Badge, Badge.id == id, Badge.code == "later") == 1


async def test_a_row_is_locked_once(running: TestApp, sent_statements: list[str]) -> None:
    user, id = await running.user_and_id()
    badge = await made(Badge(owner_id=id))
    sent_statements.clear()
    assert (await user.post(f"/api/badges/{badge}/coded?code=new")).data["code"] == "new"
    assert [each.split()[0] for each in sent_statements if "FOR UPDATE" in each] == ["SELECT"]

    actor = Actor(id)
    async with app.transaction(actor) as tx:
        row = await tx.service(Badge).get(badge, actor)
        sent_statements.clear()
        for code in ("first", "second"):
            await tx.service(Badge).update(row, Changes[Badge]({Badge.code: code}), actor)
        assert len([each for each in sent_statements if "FOR UPDATE" in each]) == 1


async def test_an_own_get_shows_no_hidden_row(running: TestApp) -> None:
    actor, stranger = someone(), await running.user()
    id = await made(Ticket(code=a_text(), owner_id=actor.id))
    assert (await stranger.get(f"/api/tickets/{id}/code")).status == 404
    assert (await stranger.get(f"/api/tickets/{id}")).status == 404
    async with app.transaction(actor) as tx:
        assert (await tx.service(Tickets).get(id, actor)).id == id
        assert (await tx.service(Tickets).get(id, system)).id == id
        with pytest.raises(NotFound):
            await tx.service(Tickets).get(id, someone())


async def test_an_own_list_shows_no_hidden_row(running: TestApp) -> None:
    user, id = await running.user_and_id()
    for text, owner_id in (("mine", id), ("secret", id), ("another's", uuid.uuid4()), ("mine as well", id)):
        await made(Draft(text=text, owner_id=owner_id))
    assert (await user.get("/api/drafts/texts")).data == ["mine", "mine as well"]
    assert [each["text"] for each in (await user.get("/api/drafts")).json()["data"]] == ["mine", "mine as well"]
    async with app.transaction() as tx:
        assert len(await tx.service(Drafts).list(ListQuery((), 100), system)) == 4
        assert not await tx.service(Drafts).list(ListQuery((), 100), someone())


async def test_a_refused_row_reveals_no_taken_value_whatever_is_written_along(running: TestApp) -> None:
    taken, user = a_text("q"), await running.user()
    await made(Ticket(code=taken, owner_id=uuid.uuid4()))
    for code in (taken, a_text("q")):
        response = await user.post("/api/tickets", json={"code": code})
        assert (response.status, response.json()["code"]) == (403, "forbidden")
    assert (await user.post("/api/tickets", json={"code": a_text()})).status == 201
