"""`ForwardingQueue`: what users of a public listener ask of the monitor, each in a thread, and none of them in all.

Forwarding blocks. The threads are all that a monitor which hangs can take of a worker, and a part of them is all that
one user can.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gatepost.console.forwarding import Forwarded
from gatepost.errors import ServiceUnavailable

THREADS = 4
THREADS_OF_USER = 2
ASKED_MAX = 32
"""At once, with those that wait for a thread: a monitor that hangs keeps no more of them waiting."""
ASKED_OF_USER_MAX = 20
"""Of one user; a page asks for ten at most."""


class ForwardingQueue:
    """Those that are asked, and those that wait."""

    def __init__(self) -> None:
        self._asked: defaultdict[str, int] = defaultdict(int)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gatepost-console")

    async def run(self, user: str, ask: Callable[[], Forwarded]) -> Forwarded:
        """What `ask` returns. Raises 503 `console_unavailable` where too many wait already."""
        if self._asked[user] >= ASKED_OF_USER_MAX or sum(self._asked.values()) >= ASKED_MAX:
            self._forget(user)
            raise ServiceUnavailable("console_unavailable", "Too many requests wait for the monitor: try again.")
        turns = self._turns.setdefault(user, asyncio.Semaphore(THREADS_OF_USER))
        self._asked[user] += 1
        try:
            async with turns:
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        finally:
            self._asked[user] -= 1
            self._forget(user)

    def close(self) -> None:
        """Nothing more is asked."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, user: str) -> None:
        if not self._asked[user]:
            del self._asked[user]
            self._turns.pop(user, None)
