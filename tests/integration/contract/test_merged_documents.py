"""Documents that merge patches make: bounded as those are that one body brings."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import JSON, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Changes, Resource, Service, anyone, read_only
from gatepost.testing import TestApp

LIMIT = 20_000


class Base(DeclarativeBase):
    metadata = MetaData()


class Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    doc: Mapped[Any] = mapped_column(JSONB, nullable=True)
    plain: Mapped[Any] = mapped_column(JSON, nullable=True)
    always: Mapped[Any] = mapped_column(JSONB, default=dict)
    kept: Mapped[Any] = mapped_column(JSONB, nullable=True)
    name: Mapped[str | None]


class Derived(Columns, Base):
    __tablename__ = "merged"


class Overridden(Columns, Base):
    __tablename__ = "merged_by_service"


class Overrides(Service[Overridden]):
    async def before_update(self, row: Overridden, changes: Changes[Overridden], actor: Actor) -> None:
        """Nothing: what matters is that the change goes through a service."""


OPEN: dict[str, Any] = {
    "read": anyone,
    "create": anyone,
    "update": anyone,
    "fields": {"kept": read_only},
    "body_bytes_max": LIMIT,
    "json_depth_max": 6,
    "json_items_max": 4000,
}
app = App(Resource(Derived, **OPEN, path="derived"), Resource(Overridden, service=Overrides, **OPEN, path="overridden"))
TABLES = {"/api/derived": "merged", "/api/overridden": "merged_by_service"}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("path", TABLES)]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app below."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(module_database_url: str) -> AsyncIterator[Any]:
    """Another program's connection."""
    made = await asyncpg.connect(module_database_url)
    yield made
    await made.close()


@pytest.fixture
def client(running: TestApp) -> Any:
    return running.anonymous


def body(text: str) -> bytes:
    return text.encode()


async def row_with(client: Any, path: str, **values: Any) -> str:
    created = await client.post(path, json=values)
    assert created.status == 201, created.body
    return f"{path}/{created.data['id']}"


async def store(connection: Any, row: str, column: str, text: str) -> None:
    """Write a document as another program does."""
    path, _, id = row.rpartition("/")
    kind = "json" if column == "plain" else "jsonb"
    await connection.execute(f"UPDATE {TABLES[path]} SET {column} = $1::text::{kind} WHERE id = $2", text, int(id))


def errors(response: Any) -> list[tuple[str, str]]:
    assert (response.status, response.json()["code"]) == (422, "invalid_body")
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


@pytest.mark.parametrize("column", ["doc", "plain", "always"])
async def test_a_document_does_not_grow_beyond_a_body(client: Any, path: str, column: str) -> None:
    row = await row_with(client, path, **{column: {}})
    for number in range(5):
        patch = {f"k{number}_{index}": "y" * 90 for index in range(40)}
        response = await client.patch(row, json={column: patch, "name": str(number)})
        if response.status != 200:
            break
    assert number == 4
    assert errors(response) == [(f"/{column}", "too_long")]
    found = await client.get(row)
    assert (found.json()["data"]["name"], len(found.json()["data"][column])) == ("3", 160)
    # What makes it smaller is taken, and so is what still fits.
    removed = {f"k0_{index}": None for index in range(40)}
    assert (await client.patch(row, json={column: {**removed, "z": 1}})).status == 200
    assert (await client.patch(row, json={column: patch})).status == 200


async def test_all_documents_that_become_too_large_are_named(client: Any, path: str) -> None:
    half = {"a": "x" * (LIMIT - 500)}
    row = await row_with(client, path, doc=half)
    assert (await client.patch(row, json={"plain": half})).status == 200
    more = {"b": "x" * 600}
    assert errors(await client.patch(row, json={"doc": more, "plain": more})) == [
        ("/doc", "too_long"),
        ("/plain", "too_long"),
    ]


