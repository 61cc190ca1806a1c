"""The values in the sentences of refused fields: exactly the documented ones, and each documented set occurs."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pydantic
import pytest
import sqlalchemy as sa
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MultipleOf, Predicate
from sqlalchemy.dialects import postgresql as pg
from tests.unit.dtos.columns import attribute, decoder, errors_of

from gatepost import JSONOf
from gatepost.field_codes import FIELD_CODES

WIDE = [f"size-{number:02}" for number in range(25)]


class Parcel(pydantic.BaseModel, frozen=True):
    weight: Annotated[int, pydantic.Field(gt=0, le=9)] = 1
    code: Annotated[str, pydantic.Field(pattern="^[a-z]+$", max_length=3)] = "a"
    price: Annotated[Decimal, pydantic.Field(decimal_places=2)] = Decimal(1)
    tags: Annotated[list[str], pydantic.Field(min_length=1)] = ["a"]


CASES: list[tuple[Any, list[Any], str, str, dict[str, Any]]] = [
    (sa.Integer(), [Ge(0)], "-1", "too_small", {"min": 0}),
    (sa.Integer(), [Gt(0)], "0", "too_small", {"more_than": 0}),
    (sa.Integer(), [Le(5)], "6", "too_large", {"max": 5}),
    (sa.Integer(), [Lt(5)], "5", "too_large", {"less_than": 5}),
    (sa.Integer(), [Interval(ge=2, le=5)], "6", "too_large", {"max": 5}),
    (sa.Integer(), [], "2147483648", "too_large", {"max": 2147483647}),
    (sa.Integer(), [], "9" * 30, "too_large", {}),
    (sa.Integer(), [], "-" + "9" * 30, "too_small", {}),
    (sa.Integer(), [MultipleOf(5)], "6", "not_a_multiple", {"multiple_of": 5}),
    (sa.Integer(), [], "true", "wrong_type", {"expected": "integer"}),
    (sa.Boolean(), [], "1", "wrong_type", {"expected": "boolean"}),
    (sa.Numeric(4, 2), [Le(Decimal("9.50"))], "9.51", "too_large", {"max": "9.50"}),
    (sa.Numeric(4, 2), [], "1.234", "too_precise", {"digits": 2}),
    (sa.Numeric(4, 2), [], "123", "too_large", {"digits": 2}),
    (sa.Numeric(4, 2), [], "-123", "too_small", {"digits": 2}),
    (sa.Numeric(4, 2), [], '"x"', "wrong_type", {"expected": "number"}),
    (sa.REAL(), [], "1.23456789", "too_precise", {}),
    (sa.Text(), [Len(2, 3)], '"a"', "too_short", {"min": 2}),
    (sa.Text(), [Len(2, 3)], '"abcd"', "too_long", {"max": 3}),
    (sa.String(200), [], f'"{"a" * 201}"', "too_long", {"max": 200}),
    (sa.Text(), [Predicate(str.islower)], '"A"', "pattern_mismatch", {"predicate": "islower"}),
    (sa.Text(), [Predicate(lambda text: text == "a")], '"A"', "pattern_mismatch", {}),
    (sa.Text(), [], "1", "wrong_type", {"expected": "text"}),
    (sa.Enum("s", "m", name="size"), [], '"l"', "not_a_choice", {"choices": ["s", "m"]}),
    (sa.Enum(*WIDE, name="sizes"), [], '"l"', "not_a_choice", {"choices": WIDE[:20], "more": 5}),
    (sa.Uuid(), [], '"x"', "invalid_format", {"format": "uuid"}),
    (sa.Date(), [], '"x"', "invalid_format", {"format": "date"}),
    (sa.Date(), [], "1", "wrong_type", {"expected": "date"}),
    (sa.Date(), [Ge(date(2030, 1, 31))], '"2030-01-30"', "too_small", {"min": "2030-01-31"}),
    (sa.Time(), [], '"x"', "invalid_format", {"format": "time"}),
    (sa.DateTime(timezone=True), [], '"x"', "invalid_format", {"format": "date-time"}),
    (sa.DateTime(timezone=True), [Lt(datetime(2030, 1, 1, tzinfo=UTC))], '"2031-01-01T00:00:00Z"', "too_large",
     {"less_than": "2030-01-01T00:00:00Z"}),
    (sa.DateTime(timezone=True), [], '"0001-01-01T00:00:00+10:00"', "too_small", {"min": "0001-01-01T00:00:00Z"}),
    (sa.Interval(), [], '"x"', "invalid_format", {"format": "duration"}),
    (sa.Interval(), [Le(timedelta(days=2))], '"P3D"', "too_large", {"max": "P2D"}),
    (sa.Interval(), [], '"-P1000000000D"', "too_small", {"min": "-P999999999D"}),
    (sa.LargeBinary(), [], '"x"', "invalid_format", {"format": "base64"}),
    (sa.ARRAY(sa.Integer()), [], "1", "wrong_type", {"expected": "list"}),
    (pg.JSONB(), [], "[" * 33 + "]" * 33, "too_deep", {"max": 32}),
    (pg.JSONB(), [], "9" * 1001, "too_long", {"max": 1000}),
    (JSONOf(Parcel), [], '{"weight": 0}', "too_small", {"more_than": 0}),
    (JSONOf(Parcel), [], '{"weight": 10}', "too_large", {"max": 9}),
    (JSONOf(Parcel), [], '{"code": "A"}', "pattern_mismatch", {"pattern": "^[a-z]+$"}),
    (JSONOf(Parcel), [], '{"code": "abcd"}', "too_long", {"max": 3}),
    (JSONOf(Parcel), [], '{"price": 1.234}', "too_precise", {"digits": 2}),
    (JSONOf(Parcel), [], '{"tags": []}', "too_short", {"min": 1}),
    (JSONOf(Parcel), [], '{"tags": 1}', "wrong_type", {}),
    (JSONOf(Parcel), [], '{"wieght": 1}', "unknown_field", {"suggestion": "weight"}),
    (JSONOf(Parcel), [], '{"x": 1}', "unknown_field", {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]!r} {case[2][:30]}")
def test_an_error_tells_the_values_of_its_sentence(case: tuple[Any, list[Any], str, str, dict[str, Any]]) -> None:
    kind, constraints, text, code, params = case

    (error,) = errors_of(decoder(attribute("f", kind, *constraints)), f'{{"f": {text}}}'.encode())
    shown = msgspec.json.decode(msgspec.json.encode(error))

    assert shown.pop("pointer").startswith("/f")
    assert shown == {"code": code, "detail": error.detail, **({"params": params} if params else {})}


def test_unknown_fields_beyond_a_hundred_are_counted_in_params() -> None:
    body = msgspec.json.encode({f"x{number}": 1 for number in range(103)})

    errors = errors_of(decoder(attribute("f", sa.Text(), nullable=True)), body)

    assert [(error.pointer, error.params) for error in errors if error.params] == [("", {"more": 3})]


def test_every_documented_set_of_names_occurs_for_columns_whose_checks_have_values() -> None:
    """What PostgreSQL reports, what other libraries refuse and what needs a row is tried elsewhere."""
    elsewhere = {
        ("wrong_type", ()), ("too_long", ()), ("too_deep", ()), ("not_a_choice", ()), ("invalid_format", ()),
        ("violates_check", ("constraint",)), ("unknown_field", ("more",)),
    }  # fmt: skip
    documented = {(code, names) for code, item in FIELD_CODES.items() for names in item.params if item.params != ((),)}

    tried = {(code, tuple(sorted(params))) for _, _, _, code, params in CASES}

    assert documented - tried <= elsewhere


def test_errors_are_sorted_by_pointer_whatever_their_params() -> None:
    from gatepost import FieldError

    errors = [FieldError("/b", "too_large", "x", {"max": 1}), FieldError("/a", "too_large", "x", {"max": 2})]
    same = [FieldError("/a", "too_large", "x", {"max": value}) for value in (2, 1)]

    assert [error.pointer for error in sorted(errors)] == ["/a", "/b"]
    assert sorted(same) == same
    assert len({*errors, *same}) == 3
