"""Deadlines of statements, enforced on this side: they end what PostgreSQL cannot end because it is gone.

PostgreSQL cancels a statement after `statement_seconds`. Where no reply has come a second later, none will come: the
connection is closed, and its request learns that it is lost. Outside the request path: one sweep every half second
looks at the connections that are lent and counts; a statement pays nothing for it.
"""

import asyncio
import math
from collections.abc import Callable, Collection
from typing import Any, cast

from gatepost.database.connection import PooledConnection

SWEEP_SECONDS = 0.5
"""How late a statement may be ended."""

GRACE_SECONDS = 1.0
"""How much longer than PostgreSQL's own limit we wait, for its reply to travel."""


class StatementDeadlines:
    """Closes connections whose statement is overdue. `lent` says which are lent at present.

    Time is counted in sweeps, not by the clock: while this process was suspended, no reply could arrive, so that time
    must not count against the connection.
    """

    def __init__(self, lent: Callable[[], Collection[PooledConnection]], statement_seconds: float) -> None:
        self._lent = lent
        self._sweeps_max = math.ceil((statement_seconds + GRACE_SECONDS) / SWEEP_SECONDS)
        self._running: dict[PooledConnection, tuple[int, int]] = {}
        self._terminating: dict[PooledConnection, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start sweeping; idempotent."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """Stop sweeping."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def terminate_later(self, connections: Collection[PooledConnection]) -> None:
        """Their peer is silent: close them at the time when a statement sent just now would be overdue."""
        self._terminating.update(dict.fromkeys(connections, self._sweeps_max))

    def _sweep(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
        lent = self._lent()
        running: dict[PooledConnection, tuple[int, int]] = {}
        for connection in lent:
            holder = connection.holder
            # A transaction between two statements waits for its service, not for PostgreSQL. One with its own limit
            # was told to wait longer than `statement_seconds`.
            if holder is None or not holder.is_sending or holder.has_own_limit or connection.raw.is_closed():
                continue
            count = cast("Any", connection.raw)._protocol.queries_count  # as asyncpg's own pool reads it
            before, sweeps = self._running.get(connection, (count, 0))
            if before != count:  # another statement than at the last sweep: its time begins now
                sweeps = 0
            elif sweeps >= self._sweeps_max:
                connection.give_up()
                continue
            running[connection] = (count, sweeps + 1)
        self._running = running
        self._terminate_due(lent)

    def _terminate_due(self, lent: Collection[PooledConnection]) -> None:
        # Those that came back meanwhile are forgotten: the pool has closed them.
        self._terminating = {
            connection: left - 1 for connection, left in self._terminating.items() if connection in lent
        }
        for connection in [connection for connection, left in self._terminating.items() if left < 0]:
            del self._terminating[connection]
            if connection.holder is None or not connection.holder.has_own_limit:
                connection.give_up()
