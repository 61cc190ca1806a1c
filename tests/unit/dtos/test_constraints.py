"""What `Annotated[...]` declares, on every type it fits, and the refusal where it does not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Not, Predicate, doc
from columns import attribute, code, decoder, refusal
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.dtos.violations import VIOLATIONS_MAX
from gatepost.errors import ConfigurationError

PRICE = sa.Numeric(10, 2)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _whole(value: Any) -> bool:
    return bool(int(str(value)) == value)


CASES: list[tuple[Any, Any, str, str | None]] = [
    (sa.Integer(), Ge(0), "-1", "too_small"),
    (sa.Integer(), Ge(0), "0", None),
    (sa.Integer(), Gt(0), "0", "too_small"),
    (sa.Integer(), Gt(0), "1", None),
    (sa.Integer(), Lt(10), "10", "too_large"),
    (sa.Integer(), Le(0.5), "1", "too_large"),
    (sa.Integer(), Le(Decimal("0.5")), "0", None),
    (sa.Integer(), Le(2**70), "2147483647", None),
    (sa.Integer(), Le(2**70), "2147483648", "too_large"),
    (sa.Integer(), Interval(gt=1, le=5), "1", "too_small"),
    (sa.Integer(), Interval(gt=1, le=5), "6", "too_large"),
    (sa.Integer(), MultipleOf(5), "12", "not_a_multiple"),
    (sa.Integer(), MultipleOf(5), "-10", None),
    (sa.Float(), Ge(0.5), "0.4", "too_small"),
    (sa.Float(), Gt(0.5), "0.5", "too_small"),
    (sa.Float(), MultipleOf(0.1), "0.3", None),
    (sa.Float(), MultipleOf(0.1), "0.35", "not_a_multiple"),
    (PRICE, Ge(0), '"-0.01"', "too_small"),
    (PRICE, Ge(0), '"0"', None),
    (PRICE, Le(9.99), "9.99", None),
    (PRICE, Lt(Decimal("9.99")), "9.99", "too_large"),
    (PRICE, MultipleOf(0.05), "1.10", None),
    (PRICE, MultipleOf(0.05), "1.11", "not_a_multiple"),
    (sa.Numeric(), MultipleOf(Decimal("0.01")), "9" * 400 + ".01", None),
    (sa.Numeric(), MultipleOf(Decimal("0.01")), "9" * 400 + ".011", "not_a_multiple"),
    (sa.Date(), Ge(date(2030, 1, 1)), '"2029-12-31"', "too_small"),
    (sa.DateTime(timezone=True), Lt(NOON), '"2030-01-01T13:00:00+01:00"', "too_large"),
    (sa.Interval(), Le(timedelta(hours=1)), '"PT61M"', "too_large"),
    (sa.Text(), Len(1, 3), '""', "too_short"),
    (sa.Text(), Len(1, 3), '"abcd"', "too_long"),
    (sa.Text(), Len(1, 3), '"\U0001f600\U0001f600\U0001f600"', None),
    (sa.String(5), MaxLen(10), '"abcdef"', "too_long"),
    (sa.Text(), MinLen(2), '"\\u0061"', "too_short"),
    (sa.LargeBinary(), MaxLen(2), '"aGVsbG8="', "too_long"),
    (sa.ARRAY(sa.Integer()), Len(1, 2), "[]", "too_short"),
    (sa.ARRAY(sa.Integer()), Len(1, 2), "[1,2,3]", "too_long"),
    (JSONB(), MaxLen(1), '{"a":1,"b":2}', "too_long"),
    (JSONB(), MaxLen(1), "[1]", None),
    (sa.Text(), Predicate(str.islower), '"A"', "pattern_mismatch"),
    (sa.Text(), Predicate(str.islower), '"a"', None),
    (sa.Text(), Predicate(Not(str.islower)), '"a"', "pattern_mismatch"),
    (sa.Text(), Not(str.isdigit), '"1"', "pattern_mismatch"),
    (sa.Text(), Predicate(_whole), '"a"', "pattern_mismatch"),
    (sa.Text(), doc("somebody else's"), '"a"', None),
    (sa.Text(), "anything", '"a"', None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]!r} {case[1]} {case[2][:20]}")
def test_a_constraint_holds(case: tuple[Any, Any, str, str | None]) -> None:
    kind, constraint, text, expected = case
    assert code(kind, text.encode(), constraint) == expected


def test_several_constraints_and_the_column_all_hold() -> None:
    rules = (Ge(0), Ge(5), Le(100), Le(50), MultipleOf(5), Predicate(lambda value: value != 25))
    expected = {4: "too_small", 51: "too_large", 12: "not_a_multiple", 25: "pattern_mismatch", 50: None}
    assert {value: code(sa.SmallInteger(), str(value).encode(), *rules) for value in expected} == expected


@pytest.mark.parametrize(
    ("kind", "constraint"),
    [
        (sa.Text(), Ge(1)),
        (sa.Integer(), Ge("a")),
        (sa.Integer(), Len(1)),
        (sa.Boolean(), Ge(True)),
        (sa.Date(), Ge(NOON)),
        (sa.DateTime(timezone=True), Ge(datetime(2030, 1, 1))),
        (sa.Integer(), MultipleOf(0)),
        (sa.Uuid(), MaxLen(3)),
    ],
    ids=repr,
)
def test_a_constraint_that_does_not_fit_its_column_is_refused_when_the_app_is_built(kind: Any, constraint: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Thing\.f"):
        decoder(attribute("f", kind, constraint))


EACH: list[tuple[Any, list[Any], str, list[tuple[str, str]]]] = [
    (sa.Text(), [Len(1, 3)], '["a", "", "abcd", "abc"]', [("/f/1", "too_short"), ("/f/2", "too_long")]),
    (sa.Integer(), [Ge(0), MultipleOf(5)], "[5, -5, 7]", [("/f/1", "too_small"), ("/f/2", "not_a_multiple")]),
    (PRICE, [Le(Decimal("9.99"))], '["9.99", 10]', [("/f/1", "too_large")]),
    (sa.Date(), [Interval(ge=date(2030, 1, 1))], '["2030-01-01", "2029-12-31"]', [("/f/1", "too_small")]),
    (sa.Text(), [Predicate(str.islower)], '["a", "A"]', [("/f/1", "pattern_mismatch")]),
    (sa.LargeBinary(), [MaxLen(2)], '["aGVsbG8="]', [("/f/0", "too_long")]),
    (JSONB(), [MaxLen(1)], '[{"a": 1, "b": 2}, {}]', [("/f/0", "too_long")]),
    (sa.Text(), [Len(1, 3)], '["a", null, 5]', [("/f/1", "wrong_type"), ("/f/2", "wrong_type")]),
    (sa.Text(), [Len(1, 3)], "[]", []),
]


@pytest.mark.parametrize(("kind", "elements", "value", "expected"), EACH)
def test_every_element_is_held_to_its_constraints(
    kind: Any, elements: list[Any], value: str, expected: list[tuple[str, str]]
) -> None:
    made = decoder(attribute("f", sa.ARRAY(kind), elements=elements))
    assert refusal(made, b'{"f":' + value.encode() + b"}") == expected


def test_constraints_of_the_list_and_of_its_elements_stand_side_by_side() -> None:
    made = decoder(attribute("f", sa.ARRAY(sa.Text()), Len(1, 2), elements=[Len(1, 3)]))
    assert refusal(made, b'{"f": ["a", "b", "c"]}') == [("/f", "too_long")]
    assert refusal(made, b'{"f": ["a", "abcd"]}') == [("/f/1", "too_long")]


def test_the_response_to_a_list_of_violations_is_bounded() -> None:
    made = decoder(attribute("f", sa.ARRAY(sa.Text()), elements=[MinLen(1)]))
    assert len(refusal(made, b'{"f": [' + b'"",' * 5000 + b'""]}')) == VIOLATIONS_MAX


def test_a_constraint_that_no_element_can_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Thing\.f: .*Le.* does not fit"):
        decoder(attribute("f", sa.ARRAY(sa.Text()), elements=[Le(5)]))
