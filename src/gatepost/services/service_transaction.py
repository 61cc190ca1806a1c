"""Services outside of requests: for seeds, tests and scheduled jobs. `async with app.transaction() as tx`."""

from typing import Any, TypeVar, overload

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost.actor import Actor
from gatepost.database.transactions import AfterCommit
from gatepost.services.accounts import Accounts
from gatepost.services.service import Service
from gatepost.services.unit_of_work import UnitOfWork

N = TypeVar("N")
S = TypeVar("S", bound=Service[Any])


class ServiceTransaction:
    """A transaction in which `actor` acts: `await tx.service(Orders).create(Order(...), tx.actor)`.

    What PostgreSQL refuses, a verb raises as a `Problem`. After that PostgreSQL runs no other statement of the
    transaction, unless the verb was called inside of `async with tx.session.begin_nested():`.
    """

    def __init__(self, unit: UnitOfWork, actor: Actor) -> None:
        self._unit = unit
        self.actor = actor

    @overload
    def service(self, of: type[S]) -> S: ...
    @overload
    def service(self, of: type[N]) -> Service[N]: ...
    def service(self, of: type[Any]) -> Any:
        """The service of this class, or that of a model: its resource's own, or one that overrides nothing."""
        return self._unit.service(of)

    def select(self, model: type[N]) -> Select[N]:
        """A SELECT of the rows of a model that the actor may list, to be narrowed and run by `session`."""
        return self._unit.service(model).select(self.actor)

    @property
    def accounts(self) -> Accounts:
        """The users who sign in, in this same transaction."""
        return self._unit.accounts

    @property
    def session(self) -> AsyncSession:
        """The ORM session of the transaction."""
        return self._unit.transaction.session

    def after_commit(self, callback: AfterCommit) -> None:
        """Call `callback` after the transaction is committed, and never if it is not."""
        self._unit.transaction.after_commit(callback)
