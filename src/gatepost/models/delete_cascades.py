"""What the ORM does to other rows when it deletes one, where PostgreSQL would not do the same by itself.

A relationship says it (`cascade=`, or the default: set the foreign keys of the others to NULL), and so does a foreign
key (`ondelete=`). Where both say the same, a DELETE is enough. Asked at start.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty

from gatepost.database.listeners import listeners_of
from gatepost.errors import ConfigurationError

MAPPER_EVENTS = {
    "create": ("before_insert", "after_insert"),
    "update": ("before_update", "after_update"),
    "delete": ("before_delete", "after_delete"),
}


def delete_cascades(mapper: "Mapper[Any]", seen: "frozenset[Mapper[Any]]" = frozenset()) -> Iterator[str]:
    """The relationships, in words, by which the ORM's delete does more than a DELETE of the row."""
    for prop in mapper.relationships:
        if not prop.viewonly and not _is_left_to_database(prop, seen | {mapper}):
            does = "deletes" if prop.cascade.delete else "detaches"
            yield f"relationship {prop.key}, which {does} {prop.mapper.class_.__name__}"


def check_deletable(mapper: "Mapper[Any]") -> None:
    """Raise `ConfigurationError` where the ORM can delete no row, because it cannot load what it would change."""
    for prop in mapper.relationships:
        if prop.lazy == "write_only" and not (prop.passive_deletes or prop.viewonly):
            name = mapper.class_.__name__
            raise ConfigurationError(
                f"is write-only without passive_deletes=True, so SQLAlchemy can delete no {name}.",
                location=f"{name}.{prop.key}",
                hint='Write passive_deletes=True, and ondelete="CASCADE" or "SET NULL" in the foreign key of '
                f"{prop.mapper.class_.__name__}.",
            )


def _is_left_to_database(prop: "RelationshipProperty[Any]", seen: "frozenset[Mapper[Any]]") -> bool:
    """Whether PostgreSQL does the same to the rows at the other end, or nothing happens to them."""
    other, deletes = prop.mapper, prop.cascade.delete
    if prop.direction is RelationshipDirection.MANYTOONE:
        return not deletes
    if prop.passive_deletes:
        return True
    keys: list[Any] = [remote for _, remote in prop.synchronize_pairs]
    rules = {_rule(key) for key in keys}
    if prop.secondary is not None:
        return not deletes and rules == {"CASCADE"}
    if deletes:
        is_alone = other in seen or not any(delete_cascades(other, seen))
        return rules == {"CASCADE"} and is_alone and not _is_heard(other, "delete")
    # The ORM would fail to set keys to NULL that cannot be NULL: then the foreign key decides.
    is_fixed = all(not key.nullable for key in keys)
    return is_fixed or (rules == {"SET NULL"} and not _is_touched(other) and not _is_heard(other, "update"))


def _is_heard(mapper: "Mapper[Any]", action: str) -> bool:
    """Whether the application listens to what the ORM does to rows of another class."""
    kept = [each for event in MAPPER_EVENTS[action] for each in getattr(mapper.dispatch, event)]
    return any(listeners_of(action, kept))


def _rule(column: ColumnElement[Any]) -> str | None:
    """What the foreign keys of a column do when the row is deleted to which they refer; None where they differ."""
    rules = {(key.ondelete or "").upper() for key in column.foreign_keys}
    return rules.pop() if len(rules) == 1 else None


def _is_touched(mapper: "Mapper[Any]") -> bool:
    """Whether an update by the ORM changes columns that an update by PostgreSQL leaves alone."""
    table: Any = mapper.local_table
    return mapper.version_id_col is not None or any(column.onupdate is not None for column in table.columns)
