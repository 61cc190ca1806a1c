"""Every value of every column type, whoever wrote it: shown, found, met once, sent back, and never changed."""

import re
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from tests.sampled_cases import SampledCases
from value_columns import COLUMNS, ValueColumn
from values_app import app, is_sortable
from values_json import is_same, param, parsed

from gatepost import JSONOf, NaiveUTC
from gatepost.events import RequestFailed
from gatepost.models.shape import _FORMS, shape_of  # pyright: ignore[reportPrivateUsage]
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

SORTABLE = [column for column in COLUMNS if is_sortable(column)]
WIRE = Path(__file__).parents[3] / "docs" / "reference" / "wire.md"
failures: list[RequestFailed] = []
app.events.subscribe(RequestFailed, failures.append)


Database = Any
"""asyncpg's connection: another program."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """Another program's connection to the database of the running app, which does not keep to our CHECKs."""
    async with TestApp(app, module_database_url):
        connection = await asyncpg.connect(module_database_url)
        for kind in ("genre", "grade"):
            await connection.execute(f"ALTER TYPE {kind} ADD VALUE 'SONG'")
        checks = (
            "SELECT conrelid::regclass::text AS at, conname FROM pg_constraint WHERE contype = 'c' AND conrelid > 0"
        )
        for check in await connection.fetch(checks):
            await connection.execute(f'ALTER TABLE {check["at"]} DROP CONSTRAINT "{check["conname"]}"')
        yield connection
        await connection.close()


@pytest.fixture(autouse=True)
def no_internal_error() -> Iterator[None]:
    """Whatever a test sends: a 500 of the app fails it, with the error that was behind it."""
    failures.clear()
    yield
    if failures:
        raise failures[0].error


@pytest.fixture
def client(database: Database) -> Client:
    """Anybody."""
    return Client(app)


def named(column: ValueColumn) -> str:
    return column.name


@pytest.fixture(params=["derived", "served"])
def way(request: pytest.FixtureRequest) -> str:
    """The verb itself, and a service that calls `super()`."""
    return str(request.param)


async def rows_of(database: Database, client: Client, column: ValueColumn, suffix: str) -> list[dict[str, Any]]:
    """The rows of a table, once another program has written each value of the column, and NULL."""
    table = f"{column.name}_{suffix}"
    if not await database.fetchval(f"SELECT count(*) FROM {table}"):
        literals = [quoted(text) for text in (*column.admitted, *column.beyond)]
        literals += [] if suffix == "keyed" else ["NULL", "NULL"]
        for literal in literals:
            await database.execute(f"INSERT INTO {table} (value, note) VALUES ({literal}, 'x') ON CONFLICT DO NOTHING")
    response = await client.get(f"/api/{table}?limit=100")
    assert response.status == 200, response.body
    found: list[dict[str, Any]] = parsed(response.body)["data"]
    assert len(found) == await database.fetchval(f"SELECT count(*) FROM {table}")
    return found


