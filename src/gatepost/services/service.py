"""`Service`: where business logic lives. Override hooks first, whole verbs where that is not enough.

HTTP requests, seeds, tests and other services all call these same verbs. Each verb enforces its policy for the actor it
is given. A service without overrides is never instantiated: its verbs are single statements (`compiled_verbs.py`).
"""

import inspect
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast, get_args, overload

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost.actor import Actor
from gatepost.database.transactions import ISOLATION_LEVELS, READ_COMMITTED, AfterCommit
from gatepost.declaring.attributes import Attr
from gatepost.errors import ConfigurationError
from gatepost.hints import nearest
from gatepost.loggers import LayerLogger
from gatepost.own_metrics import Metrics
from gatepost.services.accounts import Accounts
from gatepost.services.changes import Changes

if TYPE_CHECKING:
    from gatepost.models.list_query import ListQuery
    from gatepost.services.unit_of_work import UnitOfWork

M = TypeVar("M")
N = TypeVar("N")
S = TypeVar("S", bound="Service[Any]")

RowAction = Literal["list", "get", "update", "delete"]
"""An action on rows that are there."""


NAME_LIKENESS_MIN = 0.85
"""A name that begins with `before_` or `after_` and is at least this similar to a small method is a misspelling."""


class Service(Generic[M]):
    """The verbs of one resource, inside one transaction. One object per transaction, used by one task.

    `isolation` is the isolation level of the transaction when a request calls this service. `attempts` is how often the
    verb, or the endpoint that takes the service, may run in total when PostgreSQL reports a deadlock or a serialization
    failure: raise it only where running it again is harmless, which it is as long as effects outside the database use
    `after_commit`. `self.log.info("order_placed", total=total)` writes a line of the log with the request's id.
    `self.metrics.counter("orders_placed").add()` counts.
    """

    isolation: ClassVar[str] = "read committed"
    attempts: ClassVar[int] = 1
    log = LayerLogger("services")
    metrics = Metrics()

    def __init__(self, unit: "UnitOfWork", model: type[M]) -> None:
        self._unit = unit
        self._model = model

    @property
    def session(self) -> AsyncSession:
        """The ORM session of the transaction. Ending the transaction through it is refused."""
        return self._unit.transaction.session

    @property
    def accounts(self) -> Accounts:
        """The users who sign in, in this same transaction."""
        return self._unit.accounts

    def after_commit(self, callback: AfterCommit) -> None:
        """Call `callback` after the transaction is committed, and never if it is not. It may be a coroutine function.
        It runs before the response is sent; if it fails, the error is logged and the response is unchanged."""
        self._unit.transaction.after_commit(callback)

    @overload
    def service(self, of: type[S]) -> S: ...
    @overload
    def service(self, of: type[N]) -> "Service[N]": ...
    def service(self, of: type[Any]) -> Any:
        """Another service in this same transaction: by its class, or that of a model."""
        return self._unit.service(of)

    def select(self, actor: Actor, *, action: RowAction = "list", query: "ListQuery | None" = None) -> Select[M]:
        """A SELECT of the rows that the actor may list, or get, update or delete, to be narrowed and run by
        `self.session`. With a `query` it is of the rows that this asks for, and of one more than its limit."""
        return self._unit.select(self._model, actor, action, query)

    # Verbs

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> M:
        """Override to decide which row is returned. Raises `NotFound` where the actor may not read it. With `lock`
        nobody else changes the row before the transaction ends."""
        return await self._unit.find_row(self._model, id, actor, lock=lock)

    async def list(self, query: "ListQuery", actor: Actor) -> Sequence[M]:
        """Override to decide which rows a list returns: at most `query.limit + 1` rows in the query's order. The last
        one only shows that there are more."""
        return await self._unit.find_rows(self._model, query, actor)

    async def create(self, draft: M, actor: Actor) -> M:
        """Override to decide what creating means. Raises `Forbidden` where the actor may not create this row."""
        await self.before_create(draft, actor)
        await self._unit.insert(draft, actor)
        await self.after_create(draft, actor)
        return draft

    async def update(self, row: M, changes: Changes[M], actor: Actor) -> M:
        """Override to decide what changing means. Raises `Forbidden` where the actor may not change this row, as it
        was or as it becomes."""
        await self.before_update(row, changes, actor)
        await self._unit.update(row, changes, actor)
        await self.after_update(row, changes, actor)
        return row

    async def delete(self, row: M, actor: Actor) -> None:
        """Override to decide what deleting means. Raises `Forbidden` where the actor may not delete this row."""
        await self.before_delete(row, actor)
        await self._unit.delete(row, actor)
        await self.after_delete(row, actor)

    async def ensure(self, draft: M, actor: Actor, *, unique: Sequence[Attr] = ()) -> M:
        """The row with the draft's values of the columns `unique`, created from the draft if there is none, whatever
        others do at the same time. A row that is there is returned as it is.

        Without `unique` it is the table's only unique constraint besides the key. Raises `Forbidden` where the actor
        may not create the row, and `Conflict` where it is there and the actor may not read it.
        """
        row: M = await self._unit.ensure(self, draft, actor, unique)
        return row

    async def discard(self, draft: M, actor: Actor, *, unique: Sequence[Attr] = ()) -> bool:
        """Delete the row with the draft's values of the columns `unique`, as in `ensure`, and say whether there was
        one: not where it is missing or hidden from the actor. Raises `Forbidden` where the actor may not delete it."""
        return await self._unit.discard(self, draft, actor, unique)

    # Small methods

    async def before_create(self, draft: M, actor: Actor) -> None:
        """Override to check or complete a row before it is inserted. Raise a `Problem` to refuse."""

    async def after_create(self, row: M, actor: Actor) -> None:
        """Override to act on a row that was inserted, inside the transaction."""

    async def before_update(self, row: M, changes: Changes[M], actor: Actor) -> None:
        """Override to check changes before they are applied. Raise a `Problem` to refuse."""

    async def after_update(self, row: M, changes: Changes[M], actor: Actor) -> None:
        """Override to act on a row that was changed, inside the transaction."""

    async def before_delete(self, row: M, actor: Actor) -> None:
        """Override to check a row before it is deleted. Raise a `Problem` to refuse."""

    async def after_delete(self, row: M, actor: Actor) -> None:
        """Override to act after a row was deleted, inside the transaction."""


