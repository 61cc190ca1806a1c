"""Events that layers emit; logging and metrics subscribe.

The list is closed: every event is a class of this module. A layer asks once, when the chain is composed, for the
emitter of an event; without a subscriber it gets None and pays nothing per request.
"""

import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

E = TypeVar("E", bound=msgspec.Struct)


class RequestFinished(msgspec.Struct, gc=False):
    """A response has been sent, or the client has gone. `seconds` is wall time, `route` the pattern, not the path.

    `operation` is None where no endpoint was found, or another application responded. `database_seconds` and `rows`
    are those of its statements, 0 where nothing counts them; `pool_wait_seconds` is how
    long it waited for connections; `bytes` are those of the body, as sent.
    """

    request_id: str
    method: str
    path: str
    route: str
    operation: str | None
    status: int
    seconds: float
    database_seconds: float
    pool_wait_seconds: float
    rows: int
    bytes: int
    client: str | None
    actor_id: UUID | int | str | None
    code: str | None


class RequestFailed(msgspec.Struct):
    """An exception that no layer expected; the client got a bland 500 with the same request id. `route` is the pattern,
    not the path; `operation` is None where no endpoint was found."""

    request_id: str
    method: str
    route: str
    operation: str | None
    actor_id: UUID | int | str | None
    error: BaseException


class LimitExceeded(msgspec.Struct):
    """A token bucket refused. `limit` names the bucket's rule, `key` whose bucket it was: an address, the id of a user,
    or a digest of an account's e-mail address."""

    limit: str
    key: str


class LoadShed(msgspec.Struct, gc=False):
    """A request was refused because it had waited too long to begin; `running` and `waiting` count the others."""

    running: int
    waiting: int


class BucketsLost(msgspec.Struct):
    """The Valkey at `address` (host and port), which keeps the rate limits, cannot be reached: each machine counts on
    its own; emitted once per outage."""

    reason: str
    address: str


class BucketsRestored(msgspec.Struct):
    """The Valkey responds again after `seconds` away; meanwhile `decided_locally` decisions were made without it."""

    seconds: float
    decided_locally: int


class DatabaseLost(msgspec.Struct):
    """The database at `address` (host and port) cannot be reached; emitted once per outage."""

    reason: str
    address: str


class DatabaseRestored(msgspec.Struct):
    """The database responds again after `seconds` away."""

    seconds: float


class DatabaseReadOnly(msgspec.Struct):
    """The database takes no writes: it is a standby, set so, or waits for its own standby; emitted once per outage.
    Reads are still served."""

    reason: str


class DatabaseWritable(msgspec.Struct):
    """The database takes writes again after `seconds` without."""

    seconds: float


class SchemaChanged(msgspec.Struct):
    """These tables are not those of the models, for these `reasons`: requests that use them get 503 `schema_changed`.
    Emitted once for each state that they are found in."""

    tables: list[str]
    reasons: list[str]


class SchemaRestored(msgspec.Struct):
    """The tables are those of the models again, after `seconds`."""

    seconds: float


class EpochRaised(msgspec.Struct):
    """The database has another epoch than before, after a restore or `gatepost backup new-epoch`. Tokens, cursors and
    entity tags of the epoch before are refused. Emitted once for each instance, by its monitor."""

    epoch: int
    epoch_before: int


class DatabaseExhausted(msgspec.Struct):
    """PostgreSQL had no room, no memory, or not as much as it is allowed to take; the statement was undone."""

    reason: str


class ValueRefused(msgspec.Struct):
    """PostgreSQL refused a value that the declaration admits, for this reason; the client gets a sentence without
    it."""

    table: str
    reason: str


class ConstraintViolated(msgspec.Struct):
    """A write broke a constraint or unique index that the response cannot name; the client gets a bland 409.

    The models do not declare it, or it is on an expression. There is no `constraint` where a view's check option
    refused the row. For the constraint of a domain `table` is the one that the statement writes to. `reason` is
    PostgreSQL's code and text.
    """

    constraint: str | None
    table: str | None
    reason: str


class TriggerRefused(msgspec.Struct):
    """A trigger refused a write to the table by `RAISE`; `reason` is the code that it chose and its message."""

    table: str | None
    reason: str


class WriteSuppressed(msgspec.Struct):
    """A trigger returned NULL and so suppressed the write of a row; the client gets a 409."""

    table: str


class PoolLimited(msgspec.Struct):
    """The PostgreSQL at `address` (host and port) gives this process no connection beyond the `size` that it has;
    requests share those. Emitted once while the limit lasts."""

    size: int
    reason: str
    address: str


class TaskFailed(msgspec.Struct):
    """A background task raised an unexpected error. What it held has been given back."""

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
    """A new serving process did not come to serve; the old ones keep serving."""

    worker: int
    reason: str


class DrainBegan(msgspec.Struct):
    """This process takes no more connections: another takes its place, or the server stops."""


class LogLevelChanged(msgspec.Struct):
    """An operator (a user of the system, or the port with its token) changed what a category of the log writes, for so
    long; `level` is None where it is again what the settings say."""

    log_category: str
    log_level: str | None
    seconds: float
    operator: str


