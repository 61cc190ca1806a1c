"""`LogTending`: compresses closed log files, and deletes what is too old or too much, so that no worker has to."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

from gatepost.logging.archive import tend
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.daemon_threads import in_daemon_thread

TEND_SECONDS = 10.0


class LogTending:
    """Looks every TEND_SECONDS. While there is no monitor, workers do it themselves (`logging/files.py`)."""

    def __init__(self, context: MonitorContext) -> None:
        settings = context.monitored.settings.log
        self._folder = None if settings.folder is None else Path(settings.folder)
        self._bytes_max = settings.bytes_max

    async def run(self) -> None:
        """Look, without end."""
        while True:
            if self._folder is not None:
                with suppress(OSError):  # full or read-only, the disk says the same of every line: it is counted there
                    await in_daemon_thread(partial(tend, self._folder, self._bytes_max), "gatepost-log-archive")
            await asyncio.sleep(TEND_SECONDS)
