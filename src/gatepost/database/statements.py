"""Statements: SQLAlchemy expressions compiled to SQL text once per query shape, run by asyncpg ever after.

Compiling costs two hundred times what filling in the arguments does, so a statement is built at start or kept under
the key of its shape; a request only supplies values.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

import asyncpg
from sqlalchemy import ColumnElement, Executable, Float, Numeric, Table, UpdateBase
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.sql.elements import Grouping

from gatepost.database.arrays import TYPES
from gatepost.database.own_binds import NO_BINDS, BindReplacingCompiler, OwnBinds
from gatepost.database.session_altering_sql import calls_session_function
from gatepost.database.volatile_sql import is_volatile
from gatepost.exact_json import encode

_UNSAFE = re.compile(r"[^\w.~-]")
"""Characters that a name does not have in a comment, which it could end."""

_SUBQUERY = re.compile(r"(?<!\")\b(select|table)\b", re.IGNORECASE)
"""A word, not quoted as a name, by which text reads a table."""


class NamedCondition(Grouping[Any]):
    """A condition in parentheses. What PostgreSQL refuses of its statement is logged with its `origin`."""

    inherit_cache = True

    def __init__(self, condition: ColumnElement[Any], origin: str) -> None:
        super().__init__(condition)
        self.origin = origin


class _Compiler(BindReplacingCompiler):
    """Notes the tables that a statement reads and the policies in it, and correlates subqueries in RETURNING with the
    row that was written."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.tables: set[Table] = set()  # before the base class, which compiles
        self.origins: dict[str, None] = {}
        super().__init__(*arguments, **options)

    def visit_table(self, table: Any, *arguments: Any, **options: Any) -> str:
        """A table in FROM, or the one that an UPDATE or DELETE changes."""
        self.tables.add(table)
        return cast("str", cast("Any", super()).visit_table(table, *arguments, **options))

    def visit_grouping(self, grouping: Any, *arguments: Any, **options: Any) -> str:
        """A condition in parentheses, that of a policy among them."""
        if isinstance(grouping, NamedCondition):
            self.origins[grouping.origin] = None
        return cast("str", cast("Any", super()).visit_grouping(grouping, *arguments, **options))

    def visit_column(self, column: Any, *arguments: Any, **options: Any) -> str:
        """A column, or a `literal_column()`."""
        self.has_text |= column.is_literal and _SUBQUERY.search(column.name) is not None
        return cast("str", cast("Any", super()).visit_column(column, *arguments, **options))

    def returning_clause(self, stmt: Any, returning_cols: Any, **options: Any) -> str:
        """SQLAlchemy correlates for UPDATE and DELETE; in an INSERT it would list the table in the subquery's own FROM,
        where any other row could satisfy a policy for the new one."""
        entry = self.stack[-1]
        around = {stmt.table}
        self.stack[-1] = {
            **entry,
            "correlate_froms": entry["correlate_froms"] | around,
            "asfrom_froms": entry["asfrom_froms"] | around,
        }
        try:
            return super().returning_clause(stmt, returning_cols, **options)
        finally:
            self.stack[-1] = entry


NUMERIC_OID = 1700
"""PostgreSQL's number of the type. SQLAlchemy's processor needs it, also where the column is known and no result is."""


class DigitsAsWritten(postgresql.AsyncpgNumeric):
    """`Numeric(asdecimal=False)`: asyncpg would send the float 5.01 as the 52 digits that it stands for."""

    def bind_processor(self, dialect: Any) -> Any:
        """What makes a decimal number of a float."""
        return None if self.asdecimal else as_written

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """What makes a float of the driver's decimal number, where one is wanted and is exactly the same number: an
        inexact one would be stored as another number, or hide that a body's number is another one."""
        return cast("Any", super()).result_processor(dialect, coltype or NUMERIC_OID) if self.asdecimal else exact_float


class Floats(postgresql.AsyncpgFloat):
    """`Float(asdecimal=True)`: SQLAlchemy would round the float to ten digits after the point."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """What makes a decimal number of the driver's float, where one is wanted."""
        return as_written if self.asdecimal else None


def exact_float(value: Any) -> Any:
    """The float of a decimal number, where its digits are the same; else the number itself."""
    if not isinstance(value, Decimal):
        return value
    number = float(value)
    return number if not value.is_finite() or as_written(number) == value else value


