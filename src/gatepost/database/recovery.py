"""Recovery of connections that come back in a doubtful state: rolled back or reset before they are lent again.

In the background, off the request path: the request that gave the connection back does not wait for it.
"""

import asyncio
from collections.abc import Callable

from gatepost.background import background
from gatepost.database.connection import PooledConnection
from gatepost.database.failures import DRIVER_FAILURES
from gatepost.events import Events

RECOVER_SECONDS = 2.0
"""How long a connection whose use was broken off has to reply; then it is closed."""


class Recoveries:
    """The recoveries under way in one pool: `put_back` gets connections that can be used again, `discard` the others.

    `tasks` are the recoveries; `resetting` are the connections among them that only have to be reset: they come back
    sooner than a new one would open.
    """

    def __init__(
        self,
        put_back: Callable[[PooledConnection], None],
        discard: Callable[[PooledConnection], None],
        events: Events,
    ) -> None:
        self._put_back = put_back
        self._discard = discard
        self._events = events
        self.tasks: dict[asyncio.Task[bool], PooledConnection] = {}
        self.resetting: set[PooledConnection] = set()

    def start(self, connection: PooledConnection, *, is_broken_off: bool) -> None:
        """Begin to recover a connection. `is_broken_off` says that the wait for a reply was given up."""
        try:
            work = _restore(connection, is_broken_off=is_broken_off)
            task = background(work, "recover a database connection", self._events)
        except BaseException:
            self._discard(connection)
            raise
        self.tasks[task] = connection
        if not is_broken_off:
            self.resetting.add(connection)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[bool]") -> None:
        connection = self.tasks.pop(task)
        self.resetting.discard(connection)
        if not task.cancelled() and task.exception() is None and task.result():
            self._put_back(connection)
        else:
            self._discard(connection)


async def _restore(connection: PooledConnection, *, is_broken_off: bool) -> bool:
    """Roll back what is open on a connection and undo what a service set there; whether it can be used again."""
    raw = connection.raw
    try:
        async with asyncio.timeout(RECOVER_SECONDS):
            if is_broken_off and not raw.is_in_transaction():
                await raw.execute("SELECT")  # the reply shows whether a cancelled BEGIN was carried out
            if raw.is_in_transaction():
                await raw.execute("ROLLBACK")
            if connection.needs_reset:
                await raw.reset()
                connection.needs_reset = False
    except DRIVER_FAILURES:
        return False
    return not raw.is_closed()
