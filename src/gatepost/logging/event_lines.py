"""Which event becomes which line: name, level and fields. Access lines are made in `access.py`.

Off the request path: these events are rare, and those that clients can cause in any number (`LimitExceeded`) are
subscribed to at level `debug` only, because the access line tells the same.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from gatepost import events
from gatepost.events import Events
from gatepost.logging.row_values import database_fields

LOGGER = logging.getLogger("gatepost")


class Line(NamedTuple):
    """An event's stable name in the log, and its level."""

    name: str
    level: int


LINES: dict[type[msgspec.Struct], Line] = {
    events.RequestFailed: Line("request_failed", logging.ERROR),
    events.LimitExceeded: Line("limit_exceeded", logging.DEBUG),
    events.LoadShed: Line("load_shed", logging.DEBUG),
    events.BucketsLost: Line("buckets_lost", logging.ERROR),
    events.BucketsRestored: Line("buckets_restored", logging.WARNING),
    events.DatabaseLost: Line("database_lost", logging.ERROR),
    events.DatabaseRestored: Line("database_restored", logging.WARNING),
    events.DatabaseReadOnly: Line("database_read_only", logging.ERROR),
    events.DatabaseWritable: Line("database_writable", logging.WARNING),
    events.SchemaChanged: Line("schema_changed", logging.ERROR),
    events.SchemaRestored: Line("schema_restored", logging.WARNING),
    events.DatabaseExhausted: Line("database_exhausted", logging.ERROR),
    events.ValueRefused: Line("value_refused", logging.WARNING),
    events.ConstraintViolated: Line("constraint_violated", logging.WARNING),
    events.TriggerRefused: Line("trigger_refused", logging.WARNING),
    events.WriteSuppressed: Line("write_suppressed", logging.WARNING),
    events.PoolLimited: Line("pool_limited", logging.ERROR),
    events.SubscriberFailed: Line("subscriber_failed", logging.ERROR),
    events.TaskFailed: Line("task_failed", logging.ERROR),
    events.WorkerDied: Line("worker_died", logging.ERROR),
    events.WorkerReplaced: Line("worker_replaced", logging.INFO),
    events.WorkerNotReplaced: Line("worker_not_replaced", logging.ERROR),
    events.EmbeddedDatabaseEnded: Line("embedded_database_ended", logging.ERROR),
    events.EmbeddedDatabaseRestarted: Line("embedded_database_restarted", logging.WARNING),
    events.EmbeddedDatabaseNotRestarted: Line("embedded_database_not_restarted", logging.ERROR),
    events.ConnectionOpened: Line("connection_opened", logging.DEBUG),
    events.TransactionRetried: Line("transaction_retried", logging.WARNING),
    events.SignInFailed: Line("sign_in_failed", logging.WARNING),
    events.SignInSucceeded: Line("sign_in_succeeded", logging.INFO),
    events.AfterCommitFailed: Line("after_commit_failed", logging.ERROR),
    events.FileRefused: Line("file_refused", logging.WARNING),
    events.AfterResponseFailed: Line("after_response_failed", logging.ERROR),
    events.IdentitiesNotCached: Line("identities_not_cached", logging.WARNING),
    events.PolicyMayFail: Line("policy_may_fail", logging.WARNING),
    events.DeclarationRefused: Line("declaration_refused", logging.ERROR),
    events.OwnerNotIndexed: Line("owner_not_indexed", logging.WARNING),
    events.ValueMayBeTooLong: Line("value_may_be_too_long", logging.WARNING),
    events.IdentitiesInvalidated: Line("identities_invalidated", logging.DEBUG),
}


def subscribe(events: Events, level: int) -> None:
    """Write every event of LINES that is at `level` or above; the others stay without a subscriber, and free."""
    for event, line in LINES.items():
        if line.level >= level:
            events.subscribe(event, _subscriber(line))


def _subscriber(line: Line) -> Callable[[msgspec.Struct], None]:
    def subscriber(event: msgspec.Struct) -> None:
        fields: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
        error = fields.pop("error", None)
        if isinstance(error, BaseException):
            fields |= database_fields(error)
        exc_info = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
        LOGGER.log(line.level, line.name, extra=fields, exc_info=exc_info)

    return subscriber
