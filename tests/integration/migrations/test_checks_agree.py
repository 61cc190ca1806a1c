"""One annotation, two readings: the CHECK constraint accepts what the validation of bodies accepts, and no more."""

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from migrated_models import connected
from sqlalchemy import ARRAY, REAL, Column, Date, Float, Integer, Interval, LargeBinary, Numeric, String, Text
from sqlalchemy.types import TypeEngine

from gatepost.database.statements import DIALECT
from gatepost.dtos.body import BodyFields, compile_body
from gatepost.errors import Unprocessable
from gatepost.models.check_constraints import checks_of
from gatepost.models.entity import Attribute
from gatepost.models.shape import shape_of

LENGTHS = [MinLen(0), MinLen(1), MinLen(2), MinLen(3), MaxLen(0), MaxLen(1), MaxLen(2), Len(1, 2)]
TEXTS = ["", "a", "ab", "abc", " ", "a ", "a  ", "\n", "\n\n", "ü\U0001f600", "%", "\\", '"', "{", ",", "NULL", "'"]
STEPS: list[Any] = [MultipleOf(3), MultipleOf(0.1), MultipleOf(Decimal("0.25")), MultipleOf(1e-3)]
BOUNDS: list[Any] = [Ge(0), Gt(0), Le(0.5), Lt(Decimal("-1.5")), Ge(-3), Lt(10**6)]
NUMBERS = ["0", "1", "-1", "3", "-3", "0.1", "0.3", "0.25", "-1.5", "0.5", "1000000", "1e-3", "0.35"]
WHOLE = ["0", "1", "-1", "3", "-3", "6", "-2", "1000000"]
DAYS = ["2029-12-31", "2030-01-01", "2030-01-02"]

CASES: list[tuple[TypeEngine[Any], list[Any], list[Any]]] = [
    (Text(), LENGTHS, TEXTS),
    (String(9), LENGTHS, TEXTS),
    (Integer(), [*BOUNDS, MultipleOf(3), MultipleOf(2.5)], [json.loads(text) for text in WHOLE]),
    (Numeric(), [*BOUNDS, *STEPS], NUMBERS),
    (Numeric(12, 3), [*BOUNDS, *STEPS], NUMBERS),
    (Float(), [*BOUNDS, *STEPS], [float(text) for text in NUMBERS]),
    (REAL(), STEPS, [float(text) for text in NUMBERS]),
    (Date(), [Ge(date(2030, 1, 1)), Gt(date(2030, 1, 1)), Lt(date(2030, 1, 1))], DAYS),
    (Interval(), [Le(timedelta(hours=1)), Gt(timedelta(0))], ["PT0S", "PT1H", "PT1H0.000001S", "-PT1S"]),
    (LargeBinary(), LENGTHS, ["", "AA==", "AAA=", "AAAA"]),
]


def reading(kind: TypeEngine[Any], item: Any, *, of_elements: bool) -> Attribute:
    """A nullable column `x` with one constraint: on its value, or on its elements."""
    column: Column[Any] = Column("x", ARRAY(kind) if of_elements else kind)
    value, elements = ((), (item,)) if of_elements else ((item,), ())
    return Attribute("x", column, shape_of(column.type, value, elements, nullable=True), False, False, False, None)


def lists(sent: Sequence[Any]) -> Iterator[list[Any]]:
    """No element, one of each, and one of each behind one that may be well."""
    yield []
    for value in sent:
        yield from ([value], [sent[1], value])


def accepted(attribute: Attribute, sent: Any) -> tuple[bool, Any]:
    """Whether a body with this value is accepted, and the value of it."""
    names = frozenset({"x"})
    made = compile_body([attribute], BodyFields(names, names), "Thing")
    try:
        return True, made.decode(json.dumps({"x": sent}).encode()).values["x"]
    except Unprocessable:
        return False, None


async def holds(connection: "asyncpg.Connection[Any]", attribute: Attribute, value: Any) -> bool:
    """Whether a row with this value passes all the checks, as PostgreSQL sees it: unknown passes."""
    column = attribute.column.type
    conditions = " AND ".join(f"coalesce({rule.condition}, true)" for rule in checks_of(attribute)) or "true"
    query = f"SELECT {conditions} FROM (SELECT $1::{column.compile(DIALECT)} AS x) AS row"
    return bool(await connection.fetchval(query, value))


@pytest.fixture
async def connection(database_url: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    async with connected(database_url) as opened:
        yield opened


@pytest.mark.parametrize("of_elements", [False, True])
async def test_bodies_and_checks_refuse_the_same(connection: Any, *, of_elements: bool) -> None:
    disagreeing: list[Any] = []
    compared = 0
    for kind, items, sent in CASES:
        bare = reading(kind, None, of_elements=of_elements)
        for item in items:
            attribute = reading(kind, item, of_elements=of_elements)
            for values in lists(sent) if of_elements else sent:
                may_be, value = accepted(bare, values)
                if may_be:
                    compared += 1
                    in_body, _ = accepted(attribute, values)
                    in_table = await holds(connection, attribute, value)
                    # PostgreSQL does not hold lengths of byte strings in arrays: bodies are stricter there.
                    unheld = of_elements and isinstance(kind, LargeBinary) and in_table
                    disagreeing += [(kind, item, values, in_body, in_table)] * (in_body != in_table and not unheld)
    assert disagreeing == []
    assert compared > 400
