"""JSON columns with the form of a class: validated inside, merged on the whole, shown as they are stored."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import MetaData, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from structured_documents_app import Address, Base, Contact, Kind, Line, Place, Room, Size, app

from gatepost import App, ConfigurationError, JSONOf, Resource, anyone
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOME = {"street": "Elm", "kind": "home"}
FULL = {
    "street": "Elm",
    "kind": "work",
    "floor": 3,
    "rent": "12.50",
    "since": "9999-12-31",
    "seen_at": "2030-01-31T12:00:00Z",
    "lines": [{"firstText": "a"}, {"firstText": "b"}],
    "inner": {
        "street": "Oak", "kind": "home", "floor": 0, "rent": None, "since": None, "seen_at": None, "lines": [],
        "inner": None, "tags": {}, "anything": None, "code": 0, "size": None, "note": None,
    },
    "tags": {"a": 1},
    "anything": [1, {"b": None}],
    "code": "x",
    "size": "S",
    "note": "n",
}  # fmt: skip

WAYS = pytest.mark.parametrize("path", ["/api/places", "/api/rooms"])


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """The app, for anyone."""
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


async def created(client: Client, path: str, **fields: Any) -> Any:
    response = await client.post(path, json={"title": "t", "address": HOME, **fields})
    assert response.status == 201, response.json()
    return response.data


def errors_of(response: Any) -> dict[str, str]:
    assert response.status == 422, response.body
    return {item["pointer"]: item["code"] for item in response.json()["errors"]}


@WAYS
async def test_a_document_is_stored_in_full_and_shown_so(client: Client, path: str) -> None:
    row = await created(
        client, path, address=FULL, size={"width": 2}, contact={"name": "Ada"}, lines=[{"firstText": "x"}]
    )
    assert row["address"] == FULL
    assert row["size"] == {"width": 2, "height": 1}
    assert row["contact"] == {"name": "Ada", "age": 18, "sizes": []}
    assert row["lines"] == [{"firstText": "x"}]
    assert (await client.patch(f"{path}/{row['id']}", json=row | {"title": "u"})).data["address"] == FULL


async def test_python_code_sees_instances_and_writes_them(client: Client) -> None:
    row = await created(
        client, "/api/places", address=FULL, size={"width": 2}, contact={"name": "Ada"}, lines=[{"firstText": "x"}]
    )
    async with app.transaction() as tx:
        place = (await tx.session.scalars(select(Place).where(Place.id == row["id"]))).one()
        assert place.address.rent == Decimal("12.50")
        assert (place.address.kind, place.address.since) == (Kind.WORK, date.max)
        assert place.address.lines == [Line("a"), Line("b")]
        assert (place.size, place.contact, place.lines) == (Size(2), Contact(name="Ada"), [Line("x")])
        place.address = Address("Ash", Kind.HOME, rent=Decimal("0.10"))
        place.size = None
    shown = (await client.get(f"/api/places/{row['id']}")).data
    assert (shown["address"]["street"], shown["address"]["rent"], shown["size"]) == ("Ash", "0.10", None)


VIOLATIONS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"address": None}, {"/address": "not_nullable"}),
    ({"address": []}, {"/address": "wrong_type"}),
    ({"address": {}}, {"/address/street": "required", "/address/kind": "required"}),
    (
        {"address": {"street": "", "kind": "x", "floor": -1, "rent": "a", "since": "2030-02-30", "seen_at": "2030"}},
        {
            "/address/street": "too_short",
            "/address/kind": "not_a_choice",
            "/address/floor": "too_small",
            "/address/rent": "wrong_type",
            "/address/since": "invalid_format",
            "/address/seen_at": "invalid_format",
        },
    ),
    (
        {"address": HOME | {"lines": [{"firstText": ""}, {"first_text": "a"}, 3]}},
        {
            "/address/lines/0/firstText": "too_short",
            "/address/lines/1/firstText": "required",
            "/address/lines/1/first_text": "unknown_field",
            "/address/lines/2": "wrong_type",
        },
    ),
    ({"address": HOME | {"lines": [{"firstText": "a"}] * 4}}, {"/address/lines": "too_long"}),
    ({"address": HOME | {"inner": HOME | {"streat": 1}}}, {"/address/inner/streat": "unknown_field"}),
    ({"address": HOME | {"tags": {"a/b": "x"}}}, {"/address/tags/a~1b": "wrong_type"}),
    ({"address": HOME | {"code": []}}, {"/address/code": "wrong_type"}),
    (
        {"address": HOME | {"size": "M", "note": "too long"}},
        {"/address/size": "not_a_choice", "/address/note": "too_long"},
    ),
    ({"address": HOME | {"floor": 1.5}}, {"/address/floor": "wrong_type"}),
    ({"address": HOME | {"floor": True}}, {"/address/floor": "wrong_type"}),
    ({"address": {"street": "nowhere", "kind": "home"}}, {"/address": "invalid_value"}),
    ({"size": {"width": 0, "heigth": 2}}, {"/size/width": "too_small", "/size/heigth": "unknown_field"}),
    ({"contact": {"name": "", "age": -1}}, {"/contact/name": "too_short", "/contact/age": "too_small"}),
    ({"contact": {"name": "nobody"}}, {"/contact/name": "invalid_value"}),
    ({"contact": {"name": "Ada", "sizes": [1, "x"]}}, {"/contact/sizes/1": "invalid_format"}),
    ({"contact": {"name": "Ada", "agee": 1}}, {"/contact/agee": "unknown_field"}),
    ({"contact": {}}, {"/contact/name": "required"}),
    ({"lines": {"firstText": "a"}}, {"/lines": "wrong_type"}),
    ({"lines": [{"firstText": "a" * 11}]}, {"/lines/0/firstText": "too_long"}),
    ({"address": {}, "title": 1}, {"/address/street": "required", "/address/kind": "required", "/title": "wrong_type"}),
]


@WAYS
@pytest.mark.parametrize(("fields", "errors"), VIOLATIONS, ids=[json.dumps(fields)[:60] for fields, _ in VIOLATIONS])
async def test_every_violation_inside_a_document_is_named(
    client: Client, path: str, fields: dict[str, Any], errors: dict[str, str]
) -> None:
    assert errors_of(await client.post(path, json={"title": "t", "address": HOME, **fields})) == errors


@WAYS
async def test_a_patch_merges_and_the_whole_is_validated(client: Client, path: str) -> None:
    row = await created(client, path, address=FULL, lines=[{"firstText": "x"}])
    address = f"{path}/{row['id']}"
    merged = (await client.patch(address, json={"address": {"floor": 4, "rent": None, "tags": {"b": 2}}})).data
    assert merged["address"] == FULL | {"floor": 4, "rent": None, "tags": {"a": 1, "b": 2}}
    changes: dict[str, Any] = {"address": {"street": None, "floor": -1, "tags": {"a": "x"}}, "size": {"height": 2}}
    assert errors_of(await client.patch(address, json=changes)) == {
        "/address/street": "required",
        "/address/floor": "too_small",
        "/address/tags/a": "wrong_type",
        "/size/width": "required",
    }
    assert errors_of(await client.patch(address, json={"address": []})) == {"/address": "wrong_type"}
    assert errors_of(await client.patch(address, json={"lines": [{}]})) == {"/lines/0/firstText": "required"}
    assert (await client.get(address)).data["address"] == merged["address"]
    assert (await client.patch(address, json={"lines": None, "size": {"width": 5}})).data["size"]["width"] == 5


@WAYS
async def test_true_is_another_value_than_one(client: Client, path: str) -> None:
    row = await created(client, path, address=HOME | {"anything": 1})
    changed = await client.patch(f"{path}/{row['id']}", json={"address": {"anything": True}})
    assert changed.data["address"]["anything"] is True


@WAYS
async def test_a_stored_document_that_does_not_fit_is_shown_as_it_is(client: Client, path: str) -> None:
    row = await created(client, path)
    address, table = f"{path}/{row['id']}", {"/api/places": Place, "/api/rooms": Room}[path].__table__
    old = {"road": "Elm", "exact": 12345678901234.125}
    async with app.transaction() as tx:
        statement = text(f"UPDATE {table} SET address = CAST(:old AS jsonb) WHERE id = :id")
        await tx.session.execute(statement, {"old": '{"road": "Elm", "exact": 12345678901234.125}', "id": row["id"]})
    assert (await client.get(address)).data["address"] == old
    assert old in [item["address"] for item in (await client.get(path)).data]
    assert (await client.patch(address, json={"title": "other"})).data["address"] == old
    assert (await client.patch(address, json={"address": old})).data["address"] == old
    assert errors_of(await client.patch(address, json={"address": HOME})) == {
        "/address/road": "unknown_field",
        "/address/exact": "unknown_field",
    }
    mended = await client.patch(address, json={"address": HOME | {"road": None, "exact": None}})
    assert mended.data["address"]["street"] == "Elm"


@WAYS
async def test_unknown_members_of_stored_documents_can_be_removed(client: Client, path: str) -> None:
    row = await created(client, path, lines=[{"firstText": "x"}])
    address, table = f"{path}/{row['id']}", {"/api/places": Place, "/api/rooms": Room}[path].__table__
    async with app.transaction() as tx:
        added = "address = address || '{\"old\": 1}', lines = jsonb_set(lines, '{0,old}', '1')"
        await tx.session.execute(text(f"UPDATE {table} SET {added} WHERE id = :id"), {"id": row["id"]})
    changed = (await client.patch(address, json={"address": {"old": None}, "lines": row["lines"]})).data
    assert (changed["address"], changed["lines"]) == (row["address"], row["lines"])
    same = (await client.patch(address, json={"address": changed["address"], "lines": row["lines"]})).data
    assert same["version"] == changed["version"]


async def test_a_policy_may_look_into_a_document(client: Client) -> None:
    response = await client.post("/api/places", json={"title": "t", "address": HOME | {"street": "Secret"}})
    assert (response.status, response.body) == (201, b"")
    assert "Secret" not in [item["address"].get("street") for item in (await client.get("/api/places")).data]


class Loose(msgspec.Struct):
    """Its instances can change."""

    text: str


class Outer(msgspec.Struct, frozen=True):
    """Frozen, with a member that is not."""

    inner: Loose


def note_of(form: Any) -> type[Any]:
    """A model of its own, with documents of this form."""

    class Alone(DeclarativeBase):
        pass

    class Note(Alone):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        body: Mapped[Any] = mapped_column(JSONOf(form))

    return Note


@pytest.mark.parametrize("form", [Loose, Outer])
async def test_a_form_whose_instances_can_change_is_refused(form: type[Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Note\.body: has .* Loose, .*Declare Loose with frozen=True"):
        App(Resource(note_of(form), read=anyone, write=anyone))


class Unresolved(msgspec.Struct, frozen=True):
    """Its annotation names what there is not."""

    text: "Missing"  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


class Undecided(msgspec.Struct, frozen=True):
    """A union that nothing tells apart."""

    part: Line | Outer


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Unresolved, "has documents of the form Unresolved, whose annotations .*'Missing'"),
        (Undecided, "has a member of type .*Outer, which has no form in JSON .*tagged"),
        ("Line", "has a member of type Line, which has no form in JSON"),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(form: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Note\.body: {words}"):
        App(Resource(note_of(form), read=anyone, write=anyone))


async def test_a_member_that_json_cannot_hold_is_refused() -> None:
    class Form(msgspec.Struct, frozen=True):
        number: complex

    class Sum(Base):
        __tablename__ = "structured_sums"
        body: Mapped[Form] = mapped_column(JSONOf(Form))

    with pytest.raises(ConfigurationError, match=r"Sum\.body.*complex"):
        App(Resource(Sum, read=anyone, write=anyone))


@WAYS
async def test_a_path_into_a_document_is_filtered_by(client: Client, path: str) -> None:
    row = await created(client, path, address={**FULL, "street": "Gorse", "floor": 41})
    for query in ("street=Gorse", "floor=41", "floor=41.0", "street[in]=Birch,Gorse", "inner.street=Oak"):
        response = await client.get(f"{path}?address.street=Gorse&address.{query}")
        assert [item["id"] for item in response.data] == [row["id"]], query
    for query in ("floor=42", "tags=a", "inner.street=Elm"):
        assert (await client.get(f"{path}?address.street=Gorse&address.{query}")).data == []
