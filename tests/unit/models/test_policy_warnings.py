"""What of a policy can raise on a row is told of; what is guarded, or never raises, is not."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    DateTime,
    Double,
    Integer,
    Interval,
    MetaData,
    Numeric,
    and_,
    any_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT4RANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.types import Text

from gatepost import Actor, App, Field, Resource, anyone, policy


class Base(DeclarativeBase):
    metadata = MetaData()


class Paper(Base):
    __tablename__ = "papers"

    id: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    price: Mapped[float]
    name: Mapped[str]
    pattern: Mapped[str]
    moment: Mapped[Any] = mapped_column(DateTime(timezone=True))
    span: Mapped[Any] = mapped_column(Interval)
    meta: Mapped[Any] = mapped_column(JSONB)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    day: Mapped[date]
    exact: Mapped[Decimal] = mapped_column(Numeric)
    narrow: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    period: Mapped[Any] = mapped_column(INT4RANGE)


Other = aliased(Paper)
Function = Callable[[Any], Any]

TOLD: list[tuple[Function, str, str]] = [
    (lambda row: 10 / row.level > 2, "papers.level", "a division by zero raises"),
    (lambda row: row.level % 2 == 0, "papers.level %", "a division by zero raises"),
    (lambda row: 10 // row.level > 2, "papers.level", "a division by zero raises"),
    (lambda row: not_(or_(row.level > 2, 10 / row.price > 2)), "papers.price", "a division by zero raises"),
    (lambda row: row.level + 1 < 5, "papers.level +", "the result may be out of range"),
    (lambda row: row.level * row.price < 5, "papers.price", "the result may be out of range"),
    (lambda row: row.price * 10 < 5, "papers.price *", "the result may be out of range"),
    (lambda row: -row.level < 5, "-papers.level", "the result may be out of range"),
    (lambda row: row.moment + row.span > func.now(), "papers.span", "the result may be out of range"),
    (lambda row: row.moment > func.now() - row.span, "now() - papers.span", "the result may be out of range"),
    (lambda row: literal(3) * row.span < timedelta(days=3), "* papers.span", "the result may be out of range"),
    (lambda row: row.span + timedelta(days=3) < timedelta(days=5), "papers.span +", "the result may be out of range"),
    (lambda row: row.moment + row.day > func.now(), "papers.day", "the result may be out of range"),
    (lambda row: row.meta.op("-")("a") == row.meta, "papers.meta -", "the operator - is not known to take"),
    (lambda row: row.exact < row.price, "papers.exact < papers.price", "a number may be out of the range of a double"),
    (lambda row: row.price == row.exact, "papers.price = papers.exact", "out of the range of a double"),
    (lambda row: row.price.between(row.exact, 5), "papers.exact", "out of the range of a double"),
    (lambda row: row.exact.between(1.5, 5), "papers.exact BETWEEN $1::FLOAT", "out of the range of a double"),
    (lambda row: row.price.in_([row.exact, 5]), "papers.exact", "out of the range of a double"),
    (lambda row: row.exact > literal(1.5, Double), "papers.exact", "out of the range of a double"),
    (lambda row: row.price.in_(select(Other.exact)), "SELECT", "out of the range of a double"),
    (lambda row: row.price == any_(select(Other.exact).scalar_subquery()), "SELECT", "out of the range of a double"),
    (lambda row: row.price > select(func.max(Other.exact)).scalar_subquery(), "SELECT", "out of the range of a double"),
    (lambda row: func.coalesce(row.exact, row.price) > 5, "coalesce", "out of the range of a double"),
    (lambda row: case((row.level > 5, row.exact), else_=row.price) > 5, "CASE", "out of the range of a double"),
    (lambda row: row.price > select(func.sum(Other.price)).scalar_subquery(), "sum(", "the result may be out of range"),
    (lambda row: row.span > select(func.avg(Other.span)).scalar_subquery(), "avg(", "the result may be out of range"),
    (lambda row: row.level == select(Other.level).scalar_subquery(), "SELECT", "may give two rows"),
    (lambda row: row.level == select(Other.level).limit(2).scalar_subquery(), "SELECT", "may give two rows"),
    (lambda row: row.level == select(func.max(Other.level)).group_by(Other.name).scalar_subquery(), "S", "two rows"),
    (lambda row: func.sqrt(row.price) < 5, "sqrt(papers.price)", "sqrt is not known to take every value"),
    (lambda row: func.to_date(row.name, "YYYY") < func.now(), "to_date", "to_date is not known"),
    (lambda row: func.jsonb_array_length(row.meta) > 1, "jsonb_array_length", "not known to take every value"),
    (lambda row: exists(select(Other.id).where(func.ln(Other.price) > row.price)), "ln(", "not known to take"),
    (lambda row: case((row.level > 0, func.ln(row.price) > 0), else_=False), "ln(", "not known to take"),
    (lambda row: row.name.like(row.pattern), "LIKE papers.pattern", "a pattern out of a column may be broken"),
    (lambda row: row.name.regexp_match(row.pattern), "papers.pattern", "a pattern out of a column may be broken"),
    (lambda row: row.meta.op("#-")(["a"]) == row.meta, "#-", "the operator #- is not known to take every value"),
    (lambda row: and_(row.level > 0, text("papers_secret / 2 > 1")), "papers_secret", "SQL as text is not looked into"),
    (lambda row: row.level > literal_column("(1/0)"), "(1/0)", "SQL as text is not looked into"),
    (lambda row: cast(row.name, Integer) / 2 > 1, "CAST(papers.name", "a division by zero raises"),
    (lambda row: func.date_part(row.name, row.moment) > 1, "date_part", "date_part is not known to take every value"),
    (lambda row: func.current_setting(row.name, True) == "x", "current_setting", "current_setting is not known"),
    (lambda row: func.pg_input_is_valid("1", row.name), "pg_input_is_valid", "pg_input_is_valid is not known"),
    (lambda row: row.period + Range(1, 5) == Range(1, 9), "papers.period +", "the result may be out of range"),
    (lambda row: row.period - Range(2, 3) == Range(1, 9), "papers.period -", "the result may be out of range"),
]

SILENT: list[Function] = [
    lambda row: row.level < 5,
    lambda row: row.meta["level"].as_integer() < 5,
    lambda row: cast(row.name, Integer).between(1, 5),
    lambda row: row.moment > func.now() - timedelta(days=3),
    lambda row: row.moment + timedelta(days=3) > func.now(),
    lambda row: func.now() - row.moment < timedelta(days=3),
    lambda row: func.now() - row.moment < row.span,
    lambda row: row.span < timedelta(days=3),
    lambda row: row.day + 3 > date(2026, 1, 1),
    lambda row: row.exact < 5,
    lambda row: row.exact.in_([5, 1.5]) & row.exact.between(1, 5) & (row.exact > Decimal("1.5")),
    lambda row: (row.price > 1.5) & (row.price < row.level) & (row.exact > row.level) & (row.exact > row.narrow),
    lambda row: row.narrow < row.price,
    lambda row: func.coalesce(row.exact, 5) > func.coalesce(row.level, 1.5),
    lambda row: row.level > select(func.sum(Other.level)).scalar_subquery(),
    lambda row: row.exact > select(func.avg(Other.exact)).scalar_subquery(),
    lambda row: case((row.price > 5, row.exact > 5), else_=row.level > 5),
    lambda row: row.name + "x" == "yx",
    lambda row: row.name + row.pattern == "yx",
    lambda row: func.coalesce(func.lower(row.name), "") == "x",
    lambda row: row.name.like("a%") & row.name.regexp_match("^a"),
    lambda row: row.level == select(func.max(Other.level)).scalar_subquery(),
    lambda row: row.level == select(Other.level).order_by(Other.id).limit(1).scalar_subquery(),
    lambda row: row.level.in_(select(Other.level)),
    lambda row: row.level == any_(select(Other.level).scalar_subquery()),
    lambda row: exists(select(Other.id).where(Other.level == row.level)),
    lambda row: row.meta.contains({"a": 1}) & row.meta.has_key("a"),
    lambda row: row.tags.overlap(["a"]) & (row.tags[1] == "a"),
    lambda row: extract("year", row.moment) == 2026,
    lambda row: func.pi() / 2 > 1,
    lambda row: func.date_part("year", row.moment) == 2026,
    lambda row: func.current_setting("app.team", True) == row.name,
    lambda row: func.pg_input_is_valid(row.name, "integer"),
    lambda row: row.period.overlaps(Range(1, 5)),
    lambda row: row.level.is_distinct_from(literal_column("5")),
    lambda row: row.name.icontains("a") & row.name.startswith("b"),
]


def _told(function: Function) -> list[Any]:
    def named(row: Any, actor: Actor) -> Any:
        return function(row)

    return App(Resource(Paper, list=policy(named), get=policy(named))).declaration.policy_warnings()


@pytest.mark.parametrize(("function", "expression", "reason"), TOLD)
def test_what_can_raise_on_a_row_is_told_of(function: Function, expression: str, reason: str) -> None:
    found = _told(function)
    assert [warning for warning in found if expression in warning.expression and reason in warning.reason], found
    assert {warning.policy for warning in found} == {"named (Paper.list)"}


@pytest.mark.parametrize("function", SILENT)
def test_what_never_raises_is_not(function: Function) -> None:
    assert _told(function) == []


def test_rules_of_fields_are_looked_into_as_well() -> None:
    rule = policy(lambda row, actor: 1 / row.level > 0)
    app = App(Resource(Paper, read=anyone, fields={"name": Field(read=rule, write=anyone)}))
    (warning,) = app.declaration.policy_warnings()
    assert warning.policy == "<lambda> (Paper.name)"
    assert "papers.level" in warning.expression
