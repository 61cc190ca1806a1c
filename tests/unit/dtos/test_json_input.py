"""What each column type accepts, what it becomes, and with which code the rest is refused."""

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from columns import attribute, class_of, code, decode, decoder, errors_of
from sqlalchemy.dialects import postgresql as pg

from gatepost.dtos.body import BodyFields, compile_body
from gatepost.dtos.json_input import wire_type_of
from gatepost.errors import ConfigurationError, Unprocessable
from gatepost.field_codes import FIELD_CODES
from gatepost.models.shape import shape_of


class Colour(enum.Enum):
    RED = "red"
    DARK_BLUE = "dark-blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


PRICE = sa.Numeric(10, 2)
STAMP = sa.DateTime(timezone=True)
UUID_TEXT = "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d"

ACCEPTED: list[tuple[Any, str, Any]] = [
    (sa.Integer(), "-2147483648", -(2**31)),
    (sa.Integer(), "-0", 0),
    (sa.SmallInteger(), "32767", 32767),
    (sa.BigInteger(), "9223372036854775807", 2**63 - 1),
    (sa.Boolean(), "true", True),
    (sa.Float(), "1e-400", 0.0),
    (sa.Float(), "12", 12.0),
    (sa.Float(), "123456789012345678901234567890", 123456789012345678901234567890.0),
    (PRICE, "12.50", Decimal("12.50")),
    (PRICE, '"12.50"', Decimal("12.50")),
    (PRICE, '"\\u0031.5"', Decimal("1.5")),
    (PRICE, "1.1000000000000000000000000000000", Decimal("1.1")),
    (PRICE, "99999999.99", Decimal("99999999.99")),
    (PRICE, "1e7", Decimal(10**7)),
    (PRICE, "1250e-2", Decimal("12.50")),
    (PRICE, "0e-9999", Decimal(0)),
    (PRICE, "-0.00", Decimal(0)),
    (sa.Numeric(), "0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
    (sa.Numeric(), "9" * 500, Decimal("9" * 500)),
    (sa.Numeric(2, -3), "12000", Decimal(12000)),
    (sa.Numeric(2, 4), "0.0012", Decimal("0.0012")),
    (sa.Text(), '"\\ud83d\\ude00 a:b \\": \\\\u0000"', '\U0001f600 a:b ": \\u0000'),
    (sa.String(2), '"\U0001f600\U0001f600"', "\U0001f600\U0001f600"),
    (sa.Uuid(), f'"{UUID_TEXT}"', UUID(UUID_TEXT)),
    (sa.Uuid(), f'"{UUID_TEXT.upper()}"', UUID(UUID_TEXT)),
    (sa.Uuid(as_uuid=False), f'"{UUID_TEXT}"', UUID_TEXT),
    (STAMP, '"2030-01-31T12:00:00Z"', datetime(2030, 1, 31, 12, tzinfo=UTC)),
    (STAMP, '"2030-01-31t12:00:00.5z"', datetime(2030, 1, 31, 12, 0, 0, 500000, tzinfo=UTC)),
    (STAMP, '"2030-01-31T12:00:00.123456000+02:30"', datetime(2030, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)),
    (STAMP, '"2030-01-31T12:00:00-00:00"', datetime(2030, 1, 31, 12, tzinfo=UTC)),
    (STAMP, '"9999-12-31T23:59:59.999999Z"', datetime.max.replace(tzinfo=UTC)),
    (STAMP, '"0001-01-01T00:00:00Z"', datetime.min.replace(tzinfo=UTC)),
    (sa.Date(), '"2028-02-29"', date(2028, 2, 29)),
    (sa.Time(), '"23:59:59.999999"', time(23, 59, 59, 999999)),
    (sa.Interval(), '"P1DT2H3M4.5S"', timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
    (pg.INTERVAL(), '"-P2W"', timedelta(weeks=-2)),
    (sa.LargeBinary(), '"aGVsbG8="', b"hello"),
    (sa.LargeBinary(), '""', b""),
    (sa.Enum(Colour), '"dark-blue"', Colour.DARK_BLUE),
    (sa.Enum(Level), '"2"', Level.HIGH),
    (sa.Enum("small", "large", name="size"), '"large"', "large"),
    (sa.ARRAY(sa.Integer()), "[1, 2]", [1, 2]),
    (sa.ARRAY(PRICE), '[1.5, "2.25"]', [Decimal("1.5"), Decimal("2.25")]),
    (sa.ARRAY(STAMP), '["2030-01-31T12:00:00Z"]', [datetime(2030, 1, 31, 12, tzinfo=UTC)]),
    (sa.ARRAY(pg.JSONB()), '[{"a": 1}, null]', [{"a": 1}, None]),
    (
        pg.JSONB(),
        '{"a": [1, 2.5, null, true, "x:y"], "b": {"a": -0}}',
        {"a": [1, 2.5, None, True, "x:y"], "b": {"a": 0}},
    ),
    (sa.JSON(), "123456789012345678901234567890", 123456789012345678901234567890),
]

REFUSED: list[tuple[Any, str, str]] = [
    (sa.Integer(), "2147483648", "too_large"),
    (sa.Integer(), "-2147483649", "too_small"),
    (sa.Integer(), "9" * 5000, "too_large"),
    (sa.Integer(), "-" + "9" * 5000, "too_small"),
    (sa.Integer(), "1.0", "wrong_type"),
    (sa.Integer(), "1e3", "wrong_type"),
    (sa.Integer(), '"1"', "wrong_type"),
    (sa.Integer(), "true", "wrong_type"),
    (sa.Integer(), "null", "not_nullable"),
    (sa.SmallInteger(), "32768", "too_large"),
    (sa.BigInteger(), "9223372036854775808", "too_large"),
    (sa.Boolean(), "1", "wrong_type"),
    (sa.Boolean(), '"true"', "wrong_type"),
    (sa.Float(), "1e400", "too_large"),
    (sa.Float(), "-1e400", "too_small"),
    (sa.Float(), "9" * 400, "too_large"),
    (sa.Float(), '"1.5"', "wrong_type"),
    (sa.REAL(), "1e39", "too_large"),
    (PRICE, "12.505", "too_precise"),
    (PRICE, '"12.505"', "too_precise"),
    (PRICE, "100000000", "too_large"),
    (PRICE, "-1e8", "too_small"),
    (PRICE, "1e-9999", "too_precise"),
    (PRICE, "1e9999", "too_large"),
    (PRICE, "1e999999999", "too_large"),
    (PRICE, "9" * 100_000, "too_large"),
    (PRICE, '"NaN"', "not_finite"),
    (PRICE, '"sNaN"', "not_finite"),
    (PRICE, '"-Infinity"', "not_finite"),
    (PRICE, '"1_0"', "wrong_type"),
    (PRICE, '" 1"', "wrong_type"),
    (PRICE, '"1\\n"', "wrong_type"),
    (PRICE, '"+1"', "wrong_type"),
    (PRICE, '"01"', "wrong_type"),
    (PRICE, '".5"', "wrong_type"),
    (PRICE, '"\u0661"', "wrong_type"),
    (PRICE, '""', "wrong_type"),
    (PRICE, "true", "wrong_type"),
    (PRICE, "null", "not_nullable"),
    (PRICE, "[1]", "wrong_type"),
    (sa.Numeric(10), "1.5", "too_precise"),
    (sa.Numeric(2, -3), "12500", "too_precise"),
    (sa.Numeric(2, 4), "0.01", "too_large"),
    (sa.Numeric(), "1" + "0" * 500, "too_large"),
    (sa.Text(), '"a\\u0000b"', "invalid_text"),
    (sa.Text(), '"\\ud800"', "invalid_text"),
    (sa.Text(), '"\\udc00\\ud800"', "invalid_text"),
    (sa.Text(), "1", "wrong_type"),
    (sa.String(2), '"abc"', "too_long"),
    (sa.Uuid(), f'"{UUID_TEXT.replace("-", "")}"', "invalid_format"),
    (sa.Uuid(), f'"{{{UUID_TEXT}}}"', "invalid_format"),
    (sa.Uuid(), f'"{UUID_TEXT.replace("-", "")}----"', "invalid_format"),
    (sa.Uuid(), "1", "wrong_type"),
    (STAMP, '"2030-01-31T12:00:00"', "invalid_format"),
    (STAMP, '"2030-01-31 12:00:00Z"', "invalid_format"),
    (STAMP, '"2030-01-31T12:00:00+0200"', "invalid_format"),
    (STAMP, '"2030-01-31T12:00:00 02:00"', "invalid_format"),
    (STAMP, '"2030-01-31T12:00:00+24:00"', "invalid_format"),
    (STAMP, '"2030-02-30T12:00:00Z"', "invalid_format"),
    (STAMP, '"2030-01-31T23:59:60Z"', "invalid_format"),
    (STAMP, '"0000-01-31T12:00:00Z"', "invalid_format"),
    (STAMP, '"0001-01-01T00:00:00+10:00"', "too_small"),
    (STAMP, '"9999-12-31T23:59:59-10:00"', "too_large"),
    (STAMP, '"2030-01-31T12:00:00.1234567Z"', "too_precise"),
    (pg.TIMESTAMP(timezone=True, precision=0), '"2030-01-31T12:00:00.5Z"', "too_precise"),
    (STAMP, "1893456000", "wrong_type"),
    (sa.Date(), '"2030-02-30"', "invalid_format"),
    (sa.Date(), '"20300101"', "invalid_format"),
    (sa.Date(), '"2030-01-01T00:00:00Z"', "invalid_format"),
    (sa.Time(), '"24:00:00"', "invalid_format"),
    (sa.Time(), '"10:00"', "invalid_format"),
    (sa.Time(), '"10:00:00Z"', "invalid_format"),
    (sa.Interval(), '"P1M"', "invalid_format"),
    (sa.Interval(), '"P"', "invalid_format"),
    (sa.Interval(), '"P1DT"', "invalid_format"),
    (sa.Interval(), '"P1000000000D"', "too_large"),
    (sa.Interval(), '"-P1000000000D"', "too_small"),
    (sa.Interval(), '"PT0.0000001S"', "too_precise"),
    (sa.Interval(), "60", "wrong_type"),
    (sa.LargeBinary(), '"aGVsbG8"', "invalid_format"),
    (sa.LargeBinary(), '"aGVsbG9="', "invalid_format"),
    (sa.LargeBinary(), '"aGVs bG8="', "invalid_format"),
    (sa.LargeBinary(), '"\u00e9"', "invalid_format"),
    (sa.Enum(Colour), '"RED"', "not_a_choice"),
    (sa.Enum(Colour), "1", "wrong_type"),
    (sa.Enum("small", "large", name="size"), '"medium"', "not_a_choice"),
    (sa.ARRAY(sa.Integer()), "1", "wrong_type"),
    (sa.ARRAY(sa.Integer()), "[null]", "wrong_type"),
    (sa.ARRAY(PRICE), "[null]", "wrong_type"),
    (pg.JSONB(), "null", "not_nullable"),
    (pg.JSONB(), '{"a": {"\\u0000": 1}}', "invalid_text"),
    (pg.JSONB(), '["\\ud800"]', "invalid_text"),
    (pg.JSONB(), "1e1000", "too_long"),
    (pg.JSONB(), "9" * 1001, "too_long"),
    (pg.JSONB(), "[" * 33 + "]" * 33, "too_deep"),
    (pg.JSONB(), '{"a":' * 33 + "1" + "}" * 33, "too_deep"),
]


def _name(case: tuple[Any, str, Any]) -> str:
    return f"{case[0]!r} {case[1][:40]}"


@pytest.mark.parametrize("case", ACCEPTED, ids=_name)
def test_a_value_in_the_form_of_its_type_is_accepted(case: tuple[Any, str, Any]) -> None:
    kind, text, expected = case
    found = decode(kind, f'{{"f": {text}}}'.encode())
    assert (found, class_of(found)) == (expected, type(expected))


@pytest.mark.parametrize("case", REFUSED, ids=_name)
def test_another_value_is_refused_with_its_code(case: tuple[Any, str, str]) -> None:
    kind, text, expected = case
    assert code(kind, text.encode()) == expected
    assert expected in FIELD_CODES


@pytest.mark.parametrize("kind", [sa.Integer(), PRICE, STAMP, sa.Enum(Colour), sa.ARRAY(PRICE), pg.JSONB()], ids=repr)
def test_null_is_accepted_where_the_column_is_nullable(kind: Any) -> None:
    assert decode(kind, b'{"f": null}', nullable=True) is None


@pytest.mark.parametrize("digits", ["1" * 1000, "-" + "1" * 999, "0." + "1" * 998, "1e999", "1e-998", "-1.5e997"])
def test_a_number_of_1000_characters_inside_json_is_kept_exactly(digits: str) -> None:
    made = decoder(attribute("f", pg.JSONB()))
    body = f'{{"f":{digits}}}'.encode()
    assert made.decode(body).values["f"] == Decimal(digits)
    assert made.decode_strictly(body).values["f"] == Decimal(digits)


@pytest.mark.parametrize(
    "number", ["1" * 1001, "0." + "1" * 999, "1e1000", "1e-999", "-1.5e999", "1e99999999999", "[0e-2000]"]
)
def test_a_number_of_more_characters_is_refused(number: str) -> None:
    assert code(pg.JSONB(), f'{{"f":{number}}}'.encode()) == "too_long"


@pytest.mark.parametrize(
    "kind", [sa.Float(), sa.REAL(), sa.Double(), sa.ARRAY(sa.Float()), pg.JSONB(), sa.ARRAY(pg.JSON())]
)
def test_msgspec_makes_no_double_of_a_number(kind: Any) -> None:
    """It takes 10 us for one near the end of the range: seconds for one body. What it does not read, it hands over."""
    is_list = isinstance(kind, sa.ARRAY)
    wire = wire_type_of(shape_of(kind), "x").wire
    assert wire in ((list[msgspec.Raw], list[Any]) if is_list else (msgspec.Raw, Any))
    if isinstance(getattr(kind, "item_type", kind), sa.JSON):
        assert type(decode(kind, b'{"f":[1e308]}')[0]) is Decimal


def test_json_of_32_levels_is_accepted() -> None:
    assert code(pg.JSONB(), b"[" * 32 + b"]" * 32) is None


def test_a_violation_inside_an_array_or_json_points_at_the_element() -> None:
    made = decoder(attribute("tags", sa.ARRAY(sa.String(3))), attribute("extra", pg.JSONB()))
    errors = errors_of(made, b'{"tags": ["a", "b", "c", "long"], "extra": {"a/b~": [1, "\\u0000"]}}')
    assert [(error.pointer, error.code) for error in errors] == [
        ("/extra/a~1b~0/1", "invalid_text"),
        ("/tags/3", "too_long"),
    ]


def test_a_type_decorator_is_read_as_the_type_beneath_it() -> None:
    class Slug(sa.TypeDecorator[str]):
        impl = sa.String(3)
        cache_ok = True

    assert decode(Slug(), b'{"f": "abc"}') == "abc"
    assert code(Slug(), b'"abcd"') == "too_long"


@pytest.mark.parametrize(
    "kind",
    [
        pg.INT4RANGE(),
        pg.INET(),
        pg.TSVECTOR(),
        pg.HSTORE(),
        pg.MONEY(),
        sa.PickleType(),
        sa.ARRAY(sa.Integer(), dimensions=2),
        sa.DateTime(),
        sa.Time(timezone=True),
    ],
    ids=repr,
)
def test_a_type_without_a_form_in_json_is_refused_when_the_app_is_built(kind: Any) -> None:
    item = attribute("odd", kind)
    with pytest.raises(ConfigurationError) as refused:
        compile_body([item], BodyFields(frozenset({"odd"}), frozenset()), "Thing")
    assert refused.value.location == "Thing.odd"
    assert refused.value.hint


def test_a_field_that_others_may_set_is_not_called_kept_by_the_server() -> None:
    items = [attribute(name, sa.Integer()) for name in ("kept", "granted")]
    decoder = compile_body(
        items, BodyFields(frozenset(), frozenset({"kept", "granted"}), kept=frozenset({"kept"})), "T"
    )
    with pytest.raises(Unprocessable) as refusal:
        decoder.decode(b'{"kept": 1, "granted": 1}')

    assert {(error.pointer, error.code, error.detail) for error in refusal.value.errors} == {
        ("/kept", "read_only", "The field is kept by the server; leave it out."),
        ("/granted", "read_only", "You may not set this field; leave it out."),
    }
