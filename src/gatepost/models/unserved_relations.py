"""Relationships that clients cannot use, because they are more than the equality of two columns: over a table without
a class (`secondary=`), or with a condition of their own.

Outside the request path: the start and `gatepost doctor` warn of them.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import inspect

from gatepost.models.mapping import joined_columns
from gatepost.models.served_model import ServedModel
from gatepost.sources import attribute_location

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper, RelationshipProperty

_IN_EXPRESSIONS = "where only your own expressions use it, let its name begin with `_`"
_MANY_TO_MANY = (
    "Map the table {table!r} to a class of its own with a relationship to each side, as docs/how-to/tag-rows.md "
    f"shows; {_IN_EXPRESSIONS}."
)
_CONDITION = f"Relate the two by one foreign key, and filter with `where=` or policies; {_IN_EXPRESSIONS}."


class RelationWarning(NamedTuple):
    """A relationship that is not served: the attribute, its line, why, and what to write."""

    relation: str
    location: str
    reason: str
    hint: str


def relation_warnings(served: Iterable[ServedModel]) -> list[RelationWarning]:
    """The relationships of these resources that clients can neither filter over, nor expand, nor set."""
    by_model = {item.entity.model: item for item in served if item.resource.routes}
    return [warning for model in by_model for warning in _of(model, by_model)]


def _of(model: type[Any], served: Iterable[type[Any]]) -> Iterator[RelationWarning]:
    mapper: Mapper[Any] = inspect(model)
    for prop in mapper.relationships:
        if prop.key.startswith("_") or (found := _reason(prop, served)) is None:
            continue
        yield RelationWarning(f"{model.__name__}.{prop.key}", attribute_location(model, prop.key), *found)


def _reason(prop: "RelationshipProperty[Any]", served: Iterable[type[Any]]) -> tuple[str, str] | None:
    """Why a relationship is not served, and what to write; None where it is, or where no client would expect it."""
    if prop.secondary is not None:
        table = str(getattr(cast("Any", prop.secondary), "name", "between them"))
        reason = f"secondary= relates rows over the table {table!r}, which has no class"
        return reason, _MANY_TO_MANY.format(table=table)
    if prop.mapper.class_ in served and joined_columns(prop) is None and len(prop.local_remote_pairs or ()) == 1:
        return "its condition is more than the equality of two columns", _CONDITION
    return None
