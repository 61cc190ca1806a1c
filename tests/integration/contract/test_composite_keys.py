"""Composite keys: rows are listed in their order, paged by all their columns, and found by a path that names them."""

import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from composite_keys_app import (
    Label,
    Line,
    Mood,
    OrderLabel,
    Place,
    Product,
    Reading,
    Sample,
    ServedLine,
    ServedLines,
    ServedPlace,
    ServedSample,
    Vote,
    app,
    keys,
)
from composite_keys_app import Order as CustomerOrder
from contract_clients import failures, problem
from pagination import STEPS_MAX, page
from sqlalchemy import MetaData, delete, func, text
from tests.sampled_cases import SampledCases

from gatepost import Changes
from gatepost.actor import system
from gatepost.asgi import Receive, Scope, Send
from gatepost.events import RequestFailed
from gatepost.models.conditions import bind_decision
from gatepost.models.filters import filterable
from gatepost.models.list_query import Order, Position, RowRange
from gatepost.models.reads import ReadPage
from gatepost.models.recipes import Bound, Options
from gatepost.models.selections import Selection
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

app.events.subscribe(RequestFailed, failures.append)

NAMES = {
    "lines": ("order_id", "product_id"),
    "places": ("country", "region", "code"),
    "samples": ("mood", "word", "day", "span", "price", "flag"),
}
BOTH = ("", "served_")
WORDS = ("", ",", "a,b", "a", ".", "..", "é ü", "%2C", "%", "+ &?#", "a;b=c", "日本", "'\"<>", "~:@!$()*")
DAYS = [date(2030, 1, 31), date(1999, 12, 31)]
SAMPLES = [*product(Mood, ("x,y", "äb"), DAYS, [timedelta(days=1, hours=12)], [Decimal("0.10")], [True, False])]


