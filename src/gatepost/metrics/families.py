"""Every metric: its name, kind, labels and the sentence that Prometheus shows.

Off the request path. Names follow Prometheus: base units, `_total` for counters. The list is what a server has of its
own; it is also what the page of the reference is checked against.
"""

from typing import Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Family(NamedTuple):
    """Series with one name, which differ in the values of these labels."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


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
    "Wall time that requests waited for their compiled statements.",
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
STATEMENTS = Family("gatepost_statements_total", "counter", ("statement",), "Compiled statements that have run.")
STATEMENT_FAILURES = Family(
    "gatepost_statement_failures_total", "counter", ("statement",), "Compiled statements that have failed."
)
STATEMENT_SECONDS = Family(
    "gatepost_statement_seconds_total", "counter", ("statement",), "Wall time of compiled statements."
)
STATEMENT_ROWS = Family("gatepost_statement_rows_total", "counter", ("statement",), "Rows of compiled statements.")
LIMIT_REFUSALS = Family("gatepost_limit_refusals_total", "counter", ("limit",), "Requests over a rate limit.")
SHED = Family("gatepost_shed_requests_total", "counter", (), "Requests that were refused because of overload.")
SIGN_INS = Family("gatepost_sign_ins_total", "counter", ("outcome",), "Attempts to sign in: succeeded or failed.")
RETRIES = Family("gatepost_transaction_retries_total", "counter", (), "Transactions that ran again.")
CONNECTIONS_OPENED = Family("gatepost_connections_opened_total", "counter", (), "Connections to PostgreSQL opened.")
OUTAGES = Family("gatepost_database_outages_total", "counter", (), "Times that a process lost the database.")
OUTAGE_SECONDS = Family(
    "gatepost_database_away_seconds_total", "counter", (), "Seconds that a process was without the database."
)
UNKNOWN_ERRORS = Family("gatepost_unexpected_errors_total", "counter", (), "Exceptions that no layer expected.")
WORKER_DEATHS = Family("gatepost_worker_deaths_total", "counter", (), "Serving processes that ended by themselves.")

IN_FLIGHT = Family("gatepost_requests_in_flight", "gauge", ("pid",), "Requests that are being served.")
WAITING = Family("gatepost_requests_waiting", "gauge", ("pid",), "Requests that wait for admission.")
POOL_SIZE = Family("gatepost_pool_connections", "gauge", ("pid",), "Connections that are open or being opened.")
POOL_IN_USE = Family("gatepost_pool_connections_in_use", "gauge", ("pid",), "Connections that are lent.")
POOL_WAITING = Family("gatepost_pool_waiting", "gauge", ("pid",), "Requests that wait for a connection.")
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

LEFT_OUT = Family("gatepost_series_left_out", "gauge", ("pid",), "Series for which a process had no room.")

FAMILIES = tuple(value for value in globals().values() if isinstance(value, Family))
