"""The application's own metrics: `self.metrics` in services and controllers, `Metrics()` in any other code.

A foundation. A process counts in its own memory; where a server runs it, `attach` has every number written to the
memory that the monitor reads as well. What is declared twice in the same way is one metric.
"""

import math
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from gatepost.errors import ConfigurationError
from gatepost.sources import caller_location

VALUES_MAX = 100
"""So many values of a label have series of their own; the others share one."""

SERIES_MAX = 1000
"""So many series a process has of its own metrics together, and one more for each metric."""

OTHER = "other"
VALUE_LENGTH_MAX = 100
LABELS_MAX = 10
EARLY_MAX = 1000
"""So many values of a histogram are kept until a server takes them."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_ENDINGS = ("_total", "_count", "_sum", "_bucket", "_created", "_info")
_RESERVED_LABELS = frozenset({"le", "pid", "quantile"})

LabelValue = str | int
Write = Callable[[float], None]
"""Takes the new total of a counter or gauge, or a value that a histogram has observed."""


class Store(Protocol):
    """Where a server keeps what its processes count."""

    def series(self, metric: "OwnMetric", values: tuple[str, ...]) -> Write:
        """What writes a series with these values of the labels, which is made where it does not exist."""
        ...


class Series:
    """One combination of labels: its total (of a histogram the sum), how often it was counted, and what writes it."""

    __slots__ = ("count", "early", "total", "write")

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self.early: list[float] = []
        self.write: Write | None = None


class OwnMetric:
    """What counters, gauges and histograms have in common. Made by `Metrics`. From any thread."""

    kind: ClassVar[str] = ""

    def __init__(self, registry: "Registry", name: str, help: str, labels: tuple[str, ...]) -> None:
        self._registry = registry
        self.name = name
        self.help = help
        self.labels = labels
        self.series: dict[tuple[str, ...], Series] = {}
        self._values: list[set[str]] = [set() for _ in labels]

    def value(self, **labels: LabelValue) -> float:
        """The total in this process, of a histogram the sum of its values; 0 where nothing was counted. For tests."""
        found = self.series.get(self._given(labels))
        return 0.0 if found is None else found.total

    def _given(self, labels: dict[str, LabelValue]) -> tuple[str, ...]:
        if len(labels) != len(self.labels) or any(name not in labels for name in self.labels):
            wanted, given = ", ".join(self.labels) or "none", ", ".join(labels) or "none"
            raise ValueError(f"the labels of {self.name} are {wanted}, not {given}.")
        return tuple([str(labels[name])[:VALUE_LENGTH_MAX] for name in self.labels])

    def _found(self, labels: dict[str, LabelValue]) -> Series:
        """The series of these labels. Call it with the lock of the registry."""
        given = self._given(labels)
        return self.series.get(given) or self._registry.make(self, given)

    def bounded(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """The values of the labels that a new series may have."""
        bounded: list[str] = []
        for label, value, known in zip(self.labels, given, self._values, strict=True):
            has_room = value in known or len(known) < VALUES_MAX
            if has_room:
                known.add(value)
            else:
                self._registry.warn(self.name, f"{VALUES_MAX} values of the label {label}")
            bounded.append(value if has_room else OTHER)
        return tuple(bounded)


class Counter(OwnMetric):
    """What only rises: orders, retries, bytes."""

    kind = "counter"

    def add(self, amount: float = 1, /, **labels: LabelValue) -> None:
        """Count. Raises `ValueError` for an amount below 0, and for labels that are not those of the metric."""
        if not 0 <= amount < math.inf:
            raise ValueError(f"{self.name} cannot rise by {amount}: a counter only rises.")
        with self._registry.lock:
            found = self._found(labels)
            found.count += 1
            found.total += amount
            if found.write is not None:
                found.write(found.total)


class Gauge(OwnMetric):
    """What rises and falls: the length of a queue, a temperature. Each process has its own, with its `pid`."""

    kind = "gauge"

    def set(self, value: float, /, **labels: LabelValue) -> None:
        """Say what it is now. Raises `ValueError` for labels that are not those of the metric."""
        with self._registry.lock:
            found = self._found(labels)
            found.total = value
            if found.write is not None:
                found.write(value)

    def add(self, amount: float = 1, /, **labels: LabelValue) -> None:
        """Let it rise, or fall. Raises `ValueError` for labels that are not those of the metric."""
        with self._registry.lock:
            found = self._found(labels)
            found.total += amount
            if found.write is not None:
                found.write(found.total)


class Histogram(OwnMetric):
    """How long something takes: 10 us to 100 s, within 5 %."""

    kind = "histogram"

    def observe(self, seconds: float, /, **labels: LabelValue) -> None:
        """Add one duration. Raises `ValueError` for one below 0, and for labels that are not those of the metric."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{self.name} cannot observe {seconds}: it takes durations in seconds.")
        with self._registry.lock:
            found = self._found(labels)
            found.count += 1
            found.total += seconds
            if found.write is not None:
                found.write(seconds)
            elif len(found.early) < EARLY_MAX:
                found.early.append(seconds)


K = TypeVar("K", bound=OwnMetric)


