"""Who sees, changes, deletes and refers to which row of a hierarchy: as computed in Python, for every way in."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import pytest
from notes_app import (
    CLASSES,
    OF_PRIVATE,
    RANKS,
    RULES,
    Base,
    Note,
    PrivateNote,
    Serving,
    app_of,
    class_of,
)
from sqlalchemy import MetaData

from gatepost.testing import Client, TestApp

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # SQLAlchemy's word for a row whose kind no class has.
    pytest.mark.filterwarnings("ignore:Flushing object .* incompatible polymorphic identity"),
]

ACTIONS = ("list", "get", "update", "delete")
KINDS = (*CLASSES, "alien", None)


class Who(NamedTuple):
    client: Client
    id: Any
    is_boss: bool


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the notes, and those of users."""
    app_of({Note: Serving(dict.fromkeys((*ACTIONS, "create"), "anyone"))})
    return Base.metadata


@asynccontextmanager
async def people_of(serving: Mapping[type[Note], Serving], url: str) -> AsyncIterator[list[Who]]:
    """An app, started, and one of each kind of actor."""
    async with TestApp(app_of(serving), url) as running:
        user, boss = await running.user_and_id(), await running.user_and_id("boss")
        yield [Who(running.anonymous, None, False), Who(*user, False), Who(*boss, True)]


def some_serving(seed: int) -> dict[type[Note], Serving]:
    """Some of the classes, each with rules of its own."""
    chance = random.Random(seed)
    found: dict[type[Note], Serving] = {}
    for model in CLASSES.values():
        if chance.random() < 0.7:
            rules = list(OF_PRIVATE if issubclass(model, PrivateNote) else RULES)
            if seed % 3 == 0:
                rules.remove("nobody")
            chosen = {action: chance.choice(rules) for action in (*ACTIONS, "create")}
            found[model] = Serving(chosen, chance.choice(list(RANKS)), chance.random() < 0.4)
    return found or {Note: Serving(dict.fromkeys((*ACTIONS, "create"), "anyone"))}


def owner_of(serving: Mapping[type[Note], Serving], model: type[Any]) -> type[Note] | None:
    """The class whose resource the rows of a class belong to."""
    return next((base for base in model.__mro__ if base in serving), None)


class Reference(NamedTuple):
    """What the rules say, computed in Python."""

    serving: Mapping[type[Note], Serving]

    def may(self, model: type[Note], action: str, who: Who, row: Any) -> bool:
        """Whether an action of the resource of a class finds this row."""
        if not issubclass(class_of(row["kind"]), model):
            return False
        return all(
            self.serving[item].rule(item, action).holds(who, row)
            for item in (model, owner_of(self.serving, class_of(row["kind"])))
            if item is not None
        )

    def shows_rank(self, model: type[Note], who: Who, row: Any) -> bool:
        owner = owner_of(self.serving, class_of(row["kind"]))
        return all(RANKS[self.serving[item].rank][1](who, row) for item in {model, owner} if item is not None)

    def leads_to(self, target: type[Note], who: Who, row: Any, action: str = "get") -> bool | None:
        """Whether a relation to a class shows this row; None where the relation is not served."""
        owner = owner_of(self.serving, target)
        if owner is None:
            return None
        return issubclass(class_of(row["kind"]), target) and self.may(owner, action, who, row)

    def may_refer(self, target: type[Note], who: Who, row: Any) -> bool:
        shown = self.leads_to(target, who, row)
        if shown is not None:
            return shown
        owner = owner_of(self.serving, class_of(row["kind"]))
        is_of_target = issubclass(class_of(row["kind"]), target)
        return is_of_target and (owner is None or self.serving[owner].rule(owner, "get").holds(who, row))