class LimitsReset(msgspec.Struct):
    """An operator has filled the buckets of a client: of an address, an actor (the id of a user), or an account (a
    digest of its e-mail)."""

    limit_kind: str
    key: str
    operator: str


class ErrorsLeftOut(msgspec.Struct):
    """So many errors that nobody expected were not grouped, because there are too many new kinds of them."""

    count: int


class ErrorGroupFound(msgspec.Struct):
    """An unexpected error that was not known before, or that has come back since it was resolved (`has_returned`).
    `where` is the user's innermost function."""

    fingerprint: str
    kind: str
    where: str
    has_returned: bool


class ErrorGroupResolved(msgspec.Struct):
    """An operator has said that the errors of a group are no more."""

    fingerprint: str
    operator: str


class RecordsNotCopied(msgspec.Struct):
    """Some of what the monitor keeps stays with this instance: there is no database, no table for it, or no right to
    write to that. Emitted once for each reason that lasts."""

    reason: str


class RecordsUnreadable(msgspec.Struct):
    """A file of the records, or a part of it, holds what this version cannot read: that is lost."""

    file: str
    reason: str


class InstanceNameTaken(msgspec.Struct):
    """Another server that runs has the name of this instance: it has been running since `started_at`, and
    `admin_address` is where its admin listener is, None where that is a socket. Emitted once, as long as that lasts."""

    instance: str
    started_at: str
    admin_address: str | None


class AlertFired(msgspec.Struct):
    """Something is wrong that operators are told of: since now, or since it is no longer silenced. It `follows` from
    the alert of that name, where there is one, and is told with it."""

    alert_id: str
    alert_name: str
    severity: str
    sentence: str
    follows: str | None = None


class AlertResolved(msgspec.Struct):
    """It is no longer wrong."""

    alert_id: str
    alert_name: str
    sentence: str


class AlertDismissed(msgspec.Struct):
    """An operator says that an alert is over, and why."""

    alert_id: str
    alert_name: str
    reason: str
    operator: str


class AlertSilenced(msgspec.Struct):
    """An operator wants to hear nothing of the alerts with this name for so long."""

    alert_name: str
    seconds: float
    reason: str
    operator: str


class AlertsTested(msgspec.Struct):
    """An operator had a test of alerts sent."""

    outcome: str
    operator: str


class SessionStopped(msgspec.Struct):
    """An operator has stopped the statement of a session of the database, or with `is_ended` the session; `outcome`
    says what became of it."""

    pid: int
    is_ended: bool
    outcome: str
    operator: str


class OperatorActed(msgspec.Struct):
    """An operator has done something by a command that does it without the monitor: `act` is the command, `detail` what
    became of it."""

    act: str
    detail: str
    operator: str


class RecordsRevealed(msgspec.Struct):
    """An operator has had whole addresses of clients and keys of users shown on a page of the console."""

    page: str
    operator: str


class ConsoleOpened(msgspec.Struct):
    """Somebody has entered the token of the admin port in a browser, with the name that their acts are written with."""

    operator: str
    client: str


class ConsoleRefused(msgspec.Struct):
    """Somebody was not let into the console: with a wrong token at the admin port, or beside the API as a user without
    the role."""

    reason: str
    client: str
    user_id: str | None = None


class AlertNotDelivered(msgspec.Struct):
    """A message about an alert did not reach its receiver at the first attempt, or `is_given_up`."""

    alert_name: str
    channel: str
    reason: str
    attempts: int
    is_given_up: bool


class MonitorDied(msgspec.Struct):
    """The process that tells operators how the server is ended by itself; another one starts `replaced_in_seconds`
    later. Requests are served without it."""

    pid: int
    ended_by: str
    replaced_in_seconds: float


class MetricLimited(msgspec.Struct):
    """A metric of the application has reached the `limit`: the rest is counted as `other`. Emitted once for each metric
    and limit."""

    metric: str
    limit: str


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


class StatementFinished(msgspec.Struct, gc=False):
    """A statement has run, or failed: then `rows`, which it returned or changed, is None.

    `name` is the resource's path and the action, as in the comment in its text, or the text where it has no name; what
    a service sends through its session is `PATH.session`. `seconds` is wall time from its sending to its rows.
    """

    name: str
    seconds: float
    rows: int | None


class StatementSlow(msgspec.Struct):
    """The statement of the name `statement` took long, or failed after it did: `sql` is its text, without
    values. Emitted once a minute for each statement of a process; `count` is how often it was slow since the last
    time."""

    statement: str
    sql: str
    seconds: float
    count: int


class StatementMet(msgspec.Struct):
    """The statement of the name `statement` runs for the first time in this process, or with another text than before:
    `sql` is that, without values of requests."""

    statement: str
    sql: str


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


class FileRefused(msgspec.Struct):
    """An endpoint returned a path at which there is no file to send, for this `reason`; the client got a 404."""

    request_id: str
    endpoint: str
    path: str
    reason: str


