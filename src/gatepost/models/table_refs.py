"""`TableRef`: an entity's table inside one statement, on which policies, filters and rows become SQL."""

from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, FromClause, select
from sqlalchemy.orm import aliased

from gatepost.models.entity import Entity, Relation
from gatepost.models.expressions import expression_on


def bare(element: Any) -> Any:
    """A table without the annotations by which the ORM tells its copies apart; any other value unchanged."""
    return element._deannotate() if hasattr(element, "_deannotate") else element


def tables_read(select_: Any) -> list[FromClause]:
    """The tables and aliases that a SELECT names, but in its subqueries; also those that are of one around it."""
    parts = [*select_._raw_columns, *select_._from_obj, *select_._where_criteria]
    parts += [part for target, condition, left, _ in select_._setup_joins for part in (target, condition, left)]
    found: list[FromClause] = [each for part in parts if part is not None for each in part._from_objects]
    return list({bare(each): each for each in found}.values())


class TableRef(msgspec.Struct, frozen=True, eq=False):
    """An entity's table, or an alias of it, inside one statement."""

    entity: Entity
    table: FromClause

    @classmethod
    def of(cls, entity: Entity) -> "TableRef":
        """The table itself."""
        return cls(entity, entity.table)

    @classmethod
    def alias(cls, entity: Entity) -> "TableRef":
        """A new alias of the table."""
        return cls(entity, entity.table.alias())

    @property
    def model(self) -> Any:
        """The mapped class, as a policy's function takes it: an alias of the class where this is one of the table."""
        return self.entity.model if self.table is self.entity.table else aliased(self.entity.model, self.table)

    def column(self, name: str) -> ColumnElement[Any]:
        """The column of an attribute, or its expression."""
        if self.entity.attributes[name].is_expression:
            return expression_on(self.model, name)
        return cast("ColumnElement[Any]", self.table.c[self.entity.attributes[name].column.key])

    def column_of(self, column: Any) -> ColumnElement[Any]:
        """The column of this table or alias that corresponds to a column of the entity's table."""
        return cast("ColumnElement[Any]", self.table.c[column.key])

    def joined_by(self, relation: Relation, outer: "TableRef") -> ColumnElement[bool]:
        """The join condition of a relation from `outer` to this table."""
        return self.column_of(relation.remote) == outer.column_of(relation.local)

    def exists(self, outer: "TableRef", *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        """Whether a row of this table satisfies the conditions, which may refer to the current row of `outer`."""
        return select(1).select_from(self.table).where(*conditions).correlate(outer.table).exists()
