"""Types of the user's own, names that differ from the columns', rules side by side, users that are served."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from contract_clients import failures, pointers, problem
from pagination import page
from sqlalchemy import MetaData, text
from unusual_models_app import Hook, Rack, app

from gatepost.events import RequestFailed
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

app.events.subscribe(RequestFailed, failures.append)


class Finders(NamedTuple):
    """Two members, and nobody."""

    own: Client
    own_id: int
    other: Client
    nobody: Client


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the unusual models."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def finders(module_database_url: str) -> AsyncIterator[Finders]:
    """The app, started, with its users."""
    async with TestApp(app, module_database_url, GATEPOST_URI_BYTES_MAX="65000") as running:
        yield Finders(*await running.user_and_id(), await running.user(), running.anonymous)


async def new_chest(finders: Finders, **values: Any) -> tuple[str, dict[str, Any]]:
    created = await finders.own.post("/api/chests", json={"motto": "abc", **values})
    assert created.status == 201, created.body
    return created.headers["location"], created.data


async def test_an_owner_needs_no_leave_to_read_the_users(finders: Finders) -> None:
    _, chest = await new_chest(finders)
    assert chest["member_id"] == finders.own_id
    _, chest = await new_chest(finders, member_id=finders.own_id)
    assert chest["member_id"] == finders.own_id
    refused = await finders.own.patch(f"/api/chests/{chest['id']}", json={"member_id": finders.own_id + 1})
    assert pointers(refused) == {"/member_id": "not_found"}, "other users are not to be found by guessing"


@pytest.mark.parametrize("fields", ["", "secret,note", "note,secret", "secret", "secret,note,id", "motto,secret"])
async def test_fields_under_rules_are_json_whichever_of_them_is_shown(finders: Finders, fields: str) -> None:
    path, chest = await new_chest(finders, secret="hush", note="own")
    query = f"?fields={fields}" if fields else ""
    names = fields.split(",") if fields else list(chest)
    assert (await finders.own.get(path + query)).data == {name: chest[name] for name in names}
    shown = [name for name in names if name not in ("secret", "note")]
    assert (await finders.other.get(path + query)).data == {name: chest[name] for name in shown}
    for client in (finders.own, finders.other):
        rows = (await client.get(f"/api/chests{query}")).data
        assert all(set(row) <= set(names) for row in rows)
    assert (await finders.nobody.get(path)).data.keys() == {"id", "member_id", "motto"}
    trinket = await finders.own.post("/api/trinkets", json={"label": path, "rank": 1, "chest_id": chest["id"]})
    for client, seen in ((finders.own, chest), (finders.other, {"id": chest["id"], "motto": "abc"})):
        expanded = (await client.get(f"{trinket.headers['location']}?expand=chest&fields=key")).data["chest"]
        assert {name: expanded[name] for name in seen} == seen
        assert ("secret" in expanded) is (client is finders.own)


@pytest.mark.parametrize(
    ("query", "number"),
    [("grams[lt]=1e10", 2), ("grams=1e10", 0), ("grams[ne]=1e10", 2), ("grams[in]=1e10,5", 1), ("grams[gt]=-1e10", 2),
     ("grams=5.004", 0), ("grams[lt]=5.004", 1), ("grams[in]=5.004", 0),
     ("grams=5.01", 1), ("grams[in]=5.01", 1), ("endless=5.01", 2), ("endless[in]=5.01,1e300", 2)],
)  # fmt: skip
async def test_a_number_is_compared_as_it_is(finders: Finders, query: str, number: int) -> None:
    if not (await finders.own.get("/api/weights")).data:
        for grams in (5, 5.01):
            created = await finders.own.post("/api/weights", json={"grams": grams, "endless": 5.01})
            assert created.status == 201, created.body
            assert b'"endless":5.01}' in created.body
    response = await finders.nobody.get(f"/api/weights?{query}")
    assert response.status == 200, response.body
    assert len(response.data) == number


async def test_what_a_type_of_ones_own_stores_is_never_seen(finders: Finders) -> None:
    label = {"label": "stored"}
    for rank, motto in ((3, "abc"), (1, "cba"), (2, None), (2, "bca")):
        body = {**label, "rank": rank, "motto": motto, "wait": f"PT{rank}S", "waits": ["-PT1S"], "scans": ["AP8="]}
        created = await finders.own.post("/api/trinkets", json={**body, "label": f"stored{motto}"})
        assert created.status == 201, created.body
        assert {name: created.data[name] for name in ("rank", "motto", "waits", "scans")} == {
            "rank": rank, "motto": motto, "waits": ["-PT1S"], "scans": ["AP8="],
        }  # fmt: skip
        same = await finders.own.patch(created.headers["location"], json=created.data)
        assert same.status == 200, same.body
        assert same.data == created.data
    query = "/api/trinkets?label[gte]=stored&label[lte]=storee&limit=1&fields=rank,key"
    for sort, ranks in (("rank", [1, 2, 2, 3]), ("-rank", [3, 2, 2, 1]), ("-wait", [3, 2, 2, 1])):
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            envelope = await page(finders.nobody, f"{query}&sort={sort}{cursor and '&after=' + cursor}")
            seen += [row["rank"] for row in envelope["data"]]
            cursor = envelope["page"]["next"]
        assert seen == ranks
    assert [row["rank"] for row in (await page(finders.nobody, f"{query}&rank=3"))["data"]] == [3]
    assert [row["rank"] for row in (await page(finders.nobody, f"{query}&motto=cba"))["data"]] == [1]


async def test_a_bigint_is_a_text_where_the_app_says_so(finders: Finders) -> None:
    created = await finders.own.post("/api/trinkets", json={"label": "big", "rank": 1})
    assert created.data["key"] == created.headers["location"].rpartition("/")[2]
    assert (await finders.own.patch(created.headers["location"], json={"rank": 2})).data["key"] == created.data["key"]


async def test_an_enum_with_aliases_and_odd_values_goes_both_ways(finders: Finders) -> None:
    for colour in ('it\'s "red" 100% :x', "blue\\é"):
        created = await finders.own.post("/api/trinkets", json={"label": f"c{colour}", "rank": 1, "colour": colour})
        assert created.data["colour"] == colour
    envelope = await page(finders.nobody, "/api/trinkets?sort=-colour&limit=1")
    assert (await page(finders.nobody, f"/api/trinkets?sort=-colour&limit=1&after={envelope['page']['next']}"))["data"]


async def test_a_stored_value_that_the_enum_does_not_know_breaks_no_page(finders: Finders) -> None:
    created = await finders.own.post("/api/trinkets", json={"label": "legacy", "rank": 1})
    async with app.transaction() as work:
        await work.session.execute(text("UPDATE trinkets SET colour = 'OLD' WHERE trinket_label = 'legacy'"))
    assert (await finders.nobody.get(created.headers["location"])).data["colour"] == "OLD"
    await page(finders.nobody, "/api/trinkets?sort=colour")
    async with app.transaction() as work:
        await work.session.execute(text("DELETE FROM trinkets WHERE trinket_label = 'legacy'"))


async def test_a_constraint_over_a_hidden_column_does_not_name_it(finders: Finders) -> None:
    body = {"label": "once", "rank": 1}
    assert (await finders.own.post("/api/trinkets", json=body)).status == 201
    response = await finders.own.post("/api/trinkets", json=body)
    problem(response, 409, "already_exists")
    assert b"serial" not in response.body


async def test_errors_speak_of_attributes_and_not_of_columns(finders: Finders) -> None:
    response = await finders.own.post("/api/trinkets", json={"label": None, "rank": 1})
    assert pointers(response) == {"/label": "not_nullable"}
    assert b"trinket_label" not in response.body
    problem(await finders.own.get("/api/trinkets?trinket_label=x"), 400, "unknown_parameter")
    assert (await page(finders.own, "/api/trinkets?label=nothing"))["data"] == []


EMPTYING = """
CREATE FUNCTION emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.parcel_addressee = 'trigger' THEN NEW.parcel_addressee := NULL; END IF;
  IF NEW.parcel_addressee = 'secret' THEN NEW.parcel_sender := NULL; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER emptied BEFORE INSERT OR UPDATE ON parcels FOR EACH ROW EXECUTE FUNCTION emptied()
