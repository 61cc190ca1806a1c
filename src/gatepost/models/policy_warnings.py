"""Expressions in policies that can raise on some row: one such row, hidden or not, makes every list of the resource
fail.

Casts are guarded. Divisions, arithmetic, comparisons of a `Numeric` with a float, scalar subqueries and functions
cannot be, so the start of a server and `gatepost doctor` warn of them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from sqlalchemy import Case, ColumnClause, ColumnElement, Float, Interval, Numeric, Select, TextClause, literal_column
from sqlalchemy.dialects.postgresql.ranges import AbstractRange
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import (
    BinaryExpression,
    ClauseList,
    CollectionAggregate,
    ExpressionClauseList,
    Grouping,
    UnaryExpression,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Exists, ScalarSelect, SelectStatementGrouping
from sqlalchemy.types import Integer, String, TypeEngine

from gatepost.actor import Actor
from gatepost.database.own_binds import OwnBinds
from gatepost.database.statements import DIALECT
from gatepost.declaring.policies import Policy, Where, functions
from gatepost.models.policy_functions import condition_of, failure_of
from gatepost.models.policy_refusals import name_of
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import plain_type

_AGGREGATES = "count min max avg sum bool_and bool_or every any_value array_agg string_agg json_agg"
_FUNCTIONS = """
    array_length array_lower array_upper array_ndims array_to_string bit_length btrim cardinality ceil ceiling
    char_length character_length coalesce concat concat_ws current_date current_setting current_timestamp
    current_user date_part extract floor greatest isfinite json_typeof jsonb_typeof least left length lower ltrim
    md5 now nullif num_nonnulls num_nulls octet_length position pg_input_is_valid quote_ident quote_literal reverse
    right row rtrim session_user sign similarity starts_with strpos to_json trim upper user word_similarity
