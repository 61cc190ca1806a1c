"""How the parts of a monitor run: each in a task of its own, so that a failure in one does not affect the others."""

import asyncio
from collections.abc import Sequence
from typing import Any, Union

import msgspec

from gatepost.background import report
from gatepost.events import Events
from gatepost.monitor.context import MonitorContext, Part

PAUSE_SECONDS = 1.0
"""Before a part that has failed begins again."""


async def run_parts(parts: Sequence[Part], events: Events) -> None:
    """Run all parts, without end."""
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(_run(part, events), name=type(part).__name__)


async def _run(part: Part, events: Events) -> None:
    while True:
        try:
            await part.run()
        except Exception as error:
            report(f"monitor: {type(part).__name__}", error, events)
        await asyncio.sleep(PAUSE_SECONDS)


class ReportReader:
    """Gives each report that comes to the handler of its kind. Made when all parts are."""

    def __init__(self, context: MonitorContext) -> None:
        self._reports = context.monitored.reports
        self._events = context.events
        self._handlers = context.handlers
        kinds: Any = Union[tuple(self._handlers)]  # noqa: UP007 - of types that are known at run time
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(kinds)

    async def run(self) -> None:
        """Read as they come."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._reports.receiver, arrived.set)
        try:
            while True:
                await arrived.wait()
                arrived.clear()
                self.read()
        finally:
            loop.remove_reader(self._reports.receiver)

    def read(self) -> None:
        """Read what has come."""
        for data in self._reports.receive():
            self._handle(data)

    def _handle(self, data: bytes) -> None:
        try:
            found = self._decoder.decode(data)
            self._handlers[type(found)](found)
        except Exception as error:
            report("monitor: a report", error, self._events)
