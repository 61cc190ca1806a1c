"""What a service set on a connection ends with its request: the message that undoes it, and the driver's side of it.

PostgreSQL keeps settings, advisory locks, temporary tables, cursors WITH HOLD, LISTEN and roles for as long as a
connection lives, and the next request on it would see them. Derived verbs and what the ORM alone does leave none of
that and pay nothing; `sessions.py` notes the others, and the pool undoes what they left.
"""

import itertools
import secrets
from collections.abc import Callable
from typing import Any

import asyncpg

_DEALLOCATE = """
DO $$ DECLARE item text; BEGIN
FOR item IN SELECT name FROM pg_prepared_statements WHERE from_sql LOOP EXECUTE format('DEALLOCATE %I', item); END LOOP;
END $$"""

RESET = (
    "RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP;"
    f" DISCARD SEQUENCES; {_DEALLOCATE}; SELECT setseed(2 * (hashtextextended(gen_random_uuid()::text, 0)"
    " / 18446744073709551616.0))"
)
"""One message. RESET ALL goes back to what the connection was opened with, so our limits are startup parameters; roles
go with RESET SESSION AUTHORIZATION. Statements that the driver has prepared stay; those of a PREPARE go. The last makes
`random()` unknown again after a `setseed()`."""


WAIT_FOR_STANDBY = "SyncRepWaitForLSN"
"""The function of PostgreSQL in which a commit waits for a standby."""


class DriverConnection(asyncpg.Connection):  # pyright: ignore[reportMissingTypeArgument]
    """asyncpg's connection, with a reset that keeps prepared statements, and names for them that no other connection
    uses.

    `is_handed_out` is set once a service has it in its hands: from then on it is noted what the driver itself is told.
    `on_unconfirmed` is called where a commit was not confirmed by the standby that it waited for: PostgreSQL warns of
    that, and then replies as if all were well.
    """

    on_unconfirmed: Callable[[], None] | None = None

    is_handed_out = False
    _is_altered = False
    _loggers: tuple[Callable[..., Any], ...] = ()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._token = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def _get_unique_id(self, prefix: str) -> str:
        """The name of a statement, cursor or savepoint. asyncpg counts in each process from 1: on a backend that a
        pooler shares out, its names would mean statements of other processes, which would run instead of ours."""
        return f"__asyncpg_{prefix}_{self._token}_{next(self._numbers):x}__"

    def _process_log_message(self, fields: dict[str, str], last_query: str) -> None:
        """A warning or a notice, which comes before the reply of the statement."""
        if fields.get("R") == WAIT_FOR_STANDBY and self.on_unconfirmed is not None:
            self.on_unconfirmed()
        super()._process_log_message(fields, last_query)  # type: ignore[misc]

    def get_reset_query(self) -> str:
        """What `reset` sends, after it has forgotten listeners."""
        return RESET

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Undo what was set on the connection. Raises `InterfaceError` where that is not possible."""
        if self._is_altered:
            raise asyncpg.InterfaceError("the codecs of this connection were changed: close it")
        for logger in self._loggers:
            self.remove_query_logger(logger)
        self._loggers = ()
        await super().reset(timeout=timeout)
        self.is_handed_out = False

    async def set_type_codec(self, *arguments: Any, **options: Any) -> None:
        """As asyncpg's."""
        self._is_altered = self.is_handed_out
        await super().set_type_codec(*arguments, **options)

    async def reset_type_codec(self, *arguments: Any, **options: Any) -> None:
        """As asyncpg's."""
        self._is_altered = self.is_handed_out
        await super().reset_type_codec(*arguments, **options)

    async def set_builtin_type_codec(self, *arguments: Any, **options: Any) -> None:
        """As asyncpg's."""
        self._is_altered = self.is_handed_out
        await super().set_builtin_type_codec(*arguments, **options)

    def add_query_logger(self, callback: Callable[..., Any]) -> None:
        """As asyncpg's."""
        if self.is_handed_out:
            self._loggers = (*self._loggers, callback)
        super().add_query_logger(callback)
