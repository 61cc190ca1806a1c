"""Casts in conditions: one that PostgreSQL would refuse has no value, and so has every condition that holds it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    and_,
    any_,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import INET, JSONB, REAL, REGCLASS
from sqlalchemy.types import UserDefinedType
from tests.sampled_cases import SampledCases

from gatepost.database.statements import DIALECT, Statement
from gatepost.models.casts import guard_casts

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = (
    *(
        "-2147483648",
        "-0.1",
        "-3",
        "2024-01-05",
        " ",
        "42",
        "-42",
        "+7",
        " 42 ",
        "042",
        "4 2",
        "0x1F",
        "1_000",
        "3.7",
        "3.",
        ".5",
        ".",
    ),
    *("1e2", "1e400", "1e-400"),
    *("1e999999", "1e-999999", "classified-42", "NaN", "nan", "Infinity", "-inf", "٤٢", "42\n", "\t42", "null", "[]"),
    *("32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483649", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775808", "1" * 30, "9" * 2000, "0" * 2000 + "1", "1." + "0" * 20000),
    *("999.99", "999.995", "-999.996", "999.994", "12345.678", "1.7976931348623157e308", "1.8e308", "5e-324", "1e-45"),
    *("true", "t", "TRUE", "yes", "Y", "on", "off", "of", "o", "1", "0", "no", "fa", "ture", " true ", "t r"),
    *("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-13-01", "2024-04-31", "2024-1-5", "0000-01-01"),
    *("0000-02-29", "tomorrow", "infinity", "Jan 5 2024", "20240105", "2024-01-05T10:00:00Z", "2024-01-05 24:00:00"),
    *("2024-01-05T10:00:60Z", "2024-01-05T10:00:00.123456789+05:30", "2024-01-05T10:00:00+15:30", "2024-01-05T25:00"),
    *("2024-01-05T10:00:00 Mars/Base", "9999-12-31T23:59:59.999999999-14:59", "10:00", "23:59:59.999999999", "24:00"),
    *("10:00+02", "10:61", "P1D", "P1DT2H", "P", "PT", "P1", "PT1.5S", "-P1D", "P-1DT-2H", "P999999Y999999M", "1 day"),
    *("1 day 02:03:04", "-1 days +02:03:04.5", "1 day 1 day", "1 hour 02:03"),
    *("1 week 2 days 3 hours 4 secs", "1 year 2 mons 3 days 04:05", "2 days 1 year", "1 day ", "1 day  1 hour"),
    *("3 fortnights", "99999999999 years", "999999:59:59.9"),
    *(
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "6F9619FF8B86D011B42D00CF4FC964FF",
        "{6f9619ff-8b86-d011-b42d-00cf4fc964ff}",
    ),
    *(
        "6f9619ff-8b86-d011-b42d-00cf4fc964f",
        "{6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "6f96-19ff-8b86-d011-b42d-00cf-4fc9-64ff",
    ),
    *(
        "red",
        "blue",
        "RED",
        "10.0.0.1",
        "10.0.0.256",
        "{1,2}",
        "{1,x}",
        '{"a": 1}',
        '{"a"',
        "\\x00ff",
        "\\xzz",
        "'",
        "\\",
    ),
)

DOCUMENTS = (
    *("1", "-1", "3.7", "1e400", "1e-400", "32767.4", "32767.5", "2147483647.5", "9223372036854775807.5", "1" * 400),
    *(
        '"42"',
        '"classified-42"',
        '"true"',
        '""',
        "true",
        "false",
        "null",
        "[]",
        "[1]",
        "{}",
        '{"level": 1}',
        "0",
        "-0.0",
    ),
    *("999.99", "999.995", "1e308", "1.8e308", "4e38", "1e-46", '"2024-02-30"', '"2024-02-29"', '"\\ud83d\\ude00"'),
)

UNREADABLE = ('"\\u0000"', '"a\\ud800"', '"\\udc00a"', '"\\ud83d\\ud83d\\ude00"', '"\\ud83d\\ude00\\ude00"')
"""What a `json` column takes, and no text holds."""

NUMBERS = (
    *(
        "0",
        "1.5",
        "-1.5",
        "32767.4",
        "32767.5",
        "-32768.5",
        "-32768.4",
        "2147483647.49",
        "2147483647.5",
        "9e18",
        "1e19",
    ),
    *("9223372036854775807.5", "-9223372036854775808.4", "1e300", "-1e300", "NaN", "Infinity", "-Infinity", "999.994"),
    *("999.995", "3.5e38", "1e-46", "1e-44", "3.4028235e38"),
    *("999999999999999999999999999999.4", "999999999999999999999999999999.7", "-999999999999999999999999999999.5"),
)

MOMENTS = ("2024-02-29", "4713-01-01 BC", "294276-12-31", "294277-01-01", "5874897-12-31", "infinity", "-infinity")


class Level(TypeDecorator[int]):
    """A number of the user's own."""

    impl = Integer
    cache_ok = True


