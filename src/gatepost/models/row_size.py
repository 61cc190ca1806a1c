"""The size of a row's JSON: the maximum that the declaration implies, and PostgreSQL's count where there is none.

The maximum is computed once per statement: where a page of such rows cannot become too large, nothing is counted.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Text,
    bindparam,
    cast,
    func,
    inspect,
    literal_column,
    or_,
    text,
)
from sqlalchemy.orm import Mapper

from gatepost.models.entity import Entity, entity_of
from gatepost.models.literals import literal_integer
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Form, Shape

CHARACTER_BYTES_MAX = 6
"""A control character is an escape of six bytes in JSON; no other character has more than four in UTF-8."""

NULL_BYTES = 4
SEPARATOR_BYTES = 2
_FIXED = {
    Form.BOOLEAN: 5,
    Form.INTEGER: 22,
    Form.FLOAT: 26,
    Form.UUID: 38,
    Form.TIMESTAMP: 40,
    Form.DATE: 20,
    Form.TIME: 20,
    Form.INTERVAL: 80,
}


def row_bytes_max(
    served: ServedModel, names: Iterable[str], nested: Iterable[tuple[str, int | None]] = ()
) -> int | None:
    """The most bytes that a row with these fields can have, and with these objects inside it, by name and size; None
    where one of them is unbounded."""
    attributes = [served.entity.attributes[name] for name in names]
    own = ((each.wire_name, value_bytes_max(each.shape)) for each in attributes)
    return members_bytes_max([*own, *nested])


def members_bytes_max(sizes: Iterable[tuple[str, int | None]]) -> int | None:
    """The most bytes of an object with members of these names and sizes; None where one of them is unbounded."""
    total = 2
    for name, size in sizes:
        if size is None:
            return None
        total += len(json.dumps(name)) + 2 + max(size, NULL_BYTES)
    return total


def unbounded_names(served: ServedModel) -> tuple[str, ...]:
    """The attributes whose values nothing bounds."""
    attributes = served.entity.attributes.items()
    return tuple(name for name, attribute in attributes if value_bytes_max(attribute.shape) is None)


def unbounded_columns_below(entity: Entity) -> tuple[Column[Any], ...]:
    """The columns of subclasses, which objects of the class are loaded with, whose values nothing bounds."""
    mapper: Mapper[Any] = inspect(entity.model)
    below = (entity_of(item.class_).attributes for item in mapper.self_and_descendants if item is not mapper)
    found = {
        attribute.column: None
        for attributes in below
        for attribute in attributes.values()
        if not attribute.is_expression and value_bytes_max(attribute.shape) is None
    }
    return tuple(column for column in found if entity.attribute_of(column) is None)


MAY_BE_LARGE = text("""
    SELECT relkind <> 'r' OR relhassubclass OR coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0) > 0
    FROM pg_class WHERE oid = to_regclass(:name)
""").bindparams(bindparam("name", type_=Text, required=True))
"""Whether a table may have rows of more than a block, 8 KiB: PostgreSQL keeps their values in another relation, which
is empty otherwise. Compressed texts inside a block are the exception, and hardly reach a hundred times its size."""


def total_bytes(values: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    """The bytes of these columns as texts, over all rows."""
    size: ColumnElement[int] = literal_column("0::bigint", BigInteger)
    for value in values:
        size = size + func.coalesce(func.octet_length(cast(value, Text)), 0)
    return cast(func.coalesce(func.sum(size), 0), BigInteger)


def value_bytes_max(shape: Shape) -> int | None:
    """The most bytes of a value in JSON; None where nothing bounds it."""
    if shape.is_decorated:
        return None
    match shape.form:
        case Form.DECIMAL:
            return None if shape.digits is None else sum(shape.digits) + 5
        case Form.ENUM:
            return max((len(json.dumps(value)) for _, value in shape.choices), default=NULL_BYTES)
        case Form.TEXT | Form.BYTES:  # the declared bound counts as well: PostgreSQL checks it
            length: int | None = shape.bound("max_length")
            return None if length is None else length * CHARACTER_BYTES_MAX + 2  # base64 is shorter
        case form:
            return _FIXED.get(form)


def running_bytes(texts: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    """The bytes of the rows up to this one, in the order in which they come. `texts` are the parts of a row."""
    size: ColumnElement[int] = literal_integer(SEPARATOR_BYTES)
    for part in texts:
        size = size + func.coalesce(func.octet_length(cast(part, Text)), NULL_BYTES)
    return func.sum(size).over(rows=(None, 0))


def fits(number: ColumnElement[int], running: ColumnElement[int], bytes_max: int) -> ColumnElement[bool]:
    """Whether a row has room on the page: those up to it have no more than `bytes_max` bytes, or it is the first."""
    return or_(running <= literal_integer(bytes_max), number == literal_integer(1))
