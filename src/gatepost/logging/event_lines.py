"""Which event becomes which line: name, level, layer, category and fields. Access lines are made in `access.py`.

Off the request path: these events are rare, or, where clients can cause any number of them, of the category `security`,
whose equal lines are counted (`repeated_lines.py`).
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from gatepost import events
from gatepost.events import Events
from gatepost.logging.levels import Levels
from gatepost.logging.lines import Category, category_of
from gatepost.logging.repeated_lines import RepeatedLines
from gatepost.logging.row_values import database_fields

LOGGER = logging.getLogger("gatepost")


class Line(NamedTuple):
    """An event's stable name in the log, its level, and the layer that emits it."""

    name: str
    level: int
    source: str
    is_security: bool = False

    @property
    def category(self) -> Category:
        """What the line is filtered by."""
        return category_of("security" if self.is_security else None, is_error=self.level >= logging.ERROR)


LINES: dict[type[msgspec.Struct], Line] = {
    events.RequestFailed: Line("request_failed", logging.ERROR, "controllers"),
    events.LimitExceeded: Line("limit_exceeded", logging.WARNING, "gateway", is_security=True),
    events.LoadShed: Line("load_shed", logging.DEBUG, "gateway"),
    events.BucketsLost: Line("buckets_lost", logging.ERROR, "gateway"),
    events.BucketsRestored: Line("buckets_restored", logging.WARNING, "gateway"),
    events.DatabaseLost: Line("database_lost", logging.ERROR, "database"),
    events.DatabaseRestored: Line("database_restored", logging.WARNING, "database"),
    events.DatabaseReadOnly: Line("database_read_only", logging.ERROR, "database"),
    events.DatabaseWritable: Line("database_writable", logging.WARNING, "database"),
    events.SchemaChanged: Line("schema_changed", logging.ERROR, "database"),
    events.SchemaRestored: Line("schema_restored", logging.WARNING, "database"),
    events.EpochRaised: Line("epoch_raised", logging.WARNING, "monitor", is_security=True),
    events.DatabaseExhausted: Line("database_exhausted", logging.ERROR, "database"),
    events.ValueRefused: Line("value_refused", logging.WARNING, "services"),
    events.ConstraintViolated: Line("constraint_violated", logging.WARNING, "services"),
    events.TriggerRefused: Line("trigger_refused", logging.WARNING, "services"),
    events.WriteSuppressed: Line("write_suppressed", logging.WARNING, "services"),
    events.PoolLimited: Line("pool_limited", logging.ERROR, "database"),
    events.SubscriberFailed: Line("subscriber_failed", logging.ERROR, "events"),
    events.TaskFailed: Line("task_failed", logging.ERROR, "server"),
    events.WorkerDied: Line("worker_died", logging.ERROR, "server"),
    events.WorkerReplaced: Line("worker_replaced", logging.INFO, "server"),
    events.WorkerNotReplaced: Line("worker_not_replaced", logging.ERROR, "server"),
    events.LogLevelChanged: Line("log_level_changed", logging.WARNING, "monitor", is_security=True),
    events.MetricLimited: Line("metric_limited", logging.WARNING, "metrics"),
    events.LimitsReset: Line("limits_reset", logging.WARNING, "monitor", is_security=True),
    events.ErrorGroupFound: Line("error_group_found", logging.ERROR, "monitor"),
    events.ErrorGroupResolved: Line("error_group_resolved", logging.WARNING, "monitor", is_security=True),
    events.RecordsNotCopied: Line("records_not_copied", logging.WARNING, "monitor"),
    events.RecordsUnreadable: Line("records_unreadable", logging.ERROR, "monitor"),
    events.InstanceNameTaken: Line("instance_name_taken", logging.ERROR, "monitor"),
    events.AlertFired: Line("alert_fired", logging.ERROR, "monitor"),
    events.AlertResolved: Line("alert_resolved", logging.WARNING, "monitor"),
    events.AlertDismissed: Line("alert_dismissed", logging.WARNING, "monitor", is_security=True),
    events.OperatorActed: Line("operator_acted", logging.WARNING, "cli", is_security=True),
    events.AlertSilenced: Line("alert_silenced", logging.WARNING, "monitor", is_security=True),
    events.AlertsTested: Line("alerts_tested", logging.WARNING, "monitor", is_security=True),
    events.SessionStopped: Line("session_stopped", logging.WARNING, "monitor", is_security=True),
    events.RecordsRevealed: Line("records_revealed", logging.WARNING, "monitor", is_security=True),
    events.ConsoleOpened: Line("console_opened", logging.INFO, "monitor", is_security=True),
    events.ConsoleRefused: Line("console_refused", logging.WARNING, "console", is_security=True),
    events.AlertNotDelivered: Line("alert_not_delivered", logging.ERROR, "monitor"),
    events.MonitorDied: Line("monitor_died", logging.ERROR, "server"),
    events.EmbeddedDatabaseEnded: Line("embedded_database_ended", logging.ERROR, "embedded"),
    events.EmbeddedDatabaseRestarted: Line("embedded_database_restarted", logging.WARNING, "embedded"),
    events.EmbeddedDatabaseNotRestarted: Line("embedded_database_not_restarted", logging.ERROR, "embedded"),
    events.ConnectionOpened: Line("connection_opened", logging.DEBUG, "database"),
    events.StatementSlow: Line("statement_slow", logging.WARNING, "database"),
    events.TransactionRetried: Line("transaction_retried", logging.WARNING, "services"),
    events.SignInFailed: Line("sign_in_failed", logging.WARNING, "accounts", is_security=True),
    events.SignInSucceeded: Line("sign_in_succeeded", logging.INFO, "accounts", is_security=True),
    events.AfterCommitFailed: Line("after_commit_failed", logging.ERROR, "services"),
    events.FileRefused: Line("file_refused", logging.WARNING, "controllers", is_security=True),
    events.AfterResponseFailed: Line("after_response_failed", logging.ERROR, "gateway"),
    events.IdentitiesNotCached: Line("identities_not_cached", logging.WARNING, "accounts"),
    events.PolicyMayFail: Line("policy_may_fail", logging.WARNING, "models"),
    events.DeclarationRefused: Line("declaration_refused", logging.ERROR, "models"),
    events.OwnerNotIndexed: Line("owner_not_indexed", logging.WARNING, "models"),
    events.RelationNotServed: Line("relation_not_served", logging.WARNING, "models"),
    events.ValueMayBeTooLong: Line("value_may_be_too_long", logging.WARNING, "models"),
    events.IdentitiesInvalidated: Line("identities_invalidated", logging.DEBUG, "accounts"),
}


def subscribe(events: Events, levels: Levels, repeated: RepeatedLines) -> None:
    """Write every event of LINES that its category's level admits when it is emitted."""
    for event, line in LINES.items():
        events.subscribe(event, _subscriber(line, levels, repeated))


def _subscriber(line: Line, levels: Levels, repeated: RepeatedLines) -> Callable[[Any], None]:
    category = line.category
    known = {"source": line.source, "category": category}

    def write(event: Any, more: Mapping[str, Any]) -> None:
        fields = msgspec.structs.asdict(event)
        error = fields.pop("error", None)
        exc_info = None
        if isinstance(error, BaseException):
            fields |= database_fields(error)
            exc_info = (type(error), error, error.__traceback__)
        LOGGER.log(line.level, line.name, extra={**fields, **known, **more}, exc_info=exc_info)

    def subscriber(event: Any) -> None:
        if line.level >= levels.of[category]:
            write(event, {})

    def counted(event: Any) -> None:
        if line.level >= levels.of[category] and repeated.is_first(event, write_count):
            write(event, {})

    def write_count(event: Any, count: int) -> None:
        write(event, {"repeated": count})

    return counted if line.is_security else subscriber
