"""What `complete_schema` adds to a MetaData, and what a constraint's name means."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MinLen, MultipleOf, Predicate
from model_things import complete, conditions, indexes, model
from sqlalchemy import (
    ARRAY,
    Column,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost.models.base import MANAGED, VERSION
from gatepost.models.entity import entity_of
from gatepost.models.schema import complete_schema
from gatepost.models.schema_names import NAME_BYTES_MAX, schema_name
from gatepost.models.schema_objects import objects_of


class Doubled(TypeDecorator[int]):
    """Stores other numbers than those that are bound: what holds for the one need not hold for the other."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        return None if value is None else value * 2


class Folded(TypeDecorator[str]):
    """A text that ignores case."""

    impl = CITEXT
    cache_ok = True


class Named(TypeDecorator[int]):
    """An integer by another name."""

    impl = Integer
    cache_ok = True


@pytest.mark.parametrize(
    ("annotation", "column", "expected"),
    [
        (Annotated[int, Ge(0)], mapped_column(), {"ge": "x >= 0"}),
        (Annotated[int, Gt(0), Lt(9)], mapped_column(), {"gt": "x > 0", "lt": "x < 9"}),
        (Annotated[int, Interval(ge=1, le=5)], mapped_column(), {"ge": "x >= 1", "le": "x <= 5"}),
        (Annotated[int, Ge(0), Ge(5)], mapped_column(), {"ge": "x >= 0", "ge_2": "x >= 5"}),
        (Annotated[int, MultipleOf(5)], mapped_column(), {"multiple_of": "mod(x, 5) = 0"}),
        (Annotated[int, Ge(0)] | None, mapped_column(), {"ge": "x >= 0"}),
        (Decimal, mapped_column(Numeric(10, 2)), {"finite": "x <> 'NaN'"}),
        (
            Annotated[Decimal, Le(Decimal("9.99"))],
            mapped_column(Numeric(10, 2)),
            {"finite": "x <> 'NaN'", "le": "x <= 9.99"},
        ),
        (float, mapped_column(), {"finite": "x <> 'NaN' AND x <> 'Infinity' AND x <> '-Infinity'"}),
        (
            Annotated[str, Len(1, 200)],
            mapped_column(),
            {"min_length": "char_length(x) >= 1", "max_length": "char_length(x) <= 200"},
        ),
        (Annotated[list[str], Len(0, 3)], mapped_column(ARRAY(Text)), {"max_length": "cardinality(x) <= 3"}),
        (Annotated[bytes, MinLen(2)], mapped_column(), {"min_length": "octet_length(x) >= 2"}),
        (
            list[Annotated[str, Len(1, 9)]],
            mapped_column(ARRAY(Text)),
            {"each_min_length": "'' <> ALL (x)", "each_max_length": "(x::varchar(9)[])::text[] = x::text[]"},
        ),
        (
            Annotated[list[Annotated[int, Ge(0), Lt(5)]], MinLen(1)],
            mapped_column(ARRAY(SmallInteger)),
            {"min_length": "cardinality(x) >= 1", "each_ge": "0 <= ALL (x)", "each_lt": "5 > ALL (x)"},
        ),
        (list[Decimal], mapped_column(ARRAY(Numeric(5, 1))), {"finite": "'NaN' <> ALL (x)"}),
        (Annotated[int, Ge(0)], mapped_column(Doubled), {}),
        (Annotated[int, Ge(0)], mapped_column(Named), {"ge": "x >= 0"}),
        (Annotated[date, Ge(date(2020, 1, 1))], mapped_column(), {"ge": "x >= '2020-01-01'::date"}),
        (
            Annotated[timedelta, Le(timedelta(hours=1))],
            mapped_column(),
            {"le": "x <= '3600000000 microseconds'::interval"},
        ),
        (Annotated[dict[str, Any], MinLen(1)], mapped_column(JSONB), {}),
        (Annotated[int, Predicate(bool)], mapped_column(), {}),
        (str, mapped_column(), {}),
    ],
)
def test_an_annotation_becomes_a_check(annotation: Any, column: Any, expected: dict[str, str]) -> None:
    table = complete(model(x=(Mapped[annotation], column)))
    assert conditions(table) == {f"ck_things_x_{rule}": condition for rule, condition in expected.items()}


