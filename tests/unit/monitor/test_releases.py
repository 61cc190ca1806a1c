"""Which release an instance runs: that of the start, then what its workers report."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from gatepost.events import Events
from gatepost.gateway.buckets import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.application_record import ApplicationRecord
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.deployment_watch import DeploymentWatch
from gatepost.monitor.instances import InstanceBeats
from gatepost.monitor.operation_statements import OperationStatements
from gatepost.monitor.page_table import PageTable
from gatepost.records.application import ApplicationReported
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports
from gatepost.settings import Settings


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.close()


def started(files: RecordFiles, reports: Reports, started_at: float) -> MonitorContext:
    """What a monitor is made with, of a server that started with the release `one`."""
    memory, levels, events = MetricsMemory.shared("test-releases", 1), LevelTable.shared("test-releases"), Events()
    monitored = Monitored(
        "shop:8000",
        "one",
        Settings(),
        memory,
        levels,
        reports,
        BucketTable.private(16),
        files,
        started_at=started_at,
    )
    changes = Changes(files.snapshot("changes"))
    loop = asyncio.get_running_loop()
    return MonitorContext(monitored, changes, RecordsDatabase(None, []), events, PageTable(events), loop)


async def test_a_reload_brings_another_release_and_the_changes_say_so(reports: Reports) -> None:
    context = started(RecordFiles(), reports, time.time())
    ApplicationRecord(context, OperationStatements(context))
    watch = DeploymentWatch(context, InstanceBeats(context))
    await watch.look()
    context.handlers[ApplicationReported](ApplicationReported([], [], "two", time.time()))
    await watch.look()
    assert context.monitored.release == "two"
    assert [each.summary for each in context.changes.newest_first()] == ["Release two runs; before it was one."]


async def test_another_monitor_knows_it_and_another_server_does_not(reports: Reports) -> None:
    files, now = RecordFiles(), time.time()
    context = started(files, reports, now)
    ApplicationRecord(context, OperationStatements(context))
    context.handlers[ApplicationReported](ApplicationReported([], [], "two", now + 1))
    for started_at, release in ((now, "two"), (now + 2, "one")):
        later = started(files, reports, started_at)
        ApplicationRecord(later, OperationStatements(later))
        assert later.monitored.release == release
