"""The verbs that a service writes itself, with what holds around them, whoever calls them.

An endpoint, another service or a seed calls `create` of a service: where the service overrides it, the call goes
through here. Owner columns are filled, references of a body looked up, the policies enforced on the row as it was and
as it is written, and what PostgreSQL refuses is raised as the problem that it means. The verb only has to write.
"""

from typing import Any

from gatepost.actor import Actor
from gatepost.services.changes import Changes
from gatepost.services.write_checks import WriteChecks


class GuardedVerbs:
    """The own verbs of one `Service` in one transaction."""

    def __init__(self, service: Any, checks: WriteChecks) -> None:
        self._create = service.create
        self._update = service.update
        self._delete = service.delete
        self._checks = checks

    async def create(self, draft: Any, actor: Actor) -> Any:
        """The service's `create`."""
        async with self._checks.creating(draft, actor, is_own=True) as written:
            written.row = await self._create(draft, actor)
        return written.row

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> Any:
        """The service's `update`."""
        async with self._checks.updating(row, changes, actor, is_own=True) as written:
            written.row = await self._update(row, changes, actor)
        return written.row

    async def delete(self, row: Any, actor: Actor) -> None:
        """The service's `delete`."""
        async with self._checks.deleting(row, actor, is_own=True):
            await self._delete(row, actor)
