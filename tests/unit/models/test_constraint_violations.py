"""What PostgreSQL names of a violation tells what the answer says."""

from decimal import Decimal
from typing import Annotated

import pytest
from annotated_types import Ge, Gt, Le, Len, MultipleOf
from model_things import complete, conditions, model
from sqlalchemy import CheckConstraint, ForeignKey, MetaData, Numeric, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost.database.failures import Broken
from gatepost.errors import FIELD_CODES
from gatepost.models.constraint_names import name_constraints
from gatepost.models.constraint_violations import ConstraintErrors, describe


def test_a_constraint_name_tells_what_its_violation_means() -> None:
    thing = model(
        x=Mapped[Annotated[int, Ge(0)]],
        isbn=(Mapped[str], mapped_column("isbn_text", unique=True)),
        parent_id=(Mapped[int | None], mapped_column(ForeignKey("things.id"))),
        code=(Mapped[str], mapped_column(unique=True, index=True)),
    )
    metadata = complete(thing).metadata
    found = {
        name: describe(metadata, Broken(name))
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
    name_constraints(Thing.metadata)
    for name, kind in names.items():
        violation = describe(Thing.metadata, Broken(name))
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
        if (violation := describe(table.metadata, Broken(name))) is not None
    }
    assert codes == {"too_small", "too_large", "not_a_multiple", "not_finite", "too_short", "too_long"}
    assert codes <= set(FIELD_CODES)


def test_a_missing_value_is_named_by_its_attribute() -> None:
    thing = model(label=(Mapped[str], mapped_column("thing_label")))
    describing = ConstraintErrors([complete(thing).metadata])
    problem = describing(Broken(None, "thing_label", "things", "public"))
    assert problem is not None
    assert [(error.pointer, error.code) for error in problem.errors] == [("/label", "not_nullable")]
    assert "thing_label" not in repr((problem.detail, problem.errors))


@pytest.mark.parametrize(
    "broken",
    [Broken(None, "thing_label", "others"), Broken(None, "other", "things"), Broken("ck_things_x_ge", None, "others")],
)
def test_what_belongs_to_another_table_is_not_described(broken: Broken) -> None:
    thing = model(label=(Mapped[str], mapped_column("thing_label")), x=Mapped[Annotated[int, Ge(0)]])
    assert ConstraintErrors([complete(thing).metadata])(broken) is None
