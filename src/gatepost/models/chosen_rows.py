"""The rows that a `Select` of the application's own chooses, as a part of the statement of a page.

An endpoint returns `select(Book).where(...)`; policy, fields, order and limit are compiled around it. The Select is
made anew in every call: its shape is part of the recipe's key, and its values are bound, as those of policies are.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import Tuple

from gatepost.declaring.row_expressions import CallValue
from gatepost.models.bind_types import unrounded
from gatepost.models.entity import Entity
from gatepost.models.recipes import Bound, Part
from gatepost.models.table_refs import TableRef, bare

ValueOf = Callable[[str], Any]
"""Gives the value that a call has for a source of a `CallValue`."""

_CLOSED = "no_replacement_traverse"

_MEMBERSHIP = (operators.in_op, operators.not_in_op)


class ChosenRows(Part, frozen=True):
    """The rows of a Select. `shape` and the number of its `values` depend on its SQL alone; `selected` is the Select
    itself. One that `is_whole` has an order and a limit of its own."""

    shape: Hashable
    values: tuple[Bound, ...]
    selected: Bound
    is_whole: bool

    @classmethod
    def of(cls, selected: sa.Select[Any], value_of: ValueOf) -> "ChosenRows":
        """The rows of a Select, with the values of this call."""
        found: Any = selected  # its cache key and its clauses are no public attributes
        key = found._generate_cache_key()
        if key is None:
            raise TypeError("The Select cannot be compiled once for all calls: it holds a value that is not bound.")
        values = [
            Bound(value_of(bind.source) if isinstance(bind, CallValue) else bind.effective_value)
            for bind in key.bindparams
        ]
        return cls(key.key, tuple(values), Bound(selected), is_whole=found._limit_clause is not None)

    def bounds(self) -> list[Bound]:
        """The values that it binds."""
        return list(self.values)

    def restricted(
        self, statement: sa.Select[Any], source: TableRef, rule: Sequence[sa.ColumnElement[bool]]
    ) -> sa.Select[Any]:
        """The statement, of the chosen rows alone. Of a Select with a limit, those that the rule admits are counted."""
        selected = self._bound_select()
        names = source.entity.key.names
        keys = [source.column(name) for name in names]
        if self.is_whole:
            number = sa.func.row_number().over(order_by=[*selected._order_by_clauses] or None).label("number")
            columns = [key.label(name) for key, name in zip(keys, names, strict=True)]
            inner = selected.with_only_columns(*columns, number, maintain_column_froms=True).where(*rule)
            chosen = inner.subquery("chosen")
            same = [key == chosen.c[name] for key, name in zip(keys, names, strict=True)]
            return statement.where(*same).order_by(chosen.c.number)
        if _is_plain(selected, source.entity):
            return statement if selected.whereclause is None else statement.where(selected.whereclause)
        inner = selected.with_only_columns(*keys, maintain_column_froms=True).order_by(None)
        return statement.where((keys[0] if len(keys) == 1 else sa.tuple_(*keys)).in_(inner))

    def _bound_select(self) -> Any:
        """The Select with named binds in place of its values. Raises `TypeError` where one would stay, as the value of
        the call whose Select is compiled: others would get its rows."""
        given: Any = self.selected.value
        selected = _opened(given)
        # By their keys, which copies keep: what stands in several places of the Select may be copied several times.
        binds = given._generate_cache_key().bindparams
        by_key = {bind.key: bound for bind, bound in zip(binds, self.values, strict=True)}
        copies = selected._generate_cache_key().bindparams
        bounds = {id(bind): by_key[bind.key] for bind in copies if bind.key in by_key}

        def replace(element: Any, **_: Any) -> Any:
            operator = getattr(element, "operator", None)
            if operator in _MEMBERSHIP and id(element.right) in bounds:
                if isinstance(element.left, Tuple):
                    raise TypeError("A Select tests whether a tuple is in a list: write or_(and_(...), ...).")
                members = bounds[id(element.right)].parameter(sa.ARRAY(unrounded(element.left.type)))
                left = cast("Any", visitors.replacement_traverse(element.left, {}, replace))
                return left == sa.any_(members) if operator is operators.in_op else left != sa.all_(members)
            bound = bounds.get(id(element))
            return None if bound is None else bound.parameter(unrounded(element.type))

        found = cast("Any", visitors.replacement_traverse(selected, {}, replace))
        names = {bound.name for bound in self.values}
        if any(bind.key not in names for bind in found._generate_cache_key().bindparams):
            raise TypeError("The Select has a value in a place where none can be bound.")
        return found


def _opened(selected: Any) -> Any:
    """A copy without the annotation by which SQLAlchemy keeps the inside of `any()` and `has()` from being replaced."""
    copies: dict[int, tuple[Any, Any]] = {}  # with the elements, whose ids others could get

    def copy(given: Any, **_: Any) -> Any:
        element: Any = given
        if id(element) not in copies:
            is_bind, is_closed = isinstance(element, sa.BindParameter), _CLOSED in element._annotations
            found: Any = element
            if is_bind:
                made = found._clone(maintain_key=True)
            else:
                made = found._deannotate([_CLOSED], clone=True) if is_closed else found._clone()
            copies[id(element)] = (element, made)
            made._copy_internals(clone=copy)
        return copies[id(element)][1]

    return copy(selected)


def _is_plain(selected: Any, entity: Entity) -> bool:
    """Whether the Select reads nothing but its model's table, so that its WHERE is a condition on the row."""
    return not selected._setup_joins and [*map(bare, selected.get_final_froms())] == [entity.table]
