"""Values that the program itself gives to a column that cannot hold them: a service, an event or a default does.

The client is not at fault, so it gets a 500, and the log line names the attribute. Outside a request a verb raises
`MisfitValue` where it happens. PostgreSQL names no column, so it is found by the statement and its arguments.
"""

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import asyncpg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError

from gatepost.database.database import driver_error
from gatepost.database.error_details import inserted_columns, last_name
from gatepost.models.declared_values import check_value
from gatepost.models.entity import Attribute, Entity
from gatepost.models.shape import shape_of

_ARGUMENT = re.compile(r"query argument \$([0-9]+)")
_WRITTEN = re.compile(r"\s*(?:INSERT\s+INTO|UPDATE)\s+((?:\"(?:[^\"]|\"\")+\"|[\w.])+)", re.IGNORECASE)
_REFUSALS = (asyncpg.DataError, TypeError, ValueError, AttributeError)
"""Of PostgreSQL and its driver, and of SQLAlchemy's types."""

_OF_NO_VALUE = asyncpg.SequenceGeneratorLimitExceededError
"""In the same class of errors, although no value was given."""

_BINDING = "sqlalchemy.engine.default"
"""Where SQLAlchemy's types bind the values of a statement."""

_SET = re.compile(r"(\"(?:[^\"]|\"\")+\"|\w+)\s*=\s*\$([0-9]+)")


class MisfitValue(Exception):
    """A value that the program gave to a column does not fit it. `name` is the attribute, None where it is not
    known."""

    def __init__(self, subject: str, name: str | None = None) -> None:
        super().__init__(f"{subject} does not fit its column.")
        self.name = name


def argument_number(error: BaseException) -> int | None:
    """The number of the argument that the driver refused before it sent the statement; None where PostgreSQL did."""
    found = _ARGUMENT.search(str(error))
    return int(found[1]) if found else None


def misfit_default(entity: Entity, filled: Mapping[str, Any], refused: str | None = None) -> MisfitValue | None:
    """The error for one of the values that the model filled in: the one that was `refused`, or one that certainly does
    not fit."""
    for name, value in filled.items():
        attribute = entity.attributes[name]
        if name == refused or not _fits(attribute.shape, value):
            return MisfitValue(f"The default of {_subject(entity.name, attribute)}, a {type(value).__name__},", name)
    return None


def misfit_of(error: BaseException, model: type[Any]) -> MisfitValue | None:
    """The error for what a statement of the ORM failed with, where a value was refused; None for other errors."""
    cause = driver_error(error)
    if not isinstance(error, StatementError) or not isinstance(cause, _REFUSALS) or isinstance(cause, _OF_NO_VALUE):
        return None
    statement = error.statement or ""
    written = _WRITTEN.match(statement)
    if written is None:
        return None
    table = last_name(written[1])
    for mapper in cast("Any", sa.inspect(model)).registry.mappers:
        if getattr(mapper.local_table, "name", None) == table:
            found = _refused_column(mapper.local_table, error)
            if found is not None and found[0] in mapper.columns.values():
                name = mapper.get_property_by_column(found[0]).key
                subject = f"{mapper.class_.__name__}.{name} (column {table}.{found[0].name})"
                return MisfitValue(f"The value for {subject}, a {type(found[1]).__name__},", name)
    return MisfitValue(f"A value that was written to the table {table}")


def _subject(owner: str, attribute: Attribute) -> str:
    return f"{owner}.{attribute.name} (column {attribute.column.table.name}.{attribute.column.name})"


def _refused_column(table: Any, error: StatementError) -> tuple[sa.Column[Any], Any] | None:
    """The column that was given the argument which the driver refused, or one that certainly does not fit, with
    that."""
    columns = {column.name: column for column in table.columns}
    number = argument_number(driver_error(error))
    for place, name, value in _arguments(error):
        column = columns.get(name)
        if column is None:
            continue
        if not _fits(shape_of(column.type), value) if number is None else place == number:
            return column, value
    return None


def _names_of_arguments(statement: str, count: int) -> dict[int, str]:
    """The columns that arguments are for, by their numbers; an INSERT of many rows repeats its columns."""
    names = inserted_columns(statement)
    if names is None:
        changed = statement.partition(" WHERE ")[0]
        return {int(number): last_name(name) for name, number in _SET.findall(changed)}
    width = max(names, default=0)
    return {start + place: name for start in range(0, count, width or count or 1) for place, name in names.items()}


def _arguments(error: StatementError) -> list[tuple[int | None, str, Any]]:
    """The arguments of the statement with their numbers and columns; of the first row, where it ran for many."""
    params: Any = error.params
    if not isinstance(error, DBAPIError):
        return [(None, name, value) for name, value in _unbound(error)]
    if isinstance(params, list) and params:
        params = cast("Sequence[Any]", params)[0]
    values = cast("Sequence[Any]", params or ())
    names = _names_of_arguments(error.statement or "", len(values))
    return [(place, names[place], value) for place, value in enumerate(values, 1) if place in names]


def _unbound(error: StatementError) -> Iterator[tuple[str, Any]]:
    """The value that a type of SQLAlchemy could not bind, with its name: the error tells only of those that were given,
    not of defaults, so the frame that binds is asked."""
    trace = None if error.orig is None else error.orig.__traceback__
    for frame, _ in traceback.walk_tb(trace):
        known = frame.f_locals
        if frame.f_globals.get("__name__") == _BINDING and {"key", "compiled_params"} <= known.keys():
            yield known["key"], known["compiled_params"].get(known["key"])


def _fits(shape: Any, value: Any) -> bool:
    """False for what is certainly wrong."""
    try:
        check_value(value, shape)
    except (ValueError, TypeError, ArithmeticError):
        return False
    return True
