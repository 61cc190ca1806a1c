"""Casts in policies: `CASE WHEN <guard> THEN cast END`, so that a value that does not cast never fails a list.

A policy is evaluated on every row of the table, so without a guard one row, even one hidden from the actor, would make
PostgreSQL raise for the whole list. Applied once to each condition of a `policy(function)`, before it becomes part of a
statement (`policy_functions.py`); `cast_guards.py` defines the guards.

A guarded cast that fails gives NULL, and a condition on it must then be unknown, and so must its negation. Strict
operators (`=`, `<`, `+`) carry the NULL up by themselves. Others (`IS NULL`, `coalesce`, `IN`, `CASE`) would turn it
into true or false: a leaf condition that has one of them is put as a whole into `CASE WHEN <every cast succeeds>`.
"""

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Cast, ColumnElement, FromClause, Select, and_, case, false, or_, true
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    BooleanClauseList,
    CollectionAggregate,
    ExpressionClauseList,
    Grouping,
    TypeCoerce,
    UnaryExpression,
)

from gatepost.models.cast_guards import GuardedCast, Guards, guarded_cast, is_extraction, readable
from gatepost.models.table_refs import bare

_STRICT_OPERATORS = frozenset({
    operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge,
    operators.between_op, operators.not_between_op,
    operators.add, operators.sub, operators.mul, operators.truediv, operators.floordiv, operators.mod, operators.neg,
    operators.like_op, operators.not_like_op, operators.ilike_op, operators.not_ilike_op, operators.concat_op,
})  # fmt: skip
"""Operators whose result is NULL where an operand is NULL."""


def guard_casts(condition: ColumnElement[Any], table: FromClause) -> tuple[ColumnElement[Any], bool]:
    """The condition with its casts guarded, and whether it has any that can fail. `table` is the policy's row."""
    rewriting = _Rewriting(condition, table)
    return rewriting.rewrite(condition), rewriting.is_guarded


class _Rewriting:
    """One pass over one condition."""

    def __init__(self, condition: ColumnElement[Any], table: FromClause) -> None:
        self._table = table
        self._casts: dict[int, GuardedCast | None] = {}
        self.is_guarded = False
        # The operands of AND, OR and NOT: of the whole condition, and of the WHERE of every subquery. A leaf is the
        # smallest unit that can become unknown as a whole without changing what the logic around it means.
        self._leaves = {id(leaf) for leaf in _leaves(condition)}
        for element in visitors.iterate(condition):
            if isinstance(element, Select):
                criteria = cast("Any", element)._where_criteria
                self._leaves.update(id(leaf) for part in criteria for leaf in _leaves(part))

    def rewrite(self, condition: ColumnElement[Any]) -> ColumnElement[Any]:
        rewritten: ColumnElement[Any] = visitors.replacement_traverse(condition, {}, self._replace)
        return rewritten

    def _replace(self, element: Any, **_: Any) -> Any:
        if id(element) in self._leaves:
            found = [self._has_value(item) for item in self._unsafe(element, is_strict=True, is_inside=False)]
            if found:
                # Not a leaf while its inside is rewritten, or this branch would call itself forever.
                self._leaves.discard(id(element))
                within = self.rewrite(element)
                self._leaves.add(id(element))
                return case((and_(*found), within))
        guarded = self._cast(element)
        if guarded is None:
            return None
        self.is_guarded = True
        operand = self._operand(guarded)
        return _nested([*readable(operand), *guarded.guards(operand)], guarded.cast(operand))

    def _operand(self, guarded: GuardedCast) -> ColumnElement[Any]:
        if not is_extraction(guarded.operand):
            return self.rewrite(guarded.operand)
        # The guards of the cast cover the extraction as well: the operand is rewritten as if it had none.
        known, self._casts[id(guarded.operand)] = self._cast(guarded.operand), None
        operand = self.rewrite(guarded.operand)
        self._casts[id(guarded.operand)] = known
        return operand

    def _has_value(self, guarded: GuardedCast) -> ColumnElement[bool]:
        """Whether the cast succeeds: NULL casts to NULL."""
        operand = self._operand(guarded)
        passes = or_(operand.is_(None), _nested(guarded.guards(operand), true(), otherwise=false()))
        return _nested(readable(operand), passes, otherwise=false())

    def _unsafe(self, element: Any, *, is_strict: bool, is_inside: bool) -> Iterator[GuardedCast]:
        """The casts below whose NULL would not make the whole condition NULL. Casts on a subquery's own rows are left
        to the conditions of that subquery."""
        guarded = self._cast(element)
        if guarded is not None:
            if not is_strict and (not is_inside or self._is_of_row(guarded.operand)):
                yield guarded
        else:
            is_strict = is_strict and _is_strict(element)
        is_inside = is_inside or isinstance(element, Select)
        for child in element.get_children():
            yield from self._unsafe(child, is_strict=is_strict, is_inside=is_inside)

    def _is_of_row(self, operand: ColumnElement[Any]) -> bool:
        tables = [getattr(part, "table", None) for part in visitors.iterate(operand)]
        return all(bare(table) is self._table for table in tables if table is not None)

    def _cast(self, element: Any) -> GuardedCast | None:
        if id(element) not in self._casts:
            self._casts[id(element)] = guarded_cast(element)
        return self._casts[id(element)]


def _nested(
    guards: Guards, value: ColumnElement[Any], *, otherwise: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    """The value where all guards hold. Nested, not joined by AND: CASE is evaluated in order, AND is not, and a guard
    may itself raise where the one before it does not hold."""
    for guard in reversed(guards):
        value = case((guard, value), else_=otherwise)
    return value


def _leaves(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList):
        for part in condition.get_children():
            yield from _leaves(part)
    elif isinstance(condition, Grouping | AsBoolean) or getattr(condition, "operator", None) is operators.inv:
        yield from _leaves(cast("Any", condition).element)
    else:
        yield condition


def _is_strict(element: Any) -> bool:
    if isinstance(element, BinaryExpression | ExpressionClauseList | UnaryExpression):
        expression = cast("Any", element)
        # `= ANY (array)` is false, not NULL, where the array is empty.
        has_any = any(isinstance(side, CollectionAggregate) for side in expression.get_children())
        return expression.operator in _STRICT_OPERATORS and not has_any
    return isinstance(element, Grouping | Cast | TypeCoerce)
