"""The transaction of one call: the unit of work that services and endpoints share, and what its failures mean."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from gatepost.call import Call
from gatepost.database.database import Database
from gatepost.database.transactions import READ_COMMITTED, Transaction
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.unit_of_work import UnitOfWork

T = TypeVar("T")


class CallTransactions:
    """Runs the work of calls, each in a transaction of its own: committed when it returns, rolled back when it
    raises."""

    def __init__(self, database: Database, registry: ServiceRegistry) -> None:
        self._database = database
        self._registry = registry

    def declared_by(self, models: Iterable[type[Any]]) -> tuple[str, int]:
        """The isolation level and the number of attempts that the services of these models declare together."""
        return self._registry.transaction_of(models)

    async def run(  # noqa: PLR0913 - what a transaction is run with
        self,
        call: Call,
        work: Callable[[UnitOfWork], Awaitable[T]],
        *,
        isolation: str = READ_COMMITTED,
        attempts: int = 1,
        may_write: bool = True,
        is_read_only: bool = False,
    ) -> T:
        """Run the work of a call. It may run several times: what it has made of the call is undone before it runs
        again, and where it fails. Where it `is_read_only`, PostgreSQL refuses writes in it; work that promises to
        write nothing (`may_write`) has no unknown outcome."""
        actor, tries, additions = call.actor, call.attempts, call.additions
        state: dict[str, Any] = dict(call.scope.get("state") or {})

        async def in_transaction(transaction: Transaction) -> T:
            unit = call.unit = UnitOfWork(transaction, self._registry, self._database.backlog, call)
            unit.act_as(actor, None)
            call.attempts = tries
            call.additions = None if additions is None else additions.copy()
            _restore_state(call, state)
            try:
                return await work(unit)
            finally:
                call.unit = None
                unit.release()

        try:
            return await self._database.transact(
                in_transaction,
                isolation=isolation,
                attempts=attempts,
                may_write=may_write and not is_read_only,
                is_read_only=is_read_only,
            )
        except BaseException:
            call.actor, call.issued_token = actor, None  # whoever signed in has not: nothing is committed
            raise


def _restore_state(call: Call, kept: Mapping[str, Any]) -> None:
    """What code has kept for the length of the call, as it was before the transaction. Middlewares share the dict."""
    state: dict[str, Any] | None = call.scope.get("state")
    if state:
        state.clear()
        state.update(kept)
