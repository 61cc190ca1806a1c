"""The application's own metrics: checked where they are declared, bounded, and written where a server runs."""

import threading
from pathlib import Path

import pytest

from gatepost import ConfigurationError, Controller, Counter, Metrics, Service
from gatepost.metrics.exposition import Exposition
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.own_series import OwnSeries
from gatepost.own_metrics import OTHER, REGISTRY, SERIES_MAX, VALUES_MAX, Registry


@pytest.fixture
def registry() -> Registry:
    """The own metrics of a process."""
    return Registry()


@pytest.fixture
def metrics(registry: Registry) -> Metrics:
    """What an application declares them by."""
    return Metrics(registry)


def page(registry: Registry) -> list[str]:
    """What Prometheus gets of them, once a server has attached its memory."""
    memory = MetricsMemory.shared("test-own-metrics", 1)
    region = memory.take()
    assert region is not None
    registry.attach(OwnSeries(region), lambda name, limit: None)
    with memory.regions() as regions:
        return Exposition().page(regions).decode().replace(f'pid="{region.pid}"', 'pid="1"').splitlines()


def test_services_controllers_and_any_other_code_count_in_the_same_metrics() -> None:
    assert Service.metrics.counter("herons_seen") is Controller.metrics.counter("herons_seen")
    counter: Counter = Metrics().counter("herons_seen")
    counter.add()
    counter.add(2.5)
    assert counter.value() == 3.5
    assert REGISTRY.metrics["herons_seen"] is counter


def test_what_is_counted_is_the_same_before_and_after_a_server_has_attached_its_memory(
    registry: Registry, metrics: Metrics
) -> None:
    placed = metrics.counter("orders_placed", "Orders that were placed.", labels=("kind", "size"))
    waiting = metrics.gauge("orders_waiting")
    packing = metrics.histogram("packing_seconds", labels=("kind",))

    def count() -> None:
        placed.add(kind='a "book"', size=3)
        waiting.set(7)
        waiting.add(-2)
        packing.observe(0.02, kind="book")

    count()
    page(registry)
    count()
    lines = page(registry)
    assert (placed.value(kind='a "book"', size=3), waiting.value(), packing.value(kind="book")) == (2, 5, 0.04)
    for line in (
        "# HELP app_orders_placed_total Orders that were placed.",
        "# TYPE app_orders_placed_total counter",
        'app_orders_placed_total{kind="a \\"book\\"",size="3"} 2',
        'app_orders_waiting{pid="1"} 5',
        "# TYPE app_packing_seconds histogram",
    ):
        assert line in lines
    assert placed.value(kind="unseen", size=1) == 0


def test_durations_are_in_their_buckets(registry: Registry, metrics: Metrics) -> None:
    packing = metrics.histogram("packing_seconds")
    packing.observe(0.02)
    lines = page(registry)
    assert 'app_packing_seconds_bucket{le="0.01"} 0' in lines
    assert 'app_packing_seconds_bucket{le="0.025"} 1' in lines
    assert "app_packing_seconds_sum 0.02" in lines


@pytest.mark.parametrize(
    ("kind", "name", "labels", "said"),
    [
        ("counter", "Orders", (), "is not a valid name of a metric"),
        ("counter", "orders placed", (), "is not a valid name of a metric"),
        ("counter", "", (), "is not a valid name of a metric"),
        ("counter", "orders_total", (), "Leave out _total"),
        ("gauge", "orders_count", (), "Leave out _count"),
        ("histogram", "packing", (), "Call it packing_seconds"),
        ("counter", "orders", "kind", 'labels=("kind",)'),
        ("counter", "orders", ("le",), "cannot have the label 'le'"),
        ("gauge", "orders", ("pid",), "cannot have the label 'pid'"),
        ("counter", "orders", ("__name",), "cannot have the label '__name'"),
        ("counter", "orders", ("kind", "kind"), "Name each once"),
        ("counter", "orders", tuple(f"label{number}" for number in range(11)), "Fewer are easier to read"),
        ("gauge", "taken", (), "is declared already, as a counter with the labels kind"),
        ("counter", "taken", ("colour",), "Give one of them another name"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_stands(
    metrics: Metrics, kind: str, name: str, labels: tuple[str, ...], said: str
) -> None:
    metrics.counter("taken", labels=("kind",))
    with pytest.raises(ConfigurationError) as refusal:
        getattr(metrics, kind)(name, labels=labels)
    assert said in str(refusal.value)
    assert str(refusal.value).partition(":")[0].endswith(Path(__file__).name)
    assert f"{kind}({name!r})" in str(refusal.value)


def test_wrong_values_are_refused(metrics: Metrics) -> None:
    placed = metrics.counter("orders_placed", labels=("kind",))
    for amount in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="only rises"):
            placed.add(amount, kind="book")
        with pytest.raises(ValueError, match="durations"):
            metrics.histogram("packing_seconds").observe(amount)
    with pytest.raises(ValueError, match="labels of orders_placed are kind, not none"):
        placed.add()
    with pytest.raises(ValueError, match="are kind, not kind, colour"):
        placed.add(kind="book", colour="red")


def test_too_many_values_of_a_label_are_one_and_said_once(registry: Registry, metrics: Metrics) -> None:
    said: list[tuple[str, str]] = []
    memory = MetricsMemory.shared("test-own-metrics", 1)
    region = memory.take()
    assert region is not None
    registry.attach(OwnSeries(region), lambda name, limit: said.append((name, limit)))
    visits = metrics.counter("visits", labels=("page",))
    for number in range(3 * VALUES_MAX):
        visits.add(page=f"page{number}")
    assert (len(visits.series), visits.value(page=OTHER)) == (VALUES_MAX + 1, 2 * VALUES_MAX)
    assert said == [("visits", "100 values of the label page")]


def test_a_process_has_so_many_series_and_no_metric_is_without_any(registry: Registry, metrics: Metrics) -> None:
    moves = metrics.counter("moves", labels=("row", "column"))
    for number in range(3 * SERIES_MAX):
        moves.add(row=number % 60, column=number // 60)
    assert len(moves.series) == SERIES_MAX + 1
    assert sum(series.total for series in moves.series.values()) == 3 * SERIES_MAX
    metrics.counter("late").add()
    metrics.counter("late_too", labels=("kind",)).add(kind="x")
    assert "app_late_total 1" in page(registry)
    assert f'app_late_too_total{{kind="{OTHER}"}} 1' in page(registry)


def test_none_is_lost_between_threads(metrics: Metrics) -> None:
    counter = metrics.counter("raced", labels=("kind",))
    threads = [
        threading.Thread(target=lambda: [counter.add(kind=number % 7) for number in range(2000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(series.total for series in counter.series.values()) == 16_000


def test_a_value_that_is_not_utf8_is_counted(registry: Registry, metrics: Metrics) -> None:
    placed = metrics.counter("orders_placed", labels=("kind",))
    page(registry)
    placed.add(kind="a\udc80b")
    assert 'app_orders_placed_total{kind="a?b"} 1' in page(registry)
