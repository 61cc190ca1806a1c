"""Whether policies and pages can be compiled around a `Select` of the application's own, and in which order its rows
come."""

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql import operators

from gatepost.models.entity import Entity
from gatepost.models.list_query import Order
from gatepost.models.table_refs import bare


def order_of(selected: sa.Select[Any], entity: Entity) -> tuple[Order, ...] | None:
    """The ORDER BY of a Select, where it is plain columns of the model; None for any other.

    Raises `TypeError` where it is no Select of the model's rows, or one that policies and pages cannot be compiled
    around.
    """
    _check(selected, entity)
    found: list[Order] = []
    for clause in cast("Any", selected)._order_by_clauses:
        term = _term_of(clause, entity)
        if term is None:
            return None
        found.append(term)
    return tuple(found)


def _term_of(clause: Any, entity: Entity) -> Order | None:
    modifier, column = getattr(clause, "modifier", None), clause
    if modifier in (operators.desc_op, operators.asc_op):
        column = clause.element
    if bare(getattr(column, "table", None)) is not entity.table:
        return None
    attribute = entity.attribute_of(entity.table.c[column.key])
    return None if attribute is None else Order(attribute.name, modifier is operators.desc_op)


def _check(selected: Any, entity: Entity) -> None:
    described = selected.column_descriptions
    if len(described) != 1 or described[0]["entity"] is not described[0]["expr"] or described[0]["aliased"]:
        raise TypeError(f"The Select has to be of {entity.name} itself: select({entity.name}).")
    if described[0]["expr"] is not entity.model:
        raise TypeError(f"The Select is of {described[0]['name']}, not of {entity.name}.")
    if selected._fetch_clause is not None or (selected._offset_clause is not None and not has_limit(selected)):
        raise TypeError(
            "The Select has OFFSET without LIMIT, or FETCH: write .limit(100), with .offset(...) or without."
        )
    if any(isinstance(option, LoaderCriteriaOption) for option in selected._with_options):
        raise TypeError("The Select has with_loader_criteria(), which no list applies: write it as .where(...).")
    if selected._for_update_arg is not None:
        raise TypeError("The Select has FOR UPDATE, and a page locks no rows: lock them by the session.")
    if selected._distinct or selected._group_by_clauses or selected._having_criteria:
        raise TypeError(
            f"The Select has DISTINCT or GROUP BY. Write them in a subquery over keys: "
            f"select({entity.name}).where({entity.name}.{entity.key.names[0]}.in_(select(...).distinct()))."
        )


def has_limit(selected: sa.Select[Any]) -> bool:
    """Whether a Select has a limit of its own."""
    return cast("Any", selected)._limit_clause is not None


def is_plain(selected: Any, entity: Entity) -> bool:
    """Whether the Select reads nothing but its model's table, so that its WHERE is a condition on the row."""
    if selected._setup_joins or selected._independent_ctes:
        return False
    conditions = () if selected.whereclause is None else selected.whereclause._from_objects
    return all(bare(each) is entity.table for each in (*selected._from_obj, *conditions))
