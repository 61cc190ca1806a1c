"""Recipes: what a statement is compiled from, as a frozen value that is its own cache key.

A recipe and its parts are equal where all their fields are, so nothing that changes the SQL can be left out of the key.
What does not change it, because it is bound per request, is wrapped in `Bound`: any two of those are equal. The
compiler numbers them by their place among `Recipe.bounds()`.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import BindParameter, Executable, Table, bindparam
from sqlalchemy.types import TypeEngine

from gatepost.database.own_binds import NO_BINDS, OwnBinds
from gatepost.database.statements import Statement

P_co = TypeVar("P_co", covariant=True)


class Bound(msgspec.Struct, frozen=True, eq=False):
    """A value that is bound per request: part of a recipe, and not of its key."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return type(other) is Bound

    def __hash__(self) -> int:
        return 0

    @property
    def name(self) -> str:
        """The bind of this object, until the statement is compiled: no other object has it as long as this one is
        there."""
        return f"bound_{id(self)}"

    def parameter(self, kind: TypeEngine[Any]) -> BindParameter[Any]:
        """The bind that stands for the value."""
        return bindparam(self.name, type_=kind, required=True)


class Part(msgspec.Struct, frozen=True):
    """A part of a recipe. Every field is part of the key."""


class Options(msgspec.Struct, frozen=True):
    """What every statement of an app is compiled with. A page has no more than `page_bytes_max` bytes; entity tags
    begin with `tag_prefix`."""

    page_bytes_max: int
    tag_prefix: str = ""


class Recipe(Part, Generic[P_co], frozen=True):
    """What a plan is compiled from: a statement, and how its records are read."""

    def compile(self, options: Options) -> P_co:
        """The plan. It depends on what equal recipes have in common, and binds no other `Bound` than `bounds`."""
        raise NotImplementedError

    def bounds(self) -> list[Bound]:
        """The values that policies and filters bind, in an order that depends on the key alone."""
        raise NotImplementedError

    def named(self) -> dict[str, Any]:
        """The values of the binds that have a name of their own."""
        raise NotImplementedError

    def own_binds(self) -> OwnBinds:
        """The binds of what the application wrote, which are replaced while the statement is compiled."""
        return NO_BINDS

    @property
    def is_for_one_call(self) -> bool:
        """Whether its SQL holds values of this call, so that nothing is kept of it."""
        return False

    def binds(self, statement: Statement) -> dict[str, Any]:
        """The value of every bind of the compiled statement by its name."""
        binds = self.named()
        if statement.is_renamed:
            for number, bound in enumerate(self.bounds()):
                binds[f"b{number}"] = bound.value
        return binds

    def statement(self, expression: Executable, name: str, written: "Table[Any] | None" = None) -> Statement:
        """The expression, compiled under this name for all recipes that equal this one. `written` is the table that a
        part of a SELECT changes."""
        renamed = {bound.name: f"b{number}" for number, bound in enumerate(self.bounds())}
        return Statement(expression, name, renamed, written, self.own_binds())


def key_of(part: Any) -> Any:
    """A recipe that equals this one, without the values: what a cache keeps must not keep what a client has sent."""
    if isinstance(part, Bound):
        return _EMPTY
    if isinstance(part, tuple):
        return tuple(map(key_of, cast("Iterable[Any]", part)))
    if isinstance(part, Part):
        return type(part)(*[key_of(getattr(part, name)) for name in part.__struct_fields__])
    return part


_EMPTY = Bound(None)