def quoted(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


async def stored(database: Database, table: str, key: str) -> Any:
    """A row as PostgreSQL stores it, with its version."""
    return await database.fetchrow(f"SELECT xmin::text, value::text, note FROM {table} WHERE id = $1", int(key))


@pytest.mark.parametrize("column", COLUMNS, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_list_shows_every_row(database: Database, client: Client, column: ValueColumn, way: str) -> None:
    rows = await rows_of(database, client, column, way)
    for row, expected in zip(rows[len(column.admitted) :], [*column.beyond.values(), None, None], strict=True):
        assert row["value"] == expected
    for row in rows:
        response = await client.get(f"/api/{column.name}_{way}/{row['id']}")
        assert (response.status, parsed(response.body)["data"]) == (200, row)


OPERATORS = {"[eq]": "=", "[in]": "=", "": "=", "[ne]": "IS DISTINCT FROM", "[lte]": "<=", "[gte]": ">="}


@pytest.mark.parametrize("column", SORTABLE, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_value_as_shown_finds_the_rows_that_postgresql_finds(
    database: Database, client: Client, column: ValueColumn, way: str, sampled_cases: SampledCases
) -> None:
    table = f"{column.name}_{way}"
    rows = await rows_of(database, client, column, way)
    is_ordered = "gte" in (await client.get(f"/api/{table}?value[none]=x")).body.decode()
    # Where an enum is stored as text, there is no type to which another program could have added the label SONG.
    values = {row["id"]: row["value"] for row in rows if row["value"] != "SONG" or column.name != "mood"}
    cases = [
        (key, operator)
        for (key, value), operator in product(values.items(), OPERATORS)
        if value is not None and (is_ordered or OPERATORS[operator] not in ("<=", ">="))
        if operator != "[in]" or "," not in str(value)
    ]
    for key, operator in sampled_cases.covering(cases, strength=1):
        path = f"/api/{table}?limit=100&value{operator}={quote(param(values[key]), safe='')}"
        response = await client.get(path)
        assert response.status == 200, (path, response.body)
        same = f"SELECT id FROM {table} WHERE value {OPERATORS[operator]} (SELECT value FROM {table} WHERE id = $1)"
        expected = {str(found["id"]) for found in await database.fetch(same, int(key))}
        assert {found["id"] for found in parsed(response.body)["data"]} == expected, path
        assert operator == "[ne]" or key in expected


async def test_a_label_that_the_database_does_not_know_is_refused(client: Client, way: str) -> None:
    for query in ("value=TUNE", "value[in]=poems,TUNE", "value[ne]=NOVELS", "value=", f"value={'x' * 64}"):
        response = await client.get(f"/api/genre_{way}?{query}")
        assert response.status == 400, (query, response.body)
        assert "Choose one of: a novel, poems, NOVEL." in response.json()["detail"]


@pytest.mark.parametrize("column", SORTABLE, ids=named)
@pytest.mark.sampled(strength=1)
async def test_cursors_meet_every_row_once_in_both_directions(
    database: Database, client: Client, column: ValueColumn, way: str, sampled_cases: SampledCases
) -> None:
    rows = await rows_of(database, client, column, way)
    cases = product((1, 2, 3) if way == "derived" else (2,), ("value", "-value", "-value,id"))
    for limit, sort in sampled_cases.covering(cases, strength=1):
        path = f"/api/{column.name}_{way}?fields=id&limit={limit}&sort={sort}"
        forwards = await pages(client, path, "next", "after")
        order = "value DESC NULLS LAST" if sort[0] == "-" else "value"
        key = "id DESC" if sort == "-value" else "id"
        expected = await database.fetch(f"SELECT id FROM {column.name}_{way} ORDER BY {order}, {key}")
        assert [key for page in forwards[0] for key in page] == [str(row["id"]) for row in expected]
        assert len(expected) == len(rows)
        backwards = await pages(client, path, "prev", "before", forwards[1])
        assert backwards[0][::-1] == forwards[0][:-1]


async def pages(
    client: Client, path: str, direction: str, parameter: str, cursor: str | None = ""
) -> tuple[list[list[str]], str | None]:
    """The keys of the pages from a cursor on, and the cursor by which the last one leads back."""
    found: list[list[str]] = []
    back: str | None = None
    while cursor is not None:
        response = await client.get(f"{path}&{parameter}={cursor}" if cursor else path)
        assert response.status == 200, response.body
        envelope = parsed(response.body)
        found.append([row["id"] for row in envelope["data"]])
        cursor, back = envelope["page"][direction], envelope["page"]["prev"]
        assert len(found) < 100, "the cursors lead in a circle"
    return found, back


@pytest.mark.parametrize("column", COLUMNS, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_row_can_be_sent_back_as_it_was_read(
    database: Database, client: Client, column: ValueColumn, way: str
) -> None:
    table = f"{column.name}_{way}"
    for row in await rows_of(database, client, column, way):
        before = await stored(database, table, row["id"])
        body = (await client.get(f"/api/{table}/{row['id']}")).body.removeprefix(b'{"data":').removesuffix(b"}")
        response = await client.patch(f"/api/{table}/{row['id']}", content=body)
        assert (response.status, response.body) == (200, b'{"data":%b}' % body), body
        assert await stored(database, table, row["id"]) == before


@pytest.mark.parametrize("column", COLUMNS, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_change_of_another_field_leaves_the_value(
    database: Database, client: Client, column: ValueColumn, way: str
) -> None:
    table = f"{column.name}_{way}"
    for row in await rows_of(database, client, column, way):
        before = await stored(database, table, row["id"])
        for note in ("y", "x"):
            response = await client.patch(f"/api/{table}/{row['id']}", json={"note": note})
            assert response.status == 200, response.body
        assert (await stored(database, table, row["id"]))["value"] == before["value"]


DOCUMENTS = [column for column in COLUMNS if shape_of(column.kind).is_document]


@pytest.mark.parametrize("column", DOCUMENTS, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_merge_leaves_the_other_members(
    database: Database, client: Client, column: ValueColumn, way: str
) -> None:
    table = f"{column.name}_{way}"
    for row in (await rows_of(database, client, column, way))[: len(column.admitted)]:
        if not isinstance(row["value"], dict) or shape_of(column.kind).structure is not None:
            continue
        before = (await stored(database, table, row["id"]))["value"]
        assert (await client.patch(f"/api/{table}/{row['id']}", json={"value": {"added": True}})).status == 200
        merged = parsed((await client.get(f"/api/{table}/{row['id']}")).body)["data"]["value"]
        assert is_same(merged, {**row["value"], "added": True})
        await database.execute(f"UPDATE {table} SET value = $1::text::{column.kind} WHERE id = {row['id']}", before)


@pytest.mark.parametrize("column", COLUMNS, ids=named)
@pytest.mark.sampled(strength=1)
async def test_a_copy_is_the_same_or_refused(database: Database, client: Client, column: ValueColumn, way: str) -> None:
    table = f"{column.name}_{way}"
    rows = await rows_of(database, client, column, way)
    for number, row in enumerate(rows[: len(column.admitted) + len(column.beyond)]):
        whole = (await client.get(f"/api/{table}/{row['id']}?fields=value")).body
        body = whole.removeprefix(b'{"data":').removesuffix(b"}")
        response = await client.post(f"/api/{table}", content=body)
        if number < len(column.admitted) or response.status == 201:
            assert response.status == 201, (body, response.body)
            copy = parsed(response.body)["data"]
            assert is_same(copy["value"], row["value"]), (copy, row)
            await database.execute(f"DELETE FROM {table} WHERE id = {copy['id']}")
        else:
            assert response.status in (400, 422), response.body


@pytest.mark.parametrize("column", SORTABLE, ids=named)
async def test_a_row_is_found_by_a_key_as_shown(database: Database, client: Client, column: ValueColumn) -> None:
    for row in await rows_of(database, client, column, "keyed"):
        if row["value"] == "SONG" or not re.fullmatch(r"[^\x00-\x1f\x7f/\\]+", param(row["value"])):
            continue
        path = f"/api/{column.name}_keyed/{quote(param(row['value']), safe='')}"
        response = await client.get(path)
        assert response.status == 200, (path, response.body)
        assert parsed(response.body)["data"] == row
        response = await client.patch(path, json={"note": "y"})
        assert response.status == 200, (path, response.body)
        assert "content-location" not in response.headers, "the row has not moved"


async def test_a_row_with_an_empty_key_is_listed_and_has_no_path(database: Database, client: Client) -> None:
    rows = await rows_of(database, client, next(item for item in COLUMNS if item.name == "word"), "keyed")
    empty = next(row for row in rows if row["value"] == "")
    assert (await client.get("/api/word_keyed?value=")).json()["data"] == [empty]
    for path in ("/api/word_keyed/", "/api/word_keyed//"):
        assert (await client.get(path)).status in (400, 404)
        assert (await client.patch(path, json={"note": "y"})).status in (400, 404)
    response = await client.post("/api/word_keyed", json={"value": ""})
    assert (response.status, response.json()["errors"][0]["pointer"]) == (422, "/value")


def classes_of(kind: Any) -> set[type]:
    """The classes of a type, of what it decorates and of its elements."""
    found = set(type(kind).__mro__)
    for inner in ("impl_instance", "item_type"):
        if (part := getattr(kind, inner, None)) is not None and part is not kind:
            found |= classes_of(part)
    return found


async def test_there_is_a_column_of_every_type() -> None:
    covered = {found for column in COLUMNS for found in classes_of(column.kind)}
    known = {kind for kinds, _, _ in _FORMS for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}
    assert known - covered - {sa.BINARY, sa.VARBINARY, postgresql.INTERVAL} == set()
    table = re.findall(r"^\| (`.*?) \|", WIRE.read_text(), re.MULTILINE)
    gatepost_types = {"JSONOf": JSONOf, "NaiveUTC": NaiveUTC}
    names = {name.partition("(")[0] for cell in table for name in re.findall(r"`([A-Z][A-Za-z]+)", cell)} - {"NaN"}
    assert {
        name for name in names if getattr(sa, name, getattr(postgresql, name, gatepost_types.get(name))) not in covered
    } == set()
    assert all(shape_of(column.kind).unsupported is None for column in COLUMNS)
