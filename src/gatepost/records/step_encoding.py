"""Steps as bytes: columns of small integers in MessagePack, compressed with zstd. About 2 KB for 100 operations.

Off the request path. Labels stand once in a table of texts; their places and the buckets are written as differences to
the one before, which compress well. Seconds and bytes are kept to 0.3 %, as whole numbers on a scale of logarithms.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from gatepost.metrics.families import FAMILIES
from gatepost.metrics.region import Labels
from gatepost.records.compression import compressed, decompressed
from gatepost.records.steps import Gauge, Histogram, Step, add_all

VERSION = 1
LEVEL = 10
"""Of zstd: 1 ms for a step of 200 operations."""

_FULL = 0.97
"""Of the room: more series are not tried then."""

OTHER = "other"
_KEPT_LABELS = frozenset({"class"})
_OWN_NAMES = frozenset(family.name for family in FAMILIES)
_SCALE, _LEAST = 128, 1e-7
"""Steps of the scale in each doubling, and where it begins."""

# Names that most steps have, by their place: at the end there may come more, but none may ever change its place.
_NAMES = (
    "gatepost_request_duration_seconds", "gatepost_request_database_seconds_total",
    "gatepost_request_pool_wait_seconds_total", "gatepost_response_body_bytes_total", "gatepost_refusals_total",
    "gatepost_statements_total", "gatepost_statement_failures_total", "gatepost_statement_seconds_total",
    "gatepost_statement_rows_total", "gatepost_cpu_seconds_total", "gatepost_garbage_collections_total",
    "gatepost_requests_in_flight", "gatepost_requests_waiting", "gatepost_pool_connections",
    "gatepost_pool_connections_in_use", "gatepost_pool_waiting", "gatepost_worker_ready",
    "gatepost_event_loop_lag_seconds", "gatepost_resident_memory_bytes", "gatepost_open_descriptors",
    "gatepost_series_left_out", "gatepost_transactions_total", "gatepost_bucket_decisions_total",
    "gatepost_log_lines_total", "operation", "class", "statement", "code", "generation", "outcome", "category", "level",
    "store",
)  # fmt: skip
_PLACES = {name: place for place, name in enumerate(_NAMES)}


def encoded(step: Step) -> bytes:
    """The step, compressed."""
    texts = _texts(step)
    places = {text: place for place, text in enumerate(texts)}
    families: list[Any] = []
    for name, values in step.counters.items():
        ordered = sorted(values.items())
        families.append(
            [_code(name), "c", *_label_columns(ordered, places), [_written(name, value) for _, value in ordered]]
        )
    for name, histograms in step.histograms.items():
        found = sorted(histograms.items())
        buckets = [sorted(histogram.counts.items()) for _, histogram in found]
        families.append([
            _code(name), "h", *_label_columns(found, places),
            [len(each) for each in buckets],
            [gap for each in buckets for gap in _gaps([bucket for bucket, _ in each])],
            [count for each in buckets for _, count in each],
            [_scaled(histogram.seconds) for _, histogram in found],
        ])  # fmt: skip
    for name, gauges in step.gauges.items():
        seen = sorted(gauges.items())
        columns = [[*map(_number, column)] for column in zip(*(gauge for _, gauge in seen), strict=True)]
        # Where each has been looked at once, its sum is the most.
        columns = columns if any(count != 1 for count in columns[0]) else columns[1:2]
        families.append([_code(name), "g", *_label_columns(seen, places), *columns])
    since, until = round(step.since * 1000), round(step.until * 1000)
    content = msgspec.msgpack.encode([VERSION, since, until - since, step.left_out, texts, families])
    return compressed(content, LEVEL)


def decoded(data: bytes, names: frozenset[str] | None = None) -> Step:
    """The step that was encoded so, or of it only what has these names. Raises ValueError."""
    try:
        version, since, length, left_out, texts, families = msgspec.msgpack.decode(decompressed(data))
        if version != VERSION:
            raise ValueError(f"is of version {version}")
        step = Step(since / 1000, (since + length) / 1000, left_out=left_out)
        for code, kind, keys, columns, *values in families:
            name = _decoded_name(code)
            if names is None or name in names:
                _read(step, name, kind, _labels([*map(_decoded_name, keys)], columns, texts, len(values[0])), values)
    except (msgspec.DecodeError, TypeError, IndexError) as error:
        raise ValueError(f"is no step: {error}") from error
    return step


def fitted(step: Step, bytes_max: int) -> bytes:
    """The step in at most so many bytes. Where there are too many series, those with the least change are added up as
    `other`; the sums stay what they are."""
    data = encoded(step)
    if len(data) <= bytes_max:
        return data
    ranked = _ranked(step)
    keeps, too_many = 0, len(ranked)
    best = encoded(_folded(step, ranked))
    while too_many - keeps > 1:
        middle = (keeps + too_many) // 2
        data = encoded(_folded(step, ranked[middle:]))
        if len(data) <= bytes_max:
            keeps, best = middle, data
            if len(data) > _FULL * bytes_max:
                break
        else:
            too_many = middle
    if len(best) <= bytes_max:
        return best
    best = encoded(_without_own(_folded(step, ranked)))
    return best if len(best) <= bytes_max else encoded(Step(step.since, step.until, left_out=len(ranked)))


def _texts(step: Step) -> list[str]:
    found: set[str] = set()
    for family in (step.counters, step.histograms, step.gauges):
        for values in family.values():
            for labels in values:
                found.update(value for _, value in labels)
    return sorted(found)


def _label_columns(
    ordered: Sequence[tuple[Labels, Any]], places: Mapping[str, int]
) -> tuple[list[str | int], list[Any]]:
    keys = [key for key, _ in ordered[0][0]]
    return [*map(_code, keys)], [
        _gaps([places[labels[index][1]] for labels, _ in ordered]) for index in range(len(keys))
    ]


def _labels(keys: list[str], columns: list[list[int]], texts: list[str], count: int) -> list[Labels]:
    if not keys:
        return [()] * count
    values = [[texts[place] for place in accumulate(column)] for column in columns]
    return [tuple(zip(keys, row, strict=True)) for row in zip(*values, strict=True)]


def _read(step: Step, name: str, kind: str, labels: list[Labels], values: list[list[Any]]) -> None:
    if kind == "c":
        read = _unscaled if _is_scaled(name) else float
        step.counters[name] = {key: read(value) for key, value in zip(labels, values[0], strict=True)}
    elif kind == "h":
        sizes, gaps, counts, totals = values
        found: dict[Labels, Histogram] = {}
        start = 0
        for key, size, total in zip(labels, sizes, totals, strict=True):
            end = start + size
            buckets = accumulate(gaps[start:end])
            found[key] = Histogram(dict(zip(buckets, counts[start:end], strict=True)), _unscaled(total))
            start = end
        step.histograms[name] = found
    else:
        if len(values) == 1:
            values = [[1] * len(labels), values[0], values[0]]
        step.gauges[name] = {key: Gauge(*row) for key, row in zip(labels, zip(*values, strict=True), strict=True)}


def _gaps(numbers: list[int]) -> list[int]:
    return [after - before for before, after in pairwise((0, *numbers))]


def _code(name: str) -> str | int:
    return _PLACES.get(name, name)


def _decoded_name(code: str | int) -> str:
    return code if isinstance(code, str) else _NAMES[code]


def _is_scaled(name: str) -> bool:
    return name.endswith(("_seconds_total", "_bytes_total"))


def _scaled(value: float) -> int:
    return 1 + round(_SCALE * math.log2(value / _LEAST)) if value >= _LEAST else 0


def _unscaled(place: int) -> float:
    return _LEAST * 2 ** ((place - 1) / _SCALE) if place else 0.0


def _written(name: str, value: float) -> float:
    return _scaled(value) if _is_scaled(name) else _number(value)


def _number(value: float) -> float:
    return int(value) if value == math.floor(value) else round(value, 6)


def _ranked(step: Step) -> list[Labels]:
    """The labels of all series: what failed, then operations, then others; of each those with the most change first."""
    changes: dict[Labels, float] = {}
    for name, series in step.counters.items():
        for labels, value in series.items():
            changes[labels] = max(changes.get(labels, 0), 0 if _is_scaled(name) else value)
    for histograms in step.histograms.values():
        for labels, histogram in histograms.items():
            changes[labels] = max(changes.get(labels, 0), histogram.observations)
    for gauges in step.gauges.values():
        for labels in gauges:
            changes.setdefault(labels, 0)
    changes.pop((), None)
    requests = {labels for histograms in step.histograms.values() for labels in histograms}
    return sorted(
        changes, key=lambda labels: (("class", "5xx") not in labels, labels not in requests, -changes[labels], labels)
    )


def _folded(step: Step, folded: Iterable[Labels]) -> Step:
    """The step with these series added up as `other`."""
    others = {
        labels: tuple((key, value if key in _KEPT_LABELS else OTHER) for key, value in labels) for labels in folded
    }
    found = Step(step.since, step.until, left_out=step.left_out + len(others))
    for name, values in step.counters.items():
        counters = found.counters.setdefault(name, {})
        for labels, value in values.items():
            key = others.get(labels, labels)
            counters[key] = counters.get(key, 0) + value
    for name, histograms in step.histograms.items():
        for labels, histogram in histograms.items():
            add_all(found.histograms.setdefault(name, {}), {others.get(labels, labels): histogram})
    for name, gauges in step.gauges.items():
        for labels, gauge in gauges.items():
            add_all(found.gauges.setdefault(name, {}), {others.get(labels, labels): gauge})
    return found


def _without_own(step: Step) -> Step:
    """Without what the application counts by itself."""

    def kept(family: dict[str, Any]) -> dict[str, Any]:
        return {name: values for name, values in family.items() if name in _OWN_NAMES}

    return replace(step, counters=kept(step.counters), histograms=kept(step.histograms), gauges=kept(step.gauges))
