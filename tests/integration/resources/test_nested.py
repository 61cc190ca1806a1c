"""`Resource(under=)`: rows below a row of another resource."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from press_app import SERVICES, Essay, Note, Printed, app, app_of, essays, notes
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData

from gatepost import App, Field, Resource, anyone, authenticated, hidden, nobody, owner, role
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Press(NamedTuple):
    """The clients, and the paths of two essays with notes of the keeper's, of one without and of a hidden one."""

    people: People
    one: str
    other: str
    empty: str
    draft: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the press."""
    assert app
    return Printed.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(SERVICES))
async def press(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[Press]:
    """The press, served by statements and through a service."""
    async with TestApp(app_of(SERVICES[request.param]), module_database_url) as running:
        people = await people_of(running)
        keeper = people["keeper"]
        paths: list[str] = []
        ids: dict[str, str] = {}
        for name in ("one, two", "other", "empty", "draft"):
            created = await keeper.post("/api/essays", json={"slug": f"{request.param} {name}"})
            paths.append(created.headers["location"])
            ids[paths[-1]] = created.data["id"]
            for text in () if name == "empty" else ("a", "b", "c"):
                note = await keeper.post(f"{paths[-1]}/notes", json={"text": text})
                assert note.status == 201, note.body
                assert note.headers["location"] == f"{paths[-1]}/notes/{note.data['id']}"
                assert note.data["essay_id"] == created.data["id"]
        assert (await keeper.patch(paths[-1], json={"is_public": False})).status == 204
        one, other, empty, draft = paths
        yield Press(people, one, other, empty, draft, ids)


@pytest.mark.parametrize("identity", FOUR)
async def test_lists_and_rows_are_of_the_row_above(press: Press, identity: str) -> None:
    client = press.people[identity]
    for path in (press.one, press.other):
        listed = (await client.get(f"{path}/notes")).json()["data"]
        assert [(row["text"], row["essay_id"]) for row in listed] == [(text, press.ids[path]) for text in "abc"]
        for row in listed:
            assert (await client.get(f"{path}/notes/{row['id']}")).data == row
            assert (await client.get(f"{press.empty}/notes/{row['id']}")).status == 404
            assert (await client.get(f"{press.draft}/notes/{row['id']}")).status == 404
    assert (await client.get("/api/notes")).status == 404
    empty = await client.get(f"{press.empty}/notes")
    assert (empty.status, empty.json()["data"]) == (200, [])
    for path in (press.draft, "/api/essays/none"):
        assert (await client.get(f"{path}/notes")).status == 404
    filtered = (await client.get(f"{press.one}/notes?text[gte]=b&fields=text")).json()["data"]
    assert filtered == [{"text": "b"}, {"text": "c"}]


@pytest.mark.parametrize("identity", FOUR)
async def test_cursors_and_links_stay_below(press: Press, identity: str) -> None:
    client, found = press.people[identity], []
    path = f"{press.one}/notes?limit=1"
    while path:
        page = await client.get(path)
        found += [row["text"] for row in page.json()["data"]]
        links = page.headers.get("link", "")
        path = links.partition("<")[2].partition(">")[0] if 'rel="next"' in links else ""
        assert not path or path.startswith(f"{press.one}/notes?")
    assert found == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("identity", "created", "changed", "deleted"),
    [("anonymous", 401, 401, 401), ("stranger", 201, 403, 403), ("keeper", 201, 200, 204), ("editor", 201, 200, 204)],
)
async def test_writes_are_under_both_policies(
    press: Press, identity: str, created: int, changed: int, deleted: int
) -> None:
    client, keeper = press.people[identity], press.people["keeper"]
    response = await client.post(f"{press.empty}/notes", json={"text": "x"})
    assert response.status == created
    for path in (press.draft, "/api/essays/none"):
        assert (await client.post(f"{path}/notes", json={"text": "x"})).status == (401 if created == 401 else 404)
    if created == 201:
        assert response.data["essay_id"] == press.ids[press.empty]
        location = response.headers["location"]
        assert (await client.patch(location, json={"text": "y"})).status == (200)
        assert (await press.people["editor"].delete(location)).status == 204
    note = (await keeper.post(f"{press.empty}/notes", json={"text": "of keeper"})).headers["location"]
    elsewhere = note.replace(press.empty, press.other)
    assert (await client.patch(elsewhere, json={"text": "z"})).status == (401 if changed == 401 else 404)
    assert (await client.delete(elsewhere)).status == (401 if changed == 401 else 404)
    assert (await client.patch(note, json={"text": "z"})).status == changed
    assert (await client.patch(note, json={"text": "z"})).status == changed
    assert (await client.delete(note)).status == deleted
    assert (await keeper.delete(note)).status == (404 if deleted == 204 else 204)


async def test_the_foreign_key_is_not_in_the_body(press: Press) -> None:
    keeper = press.people["keeper"]
    refused = await keeper.post(f"{press.empty}/notes", json={"text": "x", "essay_id": press.ids[press.one]})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "read_only")
    note = (await keeper.post(f"{press.empty}/notes", json={"text": "x"})).headers["location"]
    assert (await keeper.patch(note, json={"essay_id": press.ids[press.empty], "text": "y"})).status == 200
    moved = await keeper.patch(note, json={"essay_id": press.ids[press.one]})
    assert (moved.status, moved.json()["errors"][0]["code"]) == (422, "read_only")
    assert (await keeper.delete(note)).status == 204


async def test_operations_show_the_row_above() -> None:
    composition = app.composed(load_settings({"GATEPOST_DATABASE_URL": "postgresql://localhost/none"}))
    operations = [operation for operation in composition.operations if operation.resource == "notes"]
    assert {operation.path for operation in operations} == {
        "/api/essays/{essay:slug}/notes", "/api/essays/{essay:slug}/notes/{id}"
    }  # fmt: skip
    assert {operation.name for operation in operations} == {
        f"notes_of_essays.{action}" for action in ("list", "get", "create", "update", "delete")
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"under": "essays"}, "'essays' is not a path to a row"),
        ({"under": "essay/{essay}"}, "no resource has the path 'essay'. Did you mean 'essays'?"),
        ({"under": "essays/{essay:slog}"}, "Essay has no column 'slog'. Did you mean 'slug'?"),
        ({"under": "essays/{essay:title}"}, "Essay.title does not name one row"),
        ({"under": "essays/{essay:number}"}, "Essay.number does not name one row"),
        ({"under": 5}, "is 5."),
    ],
)
async def test_what_leads_to_no_row_above_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(essays(None), notes(None, **options))
    assert "Resource(Note, under=...)" in str(refusal.value)
    assert words in str(refusal.value)


async def test_a_column_that_some_do_not_see_leads_to_no_row() -> None:
    shown = Field(read=authenticated, write=nobody)
    for field in (hidden, shown):
        with pytest.raises(ConfigurationError, match="is hidden from anonymous clients who may get rows"):
            App(Resource(Essay, read=anyone, fields={"slug": field}), notes(None))


async def test_a_foreign_key_is_chosen_by_the_parameter() -> None:
    people = Resource(app.user_model, read=anyone, path="people")
    chosen = App(people, notes(None, under="people/{reader}")).declaration.catalog.by_model[Note]
    assert chosen.nesting is not None
    assert chosen.nesting.foreign_key == "reader_id"
    with pytest.raises(ConfigurationError, match="several foreign keys to User: author_id, reader_id"):
        App(people, notes(None, under="people/{person}"))
    with pytest.raises(ConfigurationError, match="Essay has no foreign key to Note"):
        App(Resource(Note, read=anyone), essays(None, under="notes/{note}"))


async def test_a_name_is_taken_once() -> None:
    with pytest.raises(ConfigurationError, match="the name 'essays' is taken"):
        App(essays(None), notes(None, name="essays"))


@pytest.mark.parametrize("through", list(SERVICES))
async def test_the_row_above_is_under_its_own_policy(module_database_url: str, through: str) -> None:
    service = SERVICES[through]
    read = owner("author_id") | role("editor")
    served = App(essays(service, read=read), notes(service, under="essays/{essay}", order=()))
    async with TestApp(served, module_database_url) as running:
        people = await people_of(running)
        essay = await people["keeper"].post("/api/essays", json={"slug": f"{through} of keeper"})
        path = f"{essay.headers['location']}/notes"
        note = await people["keeper"].post(path, json={"text": "x"})
        assert note.status == 201
        for identity, status in (("anonymous", 404), ("stranger", 404), ("keeper", 200), ("editor", 200)):
            client = people[identity]
            assert (await client.get(path)).status == status, identity
            assert (await client.get(note.headers["location"])).status == status, identity
            created = (await client.post(path, json={"text": "y"})).status
            assert created == {"anonymous": 401, "stranger": 404}.get(identity, 201), identity
            changed = (await client.patch(note.headers["location"], json={"text": identity})).status
            assert changed == {"anonymous": 401, "stranger": 404}.get(identity, 200), identity
