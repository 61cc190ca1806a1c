"""Where a real table is not what its model declares, as far as that would make wrong responses.

Outside the request path: asked with what PostgreSQL's catalog says (`database/reflection.py`) on the first connection,
and when a statement finds the schema changed. Pure. What differs without harm (more columns, a longer `varchar`,
another default) is left to `gatepost migrate check`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column
from sqlalchemy.schema import DefaultClause

from gatepost.database.reflection import ReflectedColumn, ReflectedTable, Reflection, TableName, TypeName
from gatepost.errors import ConfigurationError
from gatepost.models.column_types import base_type, fits, type_name, type_text
from gatepost.models.entity import Attribute, Entity
from gatepost.models.schema_names import qualified, quote
from gatepost.models.shape import Form
from gatepost.models.type_spellings import type_spelling

_MIGRATE = "run `gatepost migrate make` and `gatepost migrate up`"


class Mismatch(NamedTuple):
    """What differs: at a table or `table.column`, what the model declares, what the database has, and what to write."""

    location: str
    declared: str
    actual: str
    hint: str

    def __str__(self) -> str:
        return f"{self.location}: the model declares {self.declared}, the database has {self.actual}. {self.hint}"


class ExpectedTable(NamedTuple):
    """A table as the app uses it: `creates` rows by the INSERTs of Gatepost, or only reads or changes them. `writes`
    are the actions by which clients write its rows.

    `is_default` is the users' table that Gatepost declares where the app names none: an app starts without it, and
    nobody signs in.
    """

    entity: Entity
    creates: bool
    writes: Collection[str] = ()
    is_default: bool = False

    @property
    def attributes(self) -> list[Attribute]:
        """Those that are columns of the table which its definition names."""
        attributes = self.entity.attributes.values()
        return [item for item in attributes if not (item.is_expression or item.column.system)]

    @property
    def name(self) -> TableName:
        """Its schema and name."""
        return self.entity.table.schema, self.entity.table.name


class ExpectedTables:
    """The tables of an app. `tables` and `types` are the names to ask PostgreSQL for."""

    def __init__(self, expected: Sequence[ExpectedTable]) -> None:
        self._expected = expected
        self.tables: list[TableName] = list(dict.fromkeys(item.name for item in expected))
        names = (type_name(each.column.type) for item in expected for each in item.attributes)
        self.types: list[TypeName] = list(dict.fromkeys(name for name in names if name is not None))

    def mismatches(self, found: Reflection) -> dict[str, list[Mismatch]]:
        """What does not fit, by the full name of the table."""
        by_table: dict[str, list[Mismatch]] = {}
        for item in self._expected:
            differing = _differing(item, found)
            if differing:
                kept = by_table.setdefault(item.entity.table.fullname, [])
                kept += [each for each in differing if each not in kept]
        return by_table

    def refusal(self, by_table: Mapping[str, Sequence[object]]) -> ConfigurationError | None:
        """The error of a start with these mismatches; None where the app may start."""
        dispensable = self._dispensable
        found = [str(each) for items in by_table.values() for each in items if each not in dispensable]
        if not found:
            return None
        listed = "".join(f"\n  - {each}" for each in found)
        return ConfigurationError(f"the tables are not those of the models:{listed}", location="DATABASE_URL")

    def missing(self, by_table: Mapping[str, Sequence[object]]) -> list[str]:
        """The mismatches that are tables which are not there, and without which an app starts all the same."""
        dispensable = self._dispensable
        return [str(each) for items in by_table.values() for each in items if each in dispensable]

    @property
    def _dispensable(self) -> list[Mismatch]:
        """An app starts without a view, which its own migrations make, and without the default users' table."""
        return [_missing(item) for item in self._expected if item.is_default or item.entity.is_view]


def _differing(expected: ExpectedTable, found: Reflection) -> list[Mismatch]:
    table = found.tables.get(expected.name)
    if table is None:
        return [_missing(expected)]
    if expected.is_default and all(column.name != "password_hash" for column in table.columns):
        hint = "Write App(users=...) with a model of it, or with one of another table."
        name = expected.entity.table.fullname
        return [Mismatch(name, "the users' table of Gatepost", "another table of this name", hint)]
    return list(_Comparison(expected, table, found).all())


def _missing(expected: ExpectedTable) -> Mismatch:
    kind = "view" if expected.entity.is_view else "table"
    hint = f"Correct the name or the schema in the model, or {_MIGRATE}."
    if expected.entity.is_view:
        make = "create it in a migration file (`gatepost migrate make --empty`)"
        hint = f"Correct the name or the schema in the model, or {make}."
    elif expected.is_default:
        hint = f"Nobody can sign in without it: {_MIGRATE}, or write App(users=...) with the model of another table."
    return Mismatch(expected.entity.table.fullname, f"this {kind}", f"no {kind} of this name", hint)