SEAMS: dict[str, tuple[str, ...]] = {
    "get": ("get",),
    "list": ("list",),
    "create": ("create", "before_create", "after_create"),
    "update": ("update", "before_update", "after_update"),
    "delete": ("delete", "before_delete", "after_delete"),
}
"""For each action, the methods whose override sends it through the service."""


WRITES = ("create", "update", "delete")
"""The verbs that write a row."""

READS = frozenset({"get", "list"})
"""The verbs that read rows."""

ROW_WRITES = frozenset({"update", "delete"})
"""The actions that change a row that is there, and so a row that may be of a subclass."""


def overridden(service: type[Service[Any]]) -> dict[str, str]:
    """The actions whose methods this service class overrides, each with the first of them."""
    return {
        action: seam
        for action, seams in SEAMS.items()
        for seam in reversed(seams)
        if getattr(service, seam) is not getattr(Service, seam)
    }


def own_writes(service: type[Service[Any]]) -> tuple[str, ...]:
    """The verbs that write a row, and that this service class writes itself: not by small methods."""
    return tuple(verb for verb in WRITES if getattr(service, verb) is not getattr(Service, verb))


def served_model(service: type[Any]) -> Any:
    """The model that a class `Orders(Service[Order])` names, or None."""
    for base in getattr(service, "__orig_bases__", ()):
        arguments = get_args(base)
        if arguments and isinstance(arguments[0], type) and arguments[0] is not Any:
            return arguments[0]
    return None


def transaction_of(services: Collection[type[Service[Any]]]) -> tuple[str, int]:
    """The isolation level and the number of attempts of a transaction in which several services work: the strictest
    level, and the fewest attempts, that one of them declares."""
    levels = [service.isolation for service in services]
    attempts = [service.attempts for service in services]
    return max(levels, key=ISOLATION_LEVELS.index, default=READ_COMMITTED), min(attempts, default=1)


def check_transactions(service: type[Service[Any]]) -> None:
    """Raise `ConfigurationError` where a service declares an unknown isolation level or an invalid number of attempts:
    PostgreSQL would refuse the level only at the first request, and the number would never be noticed."""
    isolation, attempts = cast("Any", service.isolation), cast("Any", service.attempts)
    if isolation not in ISOLATION_LEVELS:
        *some, last = (repr(level) for level in ISOLATION_LEVELS)
        raise ConfigurationError(
            f"{isolation!r} is not a PostgreSQL isolation level.",
            location=f"{service.__name__}.isolation",
            hint=f"Choose {', '.join(some)} or {last}.",
        )
    if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
        raise ConfigurationError(
            f"{attempts!r} is not a valid number of attempts.",
            location=f"{service.__name__}.attempts",
            hint="Write 1 (try once) or more.",
        )


def check_verbs(service: type[Service[Any]]) -> None:
    """Raise `ConfigurationError` where an overridden method is not asynchronous, takes other arguments than the method
    it overrides, or has a misspelt name and would never be called."""
    _check_names(service)
    for seam in {name for names in SEAMS.values() for name in names}:
        method = inspect.unwrap(getattr(service, seam))
        if method is getattr(Service, seam):
            continue
        location = f"{service.__name__}.{seam}"
        if not inspect.iscoroutinefunction(method):
            raise ConfigurationError("is not asynchronous.", location=location, hint=f"Write `async def {seam}`.")
        parameters = inspect.signature(getattr(Service, seam)).parameters.values()
        named = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
        names = [each.name for each in parameters if each.name not in named]
        try:
            inspect.signature(method).bind(*names, **named)
        except TypeError as error:
            options = ["*", *(f"{name}={default}" for name, default in named.items())] if named else []
            hint = f"Write `async def {seam}({', '.join((*names, *options))})`."
            raise ConfigurationError(
                f"does not take the arguments it is called with: {error}.", location=location, hint=hint
            ) from None


def _check_names(service: type[Service[Any]]) -> None:
    small = [name for names in SEAMS.values() for name in names if name.startswith(("before_", "after_"))]
    for name in dir(service):
        if not (name.startswith("_") or hasattr(Service, name)):
            near = nearest(name, small, likeness=NAME_LIKENESS_MIN)
            if near is not None:
                location = f"{service.__name__}.{name}"
                raise ConfigurationError("is never called.", location=location, hint=f"Did you mean {near!r}?")
