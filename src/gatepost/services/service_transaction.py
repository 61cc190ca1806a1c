"""Services outside of requests: for seeds, tests and scheduled jobs. `async with app.transaction() as tx`."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from gatepost.actor import Actor
from gatepost.database.transactions import AfterCommit
from gatepost.services.service import Changes, Service
from gatepost.services.unit_of_work import UnitOfWork

M = TypeVar("M")
S = TypeVar("S", bound=Service[Any])


class BoundService(Generic[M]):
    """The verbs of one service, for the actor of the transaction.

    What PostgreSQL refuses, a verb raises as a `Problem`. After that PostgreSQL runs no other statement of the
    transaction, unless the verb was called inside of `async with tx.session.begin_nested():`.
    """

    def __init__(self, unit: UnitOfWork, model: type[M], actor: Actor) -> None:
        self._service = unit.service(model)
        self._model = model
        self._actor = actor
        self._unit = unit

    async def get(self, id: Any) -> M:
        """The row with this key. Raises `NotFound`."""
        with self._problems():
            return await self._service.get(id, self._actor)

    async def create(self, draft: M) -> M:
        """Create a row through the service."""
        with self._problems():
            return await self._service.create(draft, self._actor)

    async def update(self, row: M, changes: Mapping[str, Any]) -> M:
        """Change a row through the service. Raises `TypeError` for a name that the model does not have."""
        changed = Changes(changes, model=type(row))
        with self._problems():
            return await self._service.update(row, changed, self._actor)

    async def delete(self, row: M) -> None:
        """Delete a row through the service."""
        with self._problems():
            await self._service.delete(row, self._actor)

    def _problems(self) -> AbstractContextManager[None]:
        return self._unit.problems(self._model)


class ServiceTransaction:
    """A transaction in which one actor acts: `tx[Orders].create(Order(...))`, `tx.session`, `tx.service(Orders)`."""

    def __init__(self, unit: UnitOfWork, actor: Actor) -> None:
        self._unit = unit
        self.actor = actor

    def __getitem__(self, service: type[Service[M]]) -> BoundService[M]:
        """The verbs of a service class that a resource names."""
        return BoundService(self._unit, self._unit.model_of(service), self.actor)

    def model(self, model: type[M]) -> BoundService[M]:
        """The verbs of a served model, whether it has a service class or not."""
        return BoundService(self._unit, model, self.actor)

    def service(self, service: type[S]) -> S:
        """The service itself, for methods of its own."""
        return self._unit.of(service)

    @property
    def session(self) -> AsyncSession:
        """The ORM session of the transaction."""
        return self._unit.transaction.session

    def after_commit(self, callback: AfterCommit) -> None:
        """Call `callback` after the transaction is committed, and never if it is not."""
        self._unit.transaction.after_commit(callback)
