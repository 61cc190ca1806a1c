"""Which changes lose data, or stop half-way on the rows that are there: said before anything is done.

A table or column that goes, a type that narrows, a value of an enum that is gone; and a column that must not be null,
without a value for the rows that exist.
"""

from collections.abc import Callable
from typing import Any, cast

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ARRAY, BigInteger, Connection, Float, Integer, Numeric, SmallInteger, String
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import Enum

from gatepost.migrations.operations import RunSQL
from gatepost.models.schema_names import DIALECT, full_name, qualified

HasRows = Callable[[str], bool]
"""From a table's name as SQL: may it have rows?"""


def has_rows(connection: Connection) -> HasRows:
    """Look whether a table has rows."""
    return lambda table: bool(connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {table})").scalar())


def always(_table: str) -> bool:
    """For revision files, which will run on databases that cannot be looked at now: every table may have rows."""
    return True


def loss_of(operation: MigrateOperation, rows: HasRows) -> str | None:
    """What the operation loses, or why rows stop it, as a sentence's end; None where it does neither."""
    match operation:
        case RunSQL():
            return operation.loss
        case ops.DropTableOp():
            return f"drops the table {table_label(operation)} and every row of it"
        case ops.DropColumnOp():
            return f"drops the column {table_label(operation)}.{operation.column_name} and every value in it"
        case ops.AddColumnOp():
            return _loss_of_addition(operation, rows)
        case ops.AlterColumnOp():
            return _loss_of_alteration(operation, rows)
        case _:
            return None


def _loss_of_addition(operation: ops.AddColumnOp, rows: HasRows) -> str | None:
    column = operation.column
    filled = column.server_default is not None or column.computed is not None or column.identity is not None
    if column.nullable or filled or not rows(qualified(operation.table_name, operation.schema)):
        return None
    return (
        "it is NOT NULL, and the rows that exist have no value for it: give it a server_default=, or make it nullable"
    )


def _loss_of_alteration(operation: ops.AlterColumnOp, rows: HasRows) -> str | None:
    location = f"{table_label(operation)}.{operation.column_name}"
    if operation.modify_nullable is False and rows is always:
        return f"makes {location} NOT NULL, which rows without a value stop"
    return None


def table_label(operation: Any) -> str:
    """The table of an operation, with its schema where that is not the default one."""
    return full_name(operation.table_name, operation.schema)


def type_text(kind: Any) -> str:
    """A type as PostgreSQL writes it."""
    return "?" if kind is None else str(kind.compile(dialect=DIALECT))


def is_array(kind: object) -> bool:
    """True for an array type (a plain bool: the type checkers lose an ARRAY's item type)."""
    return isinstance(kind, ARRAY)


def is_widening(before: Any, after: Any) -> bool:
    """True where every value of the one type is a value of the other, and PostgreSQL converts it by itself."""
    if is_array(before) and is_array(after):
        return is_widening(before.item_type, after.item_type)
    if isinstance(before, Enum) or isinstance(after, Enum):
        return False
    if isinstance(before, String) and isinstance(after, String):
        return after.length is None or (before.length is not None and before.length <= after.length)
    return _is_wider_number(before, after)


def ignore_equal_type(operation: ops.AlterColumnOp) -> None:
    """Leave out a change between types with the same values: text and a varchar without a bound, for one."""
    before, after = operation.existing_type, operation.modify_type
    if before is not None and after is not None and is_widening(before, after) and is_widening(after, before):
        operation.modify_type = None


def is_domain_of(before: Any, after: Any) -> bool:
    """True where the one type is a domain over the other, or one with the same values. It is left as it is: a model
    declares the types of values."""
    if is_array(before) and is_array(after):
        return is_domain_of(before.item_type, after.item_type)
    if not isinstance(before, DOMAIN):
        return False
    base: Any = cast("Any", before).data_type
    is_equal = type_text(base) == type_text(after) or (is_widening(base, after) and is_widening(after, base))
    return is_equal or is_domain_of(base, after)


def _is_wider_number(before: Any, after: Any) -> bool:
    if isinstance(before, Integer) and isinstance(after, Integer):
        return _integer_digits(before) <= _integer_digits(after)
    if isinstance(before, Float) and isinstance(after, Float):
        return type_text(after) in ("DOUBLE PRECISION", type_text(before))
    if not isinstance(after, Numeric) or isinstance(after, Float):
        return False
    if after.precision is None:
        return isinstance(before, Integer | Numeric) and not isinstance(before, Float)
    whole, scale = _digits(before)
    return whole is not None and after.precision - (after.scale or 0) >= whole and (after.scale or 0) >= scale


def _digits(kind: Any) -> tuple[int | None, int]:
    """Digits before and after the point; None where there is no bound."""
    if isinstance(kind, Integer):
        return _integer_digits(kind), 0
    if isinstance(kind, Numeric) and not isinstance(kind, Float) and kind.precision is not None:
        return kind.precision - (kind.scale or 0), kind.scale or 0
    return None, 0


def _integer_digits(kind: Any) -> int:
    return 5 if isinstance(kind, SmallInteger) else 19 if isinstance(kind, BigInteger) else 10
