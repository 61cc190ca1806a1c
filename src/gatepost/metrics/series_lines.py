"""The lines of a family as Prometheus reads them: added up over processes, and written again where they have changed.

Off the request path. Values are looked up family by family and compared before anything is written: most series of a
page have not changed since the one before.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from gatepost.metrics.buckets import BUCKETS, EDGES, EXPOSED, bucket_slices
from gatepost.metrics.region import Labels

_SLICES = bucket_slices((0, *(EDGES.index(edge) + 1 for edge in EXPOSED), BUCKETS))
"""The buckets between the edges that Prometheus gets."""

_LE = (*(f"{edge:g}" for edge in EXPOSED), "+Inf")

Numbers = Sequence["memoryview[float]"]
Counts = Sequence["memoryview[int]"]
"""The cells of each region, as numbers and as whole numbers."""

V = TypeVar("V")


class FamilyLines(Generic[V]):
    """Those of the family of this name. V is what tells whether a series is what it was."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: dict[Labels, int] = {}
        self._templates: list[bytes] = []  # which are filled in four times as fast as those of text
        self._places: dict[int, dict[int, int]] = {}  # by region and number of the series
        self._seen: list[V | None] = []
        self._texts: list[bytes] = []

    def add(self, labels: Labels, region: int, place: int) -> None:
        """One more process has a series, at a place of its region."""
        number = self._numbers.setdefault(labels, len(self._numbers))
        if number == len(self._templates):
            self._templates.append(self._template(labels).encode())
            self._seen.append(None)
            self._texts.append(b"")
        self._places.setdefault(region, {})[number] = place

    def texts(self, values: Numbers, counts: Counts) -> Sequence[bytes]:
        """What is written of each series; the same sequence each time."""
        found = self._look(values, counts)
        for number, (before, now) in enumerate(zip(self._seen, found, strict=True)):
            if before != now:
                self._texts[number] = self._text(number, now, counts)
        self._seen = [*found]
        return self._texts

    def _template(self, labels: Labels) -> str:
        raise NotImplementedError

    def _look(self, values: Numbers, counts: Counts) -> Sequence[V]:
        raise NotImplementedError

    def _text(self, number: int, seen: V, counts: Counts) -> bytes:
        raise NotImplementedError

    def _sums(self, cells: Numbers | Counts, offset: int = 0) -> list[float]:
        """Of each series, the sum of one cell over all processes."""
        found = [0.0] * len(self._templates)
        for region, places in self._places.items():
            of = cells[region]
            for number, place in places.items():
                found[number] += of[place + offset]
        return found


class NumberLines(FamilyLines[float]):
    """Those of counters or gauges."""

    def _template(self, labels: Labels) -> str:
        return line_template(self._name, labels)

    def _look(self, values: Numbers, counts: Counts) -> Sequence[float]:
        return self._sums(values)

    def _text(self, number: int, seen: float, counts: Counts) -> bytes:
        return self._templates[number] % number_text(seen)


class HistogramLines(FamilyLines[tuple[float, float]]):
    """Those of histograms. An observation changes the sum, or the count of the first bucket where it is too short to
    change a sum."""

    def _template(self, labels: Labels) -> str:
        inner = _inner(labels)
        before = f"{self._name}_bucket{{{inner}," if inner else f"{self._name}_bucket{{"
        tail = f"{{{inner}}}" if inner else ""
        buckets = "".join(f'{before}le="{edge}"}} %d\n' for edge in _LE)
        return f"{buckets}{self._name}_count{tail} %d\n{self._name}_sum{tail} %b\n"

    def _look(self, values: Numbers, counts: Counts) -> Sequence[tuple[float, float]]:
        return [*zip(self._sums(values, BUCKETS), self._sums(counts), strict=True)]

    def _text(self, number: int, seen: tuple[float, float], counts: Counts) -> bytes:
        inside = [0] * len(_SLICES)
        for region, places in self._places.items():
            if (place := places.get(number)) is not None:
                data = counts[region][place : place + BUCKETS].tobytes()
                inside = [
                    before if (part := data[each]) == empty else before + sum(unpack(part))
                    for before, (_, each, empty, unpack) in zip(inside, _SLICES, strict=True)
                ]
        total = [*accumulate(inside)]
        return self._templates[number] % (*total, total[-1], number_text(seen[0]))


def line_template(name: str, labels: Labels) -> str:
    """The line of a counter or gauge, to be filled in."""
    inner = _inner(labels)
    return f"{name}{{{inner}}} %b\n" if inner else f"{name} %b\n"


def number_text(value: float) -> bytes:
    """A value as it is written."""
    if not math.isfinite(value):  # a gauge of the application
        return b"NaN" if math.isnan(value) else (b"+Inf" if value > 0 else b"-Inf")
    return b"%d" % value if value == int(value) else b"%a" % value


def escaped_help(value: str) -> str:
    """A sentence that says what a family is, on one line."""
    return value.replace("\\", r"\\").replace("\n", r"\n")


def _inner(labels: Labels) -> str:
    # Twice the percent sign, because these are templates.
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels).replace("%", "%%")


def _escaped(value: str) -> str:
    return escaped_help(value).replace('"', r"\"")
