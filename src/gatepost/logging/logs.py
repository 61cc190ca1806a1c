"""`Logs`: the log of one process, from its settings: its outputs, the access lines, the records, the subscriptions.

The server makes one per worker and starts it after the fork; commands make one that writes at once, to stderr.
"""

import atexit
import logging
import sys
from collections.abc import Iterable
from typing import TextIO

from gatepost.events import Events, RequestFinished
from gatepost.logging import event_lines
from gatepost.logging.access import Render, console_lines, json_lines
from gatepost.logging.access_log import AccessLog, Keepers
from gatepost.logging.clients import shown_client
from gatepost.logging.console import is_coloured
from gatepost.logging.levels import Levels, LevelTable, level_number
from gatepost.logging.lines import ERROR
from gatepost.logging.masking import NO_MASKING, Masking
from gatepost.logging.outputs import Output, file_output
from gatepost.logging.records import FindRequestID, RecordHandler
from gatepost.logging.repeated_lines import RepeatedLines
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
    place of one for `descriptor`; `level_table` has the levels that operators change while it runs. Only a server
    writes files (`has_files`); raises ConfigurationError where it cannot.
    """

    def __init__(  # noqa: PLR0913 - each is another process's
        self,
        settings: Settings,
        *,
        descriptor: int = 1,
        writer: Writer | None = None,
        adopts: bool = True,
        has_files: bool = False,
        level_table: LevelTable | None = None,
    ) -> None:
        self._settings = settings
        self._levels = Levels(level_number(settings.log.level), level_table, self._adopt_levels)
        self._adopts = adopts
        self._show_client = shown_client(settings.log.client)
        self._console = writer or Writer(descriptor)
        self._outputs = _outputs(
            settings, self._console, sys.stdout if descriptor == 1 else sys.stderr, has_files=has_files
        )
        self._masking = NO_MASKING
        self._repeated = RepeatedLines()
        self._handlers = [
            RecordHandler(
                output.writer.write,
                form=output.form,
                coloured=output.is_coloured,
                levels=self._levels,
                show_client=self._show_client,
            )
            for output in self._outputs
        ]
        self._access = AccessLog(self._levels.of, settings.log.access_sample)
        self._streams: StandardStreams | None = None
        if adopts:
            self._adopt()

    def subscribe(self, events: Events) -> None:
        """Write the events of the application. Call it before the application is started."""
        if self._settings.log.access:
            for output in self._outputs:
                is_counted = output is self._outputs[0]
                subscriber = self._access.subscriber(self._keepers(output), is_counted=is_counted)
                events.subscribe(RequestFinished, subscriber)
        event_lines.subscribe(events, self._levels, self._repeated)

    def mark_probes(self, routes: Iterable[str]) -> None:
        """Write the successful requests of these routes at level debug. Before any comes."""
        self._access.mark_probes(routes)

    def name_requests(self, find_request_id: FindRequestID) -> None:
        """Give every record that is made while a request is served the request's id."""
        for handler in self._handlers:
            handler.find_request_id = find_request_id

    def readings(self) -> dict[str, float]:
        """How many access lines were written, and how many lines were lost by each output."""
        lost = {
            "lines_lost_files" if output.has_files else "lines_lost_stdout": output.writer.lost
            for output in self._outputs
        }
        return {**self._access.readings(), **lost}

    def mask(self, masking: Masking) -> None:
        """Mask what an application says that nobody may read, in all lines from now on."""
        self._masking = masking
        for handler in self._handlers:
            handler.masking = masking

    def start(self) -> None:
        """Write in batches from now on. After the fork, in the process that serves."""
        self._repeated.is_counting = True
        for output in self._outputs:
            output.writer.start(before_flush=self._before_flush)
        atexit.register(self.close)

    def take_streams(self) -> None:
        """Write in the same way what goes to `sys.stdout` and `sys.stderr`. After `start`, in a process of our own."""
        self._streams = StandardStreams(self._console)
        self._streams.start()

    def close(self) -> None:
        """Write what is left; later lines are written at once. Idempotent."""
        self._repeated.sweep(is_last=True)
        if self._streams is not None:
            self._streams.close()
        for output in self._outputs:
            output.writer.close()

    def _keepers(self, output: Output) -> Keepers:
        take = output.writer.subscriber
        info = self._render(output, "info")
        return Keepers(take(self._render(output, "debug")), take(info), take(info, kind=ERROR))

    def _render(self, output: Output, level: str) -> Render:
        if output.form == "json":
            return json_lines(self._show_client, lambda: self._masking, level=level)
        return console_lines(coloured=output.is_coloured, find_masking=lambda: self._masking)

    def _before_flush(self) -> None:
        self._levels.refresh()
        self._repeated.sweep()

    def _adopt(self) -> None:
        root = logging.getLogger()
        for old in [item for item in root.handlers if isinstance(item, RecordHandler)]:
            root.removeHandler(old)
        for handler in self._handlers:
            root.addHandler(handler)
        logging.captureWarnings(True)
        for name in _QUIET:
            logging.getLogger(name).propagate = True
        self._adopt_levels()

    def _adopt_levels(self) -> None:
        if not self._adopts:
            return
        logging.getLogger().setLevel(self._levels.lowest)
        for name in _QUIET:
            logging.getLogger(name).setLevel(max(self._levels.lowest, logging.WARNING))


def _outputs(settings: Settings, console: Writer, stream: TextIO, *, has_files: bool) -> list[Output]:
    found: list[Output] = []
    if settings.log_form != "none":
        coloured = settings.log_form == "console" and is_coloured(stream)
        found.append(Output(console, settings.log_form, coloured))
    if has_files and (files := file_output(settings.log, has_monitor=settings.admin.metrics)) is not None:
        found.append(files)
    return found