async def make_rows(sql: asyncpg.Connection, people: list[Who]) -> list[Any]:
    """A note of each kind and text and owner."""
    await sql.execute("TRUNCATE notes, comments RESTART IDENTITY CASCADE")
    for kind in KINDS:
        for text in ("loud", "quiet"):
            for owner_id in {people[1].id, people[2].id}:
                keeper_id = people[1].id if kind in ("private", "secret") and text == "loud" else None
                await sql.execute(
                    "INSERT INTO notes (kind, text, rank, owner_id, keeper_id) VALUES ($1, $2, 7, $3, $4)",
                    kind,
                    text,
                    owner_id,
                    keeper_id,
                )
    return list(await sql.fetch("SELECT * FROM notes ORDER BY id"))


def refused(who: Who) -> int:
    return 401 if who.id is None else 403


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.sampled(count=4)
async def test_each_actor_finds_the_rows_that_their_resource_and_that_of_the_path_allow(
    seed: int, module_database_url: str, sql: asyncpg.Connection
) -> None:
    serving = some_serving(seed)
    reference = Reference(serving)
    async with people_of(serving, module_database_url) as people:
        rows = await make_rows(sql, people)
        for model in serving:
            path = f"/api/{model.__name__.lower()}"
            tried = [row for row in rows if issubclass(class_of(row["kind"]), model) or is_of_two(row, people)]
            for who in people:
                await check_reads(reference, model, path, who, rows, tried)
                await check_creation(reference, model, path, who, sql)
                for row in tried:
                    await check_writes(reference, model, f"{path}/{row['id']}", who, row, sql)


def is_of_two(row: Any, people: list[Who]) -> bool:
    """Whether a row is one of the two that stand for those of a class that a path does not show, whatever its rules."""
    return (row["text"], row["owner_id"]) in {("loud", people[1].id), ("quiet", people[2].id)}


def made(rule: str, who: Who, text: str) -> dict[str, Any]:
    """The row that a creation under a rule makes."""
    row = {"text": text, "owner_id": None, "keeper_id": None}
    filled = {"mine": "owner_id", "kept": "keeper_id"}.get(rule)
    return {**row, filled: who.id} if filled else row


async def check_creation(reference: Reference, model: type[Note], path: str, who: Who, sql: asyncpg.Connection) -> None:
    how = reference.serving[model]
    rule, name = how.rule(model, "create"), how.rules["create"]
    for text in ("loud", "quiet"):
        highest = await sql.fetchval("SELECT max(id) FROM notes")
        response = await who.client.post(path, json={"text": text})
        is_made = rule.may_ask(who) and rule.holds(who, made(name, who, text))
        expected = 405 if name == "nobody" else 201 if is_made else refused(who)
        assert response.status == expected, (model, name, text, response.body)
        kinds = await sql.fetch("DELETE FROM notes WHERE id > $1 RETURNING kind", highest)
        assert [row["kind"] for row in kinds] == ([kind_of(model)] if is_made else [])


def kind_of(model: type[Note]) -> str:
    return next(kind for kind, found in CLASSES.items() if found is model)


async def check_reads(
    reference: Reference, model: type[Note], path: str, who: Who, rows: list[Any], tried: list[Any]
) -> None:
    how = reference.serving[model]
    listed = await who.client.get(f"{path}?sort=text&limit=3")
    if how.rules["list"] == "nobody":
        assert listed.status == 405
    elif not how.rule(model, "list").may_ask(who):
        assert listed.status == refused(who)
    else:
        found = await all_of(who.client, f"{path}?sort=text&limit=3")
        expected = {row["id"]: row for row in rows if reference.may(model, "list", who, row)}
        assert sorted(found) == sorted(expected), (model, who.id, how)
        for key, data in found.items():
            assert ("rank" in data) == reference.shows_rank(model, who, expected[key])
            assert ("keeper_id" in data) == issubclass(model, PrivateNote)
    for row in tried:
        response = await who.client.get(f"{path}/{row['id']}")
        assert response.status == status(reference, model, "get", who, row), (model, dict(row), how)
        if response.status == 200:
            assert ("rank" in response.data) == reference.shows_rank(model, who, row)


