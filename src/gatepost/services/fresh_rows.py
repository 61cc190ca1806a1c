"""Rows that are about to be changed: locked, and shown by their objects as they are in the database.

A policy that was asked about a row as it was loaded says nothing about the row that is written: another transaction may
have changed it in between.
"""

from typing import Any

from sqlalchemy import Column, inspect, select
from sqlalchemy.exc import InvalidRequestError

from gatepost.database.sessions import RequestSession
from gatepost.database.transactions import Transaction
from gatepost.models.entity import Entity
from gatepost.services.write_policies import deciding_names, not_found

_UNLOADED = object()


async def lock_fresh(transaction: Transaction, entity: Entity, row: Any) -> None:
    """Lock the row, unless this transaction has locked or written it, and read its loaded columns again. What is
    pending of it is written before. Raises `NotFound` where the row is gone.

    The version that the mapper keeps stays as it was loaded: changes that were computed from an older one get the
    conflict.
    """
    if transaction.locked.holds(row):
        return
    state: Any = inspect(row)
    session = transaction.session
    if state.detached:
        session.add(row)
    mapper = state.mapper
    columns = [
        each.key
        for each in mapper.column_attrs
        if isinstance(each.columns[0], Column)
        and each.columns[0] is not mapper.version_id_col
        and (each.key in state.dict or each.columns[0].primary_key)
    ]
    await session.flush()
    lock: Any = {"of": entity.table}
    if mapper.version_id_col is not None:  # of a row that it locks, the ORM compares the version with the object's
        await _lock(session, mapper, state.identity)
        lock = None
    try:
        await session.refresh(row, columns, with_for_update=lock)
    except InvalidRequestError as error:
        if type(error) is InvalidRequestError and state.persistent:
            raise not_found() from error
        raise
    transaction.locked.add(row)


async def _lock(session: RequestSession, mapper: Any, identity: Any) -> None:
    key = mapper.primary_key
    is_row = (column == value for column, value in zip(key, identity, strict=True))
    await session.execute(select(*key).where(*is_row).with_for_update())


class DecidingValues:
    """The values of a row on which a decision depends, to tell afterwards whether a write has changed them."""

    def __init__(self, row: Any, entity: Entity, decision: Any) -> None:
        self._row = row
        self._names = deciding_names(decision, entity)
        self._before = self._values()

    @property
    def may_have_changed(self) -> bool:
        """Whether the decision may be another one by now."""
        after = self._values()
        return self._names is None or _UNLOADED in after or after != self._before

    def _values(self) -> list[Any]:
        loaded = inspect(self._row).dict
        return [loaded.get(name, _UNLOADED) for name in sorted(self._names or ())]


def is_written(row: Any) -> bool:
    """Whether the row of an object is in the database, as far as its session knows."""
    state: Any = inspect(row)
    return state.identity is not None and not state.deleted
