"""No version is a way to the rows or fields of another: every way to a row, with rows that only one version has.

Each way gives the states of the releases that it shows or accepts; `FIRST` and `SECOND` say which those are.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from groups_app import CheckedReleases, Label, Pin, Release, Releases, Song
from record_shop import FIRST, IDENTITIES, SECOND, STATES, Shop, Version
from sqlalchemy import select

from gatepost import Changes
from gatepost.actor import Actor, system
from gatepost.errors import ConfigurationError, Forbidden, NotFound
from gatepost.testing import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAME = ("/api/releases", "/api/v3/releases")
"""Two versions whose releases have the same path below their prefixes."""

Way = Callable[[Shop, Client], Awaitable[set[str]]]


def listed(path: str, query: str = "") -> Way:
    """The rows of a list."""

    async def way(shop: Shop, client: Client) -> set[str]:
        response = await client.get(f"{path}?{query}")
        assert response.status == 200, response
        (rows,) = [value for key, value in response.json().items() if key != "page"]
        return {row["title"] for row in rows}

    return way


def of_each(path: str, *statuses: int, method: str = "GET", body: object = None, rows: str = "releases") -> Way:
    """The rows whose paths answer with one of these statuses; the others do not exist."""

    async def way(shop: Shop, client: Client) -> set[str]:
        found: set[str] = set()
        for state in STATES:
            sent = body(shop, state) if callable(body) else body
            keys = {"key": getattr(shop, rows)[state], "release": shop.releases[state]}
            response = await client.request(method, path.format(**keys), **({} if sent is None else {"json": sent}))
            if response.status in statuses:
                found.add(state)
            else:
                assert response.status in (404, 422), response
        return found

    return way


def filtered(path: str, parameter: str) -> Way:
    """The states for which a filter over a relation finds something."""

    async def way(shop: Shop, client: Client) -> set[str]:
        found: set[str] = set()
        for state in STATES:
            response = await client.get(f"{path}?{parameter}={state}")
            assert response.status == 200, response
            (rows,) = [value for key, value in response.json().items() if key != "page"]
            found |= {state} if rows else set()
        return found

    return way


def related(path: str, query: str = "") -> Way:
    """The releases inside of the rows of a list."""

    async def way(shop: Shop, client: Client) -> set[str]:
        response = await client.get(f"{path}?{query}")
        assert response.status == 200, response
        (rows,) = [value for key, value in response.json().items() if key != "page"]
        assert len(rows) == len(STATES)
        return {row["release"]["title"] for row in rows if row["release"] is not None}

    return way


def titles(path: str) -> Way:
    """What the SELECT of a service finds."""

    async def way(shop: Shop, client: Client) -> set[str]:
        return set(next(iter((await client.get(path)).json().values())))

    return way


def streamed(path: str) -> Way:
    """The rows of a stream."""

    async def way(shop: Shop, client: Client) -> set[str]:
        response = await client.get(path)
        assert response.status == 200, response
        return {msgspec.json.decode(line)["title"] for line in response.body.splitlines()}

    return way


WAYS: dict[str, tuple[Version, str, Way]] = {
    "a list": (FIRST, "anonymous", listed(FIRST.path)),
    "a list of v2": (SECOND, "user", listed(SECOND.path)),
    "a row": (FIRST, "anonymous", of_each("/api/releases/{key}", 200)),
    "a row of v2": (SECOND, "user", of_each("/api/v2/records/{key}", 200)),
    "a change": (FIRST, "editor", of_each("/api/releases/{key}", 200, method="PATCH", body={"unit_cost": 3})),
    "a change of v2": (SECOND, "curator", of_each("/api/v2/records/{key}", 200, method="PATCH", body={"unitCost": 3})),
    "a reference": (
        FIRST,
        "user",
        of_each("/api/songs", 201, method="POST", body=lambda shop, at: {"name": "x", "release_id": shop.releases[at]}),
    ),
    "a reference of an inherited resource in v2": (
        SECOND,
        "user",
        of_each(
            "/api/v2/charts/pins",
            201,
            method="POST",
            body=lambda shop, at: {"place": "x", "releaseId": shop.releases[at]},
        ),
    ),
    "a row above in v2": (SECOND, "user", of_each("/api/v2/records/{key}/songs", 200)),
    "a creation below a row of v2": (
        SECOND,
        "user",
        of_each("/api/v2/records/{key}/songs", 201, method="POST", body={"name": "x"}),
    ),
    "a shared service that asks for another": (
        FIRST,
        "user",
        of_each(
            "/api/songs", 201, method="POST", body=lambda shop, at: {"name": "of x", "release_id": shop.releases[at]}
        ),
    ),
    "the same in v2": (
        SECOND,
        "user",
        of_each("/api/v2/records/{key}/songs", 201, method="POST", body={"name": "of x"}),
    ),
    "a filter over a relation": (FIRST, "anonymous", filtered("/api/songs", "release.title")),
    "a filter over the other side": (FIRST, "anonymous", filtered("/api/group_labels", "releases.title")),
    "a filter of an inherited resource in v2": (
        SECOND,
        "user",
        filtered("/api/v2/charts/labels", "releases.title"),
    ),
    "a filter of an endpoint in v2": (SECOND, "user", filtered("/api/v2/charts/pins", "release.title")),
    "an expansion": (FIRST, "anonymous", related("/api/pins", "expand=release")),
    "an expansion of an inherited resource in v2": (SECOND, "user", related("/api/v2/charts/pins", "expand=release")),
    "the relation of a DTO in v2": (SECOND, "user", related("/api/v2/charts/songs")),
    "a row of the path": (FIRST, "anonymous", of_each("/api/releases/{key}/shown", 200)),
    "a row of the path in v2": (SECOND, "user", of_each("/api/v2/records/{key}/shown", 200)),
    "a SELECT": (FIRST, "anonymous", listed("/api/releases/chosen")),
    "a SELECT in v2": (SECOND, "user", listed("/api/v2/records/chosen")),
    "rows of a list of an endpoint": (FIRST, "anonymous", listed("/api/releases/handed")),
    "rows of a list of an endpoint in v2": (SECOND, "user", listed("/api/v2/records/handed")),
    "rows of a stream": (FIRST, "anonymous", streamed("/api/releases/streamed")),
    "rows of a stream in v2": (SECOND, "user", streamed("/api/v2/records/streamed")),
    "a service by its class": (FIRST, "anonymous", of_each("/api/releases/found?number={key}", 200)),
    "a service by its class in v2": (SECOND, "user", of_each("/api/v2/records/found?number={key}", 200)),
    "the SELECT of a service": (FIRST, "anonymous", titles("/api/releases/titles")),
    "the SELECT of a service in v2": (SECOND, "user", titles("/api/v2/records/titles")),
    "a locked row and a method of a service": (
        FIRST,
        "editor",
        of_each("/api/releases/{key}/reprice?cost=4", 200, method="POST"),
    ),
    "the same of v2": (SECOND, "curator", of_each("/api/v2/records/{key}/reprice?cost=4", 200, method="POST")),
    "ensure": (FIRST, "user", of_each("/api/releases/{key}/pins?place=x", 201, method="POST")),
    "ensure in v2": (SECOND, "user", of_each("/api/v2/records/{key}/pins?place=x", 201, method="POST")),
    "a deletion": (FIRST, "editor", of_each("/api/releases/{key}", 409, method="DELETE")),
    "a deletion in v2": (SECOND, "curator", of_each("/api/v2/records/{key}", 409, method="DELETE")),
}


@pytest.mark.parametrize("name", WAYS)
async def test_every_way_to_a_row_goes_by_the_resource_of_its_version(shop: Shop, name: str) -> None:
    version, identity, way = WAYS[name]
    assert await way(shop, shop.clients[identity]) == {*version.states}


WRITES = {
    "anonymous": (401, 401),
    "user": (403, 403),
    "editor": (200, 403),
    "curator": (403, 200),
}
"""Of a change in the first version, and in `/v2`."""


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_who_may_write_is_decided_by_each_version(shop: Shop, identity: str) -> None:
    client, key = shop.clients[identity], shop.releases["out"]
    changes = (("/api/releases", {"title": "x"}), ("/api/v2/records", {"title": "x"}))
    found = [await client.patch(f"{path}/{key}", json=body) for path, body in changes]
    assert tuple(response.status for response in found) == WRITES[identity]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_fields_are_shown_by_the_rules_of_each_version(shop: Shop, identity: str) -> None:
    client, key = shop.clients[identity], shop.releases["out"]
    first = (await client.get(f"/api/releases/{key}")).data
    second = await client.get(f"/api/v2/records/{key}")
    chosen = (await client.get("/api/releases/chosen")).data[0]
    assert ("unit_cost" in first, "state" in first) == (identity == "editor", True)
    assert chosen.keys() == first.keys()
    if identity == "anonymous":
        assert second.status == 401
        return
    inside = (await client.get("/api/v2/charts/pins?expand=release")).json()["records"][0]["release"]
    assert inside.keys() == second.json()["record"].keys()
    assert ("unitCost" in inside, "state" in inside) == (True, identity == "curator")


@pytest.mark.parametrize(
    ("identity", "query", "first", "second"),
    [
        ("user", "sort={cost}", 400, 200),
        ("editor", "sort={cost}", 200, 200),
        ("user", "{cost}[gt]=1", 400, 200),
        ("user", "state=out", 200, 400),
        ("curator", "state=out", 200, 200),
        ("user", "fields={cost}", 400, 200),
        ("user", "fields=state", 200, 400),
    ],
)
async def test_queries_go_by_the_fields_of_each_version(
    shop: Shop, identity: str, query: str, first: int, second: int
) -> None:
    client = shop.clients[identity]
    found = [
        (await client.get(f"{version.path}?{query.format(cost=version.cost)}")).status for version in (FIRST, SECOND)
    ]
    assert found == [first, second]


async def test_what_is_readable_in_an_expression_is_so_in_its_version(
    shop: Shop, sql: "asyncpg.Connection[Any]"
) -> None:
    await sql.execute("UPDATE group_releases SET state = 'draft' WHERE state = 'withdrawn'")
    found = (await shop.clients["user"].get("/api/statistics/labels")).data
    second = (await shop.clients["user"].get("/api/v2/statistics/labels")).json()["records"]
    assert found == [{"short_name": "label", "shown_count": 3}]
    assert second == [{"shortName": "label", "shownCount": 1}]
    anonymous = (await shop.clients["anonymous"].get("/api/v2/statistics/labels")).json()["records"]
    assert anonymous == [{"shortName": "label", "shownCount": 0}]


async def test_a_cursor_of_one_version_is_refused_by_the_other(shop: Shop) -> None:
    client = shop.clients["curator"]
    cursors = {}
    for version in (FIRST, SECOND):
        page = (await client.get(f"{version.path}?limit=1&sort=title")).json()["page"]
        cursors[version.path] = page["next"]
    assert cursors[FIRST.path] != cursors[SECOND.path]
    for version, other in ((FIRST, SECOND), (SECOND, FIRST)):
        refused = await client.get(f"{version.path}?limit=1&sort=title&after={cursors[other.path]}")
        assert refused.status == 400, version
        assert (await client.get(f"{version.path}?limit=1&sort=title&after={cursors[version.path]}")).status == 200


async def test_a_cursor_is_refused_by_a_version_with_the_same_path(shop: Shop) -> None:
    client = shop.clients["anonymous"]
    cursors = [(await client.get(f"{path}?limit=1")).json()["page"]["next"] for path in SAME]
    for path, cursor, other in zip(SAME, cursors, reversed(cursors), strict=True):
        assert (await client.get(f"{path}?limit=1&after={cursor}")).status == 200
        assert (await client.get(f"{path}?limit=1&after={other}")).status == 400


async def test_links_and_locations_stay_in_the_version(shop: Shop) -> None:
    client = shop.clients["curator"]
    page = await client.get("/api/v2/records?limit=1")
    assert page.headers["link"].startswith("</api/v2/records?")
    made = await client.post(f"/api/v2/records/{shop.releases['out']}/songs", json={"name": "new"})
    assert made.headers["location"].startswith(f"/api/v2/records/{shop.releases['out']}/songs/")


async def test_what_a_group_does_not_serve_has_no_location_there(shop: Shop) -> None:
    editor = shop.clients["editor"]
    made = await editor.post("/api/v2/charts/labels?name=new")
    assert made.status == 201
    assert "location" not in made.headers
    assert (await editor.get(f"/api/group_labels/{made.json()['record']['id']}")).status == 200


async def test_the_version_of_a_row_is_the_same_in_every_version(shop: Shop) -> None:
    key = shop.releases["out"]
    read = await shop.clients["editor"].get(f"/api/releases/{key}")
    headers = {"if-match": read.headers["etag"]}
    body = {"title": "newer"}
    assert (await shop.clients["curator"].patch(f"/api/v2/records/{key}", json=body, headers=headers)).status == 200
    assert (await shop.clients["editor"].patch(f"/api/releases/{key}", json=body, headers=headers)).status == 412


async def test_a_service_of_a_group_stands_in_place_of_the_one_it_extends(shop: Shop) -> None:
    key = shop.releases["out"]
    expensive = await shop.clients["curator"].patch(f"/api/v2/records/{key}", json={"unitCost": 2000})
    shared = await shop.clients["curator"].post(f"/api/v2/records/{key}/reprice?cost=2000")
    assert (expensive.json()["failed"], shared.json()["failed"]) == ("too_expensive", "too_expensive")
    assert (await shop.clients["editor"].patch(f"/api/releases/{key}", json={"unit_cost": 2000})).status == 200


async def test_the_service_of_the_app_holds_in_a_group_that_names_none(shop: Shop) -> None:
    body = {"title": "forbidden", "label_id": shop.label}
    refused = await shop.clients["editor"].post("/api/v3/releases", json=body)
    assert (refused.status, refused.json()["code"]) == (409, "forbidden_title")


async def test_the_restrictions_of_the_app_hold_in_a_group_that_says_nothing_of_them(shop: Shop) -> None:
    found = (await shop.clients["user"].get("/api/v3/releases")).data
    assert {row["title"] for row in found} == {*FIRST.states}
    assert (await shop.clients["user"].get("/api/v3/releases?unit_cost[gt]=0")).status == 400
    assert (await shop.clients["editor"].get("/api/v3/releases?unit_cost[gt]=0")).status == 200


async def test_restrictions_of_the_app_are_lifted_by_others(shop: Shop) -> None:
    found = (await shop.clients["editor"].get("/api/all/releases")).data
    assert {row["title"] for row in found} == {*STATES}
    assert all(row.keys() >= {"state", "unitCost"} for row in found)
    assert (await shop.clients["user"].get("/api/all/releases")).status == 403


async def test_outside_of_requests_services_go_by_the_version_that_is_named(shop: Shop) -> None:
    app, curator = shop.running.app, Actor(id=uuid4(), roles=frozenset({"curator"}))
    for group, states in ((None, FIRST.states), ("/v2", SECOND.states)):
        async with app.transaction(curator, group=group) as tx:
            found = await tx.session.scalars(tx.select(Release))
            assert {row.title for row in found} == {*states}
            for state in STATES:
                ask = tx.service(Releases).get(shop.releases[state], curator)
                if state in states:
                    assert (await ask).title == state
                else:
                    with pytest.raises(NotFound):
                        await ask
    async with app.transaction(system) as tx:
        assert type(tx.service(Release)) is Releases
        with pytest.raises(ConfigurationError, match="no resource has service=CheckedReleases"):
            tx.service(CheckedReleases)
    async with app.transaction(system, group="/v2") as tx:
        assert type(tx.service(Releases)) is CheckedReleases


async def test_writes_outside_of_requests_go_by_the_version_that_is_named(shop: Shop) -> None:
    app, curator = shop.running.app, Actor(id=uuid4(), roles=frozenset({"curator"}))
    changes = Changes[Release]({Release.unit_cost: 7})
    async with app.transaction(curator, group="/v2") as tx:
        row = await tx.service(Release).get(shop.releases["withdrawn"], curator)
        assert (await tx.service(Release).update(row, changes, curator)).unit_cost == 7
    async with app.transaction(curator) as tx:
        row = await tx.service(Release).get(shop.releases["draft"], curator)
        with pytest.raises(Forbidden):
            await tx.service(Release).update(row, changes, curator)


async def test_a_group_that_is_not_there_cannot_be_named(shop: Shop) -> None:
    transaction = shop.running.app.transaction(group="/v4")
    with pytest.raises(ConfigurationError, match=r"The groups are Group\('/v2'\), Group\('/v3'\), Group\('/all'\)"):
        await transaction.__aenter__()


async def test_relations_of_models_are_those_of_the_version(shop: Shop) -> None:
    """The catalogs share no served model, so that nothing kept for one is found for another."""
    by_group = [declared.catalog for declared in shop.running.app.declaration.all]
    seen: set[int] = set()
    for catalog in by_group:
        used = {*catalog.used, *catalog.narrowed}
        assert seen.isdisjoint(map(id, used))
        seen |= set(map(id, used))
        assert {item.entity.model for item in catalog.used} == {Label, Release, Song, Pin}
        for item in used:
            assert {target for _, target in item.relations.values()} <= used
            assert item.above is None or item.above in used


async def test_what_is_selected_by_a_shared_statement_is_not_shared(shop: Shop) -> None:
    """Policies do not apply to an application's own SQL: every row is there, so the tables above show what hides it."""
    async with shop.running.app.transaction(system) as tx:
        assert {*await tx.session.scalars(select(Release.title))} == {*STATES}