class Readers(NamedTuple):
    """A buyer, the orders of whom are those with even numbers, another one, and a clerk."""

    buyer: Client
    other: Client
    clerk: Client
    nobody: Client
    buyer_id: Any


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables with composite keys."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readers(module_database_url: str) -> AsyncIterator[Readers]:
    """The app, started, with its rows."""
    async with TestApp(app, module_database_url) as running:
        (buyer, buyer_id), (other, other_id) = await running.user_and_id(), await running.user_and_id()
        async with app.transaction() as work:
            await work.session.execute(text("CREATE TABLE readings_all PARTITION OF readings DEFAULT"))
            cities = ("Bonn", "Köln")
            work.session.add_all(
                CustomerOrder(id=number, buyer_id=(buyer_id, other_id)[number % 2], city=cities[number // 3])
                for number in range(1, 6)
            )
            work.session.add_all(Product(id=number, name=f"thing {number}") for number in range(1, 4))
            await work.session.flush()
            work.session.add_all(Vote(option="yes", voter=voter) for voter in ("alice", "bob", "carol"))
            for key in (1, 2):
                work.session.add(Label(id=key))
                await work.session.flush()
                work.session.add(OrderLabel(order_id=key, label_id=key))
            for number, (order, thing) in enumerate(product(range(1, 6), range(1, 4))):
                off = None if number % 3 else Decimal(number % 4)
                for kind in (Line, ServedLine):
                    values = {"order_id": order, "product_id": thing, "tag": f"{order}-{thing}"}
                    work.session.add(kind(**values, quantity=number % 4, discount=off))
            for country, region, code in product(WORDS, ("", "r,s"), ("", "1")):
                height = len(country) or None
                for place in (Place, ServedPlace):
                    work.session.add(place(country=country, region=region, code=code, height=height))
            for number, (mood, word, day, span, price, flag) in enumerate(SAMPLES):
                values = {"mood": mood, "word": word, "day": day, "span": span, "price": price, "flag": flag}
                for sample in (Sample, ServedSample):
                    work.session.add(sample(**values, note=None if number % 3 else f"n{number % 2}"))
            work.session.add(Reading(id=1, day=DAYS[0], value=7))
            await work.session.execute(text("SELECT setval('orders_id_seq', 100)"))
        yield Readers(buyer, other, await running.user("clerk"), running.anonymous, buyer_id)


def key_of(row: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    """The key that a row shows."""
    return tuple(row[name] for name in names)


async def pages(
    client: Client, path: str, names: Sequence[str], parameter: str, cursor: str | None
) -> tuple[list[list[Any]], str | None]:
    """The keys on the pages from a cursor on, or from the first page, and the cursor by which the last leads back."""
    found: list[list[Any]] = []
    relation = "next" if parameter == "after" else "prev"
    while len(found) < STEPS_MAX:
        envelope = await page(client, path if cursor is None else f"{path}&{parameter}={cursor}")
        found.append([key_of(row, names) for row in envelope["data"]])
        cursor = envelope["page"][relation]
        if cursor is None:
            return found, envelope["page"]["prev"]
    raise AssertionError("the cursors lead in a circle")


async def walk(client: Client, path: str, names: Sequence[str]) -> list[Any]:
    """The keys that `after` finds from the first page to the last; `before` has to find the same pages from there."""
    forward, back = await pages(client, path, names, "after", None)
    assert (back is None) == (len(forward) == 1)
    if back is not None:
        backward, _ = await pages(client, path, names, "before", back)
        assert backward[::-1] == forward[:-1]
    return [key for some in forward for key in some]


def in_order(rows: Sequence[dict[str, Any]], names: Sequence[str], sort: str) -> list[Any]:
    """The keys of rows of numbers, as the order puts them: NULLs last, and the rest of the key breaks ties."""
    terms = sort.split(",") if sort else []
    tail = "-" if terms and terms[-1].startswith("-") else ""
    terms += [tail + name for name in names if name not in {term.removeprefix("-") for term in terms}]
    rows = list(rows)
    for term in reversed(terms):
        name = term.removeprefix("-")
        with_value = [row for row in rows if row[name] is not None]
        with_value.sort(key=lambda row: float(row[name]), reverse=term.startswith("-"))
        rows = with_value + [row for row in rows if row[name] is None]
    return [key_of(row, names) for row in rows]


SORTS = ["", "product_id", "-product_id", "order_id", "-order_id", "order_id,-product_id", "-order_id,product_id",
         "quantity", "-quantity", "quantity,-product_id", "discount", "-discount", "discount,-quantity",
         "-discount,product_id,quantity", "product_id,-order_id,quantity"]  # fmt: skip


@pytest.mark.parametrize("path", ["lines", "served_lines"])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.sampled(strength=1)
async def test_pages_show_every_row_once_in_both_directions(
    readers: Readers, path: str, sort: str, sampled_cases: SampledCases
) -> None:
    rows = (await page(readers.clerk, f"/api/{path}?limit=100"))["data"]
    assert len(rows) == 15
    expected = in_order(rows, NAMES["lines"], sort)
    for limit in sampled_cases.some((1, 2, 3, 100), 2):
        query = f"limit={limit}" + (f"&sort={sort}" if sort else "")
        assert await walk(readers.clerk, f"/api/{path}?{query}", NAMES["lines"]) == expected


@pytest.mark.parametrize("kind", ["places", "samples"])
@pytest.mark.parametrize("served", BOTH)
async def test_keys_of_texts_and_other_types_page_like_numbers(
    readers: Readers, kind: str, served: str, sampled_cases: SampledCases
) -> None:
    names = NAMES[kind]
    sorts = {"places": ("", "-country", "height", "-height"), "samples": ("", "note", "-note", "span", "-word")}[kind]
    for sort, limit in sampled_cases.covering(product(sorts, (1, 2, 3)), strength=1):
        query = f"/api/{served}{kind}?limit=%d" + (f"&sort={sort}" if sort else "")
        whole = [key_of(row, names) for row in (await page(readers.nobody, query % 100))["data"]]
        assert len(set(whole)) == len(whole) == {"places": len(WORDS) * 4, "samples": len(SAMPLES)}[kind]
        assert await walk(readers.nobody, query % limit, names) == whole
    first = (await page(readers.nobody, f"/api/{kind}?limit=100"))["data"]
    assert first == (await page(readers.nobody, f"/api/served_{kind}?limit=100"))["data"], "with and without a service"


@pytest.mark.parametrize("path", ["places", "served_places"])
async def test_cursors_hold_keys_of_any_length(readers: Readers, path: str) -> None:
    long = [(word * 50_000, letter * 9_000, "") for word, letter in product(("x", "日\x01"), ("é", '"'))]
    kind = Place if path == "places" else ServedPlace
    async with app.transaction() as work:
        work.session.add_all(kind(country=country, region=region, code=code) for country, region, code in long)
    try:
        found = await walk(readers.nobody, f"/api/{path}?limit=1&sort=-country", NAMES["places"])
        assert len(set(found)) == len(found) == len(WORDS) * 4 + 4
        assert set(long) < set(found)
    finally:
        async with app.transaction() as work:
            await work.session.execute(delete(kind).where(func.length(kind.country) > 1000))


def wire(value: Any) -> str:
    """A value as a body shows it, as a part of a path."""
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(shown, safe="")


@pytest.mark.parametrize("kind", ["places", "samples"])
@pytest.mark.parametrize("served", BOTH)
async def test_every_row_is_found_by_what_a_list_shows_of_its_key(readers: Readers, kind: str, served: str) -> None:
    for row in (await page(readers.nobody, f"/api/{served}{kind}?limit=100"))["data"]:
        found = await readers.nobody.get(f"/api/{served}{kind}/" + ",".join(map(wire, key_of(row, NAMES[kind]))))
        assert (found.status, found.data) == (200, row), row


async def test_a_row_has_an_entity_tag_and_fields(readers: Readers) -> None:
    for path in ("lines", "served_lines", "places", "served_places"):
        key, client = ("2,1", readers.buyer) if "lines" in path else ("a%2Cb,r%2Cs,1", readers.nobody)
        first = await client.get(f"/api/{path}/{key}")
        tag = first.headers["etag"]
        assert (await client.get(f"/api/{path}/{key}", headers={"If-None-Match": tag})).status == 304
        name = NAMES[path.removeprefix("served_")][1]
        narrow = await client.get(f"/api/{path}/{key}?fields={name}")
        assert narrow.data == {name: first.data[name]}
    assert (await readers.nobody.get("/api/readings/1,2030-01-31")).data["value"] == 7


async def test_a_service_gets_a_tuple(readers: Readers) -> None:
    keys.clear()
    await readers.clerk.get("/api/served_lines/3,2")
    await readers.nobody.get("/api/served_places/a%2Cb,,1")
    await readers.nobody.get("/api/served_samples/very%2C%20good,x%2Cy,2030-01-31,P1DT12H,0.1,true")
    assert keys == [
        (3, 2),
        ("a,b", "", "1"),
        (Mood.GOOD, "x,y", DAYS[0], timedelta(days=1, hours=12), Decimal("0.1"), True),
    ]


@pytest.mark.parametrize(
    "key",
    ["1", "1,1,1", "1,", ",1", ",", "1,x", "1,1.0", "1, 1", "1,01", "1%2C1", "1,99999999999", "1,4", "9,1", "1,1,",
     "1;1", "-1,1", "1,null", "1,%00", "1,%2F", "1,%C3", "(1,1)", "1,1%20"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["lines", "served_lines"])
async def test_what_is_no_key_is_no_row(readers: Readers, path: str, key: str) -> None:
    response = await readers.clerk.get(f"/api/{path}/{key}")
    if key in ("1,%00", "1,%2F", "1,%C3"):
        problem(response, 400, "malformed_request")
    else:
        problem(response, 404, "not_found")


@pytest.mark.parametrize("path", ["lines", "served_lines"])
async def test_policies_and_rules_of_fields_hold(readers: Readers, path: str) -> None:
    mine = (await page(readers.buyer, f"/api/{path}?limit=100"))["data"]
    assert {row["order_id"] for row in mine} == {2, 4}
    assert all("cost" not in row for row in mine)
    assert await walk(readers.buyer, f"/api/{path}?limit=2&sort=-discount", NAMES["lines"]) == in_order(
        mine, NAMES["lines"], "-discount"
    )
    assert (await readers.buyer.get(f"/api/{path}/2,1")).data == mine[0]
    problem(await readers.buyer.get(f"/api/{path}/1,1"), 404, "not_found")
    problem(await readers.nobody.get(f"/api/{path}/2,1"), 401, "not_signed_in")
    problem(await readers.buyer.get(f"/api/{path}?cost=3"), 400, "unknown_parameter")
    assert (await readers.clerk.get(f"/api/{path}/2,1?fields=cost")).data == {"cost": 3}


async def test_a_hidden_column_of_a_key_is_in_no_cursor_that_can_be_read(readers: Readers) -> None:
    for sort in ("option", "-weight"):
        path, seen = f"/api/votes?limit=1&sort={sort}", set[str]()
        envelope = await page(readers.nobody, path)
        while (cursor := envelope["page"]["next"]) is not None:
            assert envelope["data"] == [{"option": "yes", "weight": 1}]
            decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            assert not any(word in decoded for word in (b"alice", b"bob", b"carol", b"yes"))
            seen.add(cursor)
            envelope = await page(readers.nobody, f"{path}&after={cursor}")
        assert len(seen) == 2
        assert (await page(readers.nobody, f"{path}&before={envelope['page']['prev']}"))["data"]
        assert await walk(readers.clerk, path, ("voter",)) in (
            [("alice",), ("bob",), ("carol",)],
            [("carol",), ("bob",), ("alice",)],
        )
    problem(await readers.nobody.get("/api/votes/yes,bob"), 401, "not_signed_in")
    problem(await readers.buyer.get("/api/votes/yes,bob"), 403, "forbidden")
    assert (await readers.clerk.get("/api/votes/yes,bob")).data["voter"] == "bob"


@pytest.mark.parametrize("path", ["lines", "served_lines"])
async def test_relations_are_expanded_and_filtered_over(readers: Readers, path: str) -> None:
    row = (await readers.buyer.get(f"/api/{path}/2,1?expand=order,product")).data
    assert (row["order"]["id"], row["product"]) == (2, {"id": 1, "name": "thing 1"})
    listed = (await page(readers.clerk, f"/api/{path}?expand=product&order.city=Bonn&product_id[in]=2,3"))["data"]
    assert [(*key_of(row, NAMES["lines"]), row["product"]["name"]) for row in listed] == [
        (order, thing, f"thing {thing}") for order in (1, 2) for thing in (2, 3)
    ]
    assert (await page(readers.buyer, f"/api/{path}?order.city=Bonn&fields=order_id"))["data"] == [{"order_id": 2}] * 3


async def test_rows_with_composite_keys_are_filtered_by_from_the_other_side(readers: Readers) -> None:
    found = await page(readers.clerk, "/api/orders?lines.discount[gte]=2.5&fields=id")
    lines = (await page(readers.clerk, "/api/lines?limit=100"))["data"]
    assert found["data"] == [
        {"id": key} for key in sorted({row["order_id"] for row in lines if float(row["discount"] or 0) >= 2.5})
    ]
    refused = await readers.clerk.get("/api/parcels?expand=line")
    assert "no relation 'line'" in problem(refused, 400, "invalid_parameter")["detail"]
    problem(await readers.clerk.get("/api/orders?expand=labels"), 400, "invalid_parameter")


async def test_a_row_that_several_others_refer_to_is_listed_once(readers: Readers) -> None:
    query = "expand=first_line.product&fields=id"
    for client, expected in ((readers.buyer, [2, 4]), (readers.clerk, [1, 2, 3, 4, 5])):
        found = (await page(client, f"/api/orders?{query}&first_line.order_id[lte]=5"))["data"]
        assert [row["id"] for row in found] == expected
        assert [row["first_line"]["product_id"] for row in found] == [1] * len(expected)
        assert [row["first_line"]["product"]["id"] for row in found] == [1] * len(expected)
        assert [("cost" in row["first_line"]) for row in found] == [client is readers.clerk] * len(expected)
        assert [key for (key,) in await walk(client, f"/api/orders?{query}&limit=1", ("id",))] == expected
    one = (await readers.buyer.get(f"/api/orders/2?{query}")).data
    assert key_of(one["first_line"], NAMES["lines"]) == (2, 1)


async def test_only_columns_with_an_index_are_filtered_by(readers: Readers) -> None:
    problem(await readers.nobody.get("/api/places?region=x"), 400, "not_filterable")
    found = (await page(readers.nobody, "/api/places?country=a,b&fields=country"))["data"]
    assert found == [{"country": "a,b"}] * 4


async def test_a_row_that_refers_to_one_by_all_columns_is_written(readers: Readers) -> None:
    assert (await readers.buyer.post("/api/parcels", json={"order_id": 2, "product_id": 3})).status == 201
    for order, thing in ((1, 1), (9, 9)):
        refused = await readers.buyer.post("/api/parcels", json={"order_id": order, "product_id": thing})
        problem(refused, 422, "reference_not_found")


async def test_a_row_is_referred_to_by_another_column_than_its_key(readers: Readers) -> None:
    created = await readers.buyer.post("/api/notes", json={"tag": "2-1"})
    assert created.status == 201
    assert (await readers.buyer.get(f"{created.headers['location']}?expand=line.order")).data["line"]["order"][
        "id"
    ] == 2
    problem(await readers.buyer.post("/api/notes", json={"tag": "1-1"}), 422, "reference_not_found")


async def test_a_table_of_nothing_but_its_key_is_read(readers: Readers) -> None:
    assert (await page(readers.nobody, "/api/order_labels?label_id=2"))["data"] == [{"order_id": 2, "label_id": 2}]
    assert (await readers.nobody.get("/api/order_labels/1,1")).data == {"order_id": 1, "label_id": 1}
    found = (await page(readers.buyer, "/api/orders?expand=first_label&fields=id&first_label.label_id=2"))["data"]
    assert found == [{"id": 2, "first_label": {"order_id": 2, "label_id": 2}}]


@pytest.mark.parametrize("sent", [None, b"/", b"/api/lines/1,1", b"/api/places/a%2Cb,c?x=/y"])
async def test_where_the_path_as_it_was_sent_is_not_told_every_comma_separates(
    readers: Readers, sent: bytes | None
) -> None:
    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "raw_path": sent}, receive, send)

    for key, found in (("%2C,", 200), (",,", 200), ("é%20ü,r%2Cs,1", 404), ("a;b=c,,1", 200)):
        response = await Client(without).get(f"/api/places/{key}")
        assert response.status == found, key
        if found == 200:
            assert key_of(response.data, NAMES["places"]) == tuple(unquote(key).split(","))


async def test_the_orders_that_are_offered_read_an_index(readers: Readers, module_database_url: str) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    await connection.execute("SET enable_seqscan = off")
    for model in (Line, Place, Sample):
        served = app.declaration.catalog.by_model[model]
        for name, is_descending in product(filterable(served).sortable, (False, True)):
            names = tuple(dict.fromkeys((name, *served.entity.key.names)))
            rows = RowRange(tuple(Order(each, is_descending) for each in names), 3)
            assert re.search(r"Limit\n +->  Index (Only )?Scan", await plan_of(connection, model, rows))
            if names == NAMES["lines"]:
                position = Position((Bound("2"), Bound("2")), backward=is_descending)
                beyond = await plan_of(connection, model, msgspec.structs.replace(rows, position=position))
                assert "Index Cond: (ROW(order_id, product_id) > ROW(" in beyond
    await connection.close()


async def plan_of(connection: Any, model: Any, rows: RowRange) -> str:
    """How PostgreSQL reads a page."""
    served = app.declaration.catalog.by_model[model]
    selection = Selection.of(served, served.view(system), bind_decision(True, system, served.entity))
    recipe = ReadPage(selection, rows)
    statement = recipe.compile(Options(page_bytes_max=2**22)).statement
    found = await connection.fetch(f"EXPLAIN {statement.sql}", *statement.arguments(recipe.binds(statement)))
    return re.sub(r"  \(cost.*\)", "", "\n".join(row[0] for row in found))


async def test_services_write_what_requests_do_not(readers: Readers) -> None:
    for method in ("post", "patch", "delete"):
        refused = await getattr(readers.clerk, method)("/api/lines" + ("" if method == "post" else "/1,1"), json={})
        problem(refused, 405, "method_not_allowed")
    created = await readers.buyer.post("/api/orders", json={"city": "Ulm"})
    order = created.data["id"]
    assert (await readers.buyer.get(f"/api/lines/{order},1")).data["quantity"] == 2
    async with app.transaction() as work:
        lines = work.service(ServedLines)
        await lines.create(ServedLine(order_id=order, product_id=1), system)
        await lines.create(ServedLine(order_id=order, product_id=2), system)
        row = await lines.get((order, 1), system)
        await lines.update(row, Changes({"quantity": 5}), system)
        await lines.delete(await lines.get((order, 2), system), system)
    left = (await page(readers.buyer, f"/api/served_lines?order_id={order}"))["data"]
    assert [(*key_of(row, NAMES["lines"]), row["quantity"]) for row in left] == [(order, 1, 5)]
    async with app.transaction() as work:
        for kind in (Line, ServedLine):
            await work.session.execute(delete(kind).where(kind.order_id == order))
        await work.session.execute(delete(CustomerOrder).where(CustomerOrder.id == order))
