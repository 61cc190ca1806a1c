"""Which indexes a database lacks: those that the models and resources declare, and those by which lists find the rows
of an owner, and PostgreSQL the rows of a foreign key.

Outside the request path: `index_advice.py` asks. `index_uses.py` decides what an index serves, of a copy of the model's
table that has the indexes of the database: an index of another name that does the same counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Index, MetaData, Table, text
from sqlalchemy.schema import CreateIndex

from gatepost.database.index_catalog import CatalogForeignKey, CatalogIndex, CatalogKey, IndexCatalog, TableKey
from gatepost.models.document_paths import field_of
from gatepost.models.index_uses import BTREE_USES, Use, is_ordered_by, keys_of, uses_of, uses_of_index
from gatepost.models.indexes import NEED
from gatepost.models.owner_indexes import OwnerColumn, owner_columns
from gatepost.models.schema_names import DIALECT, full_name, schema_name
from gatepost.models.served_model import ServedModel

_NAMES = {"ix": "ix_%(column_0_label)s"}
"""What SQLAlchemy calls an index where nothing else is said."""


class Declared(NamedTuple):
    """What an application asks of indexes: its tables, the columns of owners, and by table and column the options of
    resources that need an index, as they are written: `sort=["title"] of Book`."""

    tables: "Mapping[TableKey, Table[Any]]"
    owners: Sequence[OwnerColumn]
    options: Mapping[tuple[TableKey, str], str]

    @classmethod
    def of(cls, metadata: MetaData, served: Iterable[ServedModel]) -> "Declared":
        """The declaration of these resources, whose models are in `metadata`."""
        items, tables = list(served), {(table.schema, table.name): table for table in metadata.tables.values()}
        return cls(tables, list(dict.fromkeys(owner_columns(items))), dict(_options(items)))


def _options(served: Iterable[ServedModel]) -> Iterator[tuple[tuple[TableKey, str], str]]:
    for item in served:
        table, resource = item.entity.table, item.resource
        for option in ("sort", "filter", "search", "order"):
            for term in getattr(resource, option):
                column = item.entity.attributes[field_of(term.removeprefix("-"))].column.name
                yield ((table.schema, table.name), column), f'{option}=["{term}"] of {item.entity.name}'


class MissingIndex(NamedTuple):
    """An index that is not there: what needs it, the statement that makes it, and what to write in the model, None
    where that declares it."""

    table_key: TableKey
    name: str
    reasons: list[str]
    statement: str
    model: str | None


class _Need(NamedTuple):
    columns: tuple[str, ...]
    reason: str
    is_declared: bool


def missing_indexes(declared: Declared, catalog: IndexCatalog) -> Iterator[MissingIndex]:
    """Table by table; of tables that no model is of, only what foreign keys need."""
    for key in catalog.tables:
        here = [each for each in catalog.usable if each.table_key == key]
        model = declared.tables.get(key)
        twin = _Twin(key, here, model)
        if model is not None:
            yield from twin.missing_of_model(model)
        needs = [*(() if model is None else _needs_of_owners(declared, model, twin))]
        needs += _needs_of_foreign_keys(catalog, key, here, twin)
        for columns in dict.fromkeys(need.columns for need in needs):
            yield twin.missing([need for need in needs if need.columns == columns])


def _needs_of_owners(declared: Declared, model: "Table[Any]", twin: "_Twin") -> Iterator[_Need]:
    for owner in declared.owners:
        column = owner.attribute.column
        if owner.entity.table is model and Use.EQUAL not in uses_of(twin.table, twin.table.c[column.name]):
            reason = f"{owner.policy} reads the whole table in every list"
            yield _Need((column.name,), reason, Use.EQUAL in uses_of(model, column))


def _needs_of_foreign_keys(
    catalog: IndexCatalog, key: TableKey, here: Sequence[CatalogIndex], twin: "_Twin"
) -> Iterator[_Need]:
    for constraint in catalog.foreign_keys:
        if constraint.table_key != key or any(constraint.is_found_by(index) for index in here):
            continue
        if not twin.will_find(constraint):
            reason = f"{constraint.name}: each DELETE in {constraint.target} reads the whole table"
            yield _Need(constraint.columns, reason, is_declared=False)


class _Twin:
    """A copy of a table with the indexes that the database has, and those that are to be made."""

    def __init__(self, key: TableKey, indexes: Iterable[CatalogIndex], model: "Table[Any] | None") -> None:
        self.key = key
        self._has_model = model is not None
        convention: Any = {} if model is None else model.metadata.naming_convention
        columns = [] if model is None else [Column(column.name, column.type) for column in model.columns]
        self.table = Table(key[1], MetaData(naming_convention={**_NAMES, **convention}), *columns, schema=key[0])
        self._names: set[str] = set()
        for each in indexes:
            self._names.add(each.name)
            self._add(each.name, each.keys, each.predicate, each.method)

    def missing_of_model(self, model: "Table[Any]") -> Iterator[MissingIndex]:
        """The indexes of the model that the database has neither by name nor by what they do."""
        for index in sorted(model.indexes, key=lambda index: str(index.name)):
            if index.unique or index.name in self._names or self._serves(index):
                continue
            need = index.info.get(NEED)
            reason = "the model declares it" if need is None else f"declared by {need}"
            yield self._missing(index, [reason], None)
            keys = [CatalogKey(key.column.name, "", None, key.collation, *key[1:3]) for key in keys_of(index)]
            if len(keys) == len(index.expressions):
                self._add(str(index.name), keys)

    def missing(self, needs: Sequence[_Need]) -> MissingIndex:
        """The plain index that these needs have in common."""
        columns = needs[0].columns
        for column in columns:
            if column not in self.table.c:
                self.table.append_column(Column(column))
        index = Index(None, *(self.table.c[column] for column in columns))
        named = index.name not in self._names
        if not named:
            index = Index(schema_name("ix", self.key[1], *columns, "served"), *index.expressions)
        model: str | None = None
        if self._has_model and not any(need.is_declared for need in needs):
            words = f"index=True at {columns[0]}" if named and len(columns) == 1 else _written(index, columns)
            model = f"Write {words} in the model of {full_name(self.key[1], self.key[0])}."
        return self._missing(index, [need.reason for need in needs], model)

    def will_find(self, constraint: CatalogForeignKey) -> bool:
        """Whether an index finds the rows of a foreign key once all that is declared is made."""
        count = len(constraint.columns)
        begins = ([key.column.name for key in keys_of(index)[:count]] for index in self.table.indexes)
        return any(len(names) == count and set(names) == set(constraint.columns) for names in begins)

    def _missing(self, index: Index, reasons: list[str], model: str | None) -> MissingIndex:
        statement = str(CreateIndex(index).compile(dialect=DIALECT)).strip()
        return MissingIndex(self.key, str(index.name), reasons, statement, model)

    def _serves(self, index: Index) -> bool:
        """Whether the database has something that does what an index of the model does."""
        keys = [key._replace(column=self.table.c[key.column.name]) for key in keys_of(index)]
        if keys and len(keys) == len(index.expressions):
            is_one = len(keys) == 1 and BTREE_USES | keys[0].order in uses_of(self.table, keys[0].column)
            return is_one or is_ordered_by(self.table, keys)
        if len(columns := list(index.columns)) != 1:
            return False
        wanted = uses_of_index(index, columns[0]) & (Use.TRIGRAMS | Use.CONTAINMENT)
        return wanted is not Use.NOTHING and wanted in uses_of(self.table, self.table.c[columns[0].name])

    def _add(self, name: str, keys: Sequence[CatalogKey], predicate: str | None = None, method: str = "btree") -> None:
        classes = {key.column: key.operator_class for key in keys if key.column and key.operator_class}
        where = None if predicate is None else text(predicate)
        options: Any = {"postgresql_using": method, "postgresql_ops": classes, "postgresql_where": where}
        Index(name, *(self._expression(key) for key in keys), _table=self.table, **options)

    def _expression(self, key: CatalogKey) -> Any:
        found: Any = self.table.c.get(key.column) if key.column is not None else None
        if found is None:
            return text(key.sql)
        if key.collation is not None:
            found = found.collate(key.collation)
        if key.is_descending:
            found = found.desc()
        if key.is_nulls_first != key.is_descending:
            found = found.nulls_first() if key.is_nulls_first else found.nulls_last()
        return found.label(key.column) if key.operator_class is not None else found


def _written(index: Index, columns: Sequence[str]) -> str:
    return f"Index({', '.join(repr(name) for name in (index.name, *columns))})"
