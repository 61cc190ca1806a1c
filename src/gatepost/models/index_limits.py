"""What does not fit into an index: which columns an index holds, and those whose values nothing keeps short enough.

A B-tree holds entries of up to a third of a block, and so does a GIN index of an array for each element. PostgreSQL
refuses a longer one when the row is written, so a text without a bound in such an index is a write that fails one day:
the start and `gatepost doctor` warn of it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TextClause

from gatepost.models.constraint_names import constraints_of, object_name
from gatepost.models.document_bounds import value_bytes_max
from gatepost.models.document_paths import DocumentPath, document_path
from gatepost.models.entity import Attribute
from gatepost.models.index_uses import method_of
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Form, Shape

ENTRY_BYTES_MAX = 2704
"""The longest entry of a B-tree, in blocks of 8 KiB (`BTMaxItemSize`)."""

_METHODS = ("btree", "gin")
_HEADER_BYTES = 16
_CHARACTER_BYTES_MAX = 4


class IndexWarning(NamedTuple):
    """A column whose values may be too long for an index: its attribute, the index, and what to write instead."""

    field: str
    index_name: str
    hint: str


class Indexed(NamedTuple):
    """An index: its name, the columns that it reads, its method, and the paths into documents that are all that it
    reads of a column."""

    name: str
    columns: list[sa.Column[Any]]
    method: str
    paths: Sequence[DocumentPath] = ()


def indexes_of(table: "sa.Table[Any]") -> Iterator[Indexed]:
    """Each index of a table, those behind constraints included."""
    for constraint in constraints_of(table):
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint) and len(constraint.columns):
            # An unnamed primary key has the name that PostgreSQL gives.
            yield Indexed(
                str(constraint.name or object_name(table.name, "", "pkey")), list(constraint.columns), "btree"
            )
    for index in table.indexes:
        paths = [found for each in index.expressions if (found := document_path(each)) is not None]
        yield Indexed(str(index.name), columns_in(index.expressions, table), method_of(index), paths)


def columns_in(expressions: Iterable[Any], table: "sa.Table[Any]") -> list[sa.Column[Any]]:
    """The columns of a table that these expressions read; those written as text are searched for names."""
    found: dict[sa.Column[Any], None] = {}
    for expression in expressions:
        for element in visitors.iterate(expression):
            # By hash: a mapped attribute gives an index a copy of the column, which has the same hash.
            words = set(re.findall(r"\w+", element.text)) if isinstance(element, TextClause) else ()
            found |= {column: None for column in table.columns if column.name in words or hash(column) == hash(element)}
    return list(found)


def index_warnings(served: Iterable[ServedModel]) -> list[IndexWarning]:
    """The fields of these resources whose values may be too long for one of their indexes."""
    return [
        IndexWarning(f"{item.entity.name}.{attribute.name}", index.name, _hint(attribute))
        for item in served
        if not item.entity.is_view
        for index in indexes_of(item.entity.table)
        if index.method in _METHODS
        for attribute in _too_long([item.entity.attribute_of(column) for column in index.columns], index)
    ]


def _too_long(attributes: list[Attribute | None], index: Indexed) -> list[Attribute]:
    """Those among the columns of one index that can make its entry too long."""
    # A reference is as long as the key that it names, which has an index itself.
    own = [item for item in attributes if item is not None and not (item.managed or item.column.foreign_keys)]
    sizes = {item.name: _entry_bytes_max(item, index) for item in own}
    unbounded = [item for item in own if sizes[item.name] is None]
    if unbounded or sum(size or 0 for size in sizes.values()) + _HEADER_BYTES <= ENTRY_BYTES_MAX:
        return unbounded
    return [max(own, key=lambda item: sizes[item.name] or 0)]


def _entry_bytes_max(attribute: Attribute, index: Indexed) -> int | None:
    """The most bytes of the entry of an index for one of its columns; None where nothing bounds it."""
    paths = [path for path in index.paths if path.column.name == attribute.column.name]
    if attribute.shape.structure is None or not paths:
        return _bytes_max(attribute.shape, index.method)
    sizes = [value_bytes_max(attribute.shape.structure, path.keys) for path in paths]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _bytes_max(shape: Shape, method: str = "btree") -> int | None:
    """The most bytes of an entry for a value; None where nothing bounds it."""
    if method == "gin":  # an entry for each element of an array; of other values it holds trigrams or digests
        return _bytes_max(shape.items) if shape.items is not None else 0
    if shape.form in (Form.DOCUMENT, Form.ARRAY):
        return None
    if shape.form in (Form.TEXT, Form.BYTES):
        length: int | None = shape.bound("max_length")
        return None if length is None else length * (_CHARACTER_BYTES_MAX if shape.form is Form.TEXT else 1)
    return 0


def _hint(attribute: Attribute) -> str:
    if attribute.shape.items is not None and attribute.shape.items.form is Form.TEXT:
        return "Bound its elements: Mapped[list[Annotated[str, MaxLen(672)]]] or ARRAY(String(672))."
    if attribute.shape.form is not Form.TEXT:
        return "Index a digest of it instead, or keep it short by a CHECK."
    length = (ENTRY_BYTES_MAX - _HEADER_BYTES) // _CHARACTER_BYTES_MAX
    kind = "str | None" if attribute.nullable else "str"
    return f"Bound it: Mapped[Annotated[{kind}, MaxLen({length})]] or String({length}), or fewer characters."
