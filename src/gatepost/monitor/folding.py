"""`Folding`: keeps the counts of processes that have ended, whether or not anybody asks for them."""

import asyncio

from gatepost.monitor.context import MonitorContext

FOLD_SECONDS = 5.0


class Folding:
    """Adds them to those of the departed."""

    def __init__(self, context: MonitorContext) -> None:
        self._memory = context.monitored.memory

    async def run(self) -> None:
        """Look every FOLD_SECONDS."""
        while True:
            await asyncio.sleep(FOLD_SECONDS)
            with self._memory.regions():
                pass
