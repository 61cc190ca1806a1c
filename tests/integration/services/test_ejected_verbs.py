"""A service that `gatepost eject` writes calls no derived verb, and its resource stays the same."""

from collections.abc import AsyncIterator
from typing import Any, NoReturn
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import Identity, Integer, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.ejected_apps import put_services

from gatepost import App, Resource, owner, write_once
from gatepost.services.compiled_reads import CompiledReads
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.service import SEAMS, Service
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Letter(Base):
    """What its owner writes, without a column for the version."""

    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    stamp: Mapped[str | None] = mapped_column(default="none")
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    is_gone: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[UUID] = mapped_column(index=True)


mine = owner(Letter.owner_id)
app = App(
    Resource(
        Letter,
        read=mine,
        write=mine,
        where=Letter.is_gone.is_(False),
        fields={"stamp": write_once},
        sort=["title"],
        require_if_match=True,
    )
)
put_services(app)


def refuse(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("a derived verb was called")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, in which nothing that is derived writes a row or finds one for a service."""
    with pytest.MonkeyPatch.context() as patch:
        for verb in SEAMS:
            patch.setattr(Service, verb, refuse)
        for derived in ("create", "update", "delete"):
            patch.setattr(CompiledVerbs, derived, refuse)
        for derived in ("insert", "update", "delete", "find_row", "find_rows"):
            patch.setattr(UnitOfWork, derived, refuse)
        for derived in ("get", "list", "object", "objects"):
            patch.setattr(CompiledReads, derived, refuse)
        async with TestApp(app, module_database_url) as started:
            yield started


async def test_all_that_clients_do_works_without_derived_verbs(running: TestApp) -> None:
    author, other = await running.user_and_id(), await running.user_and_id()
    client, stranger = author[0], other[0]

    created = await client.post("/api/letters", json={"title": "a", "stamp": None, "details": {"x": 1, "y": {"z": 2}}})
    assert created.status == 201
    assert created.data["owner_id"] == str(author[1])
    assert created.data["stamp"] is None
    path, tag = created.headers["location"], created.headers["etag"]
    taken = await client.post("/api/letters", json={"title": "a"})
    assert (taken.status, taken.json()["code"]) == (409, "already_exists")
    theirs = await client.post("/api/letters", json={"title": "a", "owner_id": str(other[1])})
    assert theirs.status == 403  # not 409, which would reveal the other letter

    assert (await client.get(path)).data == created.data
    assert (await stranger.get(path)).status == 404
    assert (await client.patch(path, json={"title": "b"})).status == 428
    merged = await client.patch(path, json={"details": {"y": {"z": None}}}, headers={"If-Match": tag})
    assert (merged.status, merged.data["details"]) == (200, {"x": 1, "y": {}})
    stale = await client.patch(path, json={"title": "b"}, headers={"If-Match": tag})
    assert (stale.status, stale.json()["code"]) == (412, "version_mismatch")
    tag = merged.headers["etag"]
    same = await client.patch(path, json={"title": "a"}, headers={"If-Match": tag})
    assert (same.status, same.headers["etag"]) == (200, tag)  # nothing was written
    once = await client.patch(path, json={"stamp": "new"}, headers={"If-Match": tag})
    assert (once.status, once.json()["errors"][0]["code"]) == (422, "write_once")
    given = await client.patch(path, json={"owner_id": str(other[1])}, headers={"If-Match": tag})
    assert given.status == 403

    for title in ("d", "c"):
        assert (await client.post("/api/letters", json={"title": title})).status == 201
    first = (await client.get("/api/letters?sort=title&limit=2")).json()
    assert [row["title"] for row in first["data"]] == ["a", "c"]
    rest = (await client.get(f"/api/letters?sort=title&limit=2&after={first['page']['next']}")).json()
    assert [row["title"] for row in rest["data"]] == ["d"]
    assert (await stranger.get("/api/letters")).data == []
    assert (await client.get("/api/letters?title=c")).data[0]["title"] == "c"

    hidden = await client.patch(path, json={"is_gone": True}, headers={"If-Match": tag})
    assert hidden.status == 204
    assert (await client.get(path)).status == 404
    row = (await client.get("/api/letters?title=d")).data[0]
    found = await client.get(f"/api/letters/{row['id']}")
    removed = await client.delete(f"/api/letters/{row['id']}", headers={"If-Match": found.headers["etag"]})
    assert removed.status == 204
    assert [row["title"] for row in (await client.get("/api/letters")).data] == ["c"]