def test_completing_twice_adds_nothing() -> None:
    thing = model(x=Mapped[Annotated[int, Ge(0)]], name=Mapped[str])
    table = complete(thing, sort=["x"], search=["name"], filter=["name"])
    before = (conditions(table), indexes(table), objects_of(thing.metadata))
    complete(thing, sort=["x"], search=["name"], filter=["name"])
    assert (conditions(table), indexes(table), objects_of(thing.metadata)) == before


def test_a_sort_field_gets_one_index_and_a_nullable_one_two() -> None:
    table = complete(model(x=Mapped[int], y=Mapped[int | None]), sort=["id", "x", "y"])
    assert indexes(table) == {
        "ix_things_x_id": "CREATE INDEX ix_things_x_id ON things (x, id)",
        "ix_things_y_id": "CREATE INDEX ix_things_y_id ON things (y, id)",
        "ix_things_y_id_desc": "CREATE INDEX ix_things_y_id_desc ON things (y DESC NULLS LAST, id DESC)",
    }


def test_a_sort_index_that_somebody_declared_is_not_doubled() -> None:
    thing = model(x=Mapped[int])
    table: Table[Any] = thing.__table__
    Index("mine", table.c.x, table.c.id)
    assert list(indexes(complete(thing, sort=["x"]))) == ["mine"]


@pytest.mark.parametrize(
    "column", [mapped_column(index=True), mapped_column(unique=True), mapped_column(unique=True, index=True)]
)
def test_a_filter_field_led_by_an_index_gets_no_other(column: Any) -> None:
    thing = model(x=(Mapped[int], column))
    before = indexes(thing.__table__)
    assert indexes(complete(thing, filter=["x", "id"])) == before


def test_a_filter_field_gets_an_index_unless_it_is_sorted_by() -> None:
    table = complete(model(x=Mapped[int], y=Mapped[int]), sort=["x"], filter=["x", "y"])
    assert sorted(indexes(table)) == ["ix_things_x_id", "ix_things_y"]


@pytest.mark.parametrize(
    "options",
    [
        {"postgresql_using": "hash"},
        {"postgresql_ops": {"x": "text_pattern_ops"}},
        {"postgresql_where": text("x <> ''")},
        {"postgresql_using": "gin", "postgresql_ops": {"x": "gin_trgm_ops"}},
    ],
)
def test_a_filter_field_gets_an_index_where_its_own_serves_less_than_all_operators(options: dict[str, Any]) -> None:
    thing = model(x=Mapped[str])
    table: Table[Any] = thing.__table__
    Index("ix_things_x", table.c.x, **options)
    for _ in range(2):
        assert indexes(complete(thing, filter=["x"]))["ix_things_x_served"] == (
            "CREATE INDEX ix_things_x_served ON things (x)"
        )
        assert len(table.indexes) == 2


def test_a_trigram_index_that_somebody_declared_is_not_doubled() -> None:
    thing = model(x=Mapped[str])
    table: Table[Any] = thing.__table__
    Index("mine", table.c.x, postgresql_using="GIN", postgresql_ops={"x": "gin_trgm_ops"})
    assert list(indexes(complete(thing, search=["x"]))) == ["mine"]


def test_a_search_field_gets_a_trigram_index_and_the_extension() -> None:
    thing = model(x=Mapped[str])
    statement = "CREATE INDEX ix_things_x_trgm ON things USING gin (x gin_trgm_ops)"
    assert indexes(complete(thing, search=["x"])) == {"ix_things_x_trgm": statement}
    assert [item.name for item in objects_of(thing.metadata)] == ["pg_trgm"]


