"""What is known of an ORM object before it is flushed: the values of the row that a service is about to write."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import ClauseElement, Column, inspect
from sqlalchemy.orm import Session

from gatepost.models.entity import Entity


class KnownValues(NamedTuple):
    """Values by attribute, and the attributes whose value is not known until the object is written."""

    values: dict[str, Any]
    unknown: frozenset[str]


def known_values(
    entity: Entity, row: Any, changes: Mapping[str, Any], session: Session, *, is_new: bool
) -> KnownValues | None:
    """The values that a flush of the object would write after these changes; None where the application listens to
    events of the mapper or the session that come before, because the listener may change them."""
    mapper = cast("Any", inspect)(entity.model)
    events: Any = session.dispatch
    is_heard = mapper.dispatch.before_insert if is_new else mapper.dispatch.before_update
    if is_heard or events.before_flush or events.before_attach or events.after_attach or events.transient_to_pending:
        return None
    loaded = {**cast("dict[str, Any]", inspect(row).dict), **changes}
    # The ORM sets a foreign key from its relationship during the flush: until then the column's value is unknown.
    given = loaded if is_new else changes
    referring = {
        column for relation in mapper.relationships if relation.key in given for column in relation.local_columns
    }
    values: dict[str, Any] = {}
    unknown: set[str] = set()
    columns = ((name, item) for name, item in entity.attributes.items() if not item.is_expression)
    for name, attribute in columns:
        column, default = attribute.column, cast("Any", attribute.column.default)
        is_set_by_orm = column in referring or column is mapper.version_id_col
        if not is_new:
            # Validators and listeners to the attribute may make another value of it.
            is_set_by_orm |= bool(getattr(entity.model, name).dispatch.set) if name in changes else _is_touched(column)
        if name in loaded and not is_set_by_orm and not isinstance(loaded[name], ClauseElement):
            values[name] = loaded[name]
        elif is_new and name not in loaded and not is_set_by_orm and default is not None and default.is_scalar:
            values[name] = default.arg
        elif is_set_by_orm or name in loaded or not is_new or attribute.references is not None or default is not None:
            unknown.add(name)
    return KnownValues(values, frozenset(unknown))


def _is_touched(column: Column[Any]) -> bool:
    """Whether a change of another column changes this one."""
    return column.onupdate is not None or column.server_onupdate is not None
