"""Controllers of nested resources: their endpoints are below the row above, and so is everything that they show."""

import secrets
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from nested_app import RemarkEcho, Talk, TalkRemark, app
from sqlalchemy import MetaData

from gatepost import App, Controller, Resource, anyone, get, post
from gatepost.errors import ConfigurationError
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Parlour(NamedTuple):
    """A host with two talks, a guest who may read neither, and remarks with the text "x" below both."""

    host: Client
    guest: Client
    anonymous: Client
    path: str
    other: str
    remark: str
    foreign: str
    other_id: str


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the parlour."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parlour(module_database_url: str) -> AsyncIterator[Parlour]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        host, guest = await running.user(), await running.user()
        talks = [(await host.post("/api/talks", json={"slug": f"talk {secrets.token_hex(4)}"})).data for _ in "ab"]
        paths = [f"/api/talks/{talk['slug'].replace(' ', '%20')}/remarks" for talk in talks]
        ids = [(await host.post(path, json={"text": "x"})).data["id"] for path in paths]
        yield Parlour(host, guest, running.anonymous, *paths, *ids, talks[1]["id"])


@pytest.mark.parametrize("path", ["shouted", "all"])
async def test_lists_are_of_the_row_above(parlour: Parlour, path: str) -> None:
    response = await parlour.host.get(f"{parlour.path}/{path}")

    assert [row["id"] for row in response.data if row["text"] == "x"] == [parlour.remark]


async def test_cursors_of_lists_stay_below(parlour: Parlour) -> None:
    for _ in "ab":
        await parlour.host.post(f"{parlour.other}", json={"text": "x"})
    found: list[Any] = []
    after = ""
    while after is not None:
        page = await parlour.host.get(f"{parlour.other}/shouted?limit=1{after and f'&after={after}'}")
        found += page.data
        after = page.json()["page"]["next"]

    assert {row["talk_id"] for row in found} == {parlour.other_id}
    assert len(found) == 3


@pytest.mark.parametrize("path", ["{remark}", "{remark}/again"])
async def test_a_row_is_below_the_row_above(parlour: Parlour, path: str) -> None:
    mine = await parlour.host.get(f"{parlour.path}/{path.format(remark=parlour.remark)}")
    foreign = await parlour.host.get(f"{parlour.path}/{path.format(remark=parlour.foreign)}")

    assert (mine.status, mine.data["id"]) == (200, parlour.remark)
    assert foreign.status == 404


async def test_a_row_of_another_talk_is_not_shown(parlour: Parlour) -> None:
    text = secrets.token_hex(4)
    await parlour.host.post(parlour.other, json={"text": text})

    assert (await parlour.host.get(f"{parlour.path}/first/{text}")).status == 404
    assert (await parlour.host.get(f"{parlour.other}/first/{text}")).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "shouted"),
        ("GET", "all"),
        ("GET", "count"),
        ("GET", "host"),
        ("GET", "{remark}"),
        ("GET", "{remark}/again"),
        ("GET", "first/x"),
        ("POST", "said"),
        ("GET", "{remark}/echoes/loud"),
        ("GET", "{remark}/echoes"),
        ("POST", "{remark}/echoes/made"),
    ],
)
async def test_below_a_hidden_row_there_is_nothing(parlour: Parlour, method: str, path: str) -> None:
    path = path.format(remark=parlour.remark)
    body = {"json": {"text": "y"}} if path == "said" else {}

    hidden = await parlour.guest.request(method, f"{parlour.path}/{path}", **body)
    absent = await parlour.guest.request(method, f"/api/talks/none/remarks/{path}", **body)
    shown = await parlour.host.request(method, f"{parlour.path}/{path}", **body)

    assert hidden.status == absent.status == 404
    assert {**hidden.json(), "request_id": ""} == {**absent.json(), "request_id": ""}
    assert shown.status in (200, 201)


async def test_nothing_is_served_beside_the_row_above(parlour: Parlour) -> None:
    for path in ("shouted", f"{parlour.remark}/again"):
        assert (await parlour.host.get(f"/api/remarks/{path}")).status == 404


