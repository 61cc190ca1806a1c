"""Models over views: read as tables are, written where PostgreSQL can, and never made or changed by migrations."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

import asyncpg
import pytest
import pytest_asyncio
from annotated_types import Len
from sqlalchemy import ForeignKey, MetaData, Numeric, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Resource, Service, anyone, policy
from gatepost.cli.doctor_schema import examine_columns
from gatepost.migrations import file_commands
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEW = {"info": {"gatepost.view": True}}


class Base(DeclarativeBase):
    """A base of its own."""


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_open: Mapped[bool] = mapped_column(server_default=text("true"))


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class Turnover(Base):
    """Of several rows each: PostgreSQL cannot write it."""

    __tablename__ = "turnovers"
    __table_args__ = VIEW

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    total: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    customer: Mapped[Customer] = relationship()


class OpenCustomer(Base):
    """Some of the rows of one table: PostgreSQL can write it."""

    __tablename__ = "open_customers"
    __table_args__ = VIEW

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 20)]]


class ServedCustomer(Base):
    """The same rows through a service."""

    __tablename__ = "served_customers"
    __table_args__ = VIEW

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class ServedCustomers(Service[ServedCustomer]):
    async def before_create(self, draft: ServedCustomer, actor: Actor) -> None:
        """Nothing more."""


@policy
def not_negative(model: Any, actor: Actor) -> Any:
    return model.total.is_distinct_from(Decimal(-1))


app = App(
    Resource(Customer, path="customers", read=anyone, write=anyone),
    Resource(Invoice, path="invoices", read=anyone, write=anyone),
    Resource(Turnover, path="turnovers", read=not_negative, sort=["total"], filter=["total"]),
    Resource(OpenCustomer, path="open", read=anyone, write=anyone, search=["name"]),
    Resource(ServedCustomer, path="served", read=anyone, write=anyone, service=ServedCustomers),
)

VIEWS = """
CREATE VIEW turnovers AS
  SELECT customers.id AS customer_id, sum(amount)::numeric(12, 2) AS total
  FROM customers LEFT JOIN invoices ON customer_id = customers.id GROUP BY customers.id;
CREATE VIEW open_customers AS SELECT id, name FROM customers WHERE is_open;
CREATE VIEW served_customers AS SELECT id, name FROM customers WHERE is_open;
"""


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app, and none of its views."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """The app with the views, and two customers."""
    connection = await asyncpg.connect(module_database_url)
    await connection.execute(VIEWS)
    await connection.close()
    async with TestApp(app, module_database_url) as running:
        async with app.transaction() as tx:
            tx.session.add_all([Customer(id=101, name="Ada"), Customer(id=102, name="Bob")])
            await tx.session.flush()
            tx.session.add_all([Invoice(customer_id=101, amount=Decimal(each)) for each in ("1.50", "2.50")])
        yield running.anonymous


async def test_a_view_is_read_as_a_table_is(client: Client) -> None:
    page = await client.get("/api/turnovers?sort=-total&expand=customer&limit=1")
    assert page.data == [{"customer_id": 101, "total": "4.00", "customer": {"id": 101, "name": "Ada", "is_open": True}}]
    following = await client.get(f"/api/turnovers?sort=-total&limit=1&after={page.json()['page']['next']}")
    assert following.data == [{"customer_id": 102, "total": None}]
    assert [row["customer_id"] for row in (await client.get("/api/turnovers?total[gte]=4")).data] == [101]


async def test_the_entity_tag_of_a_view_follows_its_row(client: Client) -> None:
    first = await client.get("/api/turnovers/102")
    assert (first.status, first.data["total"]) == (200, None)
    tag = first.headers["etag"]
    assert (await client.get("/api/turnovers/102", headers={"If-None-Match": tag})).status == 304
    created = await client.post("/api/invoices", json={"customer_id": 102, "amount": "3.00"})
    assert (await client.get("/api/turnovers/102", headers={"If-None-Match": tag})).data["total"] == "3.00"
    await client.delete(f"/api/invoices/{created.data['id']}")


@pytest.mark.parametrize("path", ["/api/open", "/api/served"])
async def test_a_view_is_written_where_postgresql_can(client: Client, path: str) -> None:
    created = await client.post(path, json={"name": "Cleo"})
    assert created.status == 201, created.body
    location, tag = f"{path}/{created.data['id']}", created.headers["etag"]
    changed = await client.patch(location, json={"name": "Dora"}, headers={"If-Match": tag})
    assert (changed.status, changed.data["name"]) == (200, "Dora")
    assert changed.headers["etag"] != tag
    assert (await client.patch(location, json={"name": "Eve"}, headers={"If-Match": tag})).status == 412
    assert (await client.get(location)).headers["etag"] == changed.headers["etag"]
    assert (await client.delete(location)).status == 204
    assert (await client.get(location)).status == 404


async def test_nothing_makes_or_changes_a_view(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    path = await file_commands.make(database_url, app.metadata, folder, "first")
    assert path is None or "turnovers" not in path.read_text()
    empty = file_commands.make_empty(folder, "views")
    assert await file_commands.make(database_url, app.metadata, folder, "again") is None
    assert "def upgrade() -> None:\n    pass\n" in empty.read_text()
    applied = await apply_lossless(database_url, app.metadata)
    assert not [statement for statement in applied.statements if "turnovers" in statement]


async def test_the_doctor_warns_of_a_view_that_is_not_there(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    finding = await examine_columns(cast("Any", connection), app)
    await connection.execute(VIEWS)
    assert (await examine_columns(cast("Any", connection), app)).ok
    await connection.close()
    assert (finding.ok, finding.is_warning) == (False, True)
    assert "turnovers: the model declares this view, the database has no view of this name" in finding.detail
