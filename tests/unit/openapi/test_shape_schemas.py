"""What bodies may hold, responses may show and parameters may say, by the type of the column."""

import enum
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from annotated_types import Ge, Gt, Le, Len, MultipleOf, Predicate
from msgspec import Meta
from sqlalchemy.dialects import postgresql as pg

from gatepost.dtos.parsers import BASE64_TEXT, INTERVAL_TEXT, bytes_of, interval_of
from gatepost.dtos.violations import Violation
from gatepost.models.constraints import bounds_of
from gatepost.models.shape import shape_of
from gatepost.openapi.components import Components
from gatepost.openapi.shape_schemas import ShapeSchemas


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


def loud(text: str) -> bool:
    return text.isupper()


NUMBERS = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}


@pytest.mark.parametrize(
    ("kind", "constraints", "schema"),
    [
        (sa.Boolean(), (), {"type": "boolean"}),
        (sa.Text(), (Len(1, 5),), {"type": "string", "minLength": 1, "maxLength": 5}),
        (sa.String(9), (Len(1, 20),), {"type": "string", "minLength": 1, "maxLength": 9}),
        (sa.SmallInteger(), (), {"type": "integer", "format": "int32", "minimum": -32768, "maximum": 32767}),
        (
            sa.Integer(),
            (Gt(0), Le(9), MultipleOf(3)),
            {"type": "integer", "format": "int32", "exclusiveMinimum": 0, "maximum": 9, "multipleOf": 3},
        ),
        (
            sa.Numeric(6, 2),
            (Ge(0),),
            {
                "anyOf": [
                    {"type": "string", "format": "decimal", "pattern": r"^(0|[1-9][0-9]{0,3})(\.[0-9]{1,2})?$"},
                    {"exclusiveMaximum": 10000, "type": "number", "minimum": 0},
                ]
            },
        ),
        (sa.Double(), (), {"type": "number", "format": "double"}),
        (sa.Uuid(), (), {"type": "string", "format": "uuid"}),
        (sa.DateTime(timezone=True), (), {"type": "string", "format": "date-time"}),
        (sa.Interval(), (), {"type": "string", "format": "duration", "pattern": f"^{INTERVAL_TEXT}$"}),
        (sa.LargeBinary(), (), {"type": "string", "contentEncoding": "base64", "pattern": f"^{BASE64_TEXT}$"}),
        (pg.ARRAY(sa.Text), (Len(1, 3),), {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}),
        (sa.Enum("a", "b"), (), {"type": "string", "enum": ["a", "b"]}),
        (
            sa.Text(),
            (Predicate(loud),),
            {"type": "string", "description": "The value does not satisfy loud."},
        ),
        (sa.Text(), tuple(bounds_of(Meta(pattern="^[a-z]+$"))), {"type": "string", "pattern": "^[a-z]+$"}),
    ],
    ids=repr,
)
def test_a_body_has_the_declared_constraints(kind: Any, constraints: Any, schema: Any) -> None:
    assert ShapeSchemas(Components()).request(shape_of(kind, constraints), "field") == schema


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (sa.String(9), {"type": "string"}),
        (sa.BigInteger(), {"type": "integer", "format": "int64"}),
        (sa.Numeric(6, 2), {"type": "string", "format": "decimal", "pattern": r"^(-?[0-9]+(\.[0-9]+)?|NaN)$"}),
        (sa.Double(), {"anyOf": [{"type": "number", "format": "double"}, NUMBERS]}),
        (sa.Time(), {"type": "string"}),
        (sa.Enum("a"), {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string"}]}),
        (sa.JSON(), {}),
    ],
    ids=repr,
)
def test_a_response_may_show_whatever_the_column_can_hold(kind: Any, schema: Any) -> None:
    assert ShapeSchemas(Components()).response(shape_of(kind, (Len(1, 2),)).unconstrained, "field") == schema


def test_what_may_be_null_says_so() -> None:
    schemas = ShapeSchemas(Components())

    assert schemas.response(shape_of(sa.Text(), nullable=True), "field") == {"type": ["string", "null"]}
    assert schemas.response(shape_of(sa.Date(), nullable=True), "field") == {
        "anyOf": [{"$ref": "#/components/schemas/Date"}, {"type": "null"}]
    }


def test_large_integers_are_texts_where_the_app_says_so() -> None:
    schemas = ShapeSchemas(Components())
    shape = shape_of(sa.BigInteger(), bigint_as_string=True)

    assert schemas.response(shape, "field")["type"] == "string"
    assert schemas.request(shape, "field")["type"] == ["integer", "string"]
    assert schemas.parameter(shape, "field")["type"] == "integer"


def test_an_enum_is_one_component() -> None:
    components = Components()
    schemas = ShapeSchemas(components)
    schema = schemas.request(shape_of(sa.Enum(Mood)), "mood")

    assert schema == schemas.request(shape_of(sa.Enum(Mood)), "other") == {"$ref": "#/components/schemas/Mood"}
    assert components.sections["schemas"] == {"Mood": {"title": "Mood", "type": "string", "enum": ["good", "bad"]}}


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        (sa.Integer(), ["1", "-1,0,12"], ["", "1,", "01", "1.0"]),
        (sa.Numeric(6, 2), ["1", "-0.5,NaN"], ["", "1,,2", "NaN,x"]),
        (sa.Boolean(), ["true", "false,true"], ["", "1", "True"]),
        (sa.Date(), ["2024-01-31", "infinity,0044-03-15 BC,10000-01-01"], ["", "2024-13-01", "2024-01-31,"]),
        (sa.Time(), ["12:30:00", "24:00:00,00:00:00.5"], ["", "25:00:00"]),
        (sa.Interval(), ["P1D", "-PT1.5S,P1M,infinity"], ["", "1D", "P"]),
        (sa.Text(), ["", "a,b", '"a,b"'], []),
    ],
    ids=repr,
)
def test_several_values_in_one_text_have_a_pattern(kind: Any, fitting: list[str], others: list[str]) -> None:
    pattern = ShapeSchemas(Components()).listed(shape_of(kind)).get("pattern", "")

    assert all(re.search(pattern, text) for text in fitting)
    assert not any(re.search(pattern, text) for text in others)


@pytest.mark.parametrize(
    ("pattern", "read", "fitting", "others"),
    [
        (INTERVAL_TEXT, interval_of, ["P1W", "-P1DT2H", "PT0.000001S"], ["P", "PT", "P1Y", "P1WT1S", "1D"]),
        (BASE64_TEXT, bytes_of, ["", "AA==", "AAE=", "AAEC"], ["A", "AAE", "AAF=", "AB=="]),
    ],
)
def test_a_pattern_for_clients_is_what_is_read(
    pattern: str, read: Callable[[str], Any], fitting: list[str], others: list[str]
) -> None:
    for text in fitting:
        assert re.fullmatch(pattern, text)
        read(text)
    for text in others:
        assert not re.fullmatch(pattern, text)
        with pytest.raises(Violation):
            read(text)