class Path(UserDefinedType[str]):
    """A path into a document."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSONPATH"


Colour = Enum("red", "blue", name="colour")
TARGETS = (
    *(
        SmallInteger(),
        Integer(),
        BigInteger(),
        Numeric(),
        Numeric(5, 2),
        Numeric(30, 0),
        Float(),
        Float(20),
        Double(),
        REAL(),
        Boolean(),
    ),
    *(Date(), DateTime(timezone=True), DateTime(), Time(), Time(timezone=True), Interval(), Uuid(), Colour, Level()),
    *(String(3), Text(), INET(), JSONB(), JSON(), ARRAY(Integer), LargeBinary()),
)

RARE = (INET, JSON, ARRAY, UserDefinedType, REGCLASS)

TRIED = """
CREATE FUNCTION tried(query text, id integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN EXECUTE query INTO found USING id; RETURN found;
EXCEPTION WHEN data_exception OR feature_not_supported OR undefined_table OR invalid_schema_name
  OR invalid_name OR syntax_error THEN RETURN NULL; END $$
"""
"""Runs a query for one row; NULL where its value does not cast."""

METADATA = MetaData()
WORDS = Table("words", METADATA, Column("id", Integer), Column("value", String(30000, collation="loose")))
DOCUMENT = Table("documents", METADATA, Column("id", Integer), Column("value", JSONB))
LOOSE = Table("loose", METADATA, Column("id", Integer), Column("value", JSON))
EXACT = Table("exact", METADATA, Column("id", Integer), Column("value", Numeric))
ROUGH = Table("rough", METADATA, Column("id", Integer), Column("value", Double))
BIG = Table("big", METADATA, Column("id", Integer), Column("value", BigInteger))
DAYS = Table("days", METADATA, Column("id", Integer), Column("value", Date))
LISTS = Table("lists", METADATA, Column("id", Integer), Column("value", ARRAY(Text)))
BYTES = Table("bytes", METADATA, Column("id", Integer), Column("value", LargeBinary))
SPANS = Table("spans", METADATA, Column("id", Integer), Column("value", Interval))
PATHS = Table("paths", METADATA, Column("id", Integer), Column("value", Text))

PATH_TEXTS = (
    *("pg_class", "none_such", "1", "pg_catalog.pg_class", "no_schema.pg_class", "a.b.c.d"),
    "$.a",
    "$[",
    "$ ? (@ == 1e999)",
    "1e131072",
    "$ ? (@ == 1.e-131072)",
    '"pg_class"',
    '"',
    "",
)

COLUMNS = (
    (WORDS, 'text COLLATE "loose"', TEXTS),
    (DOCUMENT, "jsonb", tuple(f'{{"v": {text}}}' for text in DOCUMENTS)),
    (LOOSE, "json", tuple(f'{{"v": {text}}}' for text in (*DOCUMENTS, *UNREADABLE))),
    (EXACT, "numeric", NUMBERS),
    (ROUGH, "double precision", (*NUMBERS, "5e-324")),
    (BIG, "bigint", ("0", "32767", "32768", "-2147483649", "9223372036854775807", "-9223372036854775808")),
    (DAYS, "date", MOMENTS),
    (BYTES, "bytea", ("", "ab", "abc", "abcd", "abcde", "abcdefgh", "abcdefghi")),
    (SPANS, "interval", ("1 day", "-1 day", "25:00", "178000000 years")),
    (
        PATHS,
        "text",
        PATH_TEXTS,
    ),
    (LISTS, "text[]", ("{}", "{1,2}", "{1,x}", "{NULL}", "{99999999999}", "{{1},{2}}", '{"a b","{"}')),
)


@pytest.fixture(scope="module")
def database_metadata() -> None:
    """The database is empty: its tables and types are made here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(module_database_url: str) -> AsyncIterator[Any]:
    """A database with every value as it may stand in a hidden row."""
    opened = await asyncpg.connect(module_database_url, server_settings={"datestyle": "ISO"})
    try:  # under which regular expressions are refused
        await opened.execute("CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false)")
    except asyncpg.FeatureNotSupportedError:
        await opened.execute('CREATE COLLATION loose FROM "C"')
    await opened.execute(TRIED)
    await opened.execute("CREATE TYPE colour AS ENUM ('red', 'blue')")
    for table, kind, values in COLUMNS:
        await opened.execute(f"CREATE TABLE {table.name} (id integer, value {kind})")
        await opened.execute(f"INSERT INTO {table.name} VALUES (-1, NULL)")
        name = kind.split()[0] if "double" not in kind else kind
        for number, text in enumerate(values):
            await opened.execute(f"INSERT INTO {table.name} SELECT {number}, $1::text::{name}", text)
    if opened.get_server_version().major >= 17:
        await opened.execute("INSERT INTO spans VALUES (100, 'infinity'), (101, '-infinity')")
    yield opened
    await opened.close()


def among(value: ColumnElement[Any], *values: Any) -> ColumnElement[bool]:
    """As `in_` stands in a policy's statement."""
    return value == any_(literal(list(values), ARRAY(value.type)))


async def _ids(connection: Any, table: Table, condition: ColumnElement[Any]) -> set[int]:
    statement = Statement(select(table.c.id).where(guard_casts(condition, table)[0]))
    return {record[0] for record in await connection.fetch(statement.sql, *statement.arguments({}))}


async def _casts(connection: Any, table: Table, operand: ColumnElement[Any], target: Any) -> set[int]:
    """The rows whose value PostgreSQL casts when it is asked for one alone."""
    query = select(cast(cast(operand, target), Text))
    sql = query.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}).string
    tried = f"SELECT id FROM {table.name} WHERE tried($1, id) IS NOT NULL"
    return {record[0] for record in await connection.fetch(tried, f"{sql} WHERE id = $1")}