def as_written(value: Any) -> Any:
    """The decimal number with the digits that show a float."""
    return Decimal(repr(value)) if isinstance(value, float) else value


COLSPECS: Any = {**TYPES, Numeric: DigitsAsWritten, Float: Floats}
"""The types that both dialects read and bind in their own way."""


class _Dialect(postgresql.PGDialect_asyncpg):
    """Compiles for asyncpg."""

    statement_compiler = _Compiler
    _backslash_escapes = False  # in literals, as PostgreSQL's standard_conforming_strings has it
    colspecs = COLSPECS


# Ranges need the driver adapter's module.
DIALECT: Any = cast("Any", _Dialect)(dbapi=cast("Any", _Dialect).import_dbapi(), json_serializer=encode)


class Statement:
    """SQL text with positional parameters, and how to fill them from named values.

    Prepared once per connection; identity is its key there, so keep the object. `written` is the table that it
    changes, None where it only reads; `tables` are the names of those that it reads, in subqueries as well, None where
    its result may change while their rows do not. `uses` names all tables that it reads or changes, whatever else its
    result depends on. `alters_session` says that it leaves something on its connection.

    `name` is what events call it (its text, where no name is given). It stands in the SQL as a comment after the first
    word, because `pg_stat_statements` drops one that comes before.

    `renamed` are other names for binds, by which their values come; `is_renamed` says that some are used. `own` are the
    binds of what the application wrote.
    """

    def __init__(
        self,
        expression: Executable,
        name: str = "",
        renamed: Mapping[str, str] = MappingProxyType({}),
        written: "Table[Any] | None" = None,
        own: OwnBinds = NO_BINDS,
    ) -> None:
        """`written` is the table that a part of a SELECT changes."""
        compiled = cast("_Compiler", cast("Any", expression).compile(dialect=DIALECT, own=own))
        processors: Mapping[str, Callable[[Any], Any]] = cast("Any", compiled)._bind_processors
        self.name = self.sql = compiled.string
        if name:
            word, space, rest = compiled.string.partition(" ")
            self.name = _UNSAFE.sub("_", name)
            self.sql = f"{word} /* {self.name} */{space}{rest}"
        self.alters_session = calls_session_function(compiled.string)
        self._origins = tuple(compiled.origins)
        read = frozenset(str(table.fullname) for table in compiled.tables)
        self.tables = None if compiled.has_text or is_volatile(compiled.string) else read
        self.written: Any = expression.table if isinstance(expression, UpdateBase) else written
        changed: Any = self.written
        self.uses = read if changed is None else read | {str(changed.fullname)}
        names: tuple[str, ...] = tuple(compiled.positiontup or ())
        sources = [own.columns.get(name, (name, None)) for name in names]
        self._names = tuple(renamed.get(source, source) for source, _ in sources)
        self.is_renamed = not renamed.keys().isdisjoint(source for source, _ in sources)
        self._binders = tuple(
            (name, processors.get(bind) if place is None else _column(place, processors.get(bind)))
            for name, bind, (_, place) in zip(self._names, names, sources, strict=True)
        )
        self._base: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if not compiled.binds[name].required
        }
        if not any(process for _, process in self._binders):
            self._binders = ()

    @property
    def plain_names(self) -> tuple[str, ...] | None:
        """The names of the arguments in their order, where `arguments` takes the values as they are; else None."""
        return None if self._binders or self._base else self._names

    def name_origins(self, error: BaseException) -> None:
        """Note at an error of PostgreSQL which policies are in the statement: its own words name only their SQL."""
        if self._origins and isinstance(error, asyncpg.PostgresError):
            error.add_note(f"The statement has the condition of {', '.join(self._origins)}.")

    def name_of(self, number: int) -> str | None:
        """The name of the argument of this number, from 1 on; None where there is none."""
        return self._names[number - 1] if 0 < number <= len(self._names) else None

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The positional arguments for asyncpg. `values` are by bind name; a missing one is a `KeyError`."""
        if self._base:
            values = {**self._base, **values}
        if not self._binders:
            return [values[name] for name in self._names]
        return [values[name] if process is None else process(values[name]) for name, process in self._binders]


def _column(place: int, process: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """What takes one member of each tuple of a list."""

    def column(rows: Any) -> Any:
        members = [row[place] for row in rows]
        return members if process is None else process(members)

    return column