"""


async def test_a_value_that_a_service_or_a_trigger_took_away_is_named_as_on_the_wire(
    finders: Finders, module_database_url: str
) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    await connection.execute(EMPTYING)
    await connection.close()
    created = await finders.own.post("/api/parcels", json={"addressee": "me"})
    for response in (
        await finders.own.post("/api/parcels", json={"addressee": "nobody"}),
        await finders.own.post("/api/parcels", json={"addressee": "trigger"}),
        await finders.own.patch(created.headers["location"], json={"addressee": "trigger"}),
    ):
        assert problem(response, 422, "invalid_body")
        assert pointers(response) == {"/addressee": "not_nullable"}
        assert b"parcel_addressee" not in response.body
    response = await finders.own.patch(created.headers["location"], json={"addressee": "secret"})
    assert problem(response, 422, "invalid_body")
    assert b"sender" not in response.body, "a hidden field is named by nothing"


async def test_the_elements_of_a_list_are_validated_one_by_one(finders: Finders) -> None:
    body = {"tags": ["a", "", "b", "too long"], "prices": ["1", "-1", "2"]}
    response = await finders.own.post("/api/crates", json=body)
    problem(response, 422, "invalid_body")
    assert pointers(response) == {"/tags/1": "too_short", "/tags/3": "too_long", "/prices/1": "too_small"}
    response = await finders.own.post("/api/crates", json={"tags": ["a"], "prices": ["1", "0", "2"]})
    assert pointers(response) == {"/prices": "too_long"}
    created = await finders.own.post("/api/crates", json={"tags": ["a", "bcdef"], "prices": ["0", 1.5]})
    assert (created.status, created.data["tags"], created.data["prices"]) == (201, ["a", "bcdef"], ["0.00", "1.50"])
    path = created.headers["location"]
    assert pointers(await finders.own.patch(path, json={"tags": ["b", "too long"]})) == {"/tags/1": "too_long"}
    response = await finders.own.patch(path, json={"tags": ["more"]})
    problem(response, 422, "invalid_body")
    assert pointers(response) == {"/tags": "too_long"}, "PostgreSQL holds what a service writes, and knows no element"


async def test_objects_that_come_with_many_others_are_loaded_by_a_service_one_by_one_and_in_pages(
    finders: Finders,
) -> None:
    async with app.transaction() as work:
        racks = [Rack(hooks=[Hook() for _ in range(number)]) for number in (3, 0, 1, 2)]
        work.session.add_all(racks)
    ids = [rack.id for rack in racks]
    assert [(await finders.own.get(f"/api/racks/{key}")).status for key in ids] == [200, 404, 200, 200]
    first = (await finders.own.get("/api/racks?limit=3&sort=-id")).json()
    assert [row["id"] for row in first["data"]] == ids[:0:-1]
    second = (await finders.own.get(f"/api/racks?limit=3&sort=-id&after={first['page']['next']}")).json()
    assert ([row["id"] for row in second["data"]], second["page"]["next"]) == (ids[:1], None)