class _Comparison:
    """One table: the declared one, and the one that is there."""

    def __init__(self, expected: ExpectedTable, table: ReflectedTable, found: Reflection) -> None:
        self._entity = expected.entity
        self._is_default = expected.is_default
        self._attributes = expected.attributes
        self._table = table
        self._found = found
        self._creates = expected.creates and not table.is_view
        self._writes = expected.writes
        self._columns: Mapping[str, ReflectedColumn] = {column.name: column for column in table.columns}
        self._sql = qualified(self._entity.table.name, self._entity.table.schema)

    def all(self) -> Iterator[Mismatch]:
        """Every mismatch, in the order of the columns."""
        for attribute in self._attributes:
            actual = self._columns.get(attribute.column.name)
            if actual is None:
                yield self._at(attribute.column.name, _words(attribute.column), "no such column", self._add(attribute))
            else:
                yield from self._type(attribute, actual)
                if not self._table.is_view:
                    yield from self._nulls(attribute, actual)
                    yield from self._generation(attribute, actual)
        yield from self._unmapped()
        yield from self._key()
        yield from self._actions()

    def _at(self, column: str, declared: str, actual: str, hint: str) -> Mismatch:
        return Mismatch(f"{self._entity.table.fullname}.{column}", declared, actual, hint)

    def _add(self, attribute: Attribute) -> str:
        if self._is_default:
            return f"Write App(users=...) with a model of this table, or {_MIGRATE}, which add it."
        return f"Take the attribute {attribute.name!r} out of {self._entity.name}, or {_MIGRATE}, which add it."

    def _alter(self, column: str, action: str) -> str:
        return f"ALTER TABLE {self._sql} ALTER COLUMN {quote(column)} {action}"

    # Types

    def _type(self, attribute: Attribute, actual: ReflectedColumn) -> Iterator[Mismatch]:
        column = attribute.column
        name = type_name(column.type)
        if name is None:
            return
        declared = self._found.find_type(name)
        real = self._found.type_of(actual)
        if declared is None:
            there = f"no type {name[1]}; the column is {actual.type_text}"
            hint = f"Correct the type's name or schema in the model, or {_MIGRATE}."
            yield self._at(column.name, type_text(column.type), there, hint)
        elif not fits(column.type, declared, real, is_key=attribute.primary_key):
            words = _labelled(actual.type_text, real.labels if declared.oid == real.oid else ())
            hint = self._type_hint(attribute, actual, declared.name, real.name)
            yield self._at(column.name, _words(column), words, hint)

    def _type_hint(self, attribute: Attribute, actual: ReflectedColumn, declared: str, real: str) -> str:
        kind = type_text(attribute.column.type)
        if attribute.shape.form is Form.ENUM and declared == real:
            return (
                f"Give the enum of the model the same values, or {_MIGRATE}. Where the labels are the values of its "
                "members, not the names: Enum(..., values_callable=lambda kind: [each.value for each in kind])."
            )
        is_of_time = {declared, real} == {"timestamp", "timestamptz"}
        using = f" USING {quote(actual.name)} AT TIME ZONE 'UTC'" if is_of_time else ""
        alter = self._alter(actual.name, f"TYPE {kind}{using}")
        if (declared, real) == ("timestamptz", "timestamp"):
            return f"Write mapped_column(NaiveUTC), if its values are in UTC; or convert the column: `{alter}`."
        spelling = type_spelling(actual.type_text)
        declare = "Declare the type that the column has" if spelling is None else f"Write mapped_column({spelling})"
        return f"{declare}, or convert the column: `{alter}`."

    # NULL and values that the database makes

    def _nulls(self, attribute: Attribute, actual: ReflectedColumn) -> Iterator[Mismatch]:
        is_not_null = self._is_not_null(actual)
        column = attribute.column
        if not attribute.nullable and not is_not_null:
            alter = self._alter(column.name, "SET NOT NULL")
            hint = f"Write Mapped[... | None] (nullable=True); or fill the rows that have a NULL, and run `{alter}`."
            yield self._at(column.name, "NOT NULL", "a column that may hold NULL", hint)
        if attribute.nullable and is_not_null and self._is_left_out(attribute) and not self._makes(actual):
            alter = self._alter(column.name, "DROP NOT NULL")
            hint = f"Write Mapped[...] without None (nullable=False), or run `{alter}`."
            yield self._at(column.name, "a column that may be NULL", "NOT NULL without a default", hint)

    def _generation(self, attribute: Attribute, actual: ReflectedColumn) -> Iterator[Mismatch]:
        column = attribute.column
        if column.computed is not None and not (actual.is_computed or self._table.fills_rows):
            hint = f"Take Computed(...) out of the model, or {_MIGRATE}."
            yield self._at(column.name, "a computed column", "an ordinary one", hint)
        elif _is_given(attribute) and (actual.is_computed or actual.identity == "a"):
            kind = "a computed column" if actual.is_computed else "GENERATED ALWAYS AS IDENTITY"
            hint = f"Declare it: mapped_column({'Computed(...)' if actual.is_computed else 'Identity(always=True)'})."
            yield self._at(column.name, "a column that INSERT and UPDATE set", kind, hint)
        elif self._creates and self._must_be_made(attribute, actual) and not self._makes(actual):
            yield self._at(column.name, "a value that the database makes", "no default", self._default_hint(attribute))

    def _default_hint(self, attribute: Attribute) -> str:
        name = attribute.column.name
        if attribute.column.server_default is None:
            alter = self._alter(name, "ADD GENERATED BY DEFAULT AS IDENTITY")
            write = "mapped_column(primary_key=True, autoincrement=False), and clients send the key"
            return f"Write {write}; or run `{alter}`."
        return f"Take server_default= out of the model, or {_MIGRATE}."

    def _must_be_made(self, attribute: Attribute, actual: ReflectedColumn) -> bool:
        """Whether INSERTs leave out the column because the model says that the database makes the value. How it does
        so is not said by FetchedValue, which may mean a NULL."""
        column = attribute.column
        if column.default is not None or column.computed is not None:
            return False
        if column.primary_key and column is column.table.autoincrement_column:
            return True
        is_named = isinstance(column.server_default, DefaultClause) or column.identity is not None
        return is_named or (column.server_default is not None and self._is_not_null(actual))

    def _is_not_null(self, actual: ReflectedColumn) -> bool:
        return actual.is_not_null or self._found.type_of(actual).is_not_null

    def _makes(self, actual: ReflectedColumn) -> bool:
        """Whether an INSERT without this column gets a value from the database; a trigger may always give one."""
        is_made = actual.has_default or actual.is_computed or bool(actual.identity)
        return is_made or self._found.type_of(actual).has_default or self._table.fills_rows

    def _is_left_out(self, attribute: Attribute) -> bool:
        column = attribute.column
        return self._creates and column.default is None and column.server_default is None

    def _unmapped(self) -> Iterator[Mismatch]:
        """Columns that every INSERT of ours leaves out, and must not."""
        mapped = {attribute.column.name for attribute in self._attributes}
        for actual in self._table.columns:
            is_left_out = self._creates and actual.name not in mapped
            if is_left_out and self._is_not_null(actual) and not self._makes(actual):
                alter = self._alter(actual.name, "SET DEFAULT ...")
                hint = f"Map it in {self._entity.name}, or give it a default: `{alter}`."
                yield self._at(actual.name, "no such column", "one that is NOT NULL without a default", hint)

    # Views that PostgreSQL cannot write

    def _actions(self) -> Iterator[Mismatch]:
        for action in self._writes:
            if self._table.is_view and not self._table.takes(action):
                hint = f"Leave out {action}= and write=, or write an INSTEAD OF trigger."
                yield Mismatch(self._entity.table.fullname, action, "a view that PostgreSQL cannot write", hint)

    # Keys

    def _key(self) -> Iterator[Mismatch]:
        """Whether a key leads to one row. Views and foreign tables have none that PostgreSQL would know, and that of a
        partitioned table may have more columns."""
        key = [column.name for column in self._entity.table.primary_key]
        if self._table.kind != "r" or any(unique <= {*key} for unique in self._table.keys):
            return
        names = ", ".join(quote(name) for name in key)
        hint = f"Declare the key that the table has, or run `ALTER TABLE {self._sql} ADD PRIMARY KEY ({names})`."
        location = self._entity.table.fullname
        yield Mismatch(location, f"the primary key ({', '.join(key)})", "no unique index on it", hint)


def _is_given(attribute: Attribute) -> bool:
    """Whether a statement of ours may set the column."""
    return not attribute.managed or attribute.column.default is not None


def _words(column: Column[Any]) -> str:
    """The declared type, and the values of an enum."""
    return _labelled(type_text(column.type), getattr(base_type(column.type), "enums", ()))


def _labelled(text: str, labels: Sequence[str]) -> str:
    return f"{text} ({', '.join(labels)})" if labels else text
