"""What PostgreSQL names of a violation tells what the response says."""

from decimal import Decimal
from typing import Annotated

import pytest
from annotated_types import Ge, Gt, Le, Len, MultipleOf
from model_things import complete, conditions, model
from sqlalchemy import CheckConstraint, ForeignKey, MetaData, Numeric, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost.database.failures import Broken
from gatepost.errors import Problem
from gatepost.field_codes import FIELD_CODES
from gatepost.models.constraint_names import name_constraints
from gatepost.models.constraint_violations import ConstraintErrors


def test_a_constraint_name_tells_what_its_violation_means() -> None:
    thing = model(
        x=Mapped[Annotated[int, Ge(0)]],
        isbn=(Mapped[str], mapped_column("isbn_text", unique=True)),
        parent_id=(Mapped[int | None], mapped_column(ForeignKey("things.id"))),
        code=(Mapped[str], mapped_column(unique=True, index=True)),
    )
    error_of = ConstraintErrors([complete(thing).metadata])
    expected = {
        "ck_things_x_ge": ("invalid_body", "/x", "too_small"),
        "uq_things_isbn_text": ("already_exists", "/isbn", "already_exists"),
        "fk_things_parent_id_things": ("reference_not_found", "/parent_id", "not_found"),
        "ix_things_code": ("already_exists", "/code", "already_exists"),
        "pk_things": ("already_exists", "/id", "already_exists"),
    }
    for name, (code, pointer, field_code) in expected.items():
        problem = error_of(Broken(name))
        assert isinstance(problem, Problem)
        assert (problem.code, [(error.pointer, error.code) for error in problem.errors]) == (
            code,
            [(pointer, field_code)],
        )
    assert error_of(Broken("no")) is None


def test_names_that_postgresql_gives_are_known_too() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Thing(Base):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        a: Mapped[int]
        b: Mapped[int | None] = mapped_column(ForeignKey("things.id"))
        __table_args__ = (UniqueConstraint("a", "b"), CheckConstraint("a > 0", name="sane"))

    names = {
        "things_pkey": ("already_exists", ["/id"]),
        "things_a_b_key": ("already_exists", ["/a", "/b"]),
        "things_b_fkey": ("reference_not_found", ["/b"]),
        "sane": ("invalid_body", ["/a"]),
    }
    name_constraints(Thing.metadata)
    for name, (code, pointers) in names.items():
        problem = ConstraintErrors([Thing.metadata])(Broken(name))
        assert isinstance(problem, Problem)
        assert (problem.code, [error.pointer for error in problem.errors]) == (code, pointers)


def test_every_check_code_is_a_documented_field_code() -> None:
    thing = model(
        x=Mapped[Annotated[int, Gt(0), Le(5), MultipleOf(2)]],
        y=(Mapped[Decimal], mapped_column(Numeric(4, 1))),
        z=Mapped[Annotated[str, Len(1, 2)]],
    )
    table = complete(thing)
    problems = [ConstraintErrors([table.metadata])(Broken(name)) for name in conditions(table)]
    codes = {error.code for problem in problems if isinstance(problem, Problem) for error in problem.errors}
    assert codes == {"too_small", "too_large", "not_a_multiple", "not_finite", "too_short", "too_long"}
    assert codes <= set(FIELD_CODES)


def test_a_missing_value_is_named_by_its_attribute() -> None:
    thing = model(label=(Mapped[str], mapped_column("thing_label")))
    describing = ConstraintErrors([complete(thing).metadata])
    problem = describing(Broken(None, "thing_label", "things", "public"))
    assert isinstance(problem, Problem)
    assert [(error.pointer, error.code) for error in problem.errors] == [("/label", "not_nullable")]
    assert "thing_label" not in repr((problem.detail, problem.errors))


@pytest.mark.parametrize(
    "broken",
    [Broken(None, "thing_label", "others"), Broken(None, "other", "things"), Broken("ck_things_x_ge", None, "others")],
)
def test_what_belongs_to_another_table_is_not_described(broken: Broken) -> None:
    thing = model(label=(Mapped[str], mapped_column("thing_label")), x=Mapped[Annotated[int, Ge(0)]])
    assert ConstraintErrors([complete(thing).metadata])(broken) is None