class Registry:
    """The own metrics of a process. `on_full` gets the name of a metric, and of what it has too many, once for each."""

    def __init__(self) -> None:
        self.metrics: dict[str, OwnMetric] = {}
        self.lock = threading.RLock()
        self._store: Store | None = None
        self._on_full: Callable[[str, str], None] = lambda name, of_what: None
        self._warned: set[tuple[str, str]] = set()

    def attach(self, store: Store, on_full: Callable[[str, str], None]) -> None:
        """Write to the store of a server from now on, and what has been counted so far."""
        with self.lock:
            self._store, self._on_full = store, on_full
            for metric in self.metrics.values():
                for values, series in metric.series.items():
                    series.write = store.series(metric, values)
                    for value in series.early if isinstance(metric, Histogram) else [series.total]:
                        series.write(value)
                    series.early.clear()

    def declared(self, kind: type[K], name: str, help: str, labels: Sequence[str]) -> K:
        """The metric of this name, which is made where it is new. Raises ConfigurationError."""
        known = self.metrics.get(name)
        if known is None or type(known) is not kind or known.labels != tuple(labels):
            _check(kind, name, labels)
            with self.lock:
                known = self.metrics.get(name)
                if known is None:
                    known = self.metrics[name] = kind(self, name, " ".join(help.split()), tuple(labels))
        if type(known) is not kind or known.labels != tuple(labels):
            said = f"{known.kind} with the labels {', '.join(known.labels) or 'none'}"
            raise _refusal(kind, name, f"is declared already, as a {said}.", "Give one of them another name.")
        return known

    def make(self, metric: OwnMetric, given: tuple[str, ...]) -> Series:
        """A new series, or the one that too many share."""
        values = metric.bounded(given)
        if values not in metric.series and sum(len(each.series) for each in self.metrics.values()) >= SERIES_MAX:
            self.warn(metric.name, f"{SERIES_MAX} series of all own metrics")
            values = tuple(OTHER for _ in values)
        found = metric.series.get(values)
        if found is None:
            found = metric.series[values] = Series()
            if self._store is not None:
                found.write = self._store.series(metric, values)
        return found

    def warn(self, name: str, of_what: str) -> None:
        """Say once that a metric has too many of something."""
        if (name, of_what) not in self._warned:
            self._warned.add((name, of_what))
            self._on_full(name, of_what)


REGISTRY = Registry()


class Metrics:
    """The application's own metrics: `self.metrics` of services and controllers, `Metrics()` anywhere else.

    `Metrics().counter("orders_placed", labels=("kind",))` is `app_orders_placed_total` in Prometheus. Declare a metric
    at the top of a module or class, so that a mistake shows at import; the same declaration again is the same metric.
    Names are in lower case, with underscores. A label has at most 100 values and a process at most 1,000 series of them
    all; the rest is counted as `other`, which the log says once. Outside of a server everything counts in the process.
    Methods raise `ConfigurationError` for names that Prometheus would not take, or that are taken.
    """

    def __init__(self, registry: Registry = REGISTRY) -> None:
        self._registry = registry

    def counter(self, name: str, help: str = "", *, labels: Sequence[str] = ()) -> Counter:
        """What only rises. `help` is the sentence that Prometheus shows."""
        return self._registry.declared(Counter, name, help, labels)

    def gauge(self, name: str, help: str = "", *, labels: Sequence[str] = ()) -> Gauge:
        """What rises and falls."""
        return self._registry.declared(Gauge, name, help, labels)

    def histogram(self, name: str, help: str = "", *, labels: Sequence[str] = ()) -> Histogram:
        """How long something takes; its name ends in `_seconds`."""
        return self._registry.declared(Histogram, name, help, labels)


def _check(kind: type[OwnMetric], name: str, labels: Sequence[str]) -> None:
    given: Any = labels  # a string is a sequence as well, of what nobody means
    if not _NAME.fullmatch(name):
        raise _refusal(kind, name, "is not a valid name of a metric.", "Write lower case, digits and _: orders_placed.")
    if name.endswith(_ENDINGS):
        raise _refusal(kind, name, "ends as Prometheus ends names by itself.", f"Leave out {name[name.rindex('_') :]}.")
    if kind is Histogram and not name.endswith("_seconds"):
        raise _refusal(kind, name, "is a histogram, which takes seconds.", f"Call it {name}_seconds.")
    if isinstance(given, str):
        raise _refusal(kind, name, f"has the labels {given!r}.", f'Write a tuple: labels=("{given}",).')
    for label in labels:
        if not _NAME.fullmatch(label) or label in _RESERVED_LABELS:
            raise _refusal(kind, name, f"cannot have the label {label!r}.", "Write lower case, digits and _: kind.")
    if len(set(labels)) != len(labels) or len(labels) > LABELS_MAX:
        hint = "Fewer are easier to read." if len(labels) > LABELS_MAX else "Name each once."
        raise _refusal(kind, name, f"has the labels {', '.join(labels)}.", hint)


def _refusal(kind: type[OwnMetric], name: str, what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(what, location=f"{kind.kind}({name!r})", hint=hint, source=caller_location())
