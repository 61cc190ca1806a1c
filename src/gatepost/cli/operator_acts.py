"""What an operator does by a command that asks no server: a security line and a change all the same.

They are left with the monitor of the server on this machine. Where none runs, the line goes to stderr, and the change
to the schema `gatepost` of the database, where that has it.
"""

import asyncio
import logging
import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gatepost.cli.admin_client import ask
from gatepost.cli.settings import quiet_settings
from gatepost.errors import ConfigurationError
from gatepost.events import OperatorActed
from gatepost.records.change_events import change_of

if TYPE_CHECKING:
    from gatepost.settings import Settings

LOGGER = logging.getLogger("gatepost")

SECONDS = 5.0

_INSERT = """
INSERT INTO gatepost.changes (instance, at, number, kind, summary) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""


def leave_record(act: str, detail: str, *, is_quiet: bool = False) -> None:
    """Record an act, and what became of it, in a sentence. Where no server runs, a quiet one leaves no line on stderr:
    the change in the database has to do."""
    try:
        ask("PUT", "/acts", {"act": act, "detail": detail})
    except ConfigurationError:
        event = OperatorActed(act, detail, f"uid {os.getuid()}")
        if not is_quiet:
            _log(event)
        asyncio.run(_insert(quiet_settings(), event))


def _log(event: OperatorActed) -> None:
    extra = {
        "category": "security",
        "source": "cli",
        "act": event.act,
        "detail": event.detail,
        "operator": event.operator,
    }
    LOGGER.warning("operator_acted", extra=extra)


async def _insert(settings: "Settings", event: OperatorActed) -> None:
    import asyncpg

    if settings.database.url is None or (change := change_of(event)) is None:
        return
    row = (socket.gethostname(), datetime.fromtimestamp(change.at, UTC), time.monotonic_ns(), change.kind)
    with suppress(OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(settings.database.url, timeout=SECONDS, command_timeout=SECONDS)
        try:
            await connection.execute(_INSERT, *row, change.summary)
        finally:
            connection.terminate()
