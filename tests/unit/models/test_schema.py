"""What `complete_schema` adds to a MetaData, and what a constraint's name means."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MinLen, MultipleOf, Predicate
from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, MetaData, Numeric, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex

from gatepost.auth.policies import anyone
from gatepost.errors import FIELD_CODES, ConfigurationError
from gatepost.models.base import MANAGED, VERSION, Model
from gatepost.models.entity import entity_of
from gatepost.models.schema import complete_schema, describe_constraint
from gatepost.models.schema_names import NAME_BYTES_MAX, schema_name
from gatepost.models.schema_objects import objects_of
from gatepost.resource import Field, Resource


def model(**attributes: Any) -> type[Any]:
    """A model of its own table `things` in a MetaData of its own; a pair is (annotation, column)."""

    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=Model.metadata.naming_convention)

    space: dict[str, Any] = {"__tablename__": "things", "__annotations__": {}}
    for name, value in {"id": (Mapped[int], mapped_column(primary_key=True)), **attributes}.items():
        annotation, column = value if isinstance(value, tuple) else (value, mapped_column())
        space["__annotations__"][name] = annotation
        space[name] = column
    return type("Thing", (Base,), space)


def complete(thing: type[Any], **options: Any) -> "Table[Any]":
    complete_schema([entity_of(thing)], {thing: Resource(thing, read=anyone, **options)})
    return thing.__table__


def conditions(table: "Table[Any]") -> dict[str, str]:
    return {str(item.name): str(item.sqltext) for item in table.constraints if isinstance(item, CheckConstraint)}


def indexes(table: "Table[Any]") -> dict[str, str]:
    return {
        str(item.name): " ".join(str(CreateIndex(item).compile(dialect=dialect())).split()) for item in table.indexes
    }


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


def test_a_search_field_gets_a_trigram_index_and_the_extension() -> None:
    thing = model(x=Mapped[str])
    statement = "CREATE INDEX ix_things_x_trgm ON things USING gin (x gin_trgm_ops)"
    assert indexes(complete(thing, search=["x"])) == {"ix_things_x_trgm": statement}
    assert [item.name for item in objects_of(thing.metadata)] == ["pg_trgm"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sort": ["pric"]}, ["Resource(Thing, sort=...)", "'pric'", "Did you mean 'price'?"]),
        ({"filter": ["nothing_like_it"]}, ["filter=", "'nothing_like_it'", "Known are: id, price"]),
        ({"search": ["pricee"]}, ["search=", "'price'"]),
        ({"search": ["price"]}, ["search=", "not text"]),
        ({"fields": {"cost": Field()}}, ["fields=", "'cost'"]),
    ],
)
def test_an_unknown_field_is_refused_by_name(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        complete(model(price=Mapped[int]), **options)
    assert [word for word in words if word not in str(refusal.value)] == []


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


def test_a_constraint_name_tells_what_its_violation_means() -> None:
    thing = model(
        x=Mapped[Annotated[int, Ge(0)]],
        isbn=(Mapped[str], mapped_column("isbn_text", unique=True)),
        parent_id=(Mapped[int | None], mapped_column(ForeignKey("things.id"))),
        code=(Mapped[str], mapped_column(unique=True, index=True)),
    )
    metadata = complete(thing).metadata
    found = {
        name: describe_constraint(metadata, name)
        for name in (
            "ck_things_x_ge",
            "uq_things_isbn_text",
            "fk_things_parent_id_things",
            "ix_things_code",
            "pk_things",
            "no",
        )
    }
    assert {name: item and (item.kind, item.columns, item.code) for name, item in found.items()} == {
        "ck_things_x_ge": ("check", ("x",), "too_small"),
        "uq_things_isbn_text": ("unique", ("isbn",), "already_exists"),
        "fk_things_parent_id_things": ("foreign_key", ("parent_id",), "reference_not_found"),
        "ix_things_code": ("unique", ("code",), "already_exists"),
        "pk_things": ("unique", ("id",), "already_exists"),
        "no": None,
    }


def test_names_that_postgresql_gives_are_known_too() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        a: Mapped[int]
        b: Mapped[int | None] = mapped_column(ForeignKey("things.id"))
        __table_args__ = (UniqueConstraint("a", "b"), CheckConstraint("a > 0", name="sane"))

    names = {"things_pkey": "unique", "things_a_b_key": "unique", "things_b_fkey": "foreign_key", "sane": "check"}
    for name, kind in names.items():
        violation = describe_constraint(Thing.metadata, name)
        assert violation is not None
        assert violation.kind == kind


def test_every_check_code_is_a_documented_field_code() -> None:
    thing = model(
        x=Mapped[Annotated[int, Gt(0), Le(5), MultipleOf(2)]],
        y=(Mapped[Decimal], mapped_column(Numeric(4, 1))),
        z=Mapped[Annotated[str, Len(1, 2)]],
    )
    table = complete(thing)
    codes = {
        violation.code
        for name in conditions(table)
        if (violation := describe_constraint(table.metadata, name)) is not None
    }
    assert codes == {"too_small", "too_large", "not_a_multiple", "not_finite", "too_short", "too_long"}
    assert codes <= set(FIELD_CODES)