"""
_OPERATORS = "-> ->> #> #>> @> <@ ? ?| ?& && || @? @@ -|- << >> &< &> % <% %> = <> < <= > >="

AGGREGATES = frozenset(_AGGREGATES.split())
TOTAL_FUNCTIONS = AGGREGATES | frozenset(_FUNCTIONS.split())
"""Functions that do not raise for any value of a column."""

TOTAL_OPERATORS = frozenset(_OPERATORS.split())
"""PostgreSQL's operators, as text, that do not raise for any value. (`%` as text is pg_trgm's similarity.)"""

_DIVISIONS = (operators.truediv, operators.floordiv, operators.mod)
_SUMS = (operators.add, operators.sub, operators.mul, operators.neg)
_PATTERNS = (
    operators.like_op,
    operators.not_like_op,
    operators.ilike_op,
    operators.not_ilike_op,
    operators.regexp_match_op,
    operators.not_regexp_match_op,
)
_SUMMING = frozenset(("sum", "avg"))
_NAMED = {"current_setting": 0, "date_part": 0, "pg_input_is_valid": 1}
"""Functions that raise for a name that they do not know, and which argument that is."""
_OUT_OF_RANGE = "the result may be out of range"

_DOUBLE_DIGITS = 308
"""A number with this many digits before the point is within the range of a double."""

_CONSTANT = re.compile(r"-?\d+(\.\d+)?|'[^']*'|true|false|null|\*", re.IGNORECASE)

EXPRESSION_CHARACTERS_MAX = 120


class PolicyWarning(NamedTuple):
    """An expression that can raise: the policy it is in, its SQL, and the reason."""

    policy: str
    expression: str
    reason: str


def policy_warnings(served: Iterable[ServedModel], actors: Iterable[Actor]) -> list[PolicyWarning]:
    """All expressions in the policies of these resources and of their fields that can raise on a row."""
    found: dict[tuple[str, str], PolicyWarning] = {}
    actors = list(actors)
    for item in served:
        for place, where in _functions(item):
            name = name_of(where)
            for actor in actors:
                if failure_of(where, item.entity, actor) is None:
                    for expression, reason in _warnings_in(condition_of(where, item.entity, actor)):
                        # The same function may be the policy of several actions: the first is enough.
                        found.setdefault((name, expression), PolicyWarning(f"{name} ({place})", expression, reason))
    return list(found.values())


def _functions(served: ServedModel) -> Iterator[tuple[str, Where]]:
    """The policy functions of the resource and of its fields, each with the name of the action or field that has it."""
    policies: list[tuple[str, object]] = [*served.resource.policies.items()]
    for field, rules in served.resource.fields.items():
        policies += [(field, getattr(rules, argument)) for argument in ("read", "write", "create", "update")]
    for place, policy in policies:
        if isinstance(policy, Policy):
            yield from ((f"{served.entity.name}.{place}", where) for where in functions(policy))


def _warnings_in(condition: ColumnElement[bool]) -> Iterator[tuple[str, str]]:
    single = {id(element) for element in _of_any_number(condition)}
    for element in visitors.iterate(condition):
        reason = _reason(element, is_of_any_number=id(element) in single)
        if reason is not None:
            yield _sql(element), reason


def _of_any_number(condition: ColumnElement[bool]) -> Iterator[Any]:
    """Subqueries in a place where any number of rows is allowed."""
    for element in visitors.iterate(condition):
        if isinstance(element, Exists | CollectionAggregate):
            yield from visitors.iterate(cast("Any", element).element)
        elif getattr(element, "operator", None) in (operators.in_op, operators.not_in_op):
            yield cast("Any", element).right


def _reason(element: Any, *, is_of_any_number: bool) -> str | None:
    if isinstance(element, TextClause) or _is_unread(element):
        return "SQL as text is not looked into"
    if isinstance(element, ScalarSelect):
        is_safe = is_of_any_number or _is_of_one_row(element)
        return None if is_safe else "a subquery without .limit(1) may give two rows"
    reason = None
    if isinstance(element, FunctionElement):
        reason = _reason_of_function(cast("Any", element))
    elif isinstance(element, BinaryExpression | ExpressionClauseList | UnaryExpression) and _has_column(element):
        reason = _reason_of_operator(cast("Any", element))
    if reason is None and isinstance(element, BinaryExpression | FunctionElement | Case) and _makes_doubles(element):
        reason = "a number may be out of the range of a double"
    return reason


def _reason_of_function(element: Any) -> str | None:
    name: str = getattr(element, "name", "")
    arguments = list(element.clauses) if name.lower() in _NAMED else []
    is_named = any(_has_column(item) for item in arguments[_NAMED[name.lower()] :][:1]) if arguments else False
    if is_named or (name.lower() not in TOTAL_FUNCTIONS and _has_column(element)):
        return f"the function {name} is not known to take every value"
    is_growing = name.lower() in _SUMMING and any(
        isinstance(item.type, Float | Interval) for item in _operands(element)
    )
    return _OUT_OF_RANGE if is_growing else None


def _is_unread(element: Any) -> bool:
    return isinstance(element, ColumnClause) and element.is_literal and not _CONSTANT.fullmatch(element.name)


def _reason_of_operator(element: Any) -> str | None:
    operator = element.operator
    if operator in _DIVISIONS:
        return "a division by zero raises"
    if operator in _SUMS:
        sides = list(element.get_children())
        is_varying = len(sides) > 1 and all(_has_column(side) for side in sides) and not _is_text(element)
        is_interval = any(isinstance(side.type, Interval) and _has_column(side) for side in sides)
        is_range = isinstance(element.type, AbstractRange)  # what is left or comes out may be no single range
        is_out_of_range = is_varying or is_interval or is_range or isinstance(element.type, Integer | Numeric | Float)
        return _OUT_OF_RANGE if is_out_of_range else None
    if operator in _PATTERNS:
        return "a pattern out of a column may be broken" if _has_column(element.right) else None
    if isinstance(operator, operators.custom_op):
        sign = cast("Any", operator).opstring
        return None if sign in TOTAL_OPERATORS else f"the operator {sign} is not known to take every value"
    return None


def _makes_doubles(element: Any) -> bool:
    """Whether a float among the operands makes PostgreSQL take a decimal number of any size for a double."""
    operands = list(_operands(element))
    return any(isinstance(item.type, Float) for item in operands) and any(_may_exceed_double(item) for item in operands)


def _operands(element: Any) -> Iterator[Any]:
    """What an operator, a function or a CASE takes, out of its lists and subqueries."""
    for child in element.get_children():
        if isinstance(
            child, ClauseList | ExpressionClauseList | Grouping | CollectionAggregate | SelectStatementGrouping
        ):
            yield from _operands(child)
        elif isinstance(child, Select):
            yield from child.selected_columns
        elif isinstance(getattr(child, "type", None), TypeEngine):
            yield child


def _may_exceed_double(element: Any) -> bool:
    """Whether the values are decimal numbers of columns that may have more digits than a double's range."""
    kind = plain_type(element.type)
    if not isinstance(kind, Numeric) or not _has_column(element):
        return False
    return kind.precision is None or kind.precision - (kind.scale or 0) > _DOUBLE_DIGITS


def _is_of_one_row(element: Any) -> bool:
    select: Any = element.element
    while not isinstance(select, Select) and hasattr(select, "element"):
        select = select.element
    limit = getattr(cast("Any", select), "_limit_clause", None)
    if limit is not None and getattr(limit, "value", None) == 1:
        return True
    if not isinstance(select, Select) or cast("Any", select)._group_by_clauses:
        return False
    return all(_is_aggregate(column) for column in select.selected_columns)


def _is_aggregate(column: Any) -> bool:
    return any(
        isinstance(part, FunctionElement) and getattr(cast("Any", part), "name", "").lower() in AGGREGATES
        for part in visitors.iterate(column)
    )


def _is_text(element: Any) -> bool:
    return isinstance(element.type, String)


def _has_column(element: Any) -> bool:
    return any(isinstance(part, ColumnClause) and part.table is not None for part in visitors.iterate(element))


def _sql(element: Any) -> str:
    own = OwnBinds(readable=lambda part: literal_column(f"readable({part.model.__name__})"))
    text = " ".join(str(element.compile(dialect=DIALECT, own=own)).split())
    is_long = len(text) > EXPRESSION_CHARACTERS_MAX
    return f"{text[:EXPRESSION_CHARACTERS_MAX]}..." if is_long else text
