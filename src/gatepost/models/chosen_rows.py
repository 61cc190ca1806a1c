"""The rows that a `Select` of the application's own chooses, as a part of the statement of a page.

An endpoint returns `select(Book).where(...)`; policy, fields, order and limit are compiled around it. The Select is
made anew in every call: its shape is part of the recipe's key, and its values are bound, as those of policies are.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from gatepost.database.own_binds import OwnBinds, Replacement
from gatepost.declaring.row_expressions import CallValue
from gatepost.models.bind_types import member_types, unrounded
from gatepost.models.conditions import NO_READABLES, BoundReadables
from gatepost.models.readable_rows import ReadablePlaces
from gatepost.models.recipes import Bound, Part
from gatepost.models.table_refs import TableRef

ValueOf = Callable[[str], Any]
"""Gives the value that a call has for a source of a `CallValue`."""


class SelectShape(msgspec.Struct, frozen=True, eq=False):
    """What Selects of the same SQL have in common. A shape equals itself alone. Its Selects are `whole` where they have
    an order and a limit of their own, and `plain` where their WHERE is a condition on the row. `is_for_one_call` is
    that of a single Select, whose SQL holds some of its values."""

    is_whole: bool
    is_plain: bool
    is_for_one_call: bool = False


class ChosenRows(Part, frozen=True):
    """The rows of a Select. The number of its `values` depends on its shape alone; `selected` is the Select itself,
    `binds` are those of its binds that the values are of; `readables` are what `readable()` says in it."""

    shape: SelectShape
    values: tuple[Bound, ...]
    selected: Bound
    binds: Bound
    readables: BoundReadables = NO_READABLES

    @classmethod
    def of(
        cls,
        selected: sa.Select[Any],
        shape: SelectShape,
        binds: Sequence[sa.BindParameter[Any]],
        params: Mapping[str, Any],
        value_of: ValueOf,
    ) -> "ChosenRows":
        """The rows of a Select, with the values of this call. Raises `TypeError` where one is missing."""
        values = [Bound(params[bind.key] if bind.key in params else _value(bind, value_of)) for bind in binds]
        return cls(shape, tuple(values), Bound(selected), Bound(binds))

    @property
    def is_for_one_call(self) -> bool:
        """Whether its statement holds some of the values."""
        return self.shape.is_for_one_call

    def bounds(self) -> list[Bound]:
        """The values that it binds."""
        return [*self.values, *self.readables.bounds()]

    def own_binds(self) -> OwnBinds:
        """What is compiled in place of the binds."""
        replacements: list[Replacement] = []
        columns: dict[str, tuple[str, int]] = {}
        for bind, bound in zip(self.binds.value, self.values, strict=True):
            if not bind.expanding:
                replacements.append(Replacement(bind, bound.value, bound.parameter(unrounded(bind.type))))
                continue
            made, found = _list_of(bound, bind.type)
            replacements.append(Replacement(bind, bound.value, made))
            columns |= found
        places = ReadablePlaces(self.selected.value, is_filter=False)
        readable = partial(places.condition, condition_on=self.readables.condition)
        return OwnBinds(replacements, columns, for_one_call=self.is_for_one_call, readable=readable)

    def restricted(
        self, statement: sa.Select[Any], source: TableRef, rule: Sequence[sa.ColumnElement[bool]]
    ) -> sa.Select[Any]:
        """The statement, of the chosen rows alone. Of a Select with a limit, those that the rule admits are counted."""
        selected = self.selected.value
        names = source.entity.key.names
        keys = [source.column(name) for name in names]
        if self.shape.is_whole:
            number = sa.func.row_number().over(order_by=[*selected._order_by_clauses] or None).label("number")
            columns = [key.label(name) for key, name in zip(keys, names, strict=True)]
            inner = selected.with_only_columns(*columns, number, maintain_column_froms=True).where(*rule)
            chosen = inner.subquery("chosen")
            same = [key == chosen.c[name] for key, name in zip(keys, names, strict=True)]
            return statement.where(*same).order_by(chosen.c.number)
        if self.shape.is_plain:
            return statement if selected.whereclause is None else statement.where(selected.whereclause)
        inner = selected.with_only_columns(*keys, maintain_column_froms=True).order_by(None)
        return statement.where((keys[0] if len(keys) == 1 else sa.tuple_(*keys)).in_(inner))


def _value(bind: sa.BindParameter[Any], value_of: ValueOf) -> Any:
    if isinstance(bind, CallValue):
        return value_of(bind.source)
    value = bind.effective_value
    if value is None and bind.required:
        raise TypeError(f"The Select has bindparam({bind.key!r}) without a value.")
    return value


def _list_of(bound: Bound, kind: Any) -> tuple[Any, dict[str, tuple[str, int]]]:
    """What stands for the list of an IN, with the columns that it has of tuples."""
    types = member_types(kind)
    if types is None:
        return None, {}
    if not kind._is_tuple_type:
        return bound.parameter(sa.ARRAY(types[0])), {}
    columns = {f"{bound.name}_{place}": (bound.name, place) for place in range(len(types))}
    arrays = [
        sa.bindparam(name, type_=sa.ARRAY(each), required=True) for name, each in zip(columns, types, strict=True)
    ]
    members = [sa.column(f"member_{place}", each) for place, each in enumerate(types)]
    return sa.select(*sa.func.unnest(*arrays).table_valued(*members, name="members").render_derived().c), columns