async def _nulls(connection: Any, table: Table, operand: ColumnElement[Any]) -> set[int]:
    """The rows that have nothing to cast."""
    return await _ids(connection, table, operand.is_(None))


def _operands() -> list[tuple[Table, ColumnElement[Any], tuple[Any, ...]]]:
    numbers = TARGETS[:10]
    return [
        (WORDS, WORDS.c.value, TARGETS),
        (WORDS, type_coerce(WORDS.c.value, Integer), numbers),
        (WORDS, cast(WORDS.c.value, Integer), numbers),
        (DOCUMENT, DOCUMENT.c.value["v"], (*numbers, Boolean(), Text())),
        (DOCUMENT, DOCUMENT.c.value[("v",)].as_string(), TARGETS),
        (DOCUMENT, DOCUMENT.c.value["v"].astext, TARGETS),
        (LOOSE, LOOSE.c.value["v"].as_string(), TARGETS),
        (EXACT, EXACT.c.value, numbers),
        (ROUGH, ROUGH.c.value, numbers),
        (BIG, BIG.c.value, (*numbers, Text())),
        (DAYS, DAYS.c.value, (DateTime(timezone=True), DateTime(), Text())),
        (BYTES, BYTES.c.value, (SmallInteger(), Integer(), BigInteger())),
        (SPANS, SPANS.c.value, (Time(),)),
        (PATHS, PATHS.c.value, (Path(), REGCLASS())),
        (LISTS, LISTS.c.value, (ARRAY(Integer),)),
        (LISTS, LISTS.c.value[1], (Integer(), Numeric(5, 2), Boolean())),
    ]


