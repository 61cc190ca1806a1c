"""Every metric: its name, kind, labels and the sentence that Prometheus shows.

Off the request path. Names follow Prometheus: base units, `_total` for counters. The list is what a server has of its
own; it is also what the page of the reference is checked against.
"""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram", "slowest", "top", "limit"]


OWN_PREFIX = "app_"
"""What the names of the application's own metrics begin with in Prometheus, so that none is ever one of ours."""


class Family(NamedTuple):
    """Series with one name, which differ in the values of these labels."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    @property
    def is_own(self) -> bool:
        """Whether it is the application's own."""
        return self.name.startswith(OWN_PREFIX)


REQUEST_SECONDS = Family(
    "gatepost_request_duration_seconds",
    "histogram",
    ("operation", "class"),
    "Wall time from the head of a request to the end of its response, by operation and class of the status (2xx, ...).",
)
REQUEST_DATABASE_SECONDS = Family(
    "gatepost_request_database_seconds_total",
    "counter",
    ("operation", "class"),
    "Wall time that requests waited for their statements.",
)
REQUEST_POOL_WAIT_SECONDS = Family(
    "gatepost_request_pool_wait_seconds_total",
    "counter",
    ("operation", "class"),
    "Wall time that requests waited for a connection of the pool.",
)
RESPONSE_BYTES = Family(
    "gatepost_response_body_bytes_total", "counter", ("operation", "class"), "Bytes of response bodies, as sent."
)
REFUSALS = Family("gatepost_refusals_total", "counter", ("code",), "Refusals and failures, by code.")
FAILURES = Family(
    "gatepost_request_failures_total",
    "counter",
    ("operation", "code"),
    "Responses 5xx, by operation and code; the status where there is no code.",
)
REQUEST_REFUSALS = Family(
    "gatepost_request_refusals_total",
    "counter",
    ("operation", "code"),
    "Responses 4xx, by operation and code; the status where there is no code.",
)
STATEMENTS = Family("gatepost_statements_total", "counter", ("statement",), "Statements that have run.")
STATEMENT_FAILURES = Family(
    "gatepost_statement_failures_total", "counter", ("statement",), "Statements that have failed."
)
STATEMENT_SECONDS = Family("gatepost_statement_seconds_total", "counter", ("statement",), "Wall time of statements.")
STATEMENT_ROWS = Family(
    "gatepost_statement_rows_total", "counter", ("statement",), "Rows that statements returned or changed."
)
LIMIT_REFUSALS = Family("gatepost_limit_refusals_total", "counter", ("limit",), "Requests over a rate limit.")
BUCKET_DECISIONS = Family(
    "gatepost_bucket_decisions_total",
    "counter",
    ("store",),
    "Decisions of rate limits: local (made by this process alone, or on its machine) or valkey (asked of it).",
)
BUCKETS_OUTAGES = Family(
    "gatepost_buckets_outages_total", "counter", (), "Times that a process lost the Valkey of the rate limits."
)
BUCKETS_OUTAGE_SECONDS = Family(
    "gatepost_buckets_away_seconds_total", "counter", (), "Seconds that a process was without that Valkey."
)
SHED = Family("gatepost_shed_requests_total", "counter", (), "Requests that were refused because of overload.")
SIGN_INS = Family("gatepost_sign_ins_total", "counter", ("outcome",), "Attempts to sign in: succeeded or failed.")
RETRIES = Family("gatepost_transaction_retries_total", "counter", (), "Transactions that ran again.")
CONNECTIONS_OPENED = Family("gatepost_connections_opened_total", "counter", (), "Connections to PostgreSQL opened.")
TRANSACTIONS = Family(
    "gatepost_transactions_total", "counter", ("outcome",), "Transactions that had begun: committed or rolled_back."
)
RECONNECTS = Family(
    "gatepost_database_reconnects_total", "counter", (), "Times that a process found the database again."
)
OUTAGES = Family("gatepost_database_outages_total", "counter", (), "Times that a process lost the database.")
OUTAGE_SECONDS = Family(
    "gatepost_database_away_seconds_total", "counter", (), "Seconds that a process was without the database."
)
UNKNOWN_ERRORS = Family("gatepost_unexpected_errors_total", "counter", (), "Exceptions that no layer expected.")
WORKER_DEATHS = Family("gatepost_worker_deaths_total", "counter", (), "Serving processes that ended by themselves.")
DRAINS = Family("gatepost_drains_total", "counter", (), "Times that a process began to end: replaced, or stopped.")
LOG_LINES = Family("gatepost_log_lines_total", "counter", ("category", "level"), "Lines of the log that were written.")
LOG_LINES_LOST = Family(
    "gatepost_log_lines_lost_total",
    "counter",
    ("output",),
    "Lines that had no room, because the disk was full or the reader stuck, by output: stdout or files.",
)
REPORTS_LOST = Family(
    "gatepost_reports_lost_total",
    "counter",
    (),
    "Errors, changes and slow statements that processes could not tell the monitor, because it did not read.",
)
ERRORS_LEFT_OUT = Family(
    "gatepost_errors_left_out_total",
    "counter",
    (),
    "Unexpected errors that are in no group, because there were too many new kinds at once.",
)

