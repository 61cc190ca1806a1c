"""Instances whose monitors judge and tell of alerts, in the process of the tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from tests.receivers import Received

from gatepost.alerting.reported_objectives import JudgedObjective, ObjectivesReported
from gatepost.environment import load_settings
from gatepost.events import Events
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.metrics.families import REQUEST_SECONDS
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.region import Region
from gatepost.monitor.alert_pages import AlertPages
from gatepost.monitor.alert_records import AlertRecords
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.instances import InstanceBeats
from gatepost.monitor.page_table import Page, PageTable, Request
from gatepost.record_tables import RECORD_TABLES
from gatepost.records.change_events import subscribe_changes
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports

OBJECTIVE = JudgedObjective("reads", 0.99, ("scrolls.list",), 0.2)
SCALE = "0.01"


class Instance:
    """An instance whose monitor can be made anew on the same files, and the metrics of its one worker."""

    def __init__(self, name: str, dsn: str, received: Received) -> None:
        self.name = name
        self.events = Events()
        self.files = RecordFiles()
        self.memory = MetricsMemory.shared(f"test-alerts-{name}", 1)
        region = self.memory.take()
        assert region is not None
        self.region: Region = region
        self.reports = Reports()
        self.dsn = dsn
        self.settings = load_settings(
            {
                "DATABASE_URL": dsn,
                "GATEPOST_ALERT_TIME_SCALE": SCALE,
                "GATEPOST_ALERT_MAIL_TO": "ops@shop.example",
                "GATEPOST_SMTP_URL": f"smtp://127.0.0.1:{received.mail_port}",
            }
        )
        self.monitored = Monitored(
            instance=name,
            release="4f2a",
            settings=self.settings,
            memory=self.memory,
            levels=LevelTable.shared("levels"),
            reports=self.reports,
            buckets=BucketTable.shared("buckets"),
            files=self.files,
        )

    def count(self, good: int = 0, bad: int = 0) -> None:
        """Requests of the worker."""
        for kind, count in (("2xx", good), ("5xx", bad)):
            for _ in range(count):
                self.region.observe(self.region.place(REQUEST_SECONDS, ("scrolls.list", kind)), 0.01)

    @asynccontextmanager
    async def monitor(self, *, reports: bool = True) -> AsyncIterator[AlertRecords]:
        """A monitor, while it runs; the objectives are reported to it as by a worker that starts."""
        self.events = Events()
        context = MonitorContext(
            monitored=self.monitored,
            changes=Changes(self.files.snapshot("changes")),
            database=RecordsDatabase(self.dsn, list(RECORD_TABLES)),
            events=self.events,
            pages=PageTable(self.events),
            loop=asyncio.get_running_loop(),
        )
        subscribe_changes(self.events, context.changes.add)
        beats = InstanceBeats(context)
        records = AlertRecords(context, beats)
        AlertPages(context, records)
        self.context = context
        if reports:
            context.handlers[ObjectivesReported](ObjectivesReported([OBJECTIVE]))
        tasks = [asyncio.ensure_future(each.run()) for each in (beats, records)]
        try:
            yield records
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await context.database.close()

    def ask(self, method: str, path: str, body: Any = None) -> Awaitable[Page]:
        """A page, as a thread of the listener asks for it."""
        request = Request(method, path, "", b"" if body is None else json.dumps(body).encode(), "uid 7")
        return asyncio.to_thread(self.context.pages.find, request)

    def close(self) -> None:
        self.reports.close()
