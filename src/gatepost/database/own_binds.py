"""Binds of SQL that an application wrote, replaced while a statement is compiled.

As SQLAlchemy does for its own cache, a bind is recognised by its key: the copies that SQLAlchemy makes of an expression
keep theirs, or know what they are copies of. So a value is bound wherever it stands, and nothing is rewritten before.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression

from gatepost.database.compiler import TextNotingCompiler, retyped
from gatepost.declaring.row_expressions import Readable

_MEMBERSHIP = (operators.in_op, operators.not_in_op)


class UnboundValueError(Exception):
    """A value of the application's SQL stands where no bind can: the statement holds for its values alone."""


class Replacement(NamedTuple):
    """What is compiled in place of a `bind` with this `value`: another bind, or, for the list of an IN, that of an
    array, or a SELECT of several arrays for a list of tuples. None where a list has no such form."""

    bind: sa.BindParameter[Any]
    value: Any
    made: "sa.BindParameter[Any] | sa.Select[Any] | None"


ConditionOf = Callable[[Readable], sa.ColumnElement[bool]]


class OwnBinds:
    """The binds that are replaced in a statement. `columns` are the binds that take one member of each tuple of a list,
    by their names: the name of the list's value, and the member's place. In a statement `for_one_call` what cannot be
    bound once for all is written as this call has it. `readable` gives what stands in place of a `readable(...)`."""

    def __init__(
        self,
        replacements: Iterable[Replacement] = (),
        columns: Mapping[str, tuple[str, int]] = MappingProxyType({}),
        *,
        for_one_call: bool = False,
        readable: ConditionOf | None = None,
    ) -> None:
        self.columns = columns
        self.readable = readable
        self.for_one_call = for_one_call
        self._by_key: dict[str, Replacement] = {}
        self._families: dict[str, set[Any]] = {}
        for each in replacements:
            self._by_key[each.bind.key] = each
            self._families.setdefault(each.bind.key, set()).update(cast("Any", each.bind)._cloned_set)

    def replacement(self, bind: Any) -> Replacement | None:
        """What stands in place of a bind. One that has only its name in common with the application's is another's."""
        for each in bind._cloned_set:
            found = self._by_key.get(each.key)
            if found is None:
                continue
            if not self._families[each.key].isdisjoint(bind._cloned_set):
                return found
            if not self.for_one_call:
                raise UnboundValueError
        return None


NO_BINDS = OwnBinds()


class BindReplacingCompiler(TextNotingCompiler):
    """Compiles `OwnBinds` as what replaces them. A list has the same SQL however long it is: `= ANY(array)`."""

    def __init__(self, *arguments: Any, own: OwnBinds = NO_BINDS, **options: Any) -> None:
        self._own = own  # before the base class, which compiles
        super().__init__(*arguments, **options)

    def visit_binary(self, binary: Any, *arguments: Any, **options: Any) -> str:
        """A comparison, with a list as well."""
        members: Any = binary.right
        if binary.operator in _MEMBERSHIP and isinstance(members, sa.BindParameter):
            found = self._own.replacement(members)
            if found is not None and found.made is not None:
                return self.process(_membership(binary, found.made), **options)
        return cast("str", cast("Any", super()).visit_binary(binary, *arguments, **options))

    def visit_bindparam(self, bindparam: Any, *arguments: Any, **options: Any) -> str:
        """A value. A list that would be written only when the statement runs is a literal: it is the discriminators of
        a class, which SQLAlchemy adds where a subquery selects from it."""
        found = self._own.replacement(bindparam)
        if bindparam.expanding and self._own.for_one_call:
            return f"({self._members(bindparam, bindparam.effective_value if found is None else found.value)})"
        if found is not None:
            if bindparam.expanding or options.get("literal_binds"):
                if not self._own.for_one_call:
                    raise UnboundValueError
            else:
                is_widened = bindparam.type is not found.bind.type
                bindparam = retyped(found.made, bindparam.type) if is_widened else found.made
        elif bindparam.expanding and not bindparam.required:
            options["literal_binds"] = True
        return cast("str", cast("Any", super()).visit_bindparam(bindparam, *arguments, **options))

    def visit_readable(self, part: Readable, **options: Any) -> str:
        """A `readable(...)`, as the condition in its place."""
        if self._own.readable is None:
            raise CompileError(f"readable({part.model.__name__}) stands where no actor is known.")
        return self.process(self._own.readable(part), **options)

    def _members(self, bind: Any, values: Any) -> str:
        """The values of a list, each as a bind of its own."""
        kind = bind.type
        kinds = kind.types if kind._is_tuple_type else [kind]
        if not values:
            return cast("str", cast("Any", self).visit_empty_set_op_expr(kinds, bind.expand_op))
        if kind._is_tuple_type:
            rows = [sa.tuple_(*map(_value, row, kinds)) for row in values]
            return ", ".join(self.process(row) for row in rows)
        return ", ".join(self.process(_value(value, kind)) for value in values)


def _membership(binary: Any, members: Any) -> Any:
    is_in = binary.operator is operators.in_op
    if isinstance(members, sa.Select):
        return binary.left.in_(members) if is_in else binary.left.not_in(members)
    if is_in:
        return cast("Any", BinaryExpression)(binary.left, sa.any_(members), operators.eq)
    return cast("Any", BinaryExpression)(binary.left, sa.all_(members), operators.ne)


def _value(value: Any, kind: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(None, value, type_=kind, unique=True)
