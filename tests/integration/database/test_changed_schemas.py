"""Requests go on while another process migrates the database."""

import asyncio
from typing import Any

import asyncpg
import pytest
from desk import Desk, Plain, failures
from sqlalchemy import select, text

from gatepost import Service


@pytest.mark.parametrize(
    "change", ["ALTER TABLE plain ALTER number TYPE bigint", "ALTER TABLE notes ALTER number TYPE bigint"]
)
async def test_requests_survive_a_column_that_changes_its_type(
    desk: Desk, other: "asyncpg.Connection[Any]", change: str
) -> None:
    async def deed(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))
        await service.session.execute(text("SELECT * FROM notes"))

    async def everything() -> list[int]:
        made = await desk.client.post("/api/plain", json={"number": 1, "text": str(id(object()))})
        path = f"/api/plain/{made.data['id']}"
        answers = [
            made,
            await desk.client.get("/api/plain?number=1&sort=-number"),
            await desk.client.get(path),
            await desk.client.patch(path, json={"number": 2, "version": made.data["version"]}),
            await desk.do(deed),
            await desk.client.delete(path),
        ]
        return [answer.status for answer in answers]

    async def at_once() -> list[list[int]]:
        await asyncio.gather(*(desk.client.get("/api/plain") for _ in range(3)))
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
    desk: Desk, other: "asyncpg.Connection[Any]"
) -> None:
    async def deed(service: Service[Any]) -> None:
        found = (await service.session.scalars(select(Plain).where(Plain.kind == "a").with_for_update())).first()
        assert found is not None
        found.kind = "b"
        await service.session.flush()
        found.kind = "a"

    async def everything(name: str) -> list[int]:
        made = await desk.client.post("/api/plain", json={"text": name, "kind": "a"})
        path = f"/api/plain/{made.data['id']}"
        answers = [
            made,
            await desk.client.get("/api/plain?kind=a"),
            await desk.do(deed),
            await desk.client.patch(path, json={"kind": "b"}),
            await desk.client.patch(path, json={"kind": "a"}),
            await desk.do(deed),
        ]
        return [answer.status for answer in answers]

    expected = [201, 200, 201, 200, 200, 201]
    assert await everything("first") == expected, failures
    await other.execute(RECREATE)
    assert await everything("second") == expected, failures
    await other.execute(RECREATE)
    assert (await desk.do(deed)).status == 201, failures
    assert await everything("third") == expected, failures


async def test_many_transactions_at_once_survive_a_migration(desk: Desk, other: "asyncpg.Connection[Any]") -> None:
    async def deed(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))

    async def several() -> set[int]:
        return {answer.status for answer in await asyncio.gather(*(desk.do(deed) for _ in range(9)))}

    assert await several() == {201}
    await other.execute("ALTER TABLE plain ALTER number TYPE bigint")
    assert await several() == {201}, failures
    assert await several() == {201}