CASES = [(table, operand, target) for table, operand, targets in _operands() for target in targets]


@pytest.mark.parametrize(("table", "operand", "target"), CASES, ids=lambda value: str(value)[:40])
async def test_a_value_that_does_not_cast_satisfies_neither_a_condition_nor_its_negation(
    connection: Any, table: Table, operand: ColumnElement[Any], target: Any, sampled_cases: SampledCases
) -> None:
    if connection.get_server_version().major < 16 and isinstance(target, (*RARE, LargeBinary)):
        return  # PostgreSQL 15 cannot tell
    if connection.get_server_version().major < 18 and table is BYTES:
        return  # there is no such cast
    value = cast(operand, target)
    text = cast(value, Text)
    alike = await _ids(connection, table, text >= "")
    assert alike <= await _casts(connection, table, operand, target)
    whole = {record[0] for record in await connection.fetch(f"SELECT id FROM {table.name}")}
    conditions = (text >= "", value.is_(None), value.is_distinct_from(None), among(func.coalesce(text, ""), ""))
    for condition in sampled_cases.some(conditions, 2):
        true, false = await _ids(connection, table, condition), await _ids(connection, table, not_(condition))
        assert not true & false
        assert not (whole - true - false) & alike
        assert not (true | false) - alike - await _nulls(connection, table, operand)


