"""On whose behalf a connection is lent, as the pool has to know when connections are short or their peer is silent."""

from typing import Protocol


class Holder(Protocol):
    """A database, which lends a connection for one statement, or a transaction.

    `resource` is that of the request's path; None outside of requests. `is_sending` is true while a statement is under
    way that PostgreSQL ends after `statement_seconds`; `has_own_limit` where it was told to wait longer.
    """

    @property
    def resource(self) -> str | None: ...

    @property
    def is_sending(self) -> bool: ...

    @property
    def has_own_limit(self) -> bool: ...

    def begin_statement(self, sql: str) -> None:
        """A statement of the ORM is about to be sent."""
        ...

    def end_statement(self) -> None:
        """It was answered, or broken off."""
        ...
