"""What the classes of a hierarchy add holds whatever path a request comes by: services, validators, fields, users."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from hierarchies_app import Base, Deed, events, louds, papers
from sqlalchemy import MetaData

from gatepost.testing import Client, TestApp

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Flushing object .* incompatible polymorphic identity"),
]


ANY = {"if-match": "*"}


class People(NamedTuple):
    clerk: Client
    clerk_id: int
    nobody: Client
    running: TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of both apps."""
    assert louds.metadata is papers.metadata
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(module_database_url: str) -> AsyncIterator[People]:
    async with TestApp(papers, module_database_url) as running:
        yield People(*await running.user_and_id("clerk"), running.anonymous, running)


@pytest.fixture(autouse=True)
def no_events() -> None:
    events.clear()


async def new(people: People, path: str, **values: Any) -> dict[str, Any]:
    created = await people.clerk.post(f"/api/{path}", json=values)
    assert created.status == 201, created.body
    data: dict[str, Any] = created.data
    return data


async def test_the_discriminator_is_set_by_the_class_and_never_by_a_client(
    people: People, sql: asyncpg.Connection
) -> None:
    deed = await new(people, "deeds", title="one")
    assert deed["kind"] == "deed"
    refused = await people.clerk.post("/api/deeds", json={"title": "one", "kind": "will"})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "read_only")
    for path in ("deeds", "papers"):
        changed = await people.clerk.patch(f"/api/{path}/{deed['id']}", json={"kind": "will"}, headers=ANY)
        assert (changed.status, changed.json()["errors"][0]["code"]) == (422, "read_only")
        assert (await people.clerk.patch(f"/api/{path}/{deed['id']}", json={"kind": "deed"}, headers=ANY)).status == 200
    assert (await people.clerk.patch(f"/api/wills/{deed['id']}", json={"title": "x"}, headers=ANY)).status == 404
    assert await sql.fetchval("SELECT kind::text FROM papers WHERE id = $1", deed["id"]) == "DEED"


async def test_a_base_without_an_identity_has_no_creation(people: People) -> None:
    assert (await people.clerk.post("/api/papers", json={"title": "one"})).status == 405


async def test_the_service_of_a_rows_own_resource_writes_it_whatever_the_path(people: People) -> None:
    deed = await new(people, "deeds", title="one", seal="lion")
    changed = await people.clerk.patch(f"/api/papers/{deed['id']}", json={"title": "two"}, headers=ANY)
    assert (changed.status, changed.data["title"]) == (200, "two")
    assert events == ["Deed lion {'title': 'two'}"]
    refused = await people.clerk.patch(f"/api/papers/{deed['id']}", json={"title": "refused"}, headers=ANY)
    assert (refused.status, refused.json()["code"]) == (409, "sealed")
    assert (await people.clerk.delete(f"/api/papers/{deed['id']}", headers=ANY)).status == 409
    assert (await people.nobody.get(f"/api/papers/{deed['id']}")).status == 200


async def test_validators_and_defaults_of_a_subclass_hold_whatever_the_path(
    people: People, sql: asyncpg.Connection
) -> None:
    will = await new(people, "wills", title="mine", owner_id=people.clerk_id)
    assert (will["title"], will["state"]) == ("MINE", "draft")
    changed = await people.clerk.patch(f"/api/papers/{will['id']}", json={"title": "other"}, headers=ANY)
    assert (changed.status, changed.data["title"]) == (200, "OTHER")
    refused = await people.clerk.patch(f"/api/papers/{will['id']}", json={"title": "refused"}, headers=ANY)
    assert (refused.status, refused.json()["errors"][0]["detail"]) == (422, "A will has a name.")
    assert (await people.clerk.delete(f"/api/papers/{will['id']}", headers=ANY)).status == 204
    assert await sql.fetchval("SELECT count(*) FROM papers WHERE id = $1", will["id"]) == 0


async def test_a_default_of_a_column_that_only_a_subclass_maps_is_what_the_orm_stores(
    people: People, sql: asyncpg.Connection
) -> None:
    deed = await new(people, "deeds", title="one")
    stored = await sql.fetchval("SELECT state FROM papers WHERE id = $1", deed["id"])
    async with papers.transaction() as work:
        row = Deed(title="one")
        work.session.add(row)
        await work.session.flush()
        assert await sql.fetchval("SELECT 1") == 1
        key = row.id
    assert stored == await sql.fetchval("SELECT state FROM papers WHERE id = $1", key)


