"""The walk of each kind of request, as `gatepost explain` shows it, without a database."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import pytest
from annotated_types import Ge
from examples.bookshop.app import app as bookshop
from msgspec import Struct
from sqlalchemy import ForeignKey, Index, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    Actor,
    App,
    Controller,
    Locked,
    Model,
    Mount,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    policy,
    post,
)
from gatepost.actor import anonymous
from gatepost.cli.explained_request import parse_request
from gatepost.cli.explained_walk import Walk
from gatepost.cli.explanations import Explanation
from gatepost.cli.sql_layout import laid_out
from gatepost.database.statement_recording import RecordingDatabase
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

KEY = "01890a5d-ac96-774b-bcce-b302099a8057"


def explained(
    text: str, *roles: str, app: App = bookshop, body: str | None = None, headers: Sequence[str] = (), **settings: str
) -> Explanation:
    """What is found about a request of a user with these roles, of nobody without any."""
    sample = app.declaration.sample_user()
    assert sample is not None
    actor = Actor(sample.id, frozenset(roles), user=sample.user) if roles else anonymous
    asked, found = parse_request(text, headers, body), Explanation(text, "")
    made = load_settings(settings) if settings else Settings()
    asyncio.run(Walk(app.composed(made, RecordingDatabase), asked, actor, found).go())
    return found


def sql_of(found: Explanation) -> list[str]:
    return [re.sub(r"\s+", " ", statement.sql) for statement in found.statements]


def test_a_list_shows_limits_policy_source_and_the_statement_with_its_values() -> None:
    found = explained("GET /api/books?price[lt]=5")

    assert (found.operation, found.path, found.allow) == ("books.list", "/api/books", "anyone")
    assert found.limits == "100 / 15 min"
    assert re.fullmatch(r"derived from Book \S*examples/bookshop/app\.py:19", found.handler or "")
    [sql] = sql_of(found)
    assert "FROM books WHERE books.price < $1::NUMERIC ORDER BY books.id ASC LIMIT 21" in sql
    assert [(each.parameter, each.value) for each in found.statements[0].values] == [("$1", "Decimal('5')")]
    assert found.statements[0].reads == ["books"]
    assert (found.refusal, found.unknown) == (None, [])


def test_the_policy_stands_in_the_statement() -> None:
    found = explained("GET /api/orders", "x")

    assert "WHERE orders.buyer_id = $1::UUID" in sql_of(found)[0]
    assert found.caching == "no: Cache-Control: no-store, because the client is signed in"


def test_a_row_is_one_statement() -> None:
    found = explained(f"GET /api/books/{KEY}")

    assert "FROM books WHERE books.id = $1::UUID" in sql_of(found)[0]
    assert found.transaction == "none: each statement is its own"


def test_a_creation_without_a_body_has_that_of_the_document() -> None:
    found = explained("POST /api/books", "editor")

    assert (found.body or "").endswith(" (the example of the OpenAPI document)")
    assert sql_of(found)[0].startswith("INSERT /* books.create */ INTO books (title, price, stock, author_id) VALUES")
    assert found.statements[0].writes == "books"


def test_a_change_has_the_body_that_is_given() -> None:
    found = explained(f"PATCH /api/books/{KEY}", "editor", body='{"stock": 3}')

    assert "SET stock=$1::INTEGER WHERE books.id = $2::UUID" in sql_of(found)[0]
    assert found.unknown == ["Where it meets no row, another statement asks why, for 404, 403, 409 or 412."]


def test_a_deletion_takes_the_version_of_a_header() -> None:
    found = explained(f"DELETE /api/books/{KEY}", "editor", headers=['If-Match: "7"'])

    assert [item.value for item in found.statements[0].values] == [f"UUID('{KEY}')", "['7']"]
    assert "CAST(books.version AS TEXT) = ANY ($2::TEXT[])" in sql_of(found)[0]


@pytest.mark.parametrize(
    ("text", "roles", "step", "status", "code"),
    [
        ("GET /api/books?stock=1", (), "query string", 400, "not_filterable"),
        ("GET /api/books?price[lt]=cheap", (), "query string", 400, "invalid_parameter"),
        ("GET /api//books", (), "path", 400, "malformed_request"),
        ("GET /api/boks", (), "route", 404, "not_found"),
        ("PUT /api/books", (), "route", 405, "method_not_allowed"),
        ("BREW /api/books", (), "head", 501, "method_not_implemented"),
        ("POST /api/books", (), "allow rule", 401, "not_signed_in"),
        ("POST /api/books", ("reader",), "allow rule", 403, "forbidden"),
        ("DELETE /api/books/x", ("editor",), "path", 404, "not_found"),
    ],
)
def test_a_refusal_is_named_with_the_step_that_refuses(
    text: str, roles: tuple[str, ...], step: str, status: int, code: str
) -> None:
    found = explained(text, *roles)

    assert found.refusal is not None
    assert (found.refusal.step, found.refusal.status, found.refusal.code) == (step, status, code)
    assert not found.statements


def test_a_body_that_is_refused_names_its_fields() -> None:
    found = explained("POST /api/books", "editor", body='{"title": ""}')

    assert found.refusal is not None
    assert found.refusal.step == "body"
    assert "/price" in [error.pointer for error in found.refusal.errors]


def test_a_change_that_is_refused_beside_its_row_is_refused() -> None:
    found = explained(f"PATCH /api/books/{KEY}", "editor", body=f'{{"id": "{KEY}", "price": "-1"}}')

    assert found.refusal is not None
    assert (found.refusal.step, found.refusal.status) == ("body", 422)


def test_an_unknown_path_names_the_nearest_in_production_as_well() -> None:
    found = explained("GET /api/boks", GATEPOST_ENV="production")

    assert found.refusal is not None
    assert found.refusal.detail.endswith("Did you mean /api/books?")


def test_a_service_is_named_and_not_run() -> None:
    found = explained("POST /api/orders", "x")

    assert re.fullmatch(r"Orders\.create \S*examples/bookshop/app\.py:\d+", found.handler or "")
    assert found.unknown == [
        "The service runs in one transaction (read committed): the SQL cannot be known before it runs, and it is not "
        "run."
    ]


class ExplainedShelf(Model):
    __tablename__ = "explained_shelves"
    __table_args__ = (Index("ix_explained_shelves_owner_id", "owner_id"),)

    name: Mapped[str]
    owner_id: Mapped[int]


class ExplainedItem(Model):
    __tablename__ = "explained_items"

    name: Mapped[str]


class ExplainedLabel(Model):
    __tablename__ = "explained_labels"

    name: Mapped[str]
    item_id: Mapped[UUID] = mapped_column(ForeignKey("explained_items.id"), index=True)


def fail() -> Any:
    raise AssertionError("code of the application ran")


class ExplainedShelves(Service[ExplainedShelf]):
    isolation = "serializable"
    attempts = 3

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> ExplainedShelf:
        fail()
        return await super().get(id, actor, lock=lock)


class ExplainedBox(Struct):
    width: Annotated[int, Ge(1)]


class ExplainedItems(Controller[ExplainedItem]):
    @post("/boxes", allow=anyone)
    async def boxes(self, body: ExplainedBox, items: Service[ExplainedItem]) -> None:
        fail()

    @post("/{item}/stack", allow=authenticated)
    async def stack(self, item: Locked[ExplainedItem], shelves: ExplainedShelves, actor: Actor, times: int = 1) -> None:
        fail()

    @get("/recent", allow=anyone)
    async def recent(self, words: str) -> Select[ExplainedItem]:
        fail()
        return select(ExplainedItem)

    @get("/sum", allow=anyone)
    async def sum(self, first: int, second: int) -> int:
        fail()
        return first + second

    @get("/{item}/again", allow=anyone)
    async def again(self, item: ExplainedItem) -> ExplainedItem:
        return item


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    fail()


own = App(
    Resource(ExplainedShelf, path="shelves", read=anyone, write=authenticated, service=ExplainedShelves),
    Resource(ExplainedItem, path="items", read=anyone, write=authenticated, controller=ExplainedItems),
    Resource(ExplainedLabel, path="labels", under="items/{item}", read=anyone, write=authenticated),
    mount={"/legacy": Mount(mounted)},
)


def test_an_own_endpoint_shows_its_parameters_and_its_transaction() -> None:
    found = explained(f"POST /api/items/{KEY}/stack?times=2", "x", app=own)

    assert [(item.name, item.source) for item in found.parameters] == [
        ("actor", "the actor"),
        ("item", f"the row of ExplainedItem with id '{KEY}', locked (FOR UPDATE)"),
        ("times", "the query string, 2"),
        ("shelves", "the service of ExplainedShelf, in the transaction"),
    ]
    assert found.transaction == "BEGIN ISOLATION LEVEL SERIALIZABLE, tried up to 3 times"
    assert found.unknown[0].startswith("The statements of the method cannot be known before it runs")


@pytest.mark.parametrize(
    ("path", "transaction"),
    [
        ("recent?words=x", "none: the one statement is its own"),
        ("sum?first=1&second=2", "none: it takes nothing of the database"),
        (f"{KEY}/again", "none: the one statement is its own"),
    ],
)
def test_an_own_endpoint_that_reads_has_only_the_transaction_that_it_needs(path: str, transaction: str) -> None:
    found = explained(f"GET /api/items/{path}", app=own)

    assert found.transaction == transaction


def test_an_endpoint_that_hands_back_its_row_has_a_statement() -> None:
    [sql] = sql_of(explained(f"GET /api/items/{KEY}/again", app=own))

    assert "FROM explained_items WHERE explained_items.id = $1::UUID" in sql


def test_a_parameter_of_an_own_endpoint_is_refused() -> None:
    found = explained("GET /api/items/sum?first=x&second=2", app=own)

    assert found.refusal is not None
    assert (found.refusal.step, found.refusal.code) == ("query string", "invalid_parameter")


def test_a_read_through_a_service_is_not_run() -> None:
    found = explained(f"GET /api/shelves/{KEY}", app=own)

    assert found.unknown == [
        "The service runs in one transaction (serializable, tried up to 3 times): the SQL cannot be known before it "
        "runs, and it is not run."
    ]


def test_a_key_that_cannot_be_one_is_refused_below_another_row() -> None:
    found = explained(f"DELETE /api/items/{KEY}/labels/x", "x", app=own)

    assert found.refusal is not None
    assert (found.refusal.step, found.refusal.status) == ("path", 404)


def test_a_creation_below_another_row_shows_how_that_is_found() -> None:
    found = explained(f"POST /api/items/{KEY}/labels", "x", app=own)

    assert [statement.name for statement in found.statements] == ["explained_items.above"]
    assert found.unknown[0].startswith("The write itself follows, under the policy;")


def test_a_mount_decides_by_itself() -> None:
    found = explained("GET /legacy/books", app=own)

    assert (found.operation, found.path) == ("mount /legacy", "/legacy/*")
    assert found.unknown == ["The mounted application decides who may do what, and runs its own SQL."]


@pytest.mark.parametrize("text", ["", "books", "GET books"])
def test_what_is_not_a_request_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match='Write "GET /api/books'):
        parse_request(text, (), None)


def test_a_request_without_a_method_is_a_get() -> None:
    asked = parse_request("/api/books/ä b?title[contains]=a b", (), None)

    assert (asked.method, asked.path, asked.raw_path) == ("GET", "/api/books/ä b", b"/api/books/%C3%A4%20b")
    assert asked.query_string == b"title[contains]=a%20b"


def test_a_laid_out_statement_is_the_same_statement() -> None:
    for text in ("GET /api/books?price[lt]=5&expand=author", f"GET /api/books/{KEY}"):
        [statement] = explained(text).statements
        lines = laid_out(statement.sql)
        assert re.sub(r"\s+", "", "".join(lines)) == re.sub(r"\s+", "", statement.sql)
        assert len(lines) > 3
    text = "SELECT 'it''s  from where', E'a\\'  b', \"from  x\" FROM t WHERE extract(year FROM a) IS DISTINCT FROM 1"
    assert laid_out(text) == [
        "SELECT 'it''s  from where', E'a\\'  b', \"from  x\"",
        "FROM t",
        "WHERE extract(year FROM a) IS DISTINCT FROM 1",
    ]


def failing(model: Any, actor: Actor) -> Any:
    if "lost" in actor.roles:
        raise LookupError("no such tenant")
    return not actor.is_anonymous and model.name == "a"


class ExplainedNote(Model):
    __tablename__ = "explained_notes"

    name: Mapped[str]


def test_a_policy_that_fails_is_named() -> None:
    broken = App(Resource(ExplainedNote, path="notes", read=policy(failing)))

    with pytest.raises(ConfigurationError, match=r"notes\.list: raised LookupError: no such tenant\."):
        explained("GET /api/notes", "lost", app=broken)


@pytest.mark.parametrize(
    ("body", "headers", "step", "status", "pointer"),
    [
        ('{"width": 0}', (), "body", 422, "/width"),
        ('{"width": 1, "depth": 2}', (), "body", 422, "/depth"),
        ('{"width": 1}', ("Content-Type: text/plain",), "body", 415, None),
        ('{"width": 1}', ("Host: elsewhere.example",), "head", 421, None),
        ("1" * 2000, (), "body", 413, None),
    ],
)
def test_what_a_request_gives_is_checked_before_a_method_runs(
    body: str, headers: Sequence[str], step: str, status: int, pointer: str | None
) -> None:
    found = explained(
        "POST /api/items/boxes", app=own, body=body, headers=headers,
        GATEPOST_ALLOWED_HOSTS="shop.example", GATEPOST_BODY_BYTES_MAX="1000",
    )  # fmt: skip

    assert found.refusal is not None
    assert (found.refusal.step, found.refusal.status) == (step, status)
    assert [error.pointer for error in found.refusal.errors] == ([] if pointer is None else [pointer])


def test_a_body_that_fits_leaves_the_method_as_what_is_unknown() -> None:
    found = explained("POST /api/items/boxes", app=own, body='{"width": 2}', headers=["Host: shop.example"])

    assert found.refusal is None
    assert found.body == '{"width": 2}'
    assert len(found.unknown) == 1


def test_without_a_body_the_example_of_the_document_is_checked() -> None:
    assert explained("POST /api/items/boxes", app=own).body == ('{"width":1} (the example of the OpenAPI document)')
