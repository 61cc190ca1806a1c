"""Numbers inside documents: kept exactly by every verb, and bounded by what they come to when written out in full."""

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import ARRAY, JSON, Date, Float, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Resource, Service, anyone, write_once
from gatepost.testing import TestApp

LIMIT = 1_048_576
EXACT = "12345678901234.123456"
NUMBERS = f'{{"amount":{EXACT},"price":1.10,"large":123456789012345678901234567890,"half":0.5}}'
SHOWN = NUMBERS.replace(",", ", ").replace(":", ": ")


class Base(DeclarativeBase):
    metadata = MetaData()


class Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    doc: Mapped[Any] = mapped_column(JSONB, nullable=True)
    plain: Mapped[Any] = mapped_column(JSON, nullable=True)
    docs: Mapped[list[Any] | None] = mapped_column(ARRAY(JSONB))
    plains: Mapped[list[Any] | None] = mapped_column(ARRAY(JSON))
    ratio: Mapped[float | None]
    ratios: Mapped[list[float] | None] = mapped_column(ARRAY(Float))
    day: Mapped[date | None]
    days: Mapped[list[date] | None] = mapped_column(ARRAY(Date))


class Derived(Columns, Base):
    __tablename__ = "derived"


class Overridden(Columns, Base):
    __tablename__ = "overridden"


class Frozen(Columns, Base):
    __tablename__ = "frozen"


seen: list[Any] = []
lists: list[Any] = []


class Overrides(Service[Overridden]):
    async def before_create(self, draft: Overridden, actor: Actor) -> None:
        seen.append(draft.doc)

    async def before_update(self, row: Overridden, changes: Any, actor: Actor) -> None:
        seen.extend([row.doc, changes.get("doc")])
        lists.append(row.docs)


OPEN: dict[str, Any] = {"read": anyone, "create": anyone, "update": anyone}
app = App(
    Resource(Derived, **OPEN, filter=["day"]),
    Resource(Overridden, service=Overrides, **OPEN, filter=["day"]),
    Resource(Frozen, **OPEN, fields={"docs": write_once}),
)
PATHS = ["/api/derived", "/api/overridden"]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app below."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_documents(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as started:
        yield started


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def client(running_documents: TestApp) -> Any:
    return running_documents.anonymous


async def create(client: Any, path: str, body: str) -> Any:
    return await client.post(path, content=body.encode(), headers={"content-type": "application/json"})


@pytest.mark.parametrize("path", PATHS)
async def test_numbers_are_kept_exactly_by_creating_and_merging(client: Any, path: str) -> None:
    body = f'{{"doc":{NUMBERS},"plain":{NUMBERS},"docs":[{NUMBERS}]}}'
    created = await create(client, path, body)
    assert created.status == 201
    id = created.data["id"]
    patched = await client.patch(f"{path}/{id}", json={"doc": {"note": "paid"}, "plain": {"note": "paid"}})
    assert patched.status == 200
    for response in (created, patched, await client.get(f"{path}/{id}")):
        assert response.body.count(EXACT.encode()) == 3
        assert response.body.count(b"123456789012345678901234567890") == 3


async def test_derived_verbs_keep_the_zeros_that_were_written(client: Any) -> None:
    created = await create(client, PATHS[0], f'{{"doc":{NUMBERS}}}')
    patched = await client.patch(f"{PATHS[0]}/{created.data['id']}", json={"doc": {"note": "paid"}})
    assert b'"price": 1.10' in created.body
    assert b'"price": 1.10' in patched.body


async def test_a_service_sees_floats_where_they_say_the_same_and_decimals_elsewhere(client: Any) -> None:
    seen.clear()
    created = await create(client, PATHS[1], f'{{"doc":{NUMBERS}}}')
    await client.patch(f"{PATHS[1]}/{created.data['id']}", json={"doc": {"half": 0.25}})
    at_create, before, changed = seen
    for found in (at_create, before, changed):
        assert found["amount"] == Decimal(EXACT)
        assert type(found["price"]) is float
        assert found["price"] == 1.1
        assert type(found["half"]) is float
    assert (before["half"], changed["half"]) == (0.5, 0.25)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("number", ["1e999", "-1e308", "1e-990", "9" * 1000])
async def test_a_number_of_a_thousand_characters_is_stored(client: Any, path: str, number: str) -> None:
    assert (await create(client, path, f'{{"doc":{{"a":[{number}]}}}}')).status == 201


def nested(number: str, count: int) -> str:
    rows = [",".join([number] * min(9000, count - start)) for start in range(0, count, 9000)]
    return "[" + ",".join(f"[{row}]" for row in rows) + "]"


