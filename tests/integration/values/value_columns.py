"""One column of every type on the wire, with values at its ends and those that only other programs write."""

import enum
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeDecorator, TypeEngine

from gatepost import JSONOf, NaiveUTC


class Genre(enum.Enum):
    """Values differ from names, and names are what is stored."""

    NOVEL = "a novel"
    POEMS = "poems"
    ESSAY = "NOVEL"


class Quarter(TypeDecorator[Any]):
    """A date that is kept as it is."""

    impl = sa.Date
    cache_ok = True


class Ratio(TypeDecorator[Any]):
    impl = sa.Double
    cache_ok = True


class Rate(TypeDecorator[Any]):
    """A float for code, with more digits than a float has."""

    impl = sa.Numeric(24, 6, asdecimal=False)
    cache_ok = True


class Halved(TypeDecorator[Any]):
    """Stores half of what is sent."""

    impl = sa.Numeric(12, 3)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value / 2

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value * 2


class Pause(TypeDecorator[Any]):
    impl = sa.Interval
    cache_ok = True


class Days(TypeDecorator[Any]):
    impl = sa.ARRAY(sa.Date)
    cache_ok = True


class Address(msgspec.Struct, frozen=True):
    """The form of a document."""

    street: str
    number: int | None = None


class Settings(TypeDecorator[Any]):
    impl = pg.JSONB
    cache_ok = True


class ValueColumn(NamedTuple):
    """A column. `admitted` are the SQL texts of values that bodies may have, `beyond` those of others, each with the
    value that responses show for it (a number as its text)."""

    name: str
    kind: TypeEngine[Any]
    admitted: Sequence[str]
    beyond: dict[str, Any] = {}  # noqa: RUF012 - of a tuple


NOT_FINITE = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"}
DATES = {
    "infinity": "infinity",
    "-infinity": "-infinity",
    "0044-03-15 BC": "0044-03-15 BC",
    "10000-01-01": "10000-01-01",
}
MOMENTS = DATES | {
    "0044-03-15 BC": "0044-03-15 00:00:00+00 BC",
    "10000-01-01": "10000-01-01 00:00:00+00",
    "294276-12-31 23:59:59.999999+00": "294276-12-31 23:59:59.999999+00",
}
INTERVALS = {
    "1 mon": "P1M", "infinity": "infinity", "-1 year 2 days -00:00:01": "P-1Y2DT-1S",
    "2147483647 days": "P2147483647D",
}  # fmt: skip
DEEP = "[" * 40 + "]" * 40
DOCUMENTS = {DEEP: json.loads(DEEP), "1e600": "1" + "0" * 600}

