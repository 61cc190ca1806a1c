"""Which observation becomes which line: name, level and fields. Access lines are made in `access.py`.

Off the request path: these facts are rare, and those that a stranger can cause in any number (`LimitExceeded`) are
subscribed to at level `debug` only, because the access line tells the same.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from gatepost import observations
from gatepost.observations import Observations

LOGGER = logging.getLogger("gatepost")


class Line(NamedTuple):
    """An observation's stable name in the log, and its level."""

    name: str
    level: int


LINES: dict[type[msgspec.Struct], Line] = {
    observations.RequestFailed: Line("request_failed", logging.ERROR),
    observations.LimitExceeded: Line("limit_exceeded", logging.DEBUG),
    observations.LoadShed: Line("load_shed", logging.DEBUG),
    observations.BucketsLost: Line("buckets_lost", logging.ERROR),
    observations.BucketsRestored: Line("buckets_restored", logging.WARNING),
    observations.DatabaseLost: Line("database_lost", logging.ERROR),
    observations.DatabaseRestored: Line("database_restored", logging.WARNING),
    observations.DatabaseReadOnly: Line("database_read_only", logging.ERROR),
    observations.DatabaseWritable: Line("database_writable", logging.WARNING),
    observations.DatabaseExhausted: Line("database_exhausted", logging.ERROR),
    observations.ValueRefused: Line("value_refused", logging.WARNING),
    observations.ConstraintViolated: Line("constraint_violated", logging.WARNING),
    observations.PoolLimited: Line("pool_limited", logging.ERROR),
    observations.TaskFailed: Line("task_failed", logging.ERROR),
    observations.WorkerDied: Line("worker_died", logging.ERROR),
    observations.WorkerReplaced: Line("worker_replaced", logging.INFO),
    observations.WorkerNotReplaced: Line("worker_not_replaced", logging.ERROR),
    observations.EmbeddedDatabaseEnded: Line("embedded_database_ended", logging.ERROR),
    observations.EmbeddedDatabaseRestarted: Line("embedded_database_restarted", logging.WARNING),
    observations.EmbeddedDatabaseNotRestarted: Line("embedded_database_not_restarted", logging.ERROR),
    observations.ConnectionOpened: Line("connection_opened", logging.DEBUG),
    observations.TransactionRetried: Line("transaction_retried", logging.WARNING),
    observations.SignInFailed: Line("sign_in_failed", logging.WARNING),
    observations.SignInSucceeded: Line("sign_in_succeeded", logging.INFO),
    observations.AfterCommitFailed: Line("after_commit_failed", logging.ERROR),
    observations.IdentitiesNotCached: Line("identities_not_cached", logging.WARNING),
    observations.PolicyMayFail: Line("policy_may_fail", logging.WARNING),
    observations.IdentitiesInvalidated: Line("identities_invalidated", logging.DEBUG),
}


def subscribe(facts: Observations, level: int) -> None:
    """Write every observation of LINES that is at `level` or above; the others stay without a subscriber, and free."""
    for event, line in LINES.items():
        if line.level >= level:
            facts.subscribe(event, _subscriber(line))


def _subscriber(line: Line) -> Callable[[msgspec.Struct], None]:
    def subscriber(fact: msgspec.Struct) -> None:
        fields: dict[str, Any] = {name: getattr(fact, name) for name in fact.__struct_fields__}
        error = fields.pop("error", None)
        exc_info = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
        LOGGER.log(line.level, line.name, extra=fields, exc_info=exc_info)

    return subscriber
