"""Requests go on while another process migrates the database."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select, text
from transaction_app import Plain, TransactionApp, failures

from gatepost import Service


@pytest.mark.parametrize(
    "change", ["ALTER TABLE plain ALTER number TYPE bigint", "ALTER TABLE notes ALTER number TYPE bigint"]
)
async def test_requests_survive_a_column_that_changes_its_type(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]", change: str
) -> None:
    async def step(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))
        await service.session.execute(text("SELECT * FROM notes"))

    async def everything() -> list[int]:
        made = await transaction_app.client.post("/api/plain", json={"number": 1, "text": str(id(object()))})
        path = f"/api/plain/{made.data['id']}"
        responses = [
            made,
            await transaction_app.client.get("/api/plain?number=1&sort=-number"),
            await transaction_app.client.get(path),
            await transaction_app.client.patch(path, json={"number": 2, "version": made.data["version"]}),
            await transaction_app.create_after(step),
            await transaction_app.client.delete(path),
        ]
        return [response.status for response in responses]

    async def at_once() -> list[list[int]]:
        await asyncio.gather(*(transaction_app.client.get("/api/plain") for _ in range(3)))
        return [await everything()]

    expected = [[201, 200, 200, 200, 201, 204]]
    assert await at_once() == expected
    await other.execute(change)
    assert await at_once() == expected, failures


RECREATE = """
    ALTER TABLE plain ALTER kind TYPE text;
    DROP TYPE kind;
    CREATE TYPE kind AS ENUM ('b', 'c', 'a');
    ALTER TABLE plain ALTER kind TYPE kind USING kind::kind;
"""


async def test_requests_survive_an_enum_that_is_dropped_and_made_anew(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    async def step(service: Service[Any]) -> None:
        found = (await service.session.scalars(select(Plain).where(Plain.kind == "a").with_for_update())).first()
        assert found is not None
        found.kind = "b"
        await service.session.flush()
        found.kind = "a"

    async def everything(name: str) -> list[int]:
        made = await transaction_app.client.post("/api/plain", json={"text": name, "kind": "a"})
        path = f"/api/plain/{made.data['id']}"
        responses = [
            made,
            await transaction_app.client.get("/api/plain?kind=a"),
            await transaction_app.create_after(step),
            await transaction_app.client.patch(path, json={"kind": "b"}),
            await transaction_app.client.patch(path, json={"kind": "a"}),
            await transaction_app.create_after(step),
        ]
        return [response.status for response in responses]

    expected = [201, 200, 201, 200, 200, 201]
    assert await everything("first") == expected, failures
    await other.execute(RECREATE)
    assert await everything("second") == expected, failures
    await other.execute(RECREATE)
    assert (await transaction_app.create_after(step)).status == 201, failures
    assert await everything("third") == expected, failures


async def test_many_transactions_at_once_survive_a_migration(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    async def step(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))

    async def several() -> set[int]:
        return {
            response.status
            for response in await asyncio.gather(*(transaction_app.create_after(step) for _ in range(9)))
        }

    assert await several() == {201}
    await other.execute("ALTER TABLE plain ALTER number TYPE bigint")
    assert await several() == {201}, failures
    assert await several() == {201}
