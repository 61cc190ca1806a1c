"""The monitor compresses closed log files, and ends while it does so."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.environment import load_settings
from gatepost.events import Events
from gatepost.gateway.buckets import BucketTable
from gatepost.logging.archive import closed_files, closed_name
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor import log_tending
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.log_tending import LogTending
from gatepost.monitor.page_table import PageTable
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.close()


def tending(folder: Path, reports: Reports) -> LogTending:
    """The part, on the running loop."""
    files, events = RecordFiles(), Events()
    settings = load_settings({"GATEPOST_LOG_FOLDER": str(folder)})
    memory, levels = MetricsMemory.shared("test-tending", 1), LevelTable.shared("test-tending")
    monitored = Monitored("shop:8000", None, settings, memory, levels, reports, BucketTable.private(16), files)
    changes, database = Changes(files.snapshot("changes")), RecordsDatabase(None, [])
    return LogTending(
        MonitorContext(monitored, changes, database, events, PageTable(events), asyncio.get_running_loop())
    )


async def test_closed_files_are_compressed_again_and_again(
    tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tending, "TEND_SECONDS", 0.01)
    task = asyncio.ensure_future(tending(tmp_path, reports).run())
    for number in range(3):
        (tmp_path / closed_name("combined", time.time() - number)).write_bytes(b"line\n")
        async with asyncio.timeout(30):
            while not all(file.is_compressed for file in closed_files(tmp_path)):  # noqa: ASYNC110 - in a thread
                await asyncio.sleep(0.01)
    assert len(closed_files(tmp_path)) == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_folder_that_is_looked_at_for_long_keeps_no_monitor_from_ending(
    tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ends = threading.Event(), threading.Event()

    def slow(*arguments: object) -> None:
        begun.set()
        ends.wait(60)

    monkeypatch.setattr(log_tending, "tend", slow)
    task = asyncio.ensure_future(tending(tmp_path, reports).run())
    assert await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [thread] = [each for each in threading.enumerate() if each.name == "gatepost-log-archive"]
    assert thread.daemon
    ends.set()
    thread.join()