USUAL: list[tuple[str, Any]] = [
    *((text, Integer()) for text in ("42", "-42", " 42 ", "2147483647", "-2147483648", "0")),
    *((text, SmallInteger()) for text in ("32767", "-32768")),
    *((text, BigInteger()) for text in ("9223372036854775807", "-9223372036854775808")),
    *((text, Numeric()) for text in ("3.7", "1e2", ".5", "3.", "1e400", "-0.1", "42")),
    *((text, Numeric(5, 2)) for text in ("999.99", "999.994", "-3", "1e2")),
    *((text, Double()) for text in ("3.7", "1e2", "5e-324", "1.7976931348623157e308")),
    *((text, Boolean()) for text in ("true", "t", "TRUE", "yes", "Y", "on", "off", "of", "1", "0", "no", "fa")),
    *((text, Date()) for text in ("2024-02-29", "2000-02-29", "2024-01-05T10:00:00Z")),
    *((text, DateTime(timezone=True)) for text in ("2024-01-05", "2024-01-05T10:00:00.123456789+05:30")),
    *((text, Time()) for text in ("10:00", "23:59:59.999999999", "10:00+02")),
    *(
        (text, Interval())
        for text in ("P1D", "P1DT2H", "PT1.5S", "P-1DT-2H", "1 day", "1 day 02:03:04", "1 year 2 mons 3 days 04:05")
    ),
    *((text, Uuid()) for text in ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6F9619FF8B86D011B42D00CF4FC964FF")),
    *((text, Colour) for text in ("red", "blue")),
]


@pytest.mark.parametrize(("text", "target"), USUAL, ids=str)
async def test_what_is_usually_written_casts_as_before(connection: Any, text: str, target: Any) -> None:
    value = cast(WORDS.c.value, target)
    plain = Statement(select(cast(value, Text)).where(WORDS.c.id == TEXTS.index(text)))
    guarded = Statement(select(guard_casts(cast(value, Text), WORDS)[0]).where(WORDS.c.id == TEXTS.index(text)))
    before = await connection.fetchval(plain.sql, *plain.arguments({}))
    assert before is not None
    assert await connection.fetchval(guarded.sql, *guarded.arguments({})) == before


LEVEL = DOCUMENT.c.value["v"].as_integer()
OPEN = DOCUMENT.c.value["v"].as_boolean()
OTHER = WORDS.alias("other")
CONDITIONS: list[ColumnElement[Any]] = [
    LEVEL < 5,
    LEVEL != 5,
    LEVEL.is_(None),
    LEVEL.is_not(None),
    among(LEVEL, 1, 2),
    among(LEVEL),
    LEVEL.in_(select(OTHER.c.id).where(OTHER.c.id < -5)),
    LEVEL.between(0, 5),
    LEVEL.is_distinct_from(5),
    func.coalesce(LEVEL, 0) < 5,
    func.greatest(LEVEL, 0) < 5,
    case((LEVEL < 5, True), else_=False),
    case((LEVEL < 5, 1), else_=2) == 2,
    OPEN,
    OPEN.is_(True),
    OPEN.is_not(True),
    OPEN.is_(False),
    exists(select(OTHER.c.id).where(OTHER.c.id == LEVEL)),
    func.num_nulls(LEVEL) == 1,
    and_(LEVEL < 5, LEVEL > -5),
    or_(LEVEL < 5, LEVEL >= 5),
    or_(LEVEL.is_(None), OPEN.is_(None)),
    not_(or_(LEVEL < 5, not_(OPEN.is_(True)))),
    (LEVEL < 5) == (LEVEL < 6),
    LEVEL + 1 < 5,
    -LEVEL < 5,
    func.row(LEVEL, 1) == func.row(LEVEL, 1),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
async def test_a_hidden_text_is_in_no_list_and_in_no_list_of_the_opposite(
    connection: Any, condition: ColumnElement[Any]
) -> None:
    secret = DOCUMENTS.index('"classified-42"')
    for asked in (condition, not_(condition), not_(not_(condition)), not_(and_(condition, condition))):
        assert secret not in await _ids(connection, DOCUMENT, asked)


async def test_what_does_not_hang_on_a_cast_decides_without_it(connection: Any) -> None:
    secret = DOCUMENTS.index('"classified-42"')
    is_secret = DOCUMENT.c.id == secret
    assert await _ids(connection, DOCUMENT, is_secret & or_(is_secret, LEVEL < 5)) == {secret}
    assert await _ids(connection, DOCUMENT, is_secret & not_(and_(~is_secret, LEVEL < 5))) == {secret}


async def test_a_member_that_is_absent_is_null(connection: Any) -> None:
    absent = DOCUMENT.c.value["w"].as_integer()
    found = await _ids(connection, DOCUMENT, absent.is_(None))
    assert found == set(range(-1, len(DOCUMENTS)))


UNTOUCHED: list[Callable[[], ColumnElement[Any]]] = [
    lambda: WORDS.c.value == "x",
    lambda: cast(WORDS.c.value, String(3)) == "x",
    lambda: cast(BIG.c.value, Text) == "1",
    lambda: cast(BIG.c.value, Numeric) == 1,
    lambda: DOCUMENT.c.value["v"].as_string() == "x",
    lambda: cast(DOCUMENT.c.value, Text) == "x",
    lambda: among(BIG.c.value, 1, 2),
]


@pytest.mark.parametrize("make", UNTOUCHED)
async def test_a_condition_that_cannot_fail_keeps_its_sql(make: Callable[[], ColumnElement[Any]]) -> None:
    condition = make()
    guarded, is_guarded = guard_casts(condition, WORDS)
    assert not is_guarded
    assert str(guarded.compile(dialect=DIALECT)) == str(condition.compile(dialect=DIALECT))