@pytest.mark.parametrize("kind", [String(collation="C"), CITEXT(collation="C")])
def test_a_search_reads_the_collation_of_the_database(kind: Any) -> None:
    thing = model(x=(Mapped[str], mapped_column(kind)))
    statement = 'CREATE INDEX ix_things_x_trgm ON things USING gin ((x COLLATE "default") gin_trgm_ops)'
    for _ in range(2):
        assert indexes(complete(thing, search=["x"])) == {"ix_things_x_trgm": statement}


def test_an_array_that_is_filtered_by_gets_one_index_of_its_elements() -> None:
    thing = model(x=(Mapped[list[int]], mapped_column(ARRAY(Integer), index=True)))
    for _ in range(2):
        assert indexes(complete(thing, filter=["x"])) == {
            "ix_things_x": "CREATE INDEX ix_things_x ON things (x)",
            "ix_things_x_gin": "CREATE INDEX ix_things_x_gin ON things USING gin (x)",
        }


def test_a_path_into_a_document_gets_an_index_of_what_it_leads_to() -> None:
    thing = model(x=(Mapped[Any], mapped_column(JSONB)))
    for _ in range(2):
        assert indexes(complete(thing, filter=["x.color", "x.it's.width"])) == {
            "ix_things_x_color": "CREATE INDEX ix_things_x_color ON things (jsonb_extract_path(x, 'color'))",
            "ix_things_x_it's_width": 'CREATE INDEX "ix_things_x_it\'s_width" ON things '
            "(jsonb_extract_path(x, 'it''s', 'width'))",
        }


def test_an_index_of_a_path_that_somebody_declared_is_not_doubled() -> None:
    thing = model(x=(Mapped[Any], mapped_column(JSONB)))
    table: Table[Any] = thing.__table__
    Index("mine", func.jsonb_extract_path(table.c.x, literal_column("'color'")))
    assert list(indexes(complete(thing, filter=["x.color"]))) == ["mine"]


@pytest.mark.parametrize("kind", [CITEXT(), ARRAY(CITEXT), Folded()])
def test_a_type_of_an_extension_brings_it_wherever_it_is(kind: Any) -> None:
    thing = model()
    other = Table("others", thing.metadata, Column("x", kind))
    complete(thing)
    assert [item.name for item in objects_of(other.metadata)] == ["citext"]


def test_a_trigram_index_that_somebody_declared_brings_the_extension() -> None:
    thing = model(x=Mapped[str])
    table: Table[Any] = thing.__table__
    Index("mine", table.c.x, postgresql_using="gist", postgresql_ops={"x": "public.gist_trgm_ops"})
    complete(thing)
    assert [item.name for item in objects_of(thing.metadata)] == ["pg_trgm"]


def test_tables_of_one_shape_share_a_trigger_function() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Kept(Base):
        __abstract__ = True
        id: Mapped[int] = mapped_column(primary_key=True)
        version: Mapped[int] = mapped_column(server_default="1", info={MANAGED: True, VERSION: True})

    class One(Kept):
        __tablename__ = "ones"

    class Two(Kept):
        __tablename__ = "twos"

    class Bare(Base):
        __tablename__ = "bare"
        id: Mapped[int] = mapped_column(primary_key=True)

    complete_schema([entity_of(item) for item in (One, Two, Bare)], {})
    assert [(item.kind, item.table) for item in objects_of(Base.metadata)] == [
        ("function", None),
        ("trigger", "ones"),
        ("trigger", "twos"),
    ]


def test_names_are_cut_where_postgresql_would_and_stay_different() -> None:
    one, two = schema_name("ck", "t" * 60, "a", "ge"), schema_name("ck", "t" * 60, "b", "ge")
    assert len(one.encode()) <= NAME_BYTES_MAX
    assert one != two
    assert schema_name("ü" * 40).encode().decode()
