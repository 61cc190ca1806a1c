"""One value from text, as filters, cursors and keys send it."""

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from columns import attribute
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.dtos.scalars import compile_scalar
from gatepost.out_of_range import OutOfRangeDate, OutOfRangeInterval, OutOfRangeTime, OutOfRangeTimestamp


class Colour(enum.Enum):
    RED = "red"


PRICE = sa.Numeric(10, 2)
STAMP = sa.DateTime(timezone=True)
UUID_TEXT = "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d"

PARSED: list[tuple[Any, str, Any]] = [
    (PRICE, "1.2449", Decimal("1.2449")),
    (PRICE, "123456789012.5", Decimal("123456789012.5")),
    (sa.Integer(), "3000000000", 3_000_000_000),
    (sa.String(2), "longer", "longer"),
    (sa.Text(), "", ""),
    (sa.Boolean(), "true", True),
    (sa.Boolean(), "false", False),
    (sa.Float(), "1e3", 1000.0),
    (sa.REAL(), "1e3", 1000.0),
    (sa.REAL(), "-1e39", float("-inf")),
    (sa.REAL(), "0.1", 0.10000000149011612),
    (sa.REAL(), "0.10000000149011612", 0.10000000149011612),
    (sa.REAL(), "0.100000001", 0.100000001),
    (sa.Float(), "-Infinity", float("-inf")),
    (sa.Numeric(), "Infinity", Decimal("Infinity")),
    (sa.Date(), "9999-12-31", date.max),
    (sa.Date(), "infinity", OutOfRangeDate(2**31 - 1)),
    (sa.Date(), "0001-12-31 BC", OutOfRangeDate(-730120)),
    (STAMP, "10000-01-01 00:00:00+00", OutOfRangeTimestamp(252_455_616_000_000_000)),
    (sa.Time(), "24:00:00", OutOfRangeTime()),
    (sa.Interval(), "P1M", OutOfRangeInterval(1, 0, 0)),
    (sa.Uuid(), UUID_TEXT, UUID(UUID_TEXT)),
    (STAMP, "2030-01-31T12:00:00+02:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
    (sa.Enum(Colour), "red", Colour.RED),
    (sa.ARRAY(sa.Integer()), "[1,2]", [1, 2]),
    (JSONB(), '{"a": 1.5}', {"a": 1.5}),
]

REFUSED: list[tuple[Any, str]] = [
    (PRICE, "1e999"),
    (PRICE, "Infinity"),
    (PRICE, "nan"),
    (PRICE, "1,5"),
    (PRICE, "9" * 100_000),
    (sa.Integer(), "9223372036854775808"),
    (sa.Integer(), "1.0"),
    (sa.Integer(), "\u0661"),
    (sa.Integer(), "007"),
    (sa.Integer(), ""),
    (sa.Float(), "1e999"),
    (sa.Float(), "nan"),
    (sa.Date(), "Infinity"),
    (sa.Date(), "2024-01-01 BC "),
    (sa.Date(), "0044-02-30 BC"),
    (sa.Date(), "5874898-01-01"),
    (sa.Date(), "4714-11-23 BC"),
    (STAMP, "2024-01-01 00:00:00+00"),
    (STAMP, "10000-01-01 00:00:00"),
    (STAMP, "10000-01-01 00:00:00+01"),
    (STAMP, "10000-01-01 00:00:00.10+00"),
    (STAMP, "294277-01-01 00:00:00+00"),
    (sa.Time(), "24:00:00.000001"),
    (sa.Interval(), "P12M"),
    (sa.Interval(), "P1MT60S"),
    (sa.Interval(), "P99999999999M"),
    (sa.Text(), "a\0"),
    (sa.Text(), "\ud800"),
    (sa.Boolean(), "True"),
    (sa.Boolean(), "1"),
    (sa.Uuid(), "x"),
    (sa.Uuid(), UUID_TEXT.replace("-", "")),
    (STAMP, "2030-01-31T12:00:00 02:00"),
    (STAMP, "2030-01-31T12:00:00"),
    (STAMP, "2030-01-31"),
    (sa.Enum(Colour), "RED"),
    (sa.ARRAY(sa.Integer()), "1"),
    (sa.ARRAY(sa.Integer()), "[1"),
    (JSONB(), "\ud800"),
    (JSONB(), "[" * 100_000),
]


@pytest.mark.parametrize("case", PARSED, ids=lambda case: f"{case[0]!r} {case[1]}")
def test_a_value_that_can_be_compared_is_parsed(case: tuple[Any, str, Any]) -> None:
    kind, text, expected = case
    assert compile_scalar(attribute("f", kind))(text) == expected


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]!r} {case[1][:30]!r}")
def test_what_cannot_be_compared_is_refused_with_a_sentence(case: tuple[Any, str], stored: bool) -> None:
    kind, text = case
    with pytest.raises(ValueError, match=r"\.$"):
        compile_scalar(attribute("f", kind), stored=stored)(text)


@pytest.mark.parametrize(
    ("kind", "text"), [(PRICE, "1.2449"), (sa.Integer(), "3000000000"), (sa.String(2), "abc")], ids=repr
)
def test_a_key_has_to_be_a_value_that_the_column_can_hold(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        compile_scalar(attribute("f", kind), stored=True)(text)