class AfterResponseFailed(msgspec.Struct):
    """A function that ran after the response of a request raised, or was still running when the process stopped."""

    request_id: str
    callback: str
    error: BaseException


class IdentitiesInvalidated(msgspec.Struct):
    """Cached users were dropped: one (`user_id`), or all because the listener lost its connection (None)."""

    user_id: str | None


class IdentitiesNotCached(msgspec.Struct):
    """Every request loads its user from the database, because changes of users cannot be heard of; said once."""

    reason: str


class PolicyMayFail(msgspec.Struct):
    """An expression of a policy can raise on a row, which then makes the list fail for everybody; emitted at start."""

    policy: str
    expression: str
    reason: str


class DeclarationRefused(msgspec.Struct):
    """PostgreSQL refuses SQL of the declaration, in a process that serves all the same; requests that need it get 500.
    A process that starts anew refuses to. `reason` is the sentence that says so."""

    reason: str


class OwnerNotIndexed(msgspec.Struct):
    """Lists search a table for the rows of an owner, in a column without an index. `hint` says what to write; emitted
    at start."""

    policy: str
    field: str
    hint: str


class RelationNotServed(msgspec.Struct):
    """A relationship that clients can neither filter over, nor expand, nor set. `hint` says what to write; emitted at
    start."""

    relation: str
    location: str
    reason: str
    hint: str


class ValueMayBeTooLong(msgspec.Struct):
    """A field whose values nothing keeps short has an index, which cannot hold long ones: PostgreSQL refuses the row
    then. `hint` says what to write; emitted at start."""

    field: str
    index: str
    hint: str


def ending_of(status: int) -> str:
    """What `ended_by` says of a process that ended with this status: the name of a signal, or `status N`."""
    return signal.Signals(-status).name if status < 0 else f"status {status}"


class SubscriberFailed(msgspec.Struct):
    """A subscriber raised. Emitted for the first time that each does; `Events.failures` counts the rest."""

    event_name: str
    subscriber: str
    error: BaseException


CountStatement = Callable[[int, int | None], None]
"""Adds up one statement: the nanoseconds that it took, and its rows, None where it failed."""


class Events:
    """The subscriptions of one application, to be made before it is started.

    `find_counter` gives what counts the statements of a name. Statements come several times with a request, so that who
    only adds them up gets no event for each; `StatementFinished` is for all others. `failures` counts by subscriber's
    name how often each has raised: no layer, and so no response, notices that.
    """

    def __init__(self) -> None:
        self._subscribers: dict[type[Any], list[Callable[[Any], None]]] = {}
        self._composed: set[type[Any]] = set()
        self.find_counter: Callable[[str], CountStatement] | None = None
        self.failures: Counter[str] = Counter()

    def subscribe(self, event: type[E], subscriber: Callable[[E], None]) -> None:
        """Call `subscriber` with every event of this class, in the thread that emits it. It must return quickly.

        Raises RuntimeError where the layer that emits this event is already composed, and would never call it.
        """
        if event in self._composed:
            raise RuntimeError(
                f"{_name_of(subscriber)} subscribed to {event.__name__} too late: subscribe before the app is started."
            )
        self._subscribers.setdefault(event, []).append(subscriber)

    def emitter(self, event: type[E]) -> Callable[[E], None] | None:
        """What a layer calls with an event, or None where nothing subscribed. Ask once, when the layer is composed."""
        self._composed.add(event)
        subscribers = tuple(self._subscribers.get(event, ()))
        if not subscribers:
            return None
        fail = self.fail

        # `_call` over names in the closure: one frame less for each event of the hot path.
        def emit(found: E) -> None:
            for subscriber in subscribers:
                try:
                    subscriber(found)
                except Exception as error:
                    fail(subscriber, found, error)

        return emit

    def reopen(self) -> None:
        """The layers that asked for emitters are gone: subscriptions count for those that are composed next."""
        self._composed.clear()

    def emit(self, event: msgspec.Struct) -> bool:
        """Emit an event that is too rare for a layer to keep its emitter; False where nothing subscribed."""
        subscribers = self._subscribers.get(type(event), ())
        self._call(subscribers, event)
        return bool(subscribers)

    def _call(self, subscribers: Sequence[Callable[[Any], None]], event: msgspec.Struct) -> None:
        for subscriber in subscribers:
            try:
                subscriber(event)
            except Exception as error:
                self.fail(subscriber, event, error)

    def fail(self, subscriber: Callable[[Any], Any], event: msgspec.Struct | None, error: Exception) -> None:
        """Count that a subscriber has raised, and say so the first time. `event` is None where there was none."""
        name = _name_of(subscriber)
        self.failures[name] += 1
        # Not again for each event, nor where the subscriber to failures is what fails: that would go on forever.
        if self.failures[name] == 1 and not isinstance(event, SubscriberFailed):
            self.emit(
                SubscriberFailed(event_name="" if event is None else type(event).__name__, subscriber=name, error=error)
            )


def _name_of(subscriber: Callable[[Any], Any]) -> str:
    name = getattr(subscriber, "__qualname__", None)
    return f"{subscriber.__module__}.{name}" if name else repr(subscriber)
