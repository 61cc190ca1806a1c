"""What is known of an object of the ORM's before it is written: the row that a service is about to make of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import ClauseElement, Column, inspect

from gatepost.models.entity import Entity


class KnownValues(NamedTuple):
    """Values by attribute, and the attributes whose value is not known until the object is written."""

    values: dict[str, Any]
    unknown: frozenset[str]


def known_values(entity: Entity, row: Any, changes: Mapping[str, Any], *, is_new: bool) -> KnownValues | None:
    """The values that a flush of the object, after these changes, would write; None where a listener of the user's own
    may change them on the way."""
    mapper = cast("Any", inspect)(entity.model)
    if mapper.dispatch.before_insert if is_new else mapper.dispatch.before_update:
        return None
    loaded = {**cast("dict[str, Any]", inspect(row).dict), **changes}
    # A foreign key is written when its object is: until then the column may hold anything.
    given = loaded if is_new else changes
    referring = {
        column for relation in mapper.relationships if relation.key in given for column in relation.local_columns
    }
    values: dict[str, Any] = {}
    unknown: set[str] = set()
    for name, attribute in entity.attributes.items():
        is_missing = name not in loaded or attribute.column in referring
        is_missing = is_missing or (not is_new and name not in changes and _is_touched(attribute.column))
        if not is_missing and not isinstance(loaded[name], ClauseElement):
            values[name] = loaded[name]
        elif (
            is_new and name not in loaded and attribute.column not in referring and _is_scalar(attribute.column.default)
        ):
            values[name] = cast("Any", attribute.column.default).arg
        elif name in loaded or not is_new or attribute.references is not None or attribute.column.default is not None:
            unknown.add(name)
    return KnownValues(values, frozenset(unknown))


def _is_touched(column: Column[Any]) -> bool:
    """Whether a change of another column changes this one."""
    return column.onupdate is not None or column.server_onupdate is not None


def _is_scalar(default: Any) -> bool:
    return default is not None and default.is_scalar
