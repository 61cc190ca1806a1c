"""Endpoints that ensure and discard rows: the same answer however often, and by whomever at the same time."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from favorites_app import Narrated, Tale, TaleFavorite, TaleMark, tales
from sqlalchemy import MetaData, func, select, update

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Kind(NamedTuple):
    """The last segment of the endpoint, the model of what it makes, and who makes it."""

    word: str
    model: Any
    made_by: str


BOTH = pytest.mark.parametrize(
    "kind",
    [Kind("favorite", TaleFavorite, "nobody"), Kind("mark", TaleMark, "service")],
    ids=lambda kind: kind.word,
)
"""By a statement, and through a service that overrides `create`."""


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the tales."""
    return Narrated.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The tales, served."""
    async with TestApp(tales, module_database_url) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def slug(running: TestApp) -> str:
    """A new tale's."""
    name = secrets.token_hex(8)
    async with tales.transaction() as tx:
        tx.session.add(Tale(slug=name))
    return name


async def count(kind: Kind, slug: str) -> int:
    """How many rows there are of a tale, whoever may read them."""
    rows = select(func.count()).select_from(kind.model).join(Tale, Tale.id == kind.model.tale_id)
    async with tales.transaction() as tx:
        return int(await tx.session.scalar(rows.where(Tale.slug == slug)) or 0)


@BOTH
async def test_a_second_request_gets_the_row_of_the_first(running: TestApp, slug: str, kind: Kind) -> None:
    client, user_id = await running.user_and_id()
    path = f"/api/tales/{slug}/{kind.word}"
    first, second = await client.post(path), await client.post(path)
    assert (first.status, second.status) == (200, 200)
    assert first.data == second.data
    assert (first.data["user_id"], first.data["made_by"]) == (str(user_id), kind.made_by)
    await (await running.user()).post(path)
    assert await count(kind, slug) == 2


@BOTH
async def test_many_at_once_get_one_row(running: TestApp, slug: str, kind: Kind) -> None:
    client = await running.user()
    path = f"/api/tales/{slug}/{kind.word}"
    made = await asyncio.gather(*(client.post(path) for _ in range(12)))
    assert {response.status for response in made} == {200}
    assert {(response.data["id"], response.data["made_by"]) for response in made} == {
        (made[0].data["id"], kind.made_by)
    }
    assert await count(kind, slug) == 1
    gone = await asyncio.gather(*(client.delete(path) for _ in range(12)))
    assert sorted(response.data["was_there"] for response in gone) == [False] * 11 + [True]
    assert await count(kind, slug) == 0


@BOTH
async def test_a_user_discards_no_row_of_another(running: TestApp, slug: str, kind: Kind) -> None:
    client, other = await running.user(), await running.user()
    path = f"/api/tales/{slug}/{kind.word}"
    assert (await client.post(path)).data["made_by"] == kind.made_by
    assert (await other.delete(path)).data == {"was_there": False}
    assert (await running.anonymous.post(path)).status == 401
    assert (await running.anonymous.delete(path)).status == 401
    assert await count(kind, slug) == 1


@BOTH
async def test_a_hidden_tale_is_favored_by_nobody(running: TestApp, slug: str, kind: Kind) -> None:
    client = await running.user()
    assert (await client.post(f"/api/tales/{slug}/{kind.word}")).data["made_by"] == kind.made_by
    async with tales.transaction() as tx:
        await tx.session.execute(update(Tale).where(Tale.slug == slug).values(is_secret=True))
    assert (await client.post(f"/api/tales/{slug}/{kind.word}")).status == 404
    assert (await client.delete(f"/api/tales/{slug}/{kind.word}")).status == 404
    assert await count(kind, slug) == 1


async def test_a_row_that_is_there_and_hidden_is_a_conflict_for_who_may_make_one(running: TestApp, slug: str) -> None:
    (_, user_id), stranger, editor = await running.user_and_id(), await running.user(), await running.user("editor")
    path = f"/api/tales/{slug}/mark-for/{user_id}"
    assert (await stranger.post(path)).status == 403
    assert (await editor.post(path)).status == 204  # made, and not shown to him
    refused = await editor.post(path)
    assert (refused.status, refused.json()["code"]) == (409, "already_exists")
    assert (await stranger.post(path)).status == 403
