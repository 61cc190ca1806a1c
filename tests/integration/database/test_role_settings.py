"""What an operator has set for the role or the database: what the rules rest on does not follow it."""

from typing import Any

import pytest
from sqlalchemy import text
from transaction_app import SETTINGS, Notes, app

from gatepost import Service
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.testing import TestApp


async def set_and_reconnect(running: TestApp, postgresql: EmbeddedPostgreSQL, database_url: str, setting: str) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    postgresql.execute(f"ALTER DATABASE {name} SET {setting}")
    running.app.running.database.pool.close_idle(lambda raw: True)


async def test_a_transaction_is_read_committed_where_the_database_has_another_default(
    postgresql: EmbeddedPostgreSQL, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    async def look(self: Service[Any]) -> None:
        seen.append((await self.session.execute(text("SHOW transaction_isolation"))).scalar())

    monkeypatch.setattr(Notes, "step", look, raising=False)
    async with TestApp(app, database_url, **SETTINGS) as running:
        await set_and_reconnect(running, postgresql, database_url, "default_transaction_isolation = 'serializable'")
        for _ in range(2):  # the second one after the connection was reset
            assert (await running.anonymous.post("/api/notes", json={})).status == 201
    assert seen == ["read committed"] * 2


async def test_floats_keep_their_digits_where_the_database_shortens_them(
    postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    number = 0.12345678901234567
    async with TestApp(app, database_url, **SETTINGS) as running:
        await set_and_reconnect(running, postgresql, database_url, "extra_float_digits = -5")
        rows = await running.app.running.database.fetch("SELECT to_json($1::float8) AS shown", number)
    assert float(rows[0]["shown"]) == number
