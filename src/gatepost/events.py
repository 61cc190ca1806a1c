"""Events that layers emit; logging and metrics subscribe.

The list is closed: every event is a class of this module. A layer asks once, when the chain is composed, for the
emitter of an event; where nobody subscribed it gets None and pays nothing per request.
"""

import signal
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec

E = TypeVar("E", bound=msgspec.Struct)


class RequestFinished(msgspec.Struct, gc=False):
    """An answer has been sent, or the client has gone. `seconds` is wall time, `route` the pattern, not the path."""

    request_id: str
    method: str
    path: str
    route: str
    status: int
    seconds: float
    client: str
    actor_id: UUID | int | str | None
    code: str | None


class RequestFailed(msgspec.Struct):
    """An exception that no layer expected; the client got a bland 500 with the same request id."""

    request_id: str
    error: BaseException


class LimitExceeded(msgspec.Struct):
    """A token bucket refused. `limit` names the bucket's rule, `key` whose bucket it was."""

    limit: str
    key: str


class LoadShed(msgspec.Struct, gc=False):
    """A request was refused because it had waited too long to begin: so many run, and so many still wait."""

    running: int
    waiting: int


class BucketsLost(msgspec.Struct):
    """The Valkey that keeps the rate limits cannot be reached: each machine counts by itself; said once per outage."""

    reason: str


class BucketsRestored(msgspec.Struct):
    """The Valkey answers again after `seconds` away; meanwhile `decided_locally` decisions were made without it."""

    seconds: float
    decided_locally: int


class DatabaseLost(msgspec.Struct):
    """The database cannot be reached; said once per outage."""

    reason: str


class DatabaseRestored(msgspec.Struct):
    """The database answers again after `seconds` away."""

    seconds: float


class DatabaseReadOnly(msgspec.Struct):
    """The database takes no writes: it is a standby, or set so; said once per outage. Reads go on."""

    reason: str


class DatabaseWritable(msgspec.Struct):
    """The database takes writes again after `seconds` without."""

    seconds: float


class DatabaseExhausted(msgspec.Struct):
    """PostgreSQL had no room, no memory, or not as much as it is allowed to take; the statement was undone."""

    reason: str


class ValueRefused(msgspec.Struct):
    """PostgreSQL refused a value that the declaration admits, in these words; the client gets a sentence of ours."""

    table: str
    reason: str


class ConstraintViolated(msgspec.Struct):
    """A write broke a constraint or unique index that the answer cannot name; the client gets a bland 409.

    The models do not declare it, or it is on an expression. The constraint of a domain has no table.
    """

    constraint: str | None
    table: str | None


class PoolLimited(msgspec.Struct):
    """PostgreSQL gives this process no connection beyond the `size` that it has; requests share those. Said once."""

    size: int
    reason: str


class TaskFailed(msgspec.Struct):
    """A task in the background raised what nobody expected. What it held has been given back."""

    task: str
    error: BaseException


class WorkerDied(msgspec.Struct):
    """A serving process ended by itself; another takes its place `replaced_in_seconds` later."""

    worker: int
    pid: int
    ended_by: str
    replaced_in_seconds: float


class WorkerReplaced(msgspec.Struct):
    """A new serving process has taken the place of `old_pid`, which closes its connections and ends."""

    worker: int
    pid: int
    old_pid: int


class WorkerNotReplaced(msgspec.Struct):
    """A new serving process did not come to serve; the old ones go on."""

    worker: int
    reason: str


class EmbeddedDatabaseEnded(msgspec.Struct):
    """The embedded PostgreSQL ended by itself."""

    ended_by: str


class EmbeddedDatabaseRestarted(msgspec.Struct):
    """The embedded PostgreSQL runs again, `seconds` after it had ended."""

    seconds: float


class EmbeddedDatabaseNotRestarted(msgspec.Struct):
    """The embedded PostgreSQL could not be started again; said once for each reason, tried again for ever."""

    reason: str


class ConnectionOpened(msgspec.Struct):
    """The pool opened a connection; `size` is how many it has now."""

    size: int


class TransactionRetried(msgspec.Struct):
    """A deadlock, serialization failure or changed schema made a transaction run again."""

    reason: str
    attempt: int


class SignInFailed(msgspec.Struct):
    """Wrong e-mail or password, or an inactive account. The e-mail is not recorded in full."""

    reason: str
    client: str


class SignInSucceeded(msgspec.Struct):
    """A user signed in."""

    user_id: str
    client: str


class AfterCommitFailed(msgspec.Struct):
    """A callback given to `after_commit` raised; the transaction stays committed."""

    callback: str
    error: BaseException


class IdentitiesInvalidated(msgspec.Struct):
    """Cached users were dropped: one (`user_id`), or all because the listener lost its connection (None)."""

    user_id: str | None


class IdentitiesNotCached(msgspec.Struct):
    """Every request loads its user from the database, because changes of users cannot be heard of; said once."""

    reason: str


class PolicyMayFail(msgspec.Struct):
    """An expression of a policy can raise on a row, which then takes the list from everybody; said at start."""

    policy: str
    expression: str
    reason: str


def ending_of(status: int) -> str:
    """What `ended_by` says of a process that ended with this status: the name of a signal, or `status N`."""
    return signal.Signals(-status).name if status < 0 else f"status {status}"


class Events:
    """The subscriptions of one application. Subscribe before the application is started."""

    def __init__(self) -> None:
        self._subscribers: dict[type[Any], list[Callable[[Any], None]]] = {}

    def subscribe(self, event: type[E], subscriber: Callable[[E], None]) -> None:
        """Call `subscriber` with every event of this class. It must return quickly and must not raise."""
        self._subscribers.setdefault(event, []).append(subscriber)

    def emitter(self, event: type[E]) -> Callable[[E], None] | None:
        """What a layer calls with an event, or None where nobody subscribed. Ask once, at start."""
        subscribers = self._subscribers.get(event)
        if not subscribers:
            return None
        if len(subscribers) == 1:
            return subscribers[0]
        calls = tuple(subscribers)

        def emit(event: E) -> None:
            for call in calls:
                call(event)

        return emit
