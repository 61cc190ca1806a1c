"""Whether the statements that make the tables can be written at all. Outside the request path: asked at build.

SQLAlchemy keeps what a column, a constraint or an index is given as it is, and says only when it writes the statement
that there is no such thing in PostgreSQL. Whether PostgreSQL accepts the statement, it says itself in a migration.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, DDLElement

from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.base import VIEW
from gatepost.models.schema import attribute_name
from gatepost.models.schema_names import DIALECT
from gatepost.sources import attribute_location, location_of
from gatepost.sqlalchemy_refusals import as_configuration_error

_ENUM = "type requires a name"


def check_definitions(metadata: MetaData, models: Mapping["Table[Any]", type[Any]], mistakes: Mistakes) -> None:
    """Add what cannot be written of the tables; `models` are the classes over them, as far as they are known."""
    for table in metadata.tables.values():
        if not table.info.get(VIEW):
            _check_table(table, models.get(table), mistakes)


def _check_table(table: "Table[Any]", model: type[Any] | None, mistakes: Mistakes) -> None:
    own = Mistakes()
    name = f"table {table.name}" if model is None else model.__name__
    source = None if model is None else partial(location_of, model)
    whole = Mistakes()
    with whole.check(source):
        _write(CreateTable(table), name)
    if whole:  # it does not say which column it is
        for column in table.columns:
            place = source if model is None else partial(attribute_location, model, attribute_name(column))
            with own.check(place):
                _check_column(column, f"{name}.{attribute_name(column)}")
    for index in table.indexes:
        with own.check(source):
            _write(CreateIndex(index), f"{name}, index {index.name!r}")
    for mistake in own or whole:
        mistakes.add(mistake)


def _check_column(column: Column[Any], location: str) -> None:
    try:
        _write(CreateColumn(column), location)
    except ConfigurationError as error:
        error.hint = (
            'Give it a name and at least one value: mapped_column(Enum("a", "b", name="kind")).'
            if _ENUM in error.message
            else f"Its type is {type(column.type).__name__}: PostgreSQL's are in sqlalchemy.dialects.postgresql."
        )
        raise


def _write(element: "DDLElement | CreateColumn", location: str) -> None:
    with as_configuration_error(location):
        element.compile(dialect=DIALECT)
