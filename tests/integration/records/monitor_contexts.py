"""What the parts of a monitor are made with, where no server runs."""

import asyncio

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


def context_of(dsn: str, reports: Reports) -> MonitorContext:
    """A monitor's, with records in memory."""
    files, events = RecordFiles(), Events()
    monitored = Monitored(
        instance="one",
        release=None,
        settings=load_settings({"DATABASE_URL": dsn}),
        memory=MetricsMemory.shared("test-errors", 1),
        levels=LevelTable.shared("levels"),
        reports=reports,
        buckets=BucketTable.shared("buckets"),
        files=files,
    )
    return MonitorContext(
        monitored=monitored,
        changes=Changes(files.snapshot("changes")),
        database=RecordsDatabase(dsn, list(RECORD_TABLES)),
        events=events,
        pages=PageTable(events),
        loop=asyncio.get_running_loop(),
    )
