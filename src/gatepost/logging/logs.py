"""`Logs`: the log of one process, from its settings: the writer, the access lines, the records, the subscriptions.

The server makes one per worker and starts it after the fork; commands make one that writes at once, to stderr.
"""

import atexit
import logging
import sys

from gatepost.events import Events, RequestFinished
from gatepost.logging import event_lines
from gatepost.logging.access import console_lines, json_lines
from gatepost.logging.console import is_coloured
from gatepost.logging.records import FindRequestID, RecordHandler
from gatepost.logging.streams import StandardStreams
from gatepost.logging.writer import Writer
from gatepost.settings import Settings

_QUIET = ("asyncpg.pool", "asyncio", "watchfiles", "_granian", "sqlalchemy", "alembic")
"""Libraries whose remarks below `warning` are about themselves."""


class Logs:
    """Where everything that happens in this process is written.

    Creating it adopts the standard library's root logger, unless `adopts` is False: then records go where the process
    sends them, and only access lines are written here. `start` writes in batches from a thread; without it every line
    is written at once. `close` writes what is left, and is called at exit. `writer` is one that stands already, in
    place of one for `descriptor`.
    """

    def __init__(
        self, settings: Settings, *, descriptor: int = 1, writer: Writer | None = None, adopts: bool = True
    ) -> None:
        self._settings = settings
        self._level = logging.getLevelNamesMapping()[settings.log.level.upper()]
        stream = sys.stdout if descriptor == 1 else sys.stderr
        self._coloured = settings.log_form == "console" and is_coloured(stream)
        self.writer = writer or Writer(descriptor)
        self._handler = RecordHandler(self.writer.write, form=settings.log_form, coloured=self._coloured)
        self._streams: StandardStreams | None = None
        if adopts:
            self._adopt()

    def subscribe(self, events: Events) -> None:
        """Write the events of the application. Call it before the application is started."""
        if self._settings.log.access and self._level <= logging.INFO:
            json = self._settings.log_form == "json"
            render = json_lines() if json else console_lines(coloured=self._coloured)
            events.subscribe(RequestFinished, self.writer.subscriber(render))
        event_lines.subscribe(events, self._level)

    def name_requests(self, find_request_id: FindRequestID) -> None:
        """Give every record that is made while a request is served the request's id."""
        self._handler.find_request_id = find_request_id

    def start(self) -> None:
        """Write in batches from now on. After the fork, in the process that serves."""
        self.writer.start()
        atexit.register(self.close)

    def take_streams(self) -> None:
        """Write in the same way what goes to `sys.stdout` and `sys.stderr`. After `start`, in a process of our own."""
        self._streams = StandardStreams(self.writer)
        self._streams.start()

    def close(self) -> None:
        """Write what is left; later lines are written at once. Idempotent."""
        if self._streams is not None:
            self._streams.close()
        self.writer.close()

    def _adopt(self) -> None:
        root = logging.getLogger()
        for old in [item for item in root.handlers if isinstance(item, RecordHandler)]:
            root.removeHandler(old)
        root.addHandler(self._handler)
        root.setLevel(self._level)
        logging.captureWarnings(True)
        for name in _QUIET:
            logger = logging.getLogger(name)
            logger.setLevel(max(self._level, logging.WARNING))
            logger.propagate = True
