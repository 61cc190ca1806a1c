"""Steps as bytes: columns of small integers in MessagePack, compressed with zstd. About 2 KB for 100 operations.

Off the request path. Labels stand once in a table of texts; their places and the buckets are written as differences to
the one before, which compress well. Seconds and bytes are kept to 0.3 %, as whole numbers on a scale of logarithms.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from gatepost.metrics.region import Labels
from gatepost.records.steps import Step
from gatepost.zstandard import compressed

VERSION = 1
LEVEL = 10
"""Of zstd: 1 ms for a step of 200 operations."""

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
    "gatepost_pool_connections_max", "gatepost_request_failures_total", "gatepost_request_refusals_total",
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
            [scaled(histogram.seconds) for _, histogram in found],
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


def _gaps(numbers: list[int]) -> list[int]:
    return [after - before for before, after in pairwise((0, *numbers))]


def _code(name: str) -> str | int:
    return _PLACES.get(name, name)


def decoded_name(code: str | int) -> str:
    """The name that is written so."""
    return code if isinstance(code, str) else _NAMES[code]


def is_scaled(name: str) -> bool:
    """Whether the values of a counter are written on the scale."""
    return name.endswith(("_seconds_total", "_bytes_total"))


def scaled(value: float) -> int:
    """Where a value is on the scale."""
    return 1 + round(_SCALE * math.log2(value / _LEAST)) if value >= _LEAST else 0


def unscaled(place: int) -> float:
    """The value that is there."""
    return _LEAST * 2 ** ((place - 1) / _SCALE) if place else 0.0


def _written(name: str, value: float) -> float:
    return scaled(value) if is_scaled(name) else _number(value)


def _number(value: float) -> float:
    return int(value) if value == math.floor(value) else round(value, 6)