@pytest.mark.parametrize("column", ["doc", "plain"])
async def test_numbers_of_a_document_do_not_grow_beyond_those_of_a_body(client: Any, path: str, column: str) -> None:
    row = await row_with(client, path, **{column: {}})
    for number in range(3):
        numbers = ",".join(["1e300"] * 30)
        response = await client.patch(row, content=body(f'{{"{column}":{{"k{number}":[{numbers}]}}}}'))
    assert errors(response) == [(f"/{column}", "too_long")]
    assert (await client.get(row)).json()["data"][column].keys() == {"k0", "k1"}


async def test_what_a_body_brought_can_be_merged_into(client: Any, path: str) -> None:
    """PostgreSQL writes it with spaces, and a column of JSON with escapes: much longer than the body was."""
    spaces = body('{"doc":{"a":[' + ",".join(["1"] * 3900) + '],"b":[' + ",".join(["[]"] * 3900) + "]}}")
    letters = '{"plain":{"a":"' + "\u00e9" * (LIMIT // 2 - 20) + '"}}'
    row = await row_with(client, path)
    assert (await client.patch(row, content=spaces)).status == 200
    assert (await client.patch(row, content=letters.encode())).status == 200
    changed = await client.patch(row, json={"doc": {"c": 1}, "plain": {"c": 1}})
    assert changed.status == 200
    assert changed.data["doc"]["c"] == changed.data["plain"]["c"] == 1


BEYOND = {
    "text": (json.dumps({"a": "x" * 3 * LIMIT}), "too_long"),
    "a little text": (json.dumps({"a": "x" * LIMIT}), "too_long"),
    "depth": ('{"a":' * 7 + "1" + "}" * 7, "too_deep"),
    "items": ('{"a":[' + ",".join(["1"] * 4001) + "]}", "too_long"),
    "one number": ('{"a":' + "9" * 1001 + "}", "too_long"),
    "one fraction": ('{"a":' + "9" * 501 + "." + "9" * 501 + "}", "too_long"),
}


@pytest.mark.parametrize("column", ["doc", "plain"])
@pytest.mark.parametrize("name", BEYOND)
async def test_a_document_of_others_beyond_the_bounds_is_replaced_and_not_merged_into(
    client: Any, connection: Any, path: str, column: str, name: str
) -> None:
    text, code = BEYOND[name]
    row = await row_with(client, path, **{column: {}})
    await store(connection, row, column, text)
    refused = await client.patch(row, json={column: {"z": 1}, "name": "new"})
    assert errors(refused) == [(f"/{column}", code)]
    assert "Send null to replace it" in refused.json()["errors"][0]["detail"]
    assert (await client.get(f"{row}?fields=name")).data == {"name": None}
    assert (await client.patch(row, json={"name": "other"})).status == 200
    assert (await client.patch(row, json={column: [1]})).data[column] == [1]
    assert (await client.patch(row, json={column: {"z": 1}})).data[column] == {"z": 1}


async def test_a_document_of_others_that_cannot_be_decoded_is_not_merged_into(
    client: Any, connection: Any, path: str
) -> None:
    row = await row_with(client, path, doc={})
    await store(connection, row, "doc", '{"a":' + "[" * 3000 + "]" * 3000 + "}")
    assert errors(await client.patch(row, json={"doc": {"z": 1}})) == [("/doc", "too_deep")]


async def test_a_column_that_is_never_null_says_what_else_replaces(client: Any, connection: Any, path: str) -> None:
    row = await row_with(client, path)
    await store(connection, row, "always", BEYOND["text"][0])
    refused = await client.patch(row, json={"always": {"z": 1}})
    assert "Send [] to replace it" in refused.json()["errors"][0]["detail"]
    assert (await client.patch(row, json={"always": []})).status == 200
    assert (await client.patch(row, json={"always": {"z": 1}})).data["always"] == {"z": 1}


async def test_a_large_read_only_document_equals_nothing_that_is_sent(client: Any, connection: Any, path: str) -> None:
    row = await row_with(client, path)
    await store(connection, row, "kept", BEYOND["text"][0])
    assert errors(await client.patch(row, json={"kept": {"a": "x"}})) == [("/kept", "read_only")]
