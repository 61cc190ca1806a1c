"""Steps that were encoded, as they are read: whole, or only the series that are asked for, which is much faster."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram
from gatepost.records.step_encoding import VERSION, decoded_name, is_scaled, unscaled
from gatepost.records.steps import Gauge, Step
from gatepost.zstandard import decompressed

LabelValues = tuple[str, ...]
"""The values of a series' labels, in the order of its family."""


class _Family(NamedTuple):
    kind: str
    keys: Sequence[str | int]
    columns: Sequence[Sequence[int]]
    values: Sequence[Sequence[Any]]


class OpenedStep(NamedTuple):
    """A step whose series are read one family at a time. Times are seconds since the epoch."""

    since: float
    until: float
    left_out: int
    texts: Sequence[str]
    families: Mapping[str, _Family]

    @property
    def middle(self) -> float:
        """The moment that says which longer while it is part of: its ends may be a little off."""
        return (self.since + self.until) / 2

    def counters(self, name: str) -> Iterator[tuple[LabelValues, float]]:
        """What each counter of a family got more."""
        if (family := self.families.get(name)) is not None:
            read = unscaled if is_scaled(name) else float
            for values, value in zip(self._label_values(family), family.values[0], strict=True):
                yield values, read(value)

    def total(self, name: str) -> float:
        """What all counters of a family got more."""
        family = self.families.get(name)
        return 0.0 if family is None else sum(map(unscaled, family.values[0]) if is_scaled(name) else family.values[0])

    def histograms(self, name: str) -> Iterator[tuple[LabelValues, Iterable[tuple[int, int]], float]]:
        """What each histogram of a family got more: buckets with their counts, and seconds."""
        if (family := self.families.get(name)) is not None:
            sizes, gaps, counts, totals = family.values
            start = 0
            for values, size, total in zip(self._label_values(family), sizes, totals, strict=True):
                end = start + size
                yield values, zip(accumulate(gaps[start:end]), counts[start:end], strict=True), unscaled(total)
                start = end

    def gauges(self, name: str) -> Iterator[tuple[LabelValues, Gauge]]:
        """The gauges of a family."""
        if (family := self.families.get(name)) is not None:
            columns = family.values
            if len(columns) == 1:  # each was looked at once
                columns = [[1] * len(columns[0]), columns[0], columns[0]]
            for values, row in zip(self._label_values(family), zip(*columns, strict=True), strict=True):
                yield values, Gauge(*row)

    def labels(self, name: str, values: LabelValues) -> Labels:
        """The values with their names."""
        return tuple(zip(map(decoded_name, self.families[name].keys), values, strict=True))

    def _label_values(self, family: _Family) -> Iterable[LabelValues]:
        if not family.keys:
            return [()] * len(family.values[0])
        text = self.texts.__getitem__
        return zip(*(map(text, accumulate(column)) for column in family.columns), strict=True)


def opened(data: bytes) -> OpenedStep:
    """The step that was encoded so. Raises ValueError."""
    try:
        version, since, length, left_out, texts, families = msgspec.msgpack.decode(decompressed(data))
        if version != VERSION:
            raise ValueError(f"is of version {version}")
        by_name = {
            decoded_name(code): _Family(kind, keys, columns, values) for code, kind, keys, columns, *values in families
        }
        return OpenedStep(since / 1000, (since + length) / 1000, left_out, texts, by_name)
    except (msgspec.DecodeError, TypeError, IndexError) as error:
        raise ValueError(f"is not a step: {error}") from error


def decoded(data: bytes) -> Step:
    """All of the step that was encoded so. Raises ValueError."""
    found = opened(data)
    step = Step(found.since, found.until, left_out=found.left_out)
    for name, family in found.families.items():
        if family.kind == "c":
            step.counters[name] = {found.labels(name, values): value for values, value in found.counters(name)}
        elif family.kind == "h":
            step.histograms[name] = {
                found.labels(name, values): Histogram(dict(counts), seconds)
                for values, counts, seconds in found.histograms(name)
            }
        else:
            step.gauges[name] = {found.labels(name, values): gauge for values, gauge in found.gauges(name)}
    return step
