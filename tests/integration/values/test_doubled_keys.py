"""A `json` with doubled keys can be sent back as it is shown. Everywhere else a doubled key is refused."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from values_app import app

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORED = '{"a": {"x": 1.0, "x": [2, {"y": 1, "y": 1}]}, "b": null}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(module_database_url: str) -> AsyncIterator[Any]:
    """Another program's connection, after it has written a row of each table."""
    async with TestApp(app, module_database_url):
        connection = await asyncpg.connect(module_database_url)
        for table in ("source_derived", "source_served", "document_derived"):
            await connection.execute(f"INSERT INTO {table} (value, note) VALUES ('{STORED}', 'x')")
        yield connection
        await connection.close()


async def patch(client: Client, table: str, value: str, more: str = "", key: int = 1) -> Any:
    response = await client.patch(f"/api/{table}/{key}", content=f'{{"value": {value}{more}}}'.encode())
    return response.status, (response.json().get("code") if response.status >= 400 else None)


@pytest.mark.parametrize("table", ["source_derived", "source_served"])
async def test_only_what_is_shown_is_accepted(database: Any, table: str) -> None:
    client, sql = Client(app), f"SELECT value::text, note FROM {table}"
    other_digits = STORED.replace("1.0", "1.5")
    for value in (
        other_digits,
        STORED.replace('"y": 1, "y": 1', '"y": 1'),
        STORED.replace('"y": 1, "y": 1', '"y": 1, "y": 1, "y": 1'),
        STORED.replace('"y": 1, "y": 1', '"y": 1, "z": 1'),
        STORED.replace("null", 'null, "b": null'),
        f"[{STORED}]",
    ):
        assert await patch(client, table, value) == (400, "malformed_json"), value
    for refusal in (
        await patch(client, table, STORED, f', "value": {STORED}'),
        await patch(client, table, STORED, ', "note": {"x": 1, "x": 1}'),
        await patch(client, table, STORED, ', "nothing": {"x": 1, "x": 1}'),
        await patch(client, table, STORED, ', "nothing": 1'),
        await patch(client, table, STORED, key=99),
        await patch(client, table, STORED + "x"),
    ):
        assert refusal == (400, "malformed_json")
    assert await database.fetchrow(sql) == (STORED, "x")
    assert await patch(client, table, STORED.replace(" ", "\n"), ', "note": "y"') == (200, None)
    assert await database.fetchrow(sql) == (STORED, "y")
    await database.execute(f"UPDATE {table} SET note = 'x'")


async def test_no_creation_and_no_jsonb_has_doubled_keys(database: Any) -> None:
    client = Client(app)
    assert await patch(client, "document_derived", STORED) == (400, "malformed_json")
    created = await client.post("/api/source_derived", content=b'{"value": {"x": 1, "x": 1}}')
    assert (created.status, created.json()["code"]) == (400, "malformed_json")


async def test_a_body_of_many_levels_is_refused(database: Any) -> None:
    deep = '{"x": 1, "x": ' * 3_000 + "1" + "}" * 3_000
    assert await patch(Client(app), "source_derived", deep) == (400, "malformed_json")
