"""What the parts of a monitor have: the instance that it looks after, and the ways in and out."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gatepost.events import Events
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.page_table import PageTable
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Report, Reports
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.gateway.buckets import BucketTable

R = TypeVar("R", bound=Report)
T = TypeVar("T")

CALL_SECONDS_MAX = 8.0
"""How long a page may wait for the monitor's event loop."""


@dataclass(eq=False)
class Monitored:
    """An instance of a release, with what all its processes share. The master makes it before it starts them.

    `release` is that of the start until workers report theirs: at SIGHUP they may load another. `buckets` are those of
    the rate limits that the workers keep on this machine. `admin_address` is where its admin listener can be reached
    from other machines; None where it is a socket alone.
    `reference` names the application, as `MODULE:ATTRIBUTE`; None for that of the folder. `port` is that of the API.
    `started_at` (seconds since the epoch) tells its counters from those of the server before.
    """

    instance: str
    release: str | None
    settings: Settings
    memory: MetricsMemory
    levels: LevelTable
    reports: Reports
    buckets: "BucketTable"
    files: RecordFiles
    admin_address: str | None = None
    reference: str | None = None
    port: int | None = None
    started_at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class MonitorContext:
    """What each part is made with. `events` gets what happens in the monitor."""

    monitored: Monitored
    changes: Changes
    database: RecordsDatabase
    events: Events
    pages: PageTable
    loop: asyncio.AbstractEventLoop
    handlers: "dict[type[Report], Callable[[Any], None]]" = field(default_factory=dict[type[Report], Any])

    def handle(self, kind: type[R], handler: Callable[[R], None]) -> None:
        """Have reports of this kind handled so. For parts that are being made."""
        self.handlers[kind] = handler

    def wait_for(self, coroutine: "Coroutine[Any, Any, T]") -> T:
        """What a coroutine returns on the monitor's event loop. For pages, which are made in threads of their own.
        Raises TimeoutError."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(CALL_SECONDS_MAX)
        finally:
            future.cancel()  # nobody waits for it any more


class Part(Protocol):
    """A part of the monitor. When it is made, it adds its pages and its handlers of reports to the context."""

    async def run(self) -> None:
        """Do its work, without end. What it raises is logged, and it begins again."""
        ...
