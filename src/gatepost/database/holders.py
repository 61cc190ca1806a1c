"""On whose behalf a connection is lent, as the pool has to know when connections are short or their peer is silent."""

from typing import Protocol


class Holder(Protocol):
    """A database, which lends a connection for one statement, or a transaction.

    `resource` is that of the request's path; None outside of requests. `is_sending` is true while a statement is under
    way that PostgreSQL ends after `statement_seconds`; `has_own_limit` where it was told to wait longer.
    """

    resource: str | None
    is_sending: bool
    has_own_limit: bool
