"""Candidates: the row about to be written, on which the writing statement evaluates the policy before it writes.

An actor who may not write the row must not learn of a unique violation, so the policy is a condition of the INSERT or
UPDATE, on `(VALUES (...)) AS candidate (...)`. What the database fills in (server defaults, identities, computed
columns, columns declared with `FetchedValue()` for a trigger) is not known beforehand: the parts of a policy that read
it are evaluated on the written row only, as the whole policy is in any case.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TableValuedColumn
from sqlalchemy.types import Enum, String, Text

from gatepost.database.statements import Statement
from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.entity import Entity
from gatepost.models.recipes import Bound, Options, Recipe
from gatepost.models.shape import plain_type
from gatepost.models.table_refs import TableRef, bare

Cells = Mapping[str, sa.ColumnElement[Any]]
"""The known values of a candidate, by the key of the column."""


class Candidate(sa.Alias):
    """An alias of a table that stands for one row, whose `cells` are the columns that a policy reads."""

    inherit_cache = True  # otherwise conditions on it have no cache key, from which their values are taken
    cells: Cells


def bind_name(name: str) -> str:
    """The bind of a written value; prefixed, so that no column's name can collide with another bind."""
    return f"v_{name}"


def written_binds(values: Bound) -> dict[str, Any]:
    """The written values by the names of their binds."""
    return {bind_name(name): value for name, value in values.value.items()}


def cells_of_insert(entity: Entity, names: Collection[str], unknown: Collection[str] = ()) -> Cells:
    """The known values of the row that an INSERT of these attributes makes; those in `unknown` are left out."""
    return {
        attribute.column.key: _written(name, attribute.column) if name in names else _null(attribute.column)
        for name, attribute in entity.attributes.items()
        if not (attribute.is_expression or name in unknown or _is_filled(attribute.column, is_given=name in names))
    }


def cells_of_update(entity: Entity, names: Collection[str]) -> Cells:
    """The known values of the row that an UPDATE of these attributes makes: the others keep their current values, as do
    columns that only another class over the table maps."""
    written = {entity.attributes[name].column.key: name for name in names}
    return {
        key: _written(written[key], column) if key in written else column
        for key, column in entity.table.columns.items()
        if not _is_changed(column, is_given=key in written)
    }


def candidate_conditions(
    entity: Entity, rule: BoundRule, cells: Cells
) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]]]:
    """The candidate, and the conditions on it that can be evaluated before it is written."""
    candidate = cast("Candidate", cast("Any", Candidate)._construct(entity.table, name="candidate"))
    known: list[sa.ColumnElement[bool]] = []
    read: set[str] = set()
    for condition in rule.conditions(TableRef(entity, candidate)):
        keys = set(_read(condition, candidate))
        if keys <= cells.keys():
            known.append(condition)
            read |= keys
    candidate.cells = {key: cells[key] for key in sorted(read)}
    return candidate, known


class CheckCandidate(Recipe[Statement | None], frozen=True):
    """A row where a candidate with the attributes `names`, whose values are known but for those in `unknown`, satisfies
    the rule."""

    entity: Entity
    rule: BoundRule
    names: tuple[str, ...]
    unknown: frozenset[str]
    values: Bound

    def compile(self, options: Options) -> Statement | None:
        """The SELECT; None where every part of the rule reads values that are not known."""
        cells = cells_of_insert(self.entity, self.names, self.unknown)
        candidate, known = candidate_conditions(self.entity, self.rule, cells)
        if not known:
            return None
        return self.statement(sa.select(1).select_from(candidate).where(*known), f"{self.entity.table.name}.candidate")

    def bounds(self) -> list[Bound]:
        return self.rule.bounds()

    def named(self) -> dict[str, Any]:
        return {**written_binds(self.values), ACTOR_ID: self.rule.actor.id}


def _written(name: str, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    kind: Any = column.type
    plain = plain_type(kind)
    # A cast to VARCHAR(n) would cut a text that is too long, which the column must refuse.
    is_text = isinstance(plain, String) and not isinstance(plain, Enum) and plain.length is not None
    return sa.cast(sa.bindparam(bind_name(name), type_=kind), Text(collation=plain.collation) if is_text else plain)


def _null(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.null(), plain_type(column.type))


def _is_filled(column: sa.Column[Any], *, is_given: bool) -> bool:
    """Whether the database decides the value of an inserted row."""
    if _is_trigger(column.server_default) or column.computed is not None:
        return True
    defaults = (column.server_default, column.default, column.identity)
    return not is_given and (any(item is not None for item in defaults) or column is column.table.autoincrement_column)


def _is_changed(column: sa.Column[Any], *, is_given: bool) -> bool:
    """Whether the database decides the value of an updated row."""
    if _is_trigger(column.server_onupdate) or column.computed is not None:
        return True
    return not is_given and column.onupdate is not None


def _is_trigger(default: Any) -> bool:
    return isinstance(default, sa.FetchedValue) and not isinstance(
        default, sa.DefaultClause | sa.Computed | sa.Identity
    )


def _read(condition: sa.ColumnElement[bool], candidate: Candidate) -> Iterator[str]:
    """The keys of the candidate's columns in a condition; "*" where it uses the row as a whole."""
    for element in visitors.iterate(condition):
        table = getattr(element, "table", None)
        if isinstance(element, TableValuedColumn):
            yield "*"
        elif table is not None and bare(table) is candidate:
            yield cast("Any", element).key


@compiles(Candidate)
def _render(element: Candidate, compiler: Any, asfrom: bool = False, **_: Any) -> str:
    if not asfrom:
        return str(compiler.preparer.quote(element.name))
    columns = cast("Any", element).element.c
    names = [compiler.preparer.quote(columns[key].name) for key in element.cells] or ["nothing"]
    cells = [compiler.process(cell) for cell in element.cells.values()] or ["NULL"]
    return f"(VALUES ({', '.join(cells)})) AS {element.name} ({', '.join(names)})"