COLUMNS = [
    ValueColumn("small", sa.SmallInteger(), ["-32768", "0", "32767"]),
    ValueColumn("number", sa.Integer(), ["-2147483648", "7", "2147483647"]),
    ValueColumn("large", sa.BigInteger(), ["-9223372036854775808", "9007199254740993", "9223372036854775807"]),
    ValueColumn("flag", sa.Boolean(), ["true", "false"]),
    ValueColumn("ratio", sa.Double(), ["0.1", "-0", "0", "5e-324", "-1.7976931348623157e308"], NOT_FINITE),
    ValueColumn("single", sa.REAL(), ["0.1", "-0", "1e-45", "3.4028235e38", "16777217"], NOT_FINITE),
    ValueColumn("amount", sa.Numeric(12, 3), ["1.5", "-0.001", "999999999.999"], {"NaN": "NaN"}),
    ValueColumn(
        "precise", sa.Numeric(), ["1.50", "1.5", "0", "-1e499", "1e-499"], {**NOT_FINITE, "1e600": "1" + "0" * 600}
    ),
    ValueColumn("floating", sa.Numeric(9, 3, asdecimal=False), ["0.1", "5.010", "-123456.789"], {"NaN": "NaN"}),
    ValueColumn(
        "long_floating", sa.Numeric(24, 6, asdecimal=False),
        ["12345678901234567.123", "12345678901234568", "0.1", "999999999999999999.999999", "-0.000001"],
        {"NaN": "NaN"},
    ),
    ValueColumn("word", sa.String(40), ["", "Ödland \U0001f600", "100%", 'a"\\b\n\x01', "x  ", "NULL", "infinity"]),
    ValueColumn("prose", sa.Text(), ["", "{}", "a,b", "null", "\u2028", "'"]),
    ValueColumn("nick", pg.CITEXT(), ["Ada", "bob", "Carl", "adam", "BEA", "ada ", "ADA", "Éa", "éA"]),
    ValueColumn("sorted", sa.String(20, collation="C"), ["b", "B", "a", "Ab", "é"]),
    ValueColumn("code", sa.CHAR(5), ["ab", "abcde", "", " a"]),
    ValueColumn("token", sa.Uuid(), ["018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d", "00000000-0000-0000-0000-000000000000"]),
    ValueColumn(
        "moment", sa.DateTime(timezone=True),
        ["9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00", "2024-01-01 12:00:00.5+02"], MOMENTS,
    ),
    ValueColumn(
        "naive", NaiveUTC(), ["9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "2024-01-01 12:00:00.5"], MOMENTS
    ),
    ValueColumn(
        "naives", sa.ARRAY(NaiveUTC()), ["{2024-01-01 12:00}"],
        {'{infinity,NULL,"0044-03-15 BC"}': ["infinity", None, "0044-03-15 00:00:00+00 BC"]},
    ),
    ValueColumn("day", sa.Date(), ["9999-12-31", "0001-01-01", "2024-02-29"], DATES),
    ValueColumn("hour", sa.Time(), ["00:00", "23:59:59.999999", "12:30"], {"24:00": "24:00:00"}),
    ValueColumn(
        "span", sa.Interval(), ["1 day", "-1 day +00:00:00.000001", "0", "24:00", "999999999 days", "29 days"],
        INTERVALS,
    ),
    ValueColumn("genre", sa.Enum(Genre, name="genre"), ["NOVEL", "ESSAY", "POEMS"], {"SONG": "SONG"}),
    ValueColumn("mood", sa.Enum(Genre, name="mood", native_enum=False), ["NOVEL", "ESSAY"], {"SONG": "SONG"}),
    ValueColumn("grade", sa.Enum("a", "b", name="grade"), ["b", "a"], {"SONG": "SONG"}),
    ValueColumn("data", sa.LargeBinary(), ["", "\\x00ff", "\\x" + "ab" * 100]),
    ValueColumn(
        "document", pg.JSONB(),
        [
            "{}", "[]", '"x"', "1", "12345678901234.123456", '{"a": [1.10, null, {"b": ""}], "c": 1e20}', "false",
            '{"a": null}', '{"long": 12345678901234.123456}',
        ],
        DOCUMENTS,
    ),
    ValueColumn(
        "source", sa.JSON(), ['{"long": 12345678901234.123456}', "{}", '[1, 2]', '{"a":\n\n 1}', '"x\\n"', "1.10"],
        {
            **DOCUMENTS, "1e600": "1e600", '{"a": "\\u0000"}': {"a": "\0"}, '{"\\u0000": 1}': {"\0": "1"},
            '["\\ud800"]': ["\ud800"], '{"a": {"x": 1, "x": 2}}': {"a": {"x": "2"}},
        },
    ),
    ValueColumn(
        "texts", sa.ARRAY(sa.Text()), ["{}", '{a,"b,c","NULL",""}', "[0:1]={a,b}"],
        {"{a,NULL}": ["a", None], "{{a,b},{c,d}}": [["a", "b"], ["c", "d"]], "{NULL}": [None]},
    ),
    ValueColumn(
        "numbers", sa.ARRAY(sa.Integer()), ["{1,-2}", "[5:6]={1,2}"], {"{{1},{NULL}}": [["1"], [None]]}
    ),
    ValueColumn("flags", sa.ARRAY(sa.Boolean()), ["{t,f}"], {"{NULL,t}": [None, True]}),
    ValueColumn("ratios", sa.ARRAY(sa.Double()), ["{0.1,-0}"], {"{NaN,Infinity,NULL}": ["NaN", "Infinity", None]}),
    ValueColumn("amounts", sa.ARRAY(sa.Numeric(8, 2)), ["{1.50,-2}"], {"{NaN,NULL}": ["NaN", None]}),
    ValueColumn(
        "genres", sa.ARRAY(sa.Enum(Genre, name="genre")), ["{NOVEL,ESSAY}", "[2:2]={POEMS}"],
        {"{NULL,NOVEL}": [None, "a novel"], "{SONG}": ["SONG"], "{{ESSAY},{NOVEL}}": [["NOVEL"], ["a novel"]]},
    ),
    ValueColumn(
        "moments", sa.ARRAY(sa.DateTime(timezone=True)), ["{2024-01-01 12:00+00}", "{9999-12-31 23:59:59+00}", "{}"],
        {
            '{infinity,NULL,"2024-01-01 12:00+00"}': ["infinity", None, "2024-01-01T12:00:00Z"],
            '{"0044-03-15 BC","10000-01-01","2024-01-01"}': [*list(MOMENTS.values())[2:4], "2024-01-01T00:00:00Z"],
            '{{"12345-01-01 01:02:03.4"},{-infinity}}': [["12345-01-01 01:02:03.4+00"], ["-infinity"]],
        },
    ),
    ValueColumn(
        "days", sa.ARRAY(sa.Date()), ["{2024-01-01}"],
        {'{infinity,"0044-03-15 BC",NULL}': ["infinity", "0044-03-15 BC", None]},
    ),
    ValueColumn("hours", sa.ARRAY(sa.Time()), ["{12:30}"], {"{24:00,NULL}": ["24:00:00", None]}),
    ValueColumn(
        "spans", sa.ARRAY(sa.Interval()), ["{1 day}", "{24:00}"],
        {'{"1 mon",NULL}': ["P1M", None], "{{1 day},{1 mon}}": [["P1D"], ["P1M"]]},
    ),
    ValueColumn("blobs", sa.ARRAY(sa.LargeBinary()), ['{"\\\\x00ff"}', "{}"], {'{NULL,"\\\\x00"}': [None, "AA=="]}),
    ValueColumn("tokens", sa.ARRAY(sa.Uuid()), ["{018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d}"], {"{NULL}": [None]}),
    ValueColumn("codes", sa.ARRAY(sa.CHAR(3)), ["{ab,c}"], {"{ab,NULL}": ["ab", None]}),
    ValueColumn("documents", sa.ARRAY(pg.JSONB()), ['{"{\\"a\\": 1.10}","[1]"}'], {'{NULL,"1"}': [None, "1"]}),
    ValueColumn("sources", sa.ARRAY(sa.JSON()), ['{"{\\"a\\":\n1}"}'], {
            '{"\\"\\\\u0000\\""}': ["\0"], '{NULL,"{\\"x\\": 1, \\"x\\": 2}"}': [None, {"x": "2"}],
        }),
    ValueColumn("quarter", Quarter(), ["2024-01-01", "9999-12-31"], DATES),
    ValueColumn("own_ratio", Ratio(), ["0.1", "1e300"], NOT_FINITE),
    ValueColumn("rate", Rate(), ["12345678901234567.123", "0.1", "12345678901234568"], {"NaN": "NaN"}),
    ValueColumn(
        "floatings", sa.ARRAY(sa.Numeric(24, 6, asdecimal=False)), ["{12345678901234567.123,0.1}"],
        {"{NaN,NULL}": ["NaN", None]},
    ),
    ValueColumn("halved", Halved(), ["1.5", "-0.001"], {"NaN": "NaN"}),
    ValueColumn("pause", Pause(), ["1 day"], INTERVALS),
    ValueColumn("own_days", Days(), ["{2024-01-01}", "{}"], {"{infinity,NULL}": ["infinity", None]}),
    ValueColumn(
        "address", JSONOf(Address), ['{"street": "x", "number": 1}', '{"street": "x", "number": null}'],
        {'{"way": 1}': {"way": "1"}, "[]": []},
    ),
    ValueColumn(
        "settings", Settings(), ["{}", '{"long": 12345678901234.123456}', '{"a": [1]}'],
        {DEEP: json.loads(DEEP)},
    ),
]  # fmt: skip
