"""Reports come through the socket whole, whatever their length, also from processes that are gone; none waits."""

import multiprocessing
import os
from collections.abc import Iterator

import msgspec
import pytest

from gatepost.metrics.families import REPORTS_LOST
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import adder, loss_counter
from gatepost.records.outbox import Outbox
from gatepost.records.reports import MESSAGE_BYTES_MAX, REPORT_BYTES_MAX, Report, Reports


class Told(Report):
    text: str


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.close()


def received(reports: Reports) -> list[str]:
    return [msgspec.msgpack.decode(data, type=Told).text for data in reports.receive()]


def test_reports_come_in_their_order(reports: Reports) -> None:
    assert received(reports) == []
    assert reports.send(Told("a"))
    assert reports.send(Told("b"))
    assert received(reports) == ["a", "b"]


def test_a_long_report_comes_whole_and_leaves_no_descriptor(reports: Reports) -> None:
    before = len(os.listdir("/dev/fd"))
    text = "x" * (3 * MESSAGE_BYTES_MAX)
    assert reports.send(Told(text))
    assert received(reports) == [text]
    assert len(os.listdir("/dev/fd")) == before


def test_one_that_is_too_long_is_lost_and_counted(reports: Reports) -> None:
    assert not reports.send(Told("x" * REPORT_BYTES_MAX))
    assert reports.lost == 1
    assert received(reports) == []


def test_nobody_waits_where_nobody_reads(reports: Reports) -> None:
    sent = 0
    while reports.send(Told("x" * 1000)):
        sent += 1
    assert sent > 20
    assert reports.lost == 1
    assert len(received(reports)) == sent
    assert reports.send(Told("again"))


def test_reports_of_a_process_that_has_ended_are_read(reports: Reports) -> None:
    process = multiprocessing.get_context("fork").Process(target=lambda: reports.send(Told("last words")))
    process.start()
    process.join()
    assert received(reports) == ["last words"]


def test_what_is_lost_is_counted_in_the_metrics_of_the_process(reports: Reports) -> None:
    region = MetricsMemory.shared("test-reports", 1).take()
    assert region is not None
    reports.count_losses(loss_counter(adder(region)))
    for _ in range(3):
        reports.send(Told("x" * REPORT_BYTES_MAX))
    assert region.values[region.place(REPORTS_LOST, ())] == 3


def test_a_process_that_is_spawned_gets_its_sockets_and_counts_for_itself(reports: Reports) -> None:
    counted: list[None] = []
    reports.count_losses(lambda: counted.append(None))
    reports.send(Told("x" * REPORT_BYTES_MAX))
    state = reports.__getstate__()
    spawned = Reports.__new__(Reports)
    spawned.__setstate__(state)
    assert not spawned.send(Told("x" * REPORT_BYTES_MAX))
    assert (len(counted), reports.lost, spawned.lost) == (1, 1, 1)
    assert spawned.send(Told("a"))
    assert received(reports) == ["a"]


def test_what_is_said_once_waits_until_somebody_reads(reports: Reports) -> None:
    outbox = Outbox(reports)
    for number in range(1000):
        outbox.put(Told(f"{number} " + "x" * 1000))
    found = received(reports)
    assert 20 < len(found) < 1000
    while more := (outbox.send(), received(reports))[1]:
        found += more
    assert [text.split()[0] for text in found] == [str(number) for number in range(1000)]
    assert reports.lost == 0