IN_FLIGHT = Family("gatepost_requests_in_flight", "gauge", ("pid",), "Requests that are being served.")
WAITING = Family("gatepost_requests_waiting", "gauge", ("pid",), "Requests that wait for admission.")
POOL_SIZE = Family("gatepost_pool_connections", "gauge", ("pid",), "Connections that are open or being opened.")
POOL_LIMIT = Family(
    "gatepost_pool_connections_max",
    "gauge",
    ("pid",),
    "Connections that the pool may open: as the settings say, or fewer where PostgreSQL allows no more.",
)
POOL_IN_USE = Family("gatepost_pool_connections_in_use", "gauge", ("pid",), "Connections that are lent.")
POOL_WAITING = Family("gatepost_pool_waiting", "gauge", ("pid",), "Requests that wait for a connection.")
DATABASE_REACHABLE = Family(
    "gatepost_database_reachable", "gauge", ("pid",), "0 while this worker cannot reach the database."
)
READY = Family("gatepost_worker_ready", "gauge", ("pid",), "1 while /readyz of this worker responds 200.")
LOOP_LAG = Family(
    "gatepost_event_loop_lag_seconds", "gauge", ("pid",), "How late the event loop was at the last look, once a second."
)
MEMORY = Family("gatepost_resident_memory_bytes", "gauge", ("pid",), "Resident memory of a worker.")
CPU = Family("gatepost_cpu_seconds_total", "counter", (), "CPU time of the workers.")
DESCRIPTORS = Family("gatepost_open_descriptors", "gauge", ("pid",), "Open file descriptors of a worker.")
GARBAGE = Family(
    "gatepost_garbage_collections_total", "counter", ("generation",), "Runs of Python's garbage collector."
)
BEAT = Family("gatepost_worker_beat_seconds", "gauge", ("pid",), "When a worker last reported, as a Unix time.")

BUILD_INFO = Family(
    "gatepost_build_info",
    "gauge",
    ("version", "python", "release"),
    "1, with what runs: Gatepost, Python, the release.",
)
LOG_DISK_FREE = Family("gatepost_log_disk_free_bytes", "gauge", (), "Free room on the disk of the log files.")
LOG_DISK_SIZE = Family("gatepost_log_disk_size_bytes", "gauge", (), "Size of the disk of the log files.")
CPU_PERIODS = Family(
    "gatepost_cpu_periods_total", "counter", (), "Periods in which the CPU time of the control group was limited."
)
CPU_THROTTLED_PERIODS = Family(
    "gatepost_cpu_throttled_periods_total",
    "counter",
    (),
    "Periods in which the control group had to wait for CPU time.",
)
CPU_THROTTLED_SECONDS = Family(
    "gatepost_cpu_throttled_seconds_total", "counter", (), "Seconds that the control group had to wait for CPU time."
)

BACKUPS = Family("gatepost_backups", "gauge", (), "Base backups of the store that can be restored.")
BACKUP_FINISHED = Family(
    "gatepost_backup_finished_timestamp_seconds",
    "gauge",
    (),
    "When the newest base backup that can be restored was finished, as a Unix time.",
)
BACKUP_WAL = Family(
    "gatepost_backup_wal_timestamp_seconds",
    "gauge",
    (),
    "Up to when that backup can be restored with the WAL of the store, as a Unix time.",
)
BACKUP_WAL_MISSING = Family(
    "gatepost_backup_wal_missing", "gauge", (), "1 while WAL is missing in the store: nothing after it can be restored."
)
BACKUP_STORE_READABLE = Family(
    "gatepost_backup_store_readable", "gauge", (), "0 while the store of backups cannot be read."
)
WAL_ARCHIVED = Family("gatepost_wal_archived_total", "counter", (), "WAL files that PostgreSQL has archived.")
WAL_ARCHIVED_AT = Family(
    "gatepost_wal_archived_timestamp_seconds",
    "gauge",
    (),
    "When PostgreSQL last archived a WAL file, as a Unix time.",
)
WAL_ARCHIVE_FAILURES = Family(
    "gatepost_wal_archive_failures_total", "counter", (), "Times that PostgreSQL failed to archive a WAL file."
)
WAL_ARCHIVE_FAILING = Family(
    "gatepost_wal_archive_failing", "gauge", (), "1 while PostgreSQL's last attempt to archive a WAL file failed."
)

LEFT_OUT = Family("gatepost_series_left_out", "gauge", ("pid",), "Series for which a process had no room.")

FAMILIES = tuple(value for value in globals().values() if isinstance(value, Family))

PULSE = Family("worker_pulse", "gauge", ("pid",), "")
"""Not for Prometheus: when a worker last reported, by the clock that all processes of a machine have and that is never
set."""

SLOWEST = Family("slowest_requests", "slowest", ("operation",), "")
"""Not for Prometheus: the slowest requests of an operation."""

TOP_CLIENTS = Family("top_clients", "top", ("by", "window"), "")
"""Not for Prometheus: the busiest clients, by address, network or user."""

RATE_LIMITS = Family("rate_limits", "limit", ("kind", "name", "rule", "store"), "")
"""Not for Prometheus: a rate limit that holds for keys of a kind, and where its buckets are."""