async def test_what_is_created_has_its_location_below(parlour: Parlour) -> None:
    created = await parlour.host.post(f"{parlour.path}/said", json={"text": "new"})

    assert (created.status, created.headers["location"]) == (201, f"{parlour.path}/{created.data['id']}")
    assert (await parlour.host.get(created.headers["location"])).data == created.data


async def test_what_is_created_elsewhere_has_no_location_here(parlour: Parlour) -> None:
    created = await parlour.host.post(f"{parlour.path}/elsewhere/{parlour.other_id}", json={"text": "new"})

    assert (created.status, created.body) == (201, b"")
    assert "location" not in created.headers


async def test_all_rows_of_the_resource_are_below(parlour: Parlour) -> None:
    foreign = await parlour.host.post(f"{parlour.path}/{parlour.remark}/merge/{parlour.foreign}")
    own = await parlour.host.post(f"{parlour.path}/said", json={"text": "z"})
    merged = await parlour.host.post(f"{parlour.path}/{own.data['id']}/merge/{parlour.remark}")

    assert foreign.status == 404
    assert (merged.status, merged.data["text"]) == (200, "zx")


async def test_rows_two_levels_below(parlour: Parlour) -> None:
    path = f"{parlour.path}/{parlour.remark}/echoes"

    made = await parlour.host.post(f"{path}/made")
    derived = await parlour.host.post(path, json={})
    location = made.headers["location"]

    assert location == f"{path}/{made.data['id']}"
    assert derived.headers["location"] == f"{path}/{derived.data['id']}"
    for found in (await parlour.host.get(path), await parlour.host.get(f"{path}/loud")):
        assert {row["id"] for row in found.data} >= {made.data["id"], derived.data["id"]}
    assert (await parlour.host.get(location)).data == made.data
    assert (await parlour.host.get(f"{location}/again")).data == made.data
    assert (await parlour.host.patch(location, json={"text": "louder"})).data["text"] == "louder"
    elsewhere = path.replace(parlour.path, parlour.other)
    for wrong in (location.replace(parlour.path, parlour.other), elsewhere, f"{elsewhere}/loud"):
        assert (await parlour.host.get(wrong)).status == 404
    assert (await parlour.host.post(elsewhere, json={})).status == 404
    assert (await parlour.guest.get(location)).status == 404
    assert (await parlour.host.delete(location)).status == 204


async def test_the_second_row_of_a_path_belongs_to_the_first(parlour: Parlour) -> None:
    slug, other = parlour.path.split("/")[3], parlour.other.split("/")[3]

    assert (await parlour.host.get(f"/api/parlour/{slug}/{parlour.remark}")).status == 200
    assert (await parlour.host.get(f"/api/parlour/{other}/{parlour.remark}")).status == 404
    assert (await parlour.host.get(f"/api/parlour/by/{parlour.remark}/{other}")).status == 200


async def test_a_row_above_is_a_row_of_its_model() -> None:
    class Wrong(Controller[TalkRemark]):
        @get("/wrong", allow=anyone)
        async def wrong(self, talk: str) -> str:
            return talk

        @post("/{talk}", allow=anyone)
        async def twice(self, talk: Talk) -> None:
            """Has the name of the row above once more."""

    with pytest.raises(ConfigurationError) as refusal:
        App(
            Resource(Talk, path="talks", read=anyone),
            Resource(TalkRemark, path="remarks", under="talks/{talk:slug}", read=anyone, controller=Wrong),
        )
    assert "takes 'talk' as str, and its resource is below a row of Talk" in str(refusal.value)
    assert "has {talk} twice in its path" in str(refusal.value)


@pytest.mark.parametrize(
    ("under", "words"),
    [
        ("talks/{talk:slug}/remarks/{talk}", "has one parameter twice"),
        ("talks/{talk}/remarks/{remark}", "no resource has the path 'talks/{talk}/remarks'. Did you mean"),
    ],
)
async def test_what_leads_to_no_row_two_levels_above_is_refused(under: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(
            Resource(Talk, path="talks", read=anyone),
            Resource(TalkRemark, path="remarks", under="talks/{talk:slug}", read=anyone),
            Resource(RemarkEcho, path="echoes", under=under, read=anyone),
        )
    assert words in str(refusal.value)