async def test_a_field_that_a_subclass_hides_is_hidden_on_its_rows_and_cannot_be_searched_for(people: People) -> None:
    deed = await new(people, "deeds", title="big")
    will = await new(people, "wills", title="big", size=5, owner_id=people.clerk_id)
    listed = {row["id"]: row for row in (await people.clerk.get("/api/papers?limit=100&sort=-id")).data}
    assert "size" not in listed[deed["id"]]
    assert listed[will["id"]]["size"] == 5
    assert (await people.clerk.get("/api/papers?size=5")).status == 400
    assert (await people.clerk.get("/api/papers?sort=size")).status == 400
    assert (await people.clerk.get("/api/wills?size=5")).status == 200
    unknown = await people.clerk.patch(f"/api/papers/{deed['id']}", json={"size": 7}, headers=ANY)
    assert unknown.json()["errors"][0]["code"] == "unknown_field"


async def test_columns_filters_and_relations_of_a_subclass_are_not_those_of_others(people: People) -> None:
    await new(people, "deeds", title="one", heir_id=people.clerk_id)
    assert "heir_id" not in (await people.clerk.get("/api/papers")).data[0]
    for path in ("papers", "wills"):
        for query in ("seal=lion", "sort=seal", "expand=heir", "fields=seal"):
            assert (await people.clerk.get(f"/api/{path}?{query}")).status == 400, (path, query)
    assert (await people.clerk.get("/api/deeds?seal=lion")).status == 200
    refused = await people.clerk.post("/api/wills", json={"title": "one", "seal": "lion"})
    assert refused.json()["errors"][0]["code"] == "unknown_field"


async def test_policies_over_columns_of_a_subclass_hold_in_the_list_of_the_base(people: People) -> None:
    mine = await new(people, "wills", title="mine", owner_id=people.clerk_id)
    kept = await new(people, "wills", title="kept", notary_id=people.clerk_id, owner_id=None)
    listed = {row["id"] for row in (await people.clerk.get("/api/papers?limit=100&sort=-id")).data}
    assert {mine["id"], kept["id"]} <= listed
    others = await people.running.user("clerk")
    for client in (people.nobody, others):
        seen = {row["id"] for row in (await client.get("/api/papers?limit=100&sort=-id")).data}
        assert not {mine["id"], kept["id"]} & seen
        assert (await client.get(f"/api/papers/{mine['id']}")).status == 404


async def test_a_version_that_a_subclass_requires_is_required_whatever_the_path(people: People) -> None:
    will = await new(people, "wills", title="mine", owner_id=people.clerk_id)
    deed = await new(people, "deeds", title="mine")
    for path in (f"wills/{will['id']}", f"papers/{will['id']}", f"papers/{deed['id']}"):
        shown = await people.clerk.get(f"/api/{path}")
        assert (await people.clerk.patch(f"/api/{path}", json={"title": "x"})).status == 428
        tag = {"if-match": shown.headers["etag"]}
        assert (await people.clerk.patch(f"/api/{path}", json={"title": f"{path} 1"}, headers=tag)).status == 200
        assert (await people.clerk.patch(f"/api/{path}", json={"title": f"{path} 2"}, headers=tag)).status == 412


async def test_users_are_the_rows_of_their_class(people: People, sql: asyncpg.Connection) -> None:
    member = await people.running.user("clerk", email="member@example.com")
    assert (await member.patch("/api/papers/0", json={}, headers=ANY)).status == 404
    stranger = await people.running.user("clerk", email="stranger@example.com", password="long enough to be one")
    assert await sql.fetchval("UPDATE people SET sort = 1 WHERE email = 'stranger@example.com' RETURNING 1") == 1
    assert (await stranger.patch("/api/papers/0", json={}, headers=ANY)).status == 401
    credentials = {"email": "stranger@example.com", "password": "long enough to be one"}
    assert (await people.nobody.post("/api/auth/login", json=credentials)).status == 401


async def test_discriminators_mean_what_the_column_means_by_them(
    module_database_url: str, sql: asyncpg.Connection
) -> None:
    async with TestApp(louds, module_database_url) as running:
        client = running.anonymous
        await sql.execute("INSERT INTO loud (kind, name) VALUES ('LOUDER', 'a'), ('it''s 50%\\', 'b'), ('x', 'c')")
        assert [row["id"] for row in (await client.get("/api/louder")).data] == [1]
        assert [row["id"] for row in (await client.get("/api/loud")).data] == [1, 2, 3]
        for key in (1, 2, 3):
            changed = await client.patch(f"/api/loud/{key}", json={"name": f"new {key}"})
            assert changed.status == 200, changed.body
        assert events == ["Louder", "Loud", "Loud"]
        made = await client.post("/api/loud", json={"name": "d"})
        assert made.data["kind"] == "it's 50%\\"
        assert (await client.post("/api/shelves", json={"louder_id": 2})).status == 422
        assert (await client.post("/api/shelves", json={"louder_id": 1})).status == 201
        (shelf,) = (await client.get("/api/shelves")).data
        assert shelf["louder_count"] == 1, "an expression reads the rows of the class that it names"
