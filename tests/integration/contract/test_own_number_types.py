"""Numbers of every type are compared with all their digits and sent back as they were read, those of types of one's
own (`TypeDecorator`) as well."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import ARRAY, Double, Float, Integer, MetaData, Numeric, String, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Changes, Model, Resource, Service, anyone, policy, read_only
from gatepost.models.base import NAMING
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Stock(TypeDecorator[int]):
    impl = Integer
    cache_ok = True


class Price(TypeDecorator[Decimal]):
    """Kept in hundredths of what the API says."""

    impl = Numeric(6, 3)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value / 10

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value * 10


class Label(TypeDecorator[str]):
    impl = String(3)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.lower()


class Ware(Base):
    """A column of each type, none of which a request sets."""

    __tablename__ = "own_number_wares"

    title: Mapped[str]
    stock: Mapped[int] = mapped_column(Stock)
    price: Mapped[Decimal] = mapped_column(Price)
    label: Mapped[str] = mapped_column(Label)
    exact: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    rough: Mapped[float] = mapped_column(Numeric(5, 2, asdecimal=False))
    wide: Mapped[float] = mapped_column(Double)
    precise: Mapped[Decimal] = mapped_column(Float(asdecimal=True))
    many: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric(5, 2)))
    long: Mapped[float] = mapped_column(Numeric(30, 5, asdecimal=False))


class Dose(Base):
    """Decimal numbers in columns of floats."""

    __tablename__ = "own_number_doses"

    one: Mapped[Decimal] = mapped_column(Float(asdecimal=True))
    some: Mapped[list[Decimal]] = mapped_column(ARRAY(Float(asdecimal=True)))


seen: list[Any] = []


class Doses(Service[Dose]):
    """Notes what it reads."""

    async def before_update(self, row: Dose, changes: Changes[Dose], actor: Actor) -> None:
        seen[:] = [row.one, *row.some, *changes.values()]


@policy
def cheap(model: Any, actor: Actor) -> Any:
    return (model.price < Decimal("123456.7")) & (model.exact < Decimal("123456.7"))


NUMBERS = ("stock", "price", "label", "exact", "rough", "wide", "precise", "many", "long")
app = App(
    Resource(
        Ware,
        read=cheap,
        update=anyone,
        filter=["stock", "price", "label"],
        fields=dict.fromkeys(NUMBERS, read_only),
    ),
    Resource(Dose, read=anyone, write=anyone, service=Doses),
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """The app with one row."""
    async with TestApp(app, module_database_url) as running:
        async with app.transaction() as tx:
            numbers: dict[str, Any] = {"exact": Decimal("1.25"), "rough": 5.01, "wide": 1.5, "precise": Decimal("2.5")}
            own: dict[str, Any] = {"stock": 5, "price": Decimal("12.5"), "label": "abc", "many": [Decimal("1.5")]}
            numbers["long"] = Decimal("1234567890123456789.12345")
            tx.session.add(Ware(title="first", **numbers, **own))
        yield running.anonymous


async def test_a_row_that_is_sent_back_as_it_was_read_is_accepted(client: Client) -> None:
    row = (await client.get("/api/own_number_wares")).data[0]
    path = f"/api/own_number_wares/{row['id']}"
    text = (await client.get(path)).body.removeprefix(b'{"data":').removesuffix(b"}")
    assert b"1234567890123456789.12345" in text
    response = await client.patch(path, content=text.replace(b'"first"', b'"second"'))
    assert (response.status, response.data["title"]) == (200, "second")
    assert {name: response.data[name] for name in NUMBERS} == {name: row[name] for name in NUMBERS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exact", "1.26"),
        ("rough", 5.02),
        ("wide", 1.25),
        ("precise", 2.25),
        ("many", ["2.5"]),
        ("stock", 6),
        ("long", 1234567890123456789),
    ],
)
async def test_another_number_than_the_present_one_is_refused(client: Client, name: str, value: Any) -> None:
    row = (await client.get("/api/own_number_wares")).data[0]
    response = await client.patch(f"/api/own_number_wares/{row['id']}", json={name: value})
    assert response.status == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(f"/{name}", "read_only")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("stock=5", 1),
        ("stock=99999999999", 0),
        ("stock[lt]=99999999999", 1),
        ("stock[in]=5,99999999999", 1),
        ("price=12.5", 1),
        ("price=12.5001", 0),
        ("price[lt]=12.5001", 1),
        ("price[lt]=1e10", 1),
        ("price[gte]=12.49999", 1),
        ("label=ABC", 1),
        ("label=abcd", 0),
        ("label[in]=abcd,ABC", 1),
        ("label[lt]=abcd", 1),
    ],
)
async def test_filters_compare_without_the_bounds_of_the_column(client: Client, query: str, found: int) -> None:
    response = await client.get(f"/api/own_number_wares?{query}")
    assert (response.status, len(response.data)) == (200, found)


async def test_decimal_numbers_of_floats_have_the_digits_that_are_shown(client: Client) -> None:
    numbers = {"one": 1.1234567890123457, "some": [1e-320, 5.01]}
    created = await client.post("/api/own_number_doses", json=numbers)
    path = f"/api/own_number_doses/{created.data['id']}"
    response = await client.patch(path, json=numbers)
    exact = [Decimal("1.1234567890123457"), Decimal("1E-320"), Decimal("5.01")]
    assert seen == [*exact, exact[0], exact[1:]]
    assert response.data == created.data, "with the same version: nothing was written"