TOO_LONG = {
    "one number": ('{"doc":{"a":[1e1000]}}', "/doc/a/0"),
    "one small number": ('{"doc":{"a":1e-1000}}', "/doc/a"),
    "one integer": (f'{{"doc":{"9" * 1001}}}', "/doc"),
    "one in an array": ('{"docs":[1,1e1000]}', "/docs/1"),
    "all together": (f'{{"doc":{nested("1e308", 90_000)}}}', "/doc"),
    "just too many": (f'{{"doc":{nested("1e308", LIMIT // 309 + 1)}}}', "/doc"),
    "an exponent beyond everything": ('{"doc":1e99999999999999999999}', "/doc"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", TOO_LONG)
async def test_numbers_that_are_too_long_are_refused_at_their_place(client: Any, path: str, case: str) -> None:
    body, pointer = TOO_LONG[case]
    response = await create(client, path, body)
    assert response.status == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(pointer, "too_long")]


@pytest.mark.parametrize("path", PATHS)
async def test_numbers_that_just_fit_are_stored(client: Any, path: str) -> None:
    assert (await create(client, path, f'{{"doc":{nested("1e308", LIMIT // 309)}}}')).status == 201


async def test_a_list_of_floats_is_stored_as_it_is(client: Any) -> None:
    numbers = [1.7976931348623157e308, 5e-324, 0.1, 1.0, -0.0, 3.0]
    created = await client.post(PATHS[0], json={"ratios": numbers, "ratio": 0.1})
    assert (created.data["ratios"], created.data["ratio"]) == (numbers, 0.1)
    refused = await create(client, PATHS[0], '{"ratios":[1, "1", null, true, 1e400],"ratio":1e400}')
    codes = {error["pointer"]: error["code"] for error in refused.json()["errors"]}
    assert codes == {
        "/ratio": "too_large",
        "/ratios/1": "wrong_type",
        "/ratios/2": "wrong_type",
        "/ratios/3": "wrong_type",
        "/ratios/4": "too_large",
    }


LISTS = [
    "[[1, 2], [3]]",
    "[[1], 2]",
    "[[]]",
    "[[], [[]]]",
    "[[1, 2], [3, 4]]",
    '["ab", [1], {"a": [1, 2]}]',
    '[[1], "ab", {"a": 1, "b": 2}]',
    "[null, [null]]",
    "[[[[1]]], true, 1.10]",
    "[]",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("column", ["docs", "plains"])
@pytest.mark.parametrize("elements", LISTS)
async def test_elements_of_a_list_of_documents_may_be_lists(client: Any, path: str, column: str, elements: str) -> None:
    """The driver takes lists within lists for more dimensions of one array."""
    shown = json.loads(elements)
    created = await create(client, path, f'{{"{column}":{elements}}}')
    assert (created.status, created.json()["data"][column]) == (201, shown)
    row = f"{path}/{created.data['id']}"
    patched = await client.patch(row, content=f'{{"{column}":{elements},"ratio":1}}'.encode())
    assert (patched.status, patched.json()["data"][column]) == (200, shown)
    assert (await client.get(row)).json()["data"][column] == shown
    assert (await client.patch(row, json={"ratio": 2})).json()["data"][column] == shown


async def test_a_service_reads_and_writes_lists_of_documents_as_they_are(client: Any) -> None:
    elements = [[1, 2], "ab", {"a": 1}, [], None]
    created = await client.post(PATHS[1], json={"docs": elements})
    lists.clear()
    await client.patch(f"{PATHS[1]}/{created.data['id']}", json={"doc": 1})
    assert lists == [elements]


async def test_a_read_only_list_of_documents_may_be_sent_back(client: Any) -> None:
    elements = "[[1.10, 2], [12345678901234.123456]]"
    created = await create(client, "/api/frozen", f'{{"docs":{elements}}}')
    row = f"/api/frozen/{created.data['id']}"
    assert (await client.patch(row, content=f'{{"docs":{elements}}}'.encode())).status == 200
    assert (await client.patch(row, json={"docs": [[1.10, 2], [3]]})).status == 422


@pytest.mark.parametrize("path", PATHS)
async def test_a_lone_surrogate_is_no_date(client: Any, path: str) -> None:
    for body, pointer in (('{"day":"\\ud800"}', "/day"), ('{"days":["2030-01-31","\\ud800"]}', "/days/1")):
        created = await create(client, path, body)
        assert created.status == 422
        assert [(error["pointer"], error["code"]) for error in created.json()["errors"]] == [
            (pointer, "invalid_format")
        ]
    for query in ("day=%ED%A0%80", "day[in]=2030-01-31,%ED%A0%80"):
        assert (await client.get(f"{path}?{query}")).status == 400
