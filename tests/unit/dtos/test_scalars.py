"""One value from text, as filters, cursors and keys send it."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from columns import attribute
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.dtos.scalars import compile_scalar


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
    (sa.Uuid(), UUID_TEXT, UUID(UUID_TEXT)),
    (STAMP, "2030-01-31T12:00:00+02:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
    (sa.Enum(Colour), "red", Colour.RED),
    (sa.ARRAY(sa.Integer()), "[1,2]", [1, 2]),
    (JSONB(), '{"a": 1.5}', {"a": 1.5}),
]

REFUSED: list[tuple[Any, str]] = [
    (PRICE, "1e999"),
    (PRICE, "NaN"),
    (PRICE, "1,5"),
    (PRICE, "9" * 100_000),
    (sa.Integer(), "9223372036854775808"),
    (sa.Integer(), "1.0"),
    (sa.Integer(), "\u0661"),
    (sa.Integer(), "007"),
    (sa.Integer(), ""),
    (sa.Float(), "1e999"),
    (sa.Float(), "nan"),
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
