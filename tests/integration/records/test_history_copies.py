"""The history in the database: all that the ring has, longer steps that add up, and nothing that is too old."""

import asyncio
import math
import random
import time
from typing import Any

import asyncpg
import msgspec
import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.metrics.families import REQUEST_SECONDS
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.region import Region
from gatepost.metrics.sums import Histogram, Sums
from gatepost.moments import shown_moment
from gatepost.monitor.history_copies import KEPT_SECONDS, HistoryCopies
from gatepost.monitor.history_page import HistoryPage
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.page_table import Request
from gatepost.records.history import KeptStep
from gatepost.records.last_look import look_at, save_look
from gatepost.records.record_files import RecordFiles
from gatepost.records.reports import Reports
from gatepost.records.step_decoding import decoded
from gatepost.records.step_encoding import encoded
from gatepost.records.steps import Step

NAME = REQUEST_SECONDS.name
LABELS = (("operation", "scrolls.list"), ("class", "2xx"))


@pytest.fixture
def files() -> RecordFiles:
    """The records of one instance, in memory."""
    return RecordFiles()


@pytest.fixture
def region(memory: MetricsMemory) -> Region:
    """The metrics of a worker."""
    found = memory.take()
    assert found is not None
    return found


@pytest.fixture
def memory() -> MetricsMemory:
    """The metrics of one instance."""
    return MetricsMemory.shared("test-history", 1)


class Instance:
    """A monitor's history, over and over again: as often as it is made anew, on the same files."""

    def __init__(
        self, dsn: str, files: RecordFiles, memory: MetricsMemory, reports: Reports, name: str = "here:8000"
    ) -> None:
        self.context = context_of(dsn, reports, name=name, memory=memory, files=files)
        self.records = HistoryRecords(self.context)
        HistoryPage(self.context, self.records)
        self.copies = HistoryCopies(self.context, self.records)

    def write(self, since: float, count: int) -> None:
        """A step of so many requests, as of then."""
        step = Step(since, since + 10, histograms={NAME: {LABELS: Histogram({70: count}, count * 0.01)}})
        self.records.ring.write(KeptStep(self.records.ring.last + 1, since, since + 10, encoded(step)))
        look = look_at(Sums(), self.records.ring.last, since + 10)
        save_look(self.context.monitored.files.snapshot("history_look"), look)

    async def history(self, **query: str) -> Any:
        """What the page responds, or the status where it refuses. In a thread, as the admin listener asks."""
        request = Request("GET", "/history", "", b"", "uid 0", query)
        found = await asyncio.to_thread(self.context.pages.find, request)
        return msgspec.json.decode(found.body) if found.status == 200 else found.status


async def rows(dsn: str) -> dict[int, dict[float, int]]:
    """Requests by the length and the begin of a step."""
    connection: Any = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT step_seconds, at, data FROM gatepost.history ORDER BY at")
    finally:
        await connection.close()
    by_length: dict[int, dict[float, int]] = {length: {} for length in KEPT_SECONDS}
    for length, at, data in found:
        by_length[length][at.timestamp()] = decoded(data).histograms[NAME][LABELS].observations
    return by_length


