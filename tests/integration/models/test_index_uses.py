"""What the declaration says of an index is what PostgreSQL does with it."""

import datetime as dt
import decimal
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from indexed_columns_app import OFFERED, SORTABLE, Kind, Shelf, app
from sqlalchemy import select

from gatepost.actor import anonymous
from gatepost.database.statements import Statement
from gatepost.models.conditions import bind_decision
from gatepost.models.document_paths import field_of
from gatepost.models.filters import Filter, filterable
from gatepost.models.list_query import Order, RowRange
from gatepost.models.operators import OPERATORS
from gatepost.models.reads import ReadPage
from gatepost.models.recipes import Options
from gatepost.models.selections import Selection
from gatepost.models.table_refs import TableRef
from gatepost.testing import TestApp

SERVED = app.declaration.catalog.by_model[Shelf]
FOUND = filterable(SERVED)
VALUES: dict[type[Any], Any] = {
    int: 7,
    str: "seven",
    bool: True,
    decimal.Decimal: decimal.Decimal(7),
    uuid.UUID: uuid.UUID(int=7),
    dt.date: dt.date(2026, 1, 1),
    Kind: Kind.ONE,
    dict: ["red", 7],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(module_database_url: str) -> AsyncIterator[Any]:
    """A database with the table, in which PostgreSQL reads a whole table only where it has to."""
    admin = await asyncpg.connect(module_database_url)
    async with TestApp(app, module_database_url):
        await admin.execute("SET enable_seqscan = off")
        yield admin
    await admin.close()


def test_a_field_can_be_asked_what_its_indexes_serve_and_nothing_else() -> None:
    assert {name: operators.keys() for name, operators in FOUND.operators.items()} == OFFERED


def test_the_operators_of_each_field_are_offered_in_the_order_of_all() -> None:
    for name, operators in FOUND.operators.items():
        assert list(operators) == [item.name for item in OPERATORS if item.name in operators], name


def test_a_field_can_be_sorted_by_where_an_index_has_its_order() -> None:
    assert set(FOUND.sortable) == SORTABLE


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "operator"), [(name, item) for name, items in OFFERED.items() for item in sorted(items)]
)
async def test_an_operator_that_is_offered_reads_an_index(connection: Any, name: str, operator: str) -> None:
    if operator == "ne":
        return  # all rows but a few: no index could serve it
    shape = SERVED.entity.attributes[field_of(name)].shape
    value = VALUES[(shape.items or shape).python_type]
    offered = FOUND.operators[name][operator]
    operand = {"scalar": value, "list": [value, value], "flag": True}[offered.operand]
    item = Filter.of((), field_of(name), offered, operand)
    source = TableRef.of(SERVED.entity)
    statement = Statement(select(source.column("body")).where(item.condition(source)))
    plan = await plan_of(connection, statement, {bound.name: bound.value for bound in item.bounds()})
    assert "Index Cond" in plan or "One-Time Filter: false" in plan, plan
    assert "Seq Scan" not in plan, plan


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("name", sorted(SORTABLE))
async def test_an_order_that_is_offered_reads_an_index(connection: Any, name: str, is_descending: bool) -> None:
    order = (Order(name, is_descending), *([Order("id", is_descending)] if name != "id" else []))
    selection = Selection.of(SERVED, SERVED.view(anonymous), bind_decision(True, anonymous, SERVED.entity))
    recipe = ReadPage(selection, RowRange(order, 20))
    statement = recipe.compile(Options(page_bytes_max=2**22)).statement
    plan = await plan_of(connection, statement, recipe.binds(statement))
    assert not [line for line in plan.splitlines() if line.strip() == "->  Sort"], plan
    assert "Index Scan" in plan or "Index Only Scan" in plan, plan
    assert "Seq Scan" not in plan, plan


async def plan_of(connection: Any, statement: Statement, values: dict[str, Any]) -> str:
    """How PostgreSQL runs a statement."""
    rows = await connection.fetch(f"EXPLAIN (COSTS off) {statement.sql}", *statement.arguments(values))
    return "\n".join(row[0] for row in rows)
