"""Notes the values of personal fields of the objects that code works with, for the request that it serves.

In the request path only of services and own endpoints that load or make objects of a model with a personal field, once
per object. What a text in the log must not show is then known also where the object is gone by the time it is written.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, event, inspect
from sqlalchemy.orm import Mapper

from gatepost.call import CURRENT_SPENT
from gatepost.models.base import PERSONAL

VALUES_MAX = 10_000
"""Of one request. What is loaded beyond them is not known."""


def note_personal_values(models: Iterable[type[Any]]) -> None:
    """Note the values of the personal attributes of these classes from now on. Idempotent."""
    for model in models:
        for name, listener in (("load", _note_loaded), ("refresh", _note_refreshed)):
            if not event.contains(model, name, listener):
                event.listen(model, name, listener)
        for each in _names_of(cast("Any", model)):
            attribute = getattr(model, each)
            if not event.contains(attribute, "set", _note_set):
                event.listen(attribute, "set", _note_set)


def is_personal(column: Column[Any]) -> bool:
    """Whether the values of a column are personal data."""
    return bool(column.info.get(PERSONAL))


def texts_of(value: Any) -> Iterator[str]:
    """A value as it would stand in a text, with the parts of a document or a list. Of an expression in SQL there are
    none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("Mapping[Any, Any]", value).values():
            yield from texts_of(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in cast("Iterable[Any]", value):
            yield from texts_of(each)
    elif isinstance(value, int | float | Decimal | date | time | UUID) and not isinstance(value, bool):
        yield str(value)


@cache
def _names_of(model: Any) -> tuple[str, ...]:
    mapper = cast("Mapper[Any]", inspect(model))
    columns = [(each.key, each.columns[0]) for each in mapper.column_attrs]
    return tuple(name for name, column in columns if isinstance(column, Column) and is_personal(column))


def _note_loaded(row: Any, _context: Any) -> None:
    _note_refreshed(row, _context, None)


def _note_refreshed(row: Any, _context: Any, _names: Any) -> None:
    values = cast("Mapping[str, Any]", vars(row))
    for name in _names_of(cast("Any", type(row))):
        _note(values.get(name))


def _note_set(_row: Any, value: Any, _before: Any, _initiator: Any) -> None:
    _note(value)


def _note(value: Any) -> None:
    spent = CURRENT_SPENT.get(None)
    if spent is None or value is None:
        return
    if spent.personal is None:
        spent.personal = set()
    if len(spent.personal) < VALUES_MAX:
        spent.personal.update(texts_of(value))