async def test_what_the_database_lacks_is_copied_and_longer_steps_add_up(
    database_url: str, files: RecordFiles, memory: MetricsMemory, reports: Reports
) -> None:
    begin = math.floor(time.time() / 600) * 600.0 - 7200
    counts = {begin + 10 * number + 0.004: random.randint(1, 50) for number in range(400)}
    first = Instance(database_url, files, memory, reports)
    for since, count in list(counts.items())[:150]:
        first.write(since, count)
    await first.copies.copy()
    assert len((await rows(database_url))[10]) == 150
    await first.context.database.close()
    # Another monitor: it begins with what is in the database. Meanwhile there was none.
    for since, count in list(counts.items())[150:]:
        first.write(since, count)
    second = Instance("postgresql://127.0.0.1:1/nowhere", files, memory, reports)
    await second.copies.copy()
    third = Instance(database_url, files, memory, reports)
    await third.copies.copy()
    await third.copies.copy()
    found = await rows(database_url)
    await third.context.database.close()
    assert found[10] == pytest.approx(counts)
    for length in (60, 600):
        expected: dict[float, int] = {}
        for since, count in counts.items():
            expected[since // length * length] = expected.get(since // length * length, 0) + count
        # The last ones may not be complete yet.
        assert found[length] == {at: expected[at] for at in sorted(expected)[: len(found[length])]}
        assert len(expected) - 2 <= len(found[length]) < len(expected)


async def test_what_a_clock_that_was_set_back_has_seen_is_copied(
    database_url: str, files: RecordFiles, memory: MetricsMemory, reports: Reports
) -> None:
    now = math.floor(time.time() / 10) * 10.0 - 8000
    instance = Instance(database_url, files, memory, reports)
    for number in range(3):
        instance.write(now + 10 * number, 1)
    await instance.copies.copy()
    for number in range(3):
        instance.write(now - 3600 + 10 * number, 2)
        await instance.copies.copy()
    found = (await rows(database_url))[10]
    await instance.context.database.close()
    assert sorted(found.values()) == [1, 1, 1, 2, 2, 2]


async def test_the_page_adds_up_steps_of_the_ring_of_the_database_and_of_all_instances(
    database_url: str, files: RecordFiles, memory: MetricsMemory, reports: Reports
) -> None:
    now = time.time()
    begin = math.floor(now / 600) * 600.0 - 4 * 3600
    here = Instance(database_url, files, memory, reports)
    there = Instance(database_url, RecordFiles(), memory, reports, name="there:8000")
    steps = int((now - begin) / 10)
    for number in range(steps):
        here.write(begin + 10 * number, 2)
        there.write(begin + 10 * number, 1)
    for instance in (here, there):
        await instance.copies.copy()
        await instance.copies.copy()
    whole = {"since": "5h", "step": "1h"}
    own = await here.history(**whole)
    assert (own["from"], sum(step["requests"] for step in own["steps"])) == ("database", 2 * steps)
    assert sum(step["covered_seconds"] for step in own["steps"]) == pytest.approx(10 * steps, abs=60)
    assert {step["seconds"]["p99"] for step in own["steps"] if step["requests"]} == {0.00173}
    everywhere = await here.history(**whole, instance="all")
    # Of others there are only steps that are complete.
    assert 3 * steps - 3 * 120 < sum(step["requests"] for step in everywhere["steps"]) <= 3 * steps
    assert (await here.history(**whole, operation="nothing.list"))["steps"][0]["requests"] == 0
    for instance in (here, there):
        await instance.context.database.close()
    for query in (
        {"since": "soon"}, {"step": "7s"}, {"step": "0s"}, {"since": "30d", "step": "10s"}, {"since": "1e99"},
    ):  # fmt: skip
        assert await here.history(**query) == 422, query
    away = Instance("postgresql://127.0.0.1:1/nowhere", files, memory, reports)
    assert await away.history(instance="there:8000") == 503
    found = await away.history(**whole)
    assert (found["from"], sum(step["requests"] for step in found["steps"])) == ("ring", 2 * steps)


async def test_what_is_too_old_is_deleted_also_that_of_instances_that_are_gone(
    database_url: str, files: RecordFiles, memory: MetricsMemory, reports: Reports
) -> None:
    connection: Any = await asyncpg.connect(database_url)
    instance = Instance(database_url, files, memory, reports)
    data = encoded(Step(0, 10, histograms={NAME: {LABELS: Histogram({70: 1}, 0.01)}}))
    for length, seconds in KEPT_SECONDS.items():
        await connection.executemany(
            "INSERT INTO gatepost.history VALUES ('gone:1', $1, now() - make_interval(secs => $2), $3)",
            [(length, seconds + number, data) for number in range(-100, 1100)],
        )
    await instance.copies.copy()
    left = await connection.fetch(
        "SELECT step_seconds, count(*), min(extract(epoch FROM now() - at))::float8 AS age FROM gatepost.history "
        "GROUP BY step_seconds ORDER BY step_seconds"
    )
    await connection.close()
    await instance.context.database.close()
    assert [row[0] for row in left] == list(KEPT_SECONDS)
    for _, count, _ in left:
        assert 1 <= count <= 100


async def test_a_monitor_goes_on_where_a_killed_one_was(
    files: RecordFiles, memory: MetricsMemory, region: Region, reports: Reports
) -> None:
    place = region.place(REQUEST_SECONDS, ("scrolls.list", "2xx"))

    def observe(count: int) -> None:
        for _ in range(count):
            region.observe(place, 0.01)

    def counted(records: HistoryRecords) -> list[int]:
        return [step.histograms[NAME][LABELS].observations for step in records.steps(0, math.inf)]

    first = Instance("postgresql://127.0.0.1:1/nowhere", files, memory, reports).records
    observe(3)
    first.record()
    observe(4)
    first.record()
    observe(5)
    # Killed here, and the next one between its step and the note of how far it came.
    second = Instance("postgresql://127.0.0.1:1/nowhere", files, memory, reports).records
    assert second.unfinished().histograms[NAME][LABELS].observations == 5
    half = second.unfinished()
    second.ring.write(KeptStep(second.ring.last + 1, half.since, half.until, encoded(half)))
    observe(6)
    third = Instance("postgresql://127.0.0.1:1/nowhere", files, memory, reports).records
    third.record()
    assert counted(third) == [3, 4, 11]
    steps = third.steps(0, math.inf)
    assert [step.since for step in steps[1:]] == [step.until for step in steps[:-1]]


async def test_a_while_that_is_over_is_shown_without_what_came_after(
    database_url: str, files: RecordFiles, memory: MetricsMemory, reports: Reports
) -> None:
    instance = Instance(database_url, files, memory, reports)
    begin = math.floor(time.time() / 600) * 600.0 - 3600
    for number in range(180):
        instance.write(begin + 10 * number, 1 + number)
    since, until = (shown_moment(begin + 10 * number) for number in (60, 120))
    for steps in ({"step": "10s"}, {"step": "1m"}, {}):
        shown = await instance.history(since=since, until=until, **steps)
        assert sum(step["requests"] for step in shown["steps"]) == sum(range(61, 121))
    # So many steps of the last hour would be too many, of ten minutes they are not.
    assert await instance.history(since="20h", step="10s") == 422
    assert await instance.history(since="20h", until="19h", step="10s") != 422
    assert await instance.history(since=until, until=since) == 422
    await instance.context.database.close()