async def all_of(client: Client, path: str) -> dict[int, Any]:
    """The rows of all pages."""
    found: dict[int, Any] = {}
    cursor = ""
    while True:
        envelope = (await client.get(f"{path}{cursor}")).json()
        for row in envelope["data"]:
            assert row["id"] not in found
            found[row["id"]] = row
        if envelope["page"]["next"] is None:
            return found
        cursor = f"&after={envelope['page']['next']}"


def status(reference: Reference, model: type[Note], action: str, who: Who, row: Any) -> int:
    how = reference.serving[model]
    if how.rules[action] == "nobody":
        return 405
    if not how.rule(model, action).may_ask(who):
        return refused(who)
    if not reference.may(model, "get", who, row):
        return 404
    return 200 if reference.may(model, action, who, row) else refused(who)


async def check_writes(
    reference: Reference, model: type[Note], path: str, who: Who, row: Any, sql: asyncpg.Connection
) -> None:
    changed = await who.client.patch(path, json={"topic": f"by {who.id}"})
    expected = status(reference, model, "update", who, row)
    assert changed.status == expected, (model, dict(row), reference.serving, changed.body)
    stored = await sql.fetchrow("SELECT * FROM notes WHERE id = $1", row["id"])
    assert stored["topic"] == (f"by {who.id}" if expected == 200 else row["topic"])
    assert dict(stored) == {**dict(row), "topic": stored["topic"]}
    await sql.execute("UPDATE notes SET topic = NULL WHERE id = $1", row["id"])
    deleted = await who.client.delete(path)
    expected = status(reference, model, "delete", who, row)
    assert deleted.status == (204 if expected == 200 else expected), (model, dict(row), reference.serving, deleted.body)
    assert (await sql.fetchval("SELECT count(*) FROM notes WHERE id = $1", row["id"])) == (expected != 200)
    if expected == 200:
        await sql.execute("INSERT INTO notes SELECT ($1::notes).*", row)


RELATIONS = {"note": Note, "private": PrivateNote}


@pytest.mark.parametrize("seed", range(12, 24))
@pytest.mark.sampled(count=4)
async def test_relations_and_references_lead_to_the_rows_that_both_rules_allow(
    seed: int, module_database_url: str, sql: asyncpg.Connection
) -> None:
    serving = some_serving(seed)
    reference = Reference(serving)
    async with people_of(serving, module_database_url) as people:
        rows = await make_rows(sql, people)
        by_key = {row["id"]: row for row in rows}
        for row in rows:
            await sql.execute("INSERT INTO comments (id, note_id, private_id) VALUES ($1, $1, $1)", row["id"])
        for who in people:
            for name, target in RELATIONS.items():
                await check_relation(reference, name, target, who, by_key)
        await sql.execute("DELETE FROM comments")
        for who in people:
            for name, target in {"note_id": Note, "private_id": PrivateNote, "plain_id": Note}.items():
                for row in rows:
                    response = await who.client.post("/api/comments", json={name: row["id"]})
                    expected = 201 if reference.may_refer(target, who, row) else 422
                    assert response.status == expected, (name, dict(row), serving, response.body)


async def check_relation(
    reference: Reference, name: str, target: type[Note], who: Who, rows: Mapping[int, Any]
) -> None:
    owner = owner_of(reference.serving, target)
    response = await who.client.get(f"/api/comments?limit=100&expand={name}")
    if owner is None or not reference.serving[owner].rule(owner, "get").may_ask(who):
        assert response.status == 400
        return
    assert response.status == 200, response.body
    for data in response.data:
        row = rows[data["id"]]
        assert (data[name] is not None) == reference.leads_to(target, who, row), (name, dict(row))
        if data[name] is not None:
            assert ("rank" in data[name]) == reference.shows_rank(owner, who, row)
    how = reference.serving[owner]
    filtered = await who.client.get(f"/api/comments?limit=100&{name}.text=loud")
    if not how.rule(owner, "list").may_ask(who):
        assert filtered.status == 400
        return
    expected = {
        row["id"]
        for row in rows.values()
        if row["text"] == "loud"
        and reference.leads_to(target, who, row)
        and reference.leads_to(target, who, row, "list")
    }
    assert {data["id"] for data in filtered.data} == expected
