"""The verbs that a service writes itself, with what holds around them for every caller.

An endpoint, another service or a seed calls `create` of a service: where the service overrides it, the call goes
through here. Owner columns are filled, references of a body looked up, the policies enforced on the row as it was and
as it is written, and what PostgreSQL refuses is raised as the problem that it means. The verb only has to write.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect

from gatepost.actor import Actor
from gatepost.models.list_query import ListQuery
from gatepost.services.changes import Changes
from gatepost.services.write_checks import WriteChecks


class GuardedVerbs:
    """The own verbs of one `Service` in one transaction."""

    def __init__(self, service: Any, model: type[Any], checks: WriteChecks) -> None:
        self._get = service.get
        self._list = service.list
        self._create = service.create
        self._update = service.update
        self._delete = service.delete
        self._name: str = type(service).__name__
        self._model = model
        self._checks = checks

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Any:
        """The service's `get`. Raises `NotFound` where the actor may not read the row that it has found."""
        row = await self._get(id, actor, lock=lock)
        if not isinstance(row, self._model):
            raise TypeError(f"{self._name}.get returned {type(row).__name__}, not {self._model.__name__}.")
        await self._checks.check_readable(self._model, row, actor)
        return row

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Any]:
        """Those of the rows of the service's `list` that the actor may list."""
        return await self._checks.listed(self._model, await self._list(query, actor), actor)

    async def create(self, draft: Any, actor: Actor) -> Any:
        """The service's `create`."""
        async with self._checks.creating(draft, actor, is_own=True) as written:
            written.row = await self._create(draft, actor)
        return self._returned("create", written.row)

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> Any:
        """The service's `update`."""
        async with self._checks.updating(row, changes, actor, is_own=True) as written:
            written.row = await self._update(row, changes, actor)
        return self._returned("update", written.row)

    async def delete(self, row: Any, actor: Actor) -> None:
        """The service's `delete`."""
        async with self._checks.deleting(row, actor, is_own=True):
            await self._delete(row, actor)

    def _returned(self, verb: str, row: Any) -> Any:
        """The row that a verb has returned. Raises `TypeError` for anything else: which row was written is not known,
        and so nothing may be committed."""
        name = f"{self._name}.{verb}"
        if not isinstance(row, self._model):
            complaint = f"{name} returned {type(row).__name__}, not {self._model.__name__}."
        elif inspect(row).identity is None:
            complaint = f"{name} returned a row that was not written; call super()."
        else:
            return row
        error = TypeError(complaint)
        self._checks.refuse(error)
        raise error
