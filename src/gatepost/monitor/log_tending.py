"""`LogTending`: compresses closed log files, and deletes what is too old or too much, so that no worker has to."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

from gatepost.logging.archive import tend
from gatepost.monitor.context import MonitorContext

TEND_SECONDS = 10.0


class LogTending:
    """Looks every TEND_SECONDS, in a daemon thread, which does not delay the end of the monitor. While there is no
    monitor, workers do it themselves (`logging/files.py`)."""

    def __init__(self, context: MonitorContext) -> None:
        settings = context.monitored.settings.log
        self._folder = None if settings.folder is None else Path(settings.folder)
        self._bytes_max = settings.bytes_max
        self._loop = context.loop

    async def run(self) -> None:
        """Look, without end."""
        while True:
            if self._folder is not None:
                done = asyncio.Event()
                threading.Thread(
                    target=self._tend, args=[self._folder, done], name="gatepost-log-archive", daemon=True
                ).start()
                await done.wait()
            await asyncio.sleep(TEND_SECONDS)

    def _tend(self, folder: Path, done: asyncio.Event) -> None:
        # Full or read-only, the disk says the same of every line: it is counted there. The loop may have ended.
        try:
            with suppress(OSError):
                tend(folder, self._bytes_max)
        finally:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(done.set)
