"""What the parts of a monitor are made with, where no server runs."""

import asyncio
import time

from gatepost.environment import load_settings
from gatepost.events import Events
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.page_table import PageTable
from gatepost.record_tables import RECORD_TABLES
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports
from gatepost.settings import Settings


def context_of(
    dsn: str,
    reports: Reports,
    *,
    name: str = "one",
    settings: Settings | None = None,
    memory: MetricsMemory | None = None,
    files: RecordFiles | None = None,
    started_at: float | None = None,
) -> MonitorContext:
    """A monitor's, with records in memory."""
    files, events = files or RecordFiles(), Events()
    monitored = Monitored(
        instance=name,
        release=None,
        settings=settings or load_settings({"DATABASE_URL": dsn}),
        memory=memory or MetricsMemory.shared("test-records", 1),
        levels=LevelTable.shared("levels"),
        reports=reports,
        buckets=BucketTable.shared("buckets"),
        files=files,
        started_at=time.time() if started_at is None else started_at,
    )
    return MonitorContext(
        monitored=monitored,
        changes=Changes(files.snapshot("changes")),
        database=RecordsDatabase(dsn, list(RECORD_TABLES)),
        events=events,
        pages=PageTable(events),
        loop=asyncio.get_running_loop(),
    )
