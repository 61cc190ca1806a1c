"""Expressions over a model, as `computed()` and `policy()` have them, on the table or alias that a statement reads.

Such an expression is made once, when its module is imported, and names the model for the row that it is about. A
statement may read the row from an alias, and beside other tables that are named in the expression as well; so its
columns are replaced, and its subqueries correlate with the row and with the subqueries around them, and nothing else.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import _deep_deannotate  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]

from gatepost.errors import ConfigurationError
from gatepost.models.table_refs import TableRef, bare, tables_read

Replace = Callable[[Any], Any]
"""Gives what stands in place of a part of an expression; None for a part that stays."""


def plain_expression(given: Any, location: str) -> sa.ColumnElement[Any]:
    """An expression as it was given, without the annotation by which SQLAlchemy keeps the inside of `any()` and `has()`
    from being replaced. Raises `ConfigurationError` for what is no expression."""
    found: Any = cast("Any", given).expression if isinstance(given, QueryableAttribute) else given
    if not isinstance(found, sa.ColumnElement):
        raise ConfigurationError(
            f"is {given!r}, which is not an SQL expression.",
            location=location,
            hint="Write an expression over the model: a column, `Model.column > 0`, or `count(Model.relationship)`.",
        )
    plain: Any = _deep_deannotate(cast("Any", found), ["no_replacement_traverse"])
    return cast("sa.ColumnElement[Any]", plain)


def adapted(expression: sa.ColumnElement[Any], source: TableRef, replace: Replace) -> sa.ColumnElement[Any]:
    """The expression on `source`, with other parts replaced first, inside subqueries as well."""
    found = visitors.replacement_traverse(expression, {}, lambda element, **_: replace(element))
    on_row: sa.ColumnElement[Any] = _on_row(found, source, (source.table,), None)
    return on_row


def row_columns(expression: sa.ColumnElement[Any], table: sa.FromClause) -> frozenset[sa.Column[Any]]:
    """The columns of the row that an expression reads; `table` is the one that it names for the row."""
    return frozenset(cast("Any", table).c[element.key] for element in _elements_of_row(expression, table))


def parts_of(expression: sa.ColumnElement[Any]) -> Iterator[Any]:
    """Every part of an expression, inside subqueries as well."""
    return visitors.iterate(expression)


def _on_row(element: Any, source: TableRef, around: tuple[sa.FromClause, ...], skipped: Any) -> Any:
    """The element with the row's columns on `source`. `around` are the tables that a subquery in it may correlate with;
    `skipped` is the subquery whose inside this is."""
    table = source.entity.table

    def replace(element: Any, **_: Any) -> Any:
        if element is skipped:
            return None
        if isinstance(element, sa.Select):
            found = cast("Any", element)
            return found if _reads(found, table) else _subquery(found, source, around)
        if bare(getattr(element, "table", None)) is table:
            return cast("Any", source.table).c[element.key]
        return None

    return cast("Any", visitors).replacement_traverse(element, {}, replace)


def _subquery(found: Any, source: TableRef, around: tuple[sa.FromClause, ...]) -> Any:
    tables = tables_read(found)
    inner = [each for each in tables if bare(each) is not source.entity.table]
    if found._auto_correlate or any(bare(each) is source.entity.table for each in found._correlate):
        # With subqueries as SQLAlchemy does it: what reads one table reads all rows of it.
        found = found.correlate(*(around if len(tables) > 1 else around[:1]))
    return _on_row(found, source, (*around, *inner), found)


def _reads(found: Any, table: sa.FromClause) -> bool:
    """Whether a subquery reads the table for rows of its own, as that of a relation that leads to it does: the columns
    inside are those of its rows."""
    return any(bare(each) is table for each in found._correlate_except or ())


def _elements_of_row(element: Any, table: sa.FromClause) -> Iterator[Any]:
    if isinstance(element, sa.Alias) or (isinstance(element, sa.Select) and _reads(element, table)):
        return
    if bare(getattr(cast("Any", element), "table", None)) is table:
        yield element
    for child in cast("Any", element).get_children():
        yield from _elements_of_row(child, table)
