"""Steps of the history that are made up."""

from collections.abc import Mapping

from gatepost.metrics.families import FAILURES, REQUEST_SECONDS
from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram
from gatepost.monitor.windows import Window, window_of
from gatepost.records.steps import Gauge, Step

BUCKET = 50


def step(
    since: float = 0.0,
    *,
    requests: Mapping[str, int] = {"books.list": 1000},
    failures: Mapping[tuple[str, str], int] = {},
    gauges: Mapping[str, float] = {},
    counted: Mapping[str, float] = {},
    seconds: float = 10.0,
) -> Step:
    """One of `seconds`: requests by operation, those of them that failed by operation and code (an empty code is none),
    gauges and counters by their names without beginning and end."""
    failed: dict[str, int] = {}
    for (operation, _), count in failures.items():
        failed[operation] = failed.get(operation, 0) + count
    histograms: dict[Labels, Histogram] = {}
    for operation, count in requests.items():
        classes = {"2xx": count - failed.get(operation, 0), "5xx": failed.get(operation, 0)}
        for status, number in classes.items():
            if number:
                labels = (("operation", operation), ("class", status))
                histograms[labels] = Histogram({BUCKET: number}, number * 0.01)
    codes = {
        (("operation", operation), ("code", code)): float(count)
        for (operation, code), count in failures.items()
        if code
    }
    found = Step(since, since + seconds)
    found.histograms[REQUEST_SECONDS.name] = histograms
    if codes:
        found.counters[FAILURES.name] = codes
    for name, value in counted.items():
        found.counters[f"gatepost_{name}_total"] = {(): value}
    for name, value in gauges.items():
        found.gauges[f"gatepost_{name}"] = {(): Gauge(1, value, value)}
    return found


def window(*steps: Step, seconds: float) -> Window:
    """That of these steps, which are said to cover so many seconds."""
    return window_of(steps)._replace(seconds=seconds)
