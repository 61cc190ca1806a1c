"""Types that no body can hold: read-only columns of them are shown, and can be sent back as they are shown."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import ARRAY, Integer, MetaData, Time, text
from sqlalchemy.dialects.postgresql import INET, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, ConfigurationError, Resource, anyone, read_only
from gatepost.testing import TestApp


class Base(DeclarativeBase):
    """A base of its own: the tables of other tests are not in this database."""


class Reading(Base):
    __tablename__ = "readings"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    note: Mapped[str]
    clock: Mapped[Any] = mapped_column(Time(timezone=True), server_default=text("'12:30:00+02'"))
    address: Mapped[Any] = mapped_column(INET, server_default=text("'10.0.0.1'"))
    words: Mapped[Any] = mapped_column(TSVECTOR, server_default=text("'fat cat'"))
    grid: Mapped[Any] = mapped_column(ARRAY(Integer, dimensions=2), server_default=text("'{{1,2},{3,4}}'"))


SHOWN = {"clock": "12:30:00+02", "address": "10.0.0.1", "words": "'cat' 'fat'", "grid": [[1, 2], [3, 4]]}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return Base.metadata


@pytest.mark.parametrize("name", SHOWN)
def test_a_column_that_a_client_may_set_is_refused(name: str) -> None:
    others = dict.fromkeys(SHOWN.keys() - {name}, read_only)
    with pytest.raises(ConfigurationError) as raised:
        App(Resource(Reading, read=anyone, write=anyone, fields=others))
    assert f"Reading.{name}: is " in str(raised.value)


async def test_a_read_only_column_is_shown_and_can_be_sent_back(database_url: str) -> None:
    app = App(Resource(Reading, read=anyone, write=anyone, fields=dict.fromkeys(SHOWN, read_only)))
    async with TestApp(app, database_url) as running:
        client = running.anonymous
        made = await client.post("/api/readings", json={"note": "x"})
        row: dict[str, Any] = made.data
        assert {name: row[name] for name in SHOWN} == SHOWN
        path = made.headers["location"]
        tag = made.headers["etag"]
        sent = await client.patch(path, json=row)
        assert (sent.status, sent.headers["etag"]) == (200, tag)
        changed = await client.patch(path, json=row | {"note": "y"})
        assert (changed.status, changed.data["note"]) == (200, "y")
        for name, shown in SHOWN.items():
            refused = await client.patch(path, json=row | {name: "other", "note": "z"})
            assert refused.status == 422
            assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
                (f"/{name}", "read_only")
            ]
            assert (await client.post("/api/readings", json={"note": "x", name: shown})).status == 422
        assert (await client.get(path)).data == changed.data
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM readings") == 1
    await connection.close()
