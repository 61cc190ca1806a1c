"""What of a policy can raise on a row all the same, so that one row, hidden or not, takes the list from everybody.

Casts are guarded; divisions, arithmetic, scalar subqueries and functions cannot be. They are told of when a server
starts and by `gatepost doctor`, before a row does.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnClause, ColumnElement, Numeric, Select, TextClause
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import (
    BinaryExpression,
    CollectionAggregate,
    ExpressionClauseList,
    UnaryExpression,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Exists, ScalarSelect
from sqlalchemy.types import Integer, String

from gatepost.auth.actor import Actor
from gatepost.auth.policies import Policy, functions
from gatepost.database.statements import DIALECT
from gatepost.models.catalog import Served
from gatepost.models.policy_functions import can_take, condition_of, name_of

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
"""Functions that raise for no value of a column."""

TOTAL_OPERATORS = frozenset(_OPERATORS.split())
"""Operators of PostgreSQL's own, as text, that raise for no value. (`%` as text is pg_trgm's likeness.)"""

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
_CONSTANT = re.compile(r"-?\d+(\.\d+)?|'[^']*'|true|false|null|\*", re.IGNORECASE)

EXPRESSION_CHARACTERS_MAX = 120


class PolicyWarning(NamedTuple):
    """An expression of a policy that can raise: which policy of what, the SQL, and why."""

    policy: str
    expression: str
    reason: str


def policy_warnings(served: Iterable[Served], actors: Iterable[Actor]) -> list[PolicyWarning]:
    """Everything in the policies of these resources, and in the rules of their fields, that can raise on a row."""
    found: dict[PolicyWarning, None] = {}
    actors = list(actors)
    for item in served:
        for name, policy in _policies(item):
            for where in functions(policy):
                for actor in actors:
                    if can_take(where, item.entity, actor):
                        label = f"{name_of(where)} ({name})"
                        condition = condition_of(where, item.entity, actor)
                        found.update((PolicyWarning(label, *told), None) for told in _told(condition))
    # The same function may be the policy of several actions: the first is enough.
    firsts: dict[tuple[str, str], PolicyWarning] = {}
    for warning in found:
        firsts.setdefault((warning.policy.partition(" ")[0], warning.expression), warning)
    return list(firsts.values())


def _policies(served: Served) -> Iterator[tuple[str, Policy]]:
    name = served.entity.name
    for action, policy in served.resource.policies.items():
        yield f"{name}.{action}", policy
    for field, rules in served.resource.fields.items():
        for argument in rules.__struct_fields__:
            given = getattr(rules, argument)
            if isinstance(given, Policy):
                yield f"{name}.{field}", given


def _told(condition: ColumnElement[bool]) -> Iterator[tuple[str, str]]:
    single = {id(element) for element in _of_any_number(condition)}
    for element in visitors.iterate(condition):
        reason = _reason(element, is_of_any_number=id(element) in single)
        if reason is not None:
            yield _sql(element), reason


def _of_any_number(condition: ColumnElement[bool]) -> Iterator[Any]:
    """Subqueries that may give any number of rows where they stand."""
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
    if isinstance(element, FunctionElement):
        name: str = getattr(cast("Any", element), "name", "")
        is_safe = name.lower() in TOTAL_FUNCTIONS or not _has_column(element)
        return None if is_safe else f"the function {name} is not known to take every value"
    if isinstance(element, BinaryExpression | ExpressionClauseList | UnaryExpression) and _has_column(element):
        return _reason_of_operator(cast("Any", element))
    return None


def _is_unread(element: Any) -> bool:
    return isinstance(element, ColumnClause) and element.is_literal and not _CONSTANT.fullmatch(element.name)


def _reason_of_operator(element: Any) -> str | None:
    operator = element.operator
    if operator in _DIVISIONS:
        return "a division by zero raises"
    if operator in _SUMS:
        is_number = isinstance(element.type, Integer | Numeric)
        sides = list(element.get_children())
        is_unbounded = len(sides) > 1 and all(_has_column(side) for side in sides) and not _is_text(element)
        return "the result may be out of range" if is_number or is_unbounded else None
    if operator in _PATTERNS:
        return "a pattern out of a column may be broken" if _has_column(element.right) else None
    if isinstance(operator, operators.custom_op):
        sign = cast("Any", operator).opstring
        return None if sign in TOTAL_OPERATORS else f"the operator {sign} is not known to take every value"
    return None


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
    text = " ".join(str(element.compile(dialect=DIALECT)).split())
    is_long = len(text) > EXPRESSION_CHARACTERS_MAX
    return f"{text[:EXPRESSION_CHARACTERS_MAX]}..." if is_long else text
