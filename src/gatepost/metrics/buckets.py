"""The buckets of histograms: fine enough to be added over instances and still tell a percentile within 5 %.

Edges are decimal, 31 in each decade, each at most 8.7 % above the one before, so that the middle of a bucket is less
than 5 % from any value in it. They include the edges that dashboards use; only those are exposed to Prometheus.
"""

import math
import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

_DECADE = (
    *(1, 1.08, 1.16, 1.25, 1.35, 1.45, 1.55, 1.67, 1.8, 1.9, 2, 2.15, 2.3, 2.5, 2.7, 2.9, 3.1),
    *(3.35, 3.6, 3.9, 4.2, 4.6, 5, 5.4, 5.8, 6.25, 6.75, 7.3, 7.9, 8.5, 9.2),
)

EDGES: tuple[float, ...] = (*(float(f"{step}e{power}") for power in range(-5, 2) for step in _DECADE), 100.0)
"""Upper edges in seconds, inclusive: 10 us to 100 s. A histogram has one bucket for each, and one above them."""

BUCKETS = len(EDGES) + 1

EXPOSED: tuple[float, ...] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""The edges that Prometheus gets."""


class BucketSlice(NamedTuple):
    """Some buckets that stand beside each other: the `first` of them, their `place` among the bytes of a histogram,
    the same where all of them are empty, and what reads their counts."""

    first: int
    place: slice
    empty: bytes
    unpack: Callable[[bytes], tuple[int, ...]]


def bucket_slices(bounds: Sequence[int]) -> tuple[BucketSlice, ...]:
    """Those between these buckets."""
    return tuple(
        BucketSlice(first, slice(8 * first, 8 * end), bytes(8 * (end - first)), struct.Struct(f"{end - first}Q").unpack)
        for first, end in pairwise(bounds)
    )


def bucket_of(seconds: float) -> int:
    """The index of the bucket that holds a value."""
    return bisect_left(EDGES, seconds)


def percentile(counts: Sequence[float], percent: float) -> float:
    """The value in seconds that so many percent of a histogram are not above, within 5 %; 0 of an empty one."""
    rank = max(1, math.ceil(sum(counts) * percent / 100))
    index = next((index for index, count in enumerate(accumulate(counts)) if count >= rank), None)
    if index is None:
        return 0.0
    above = EDGES[min(index, len(EDGES) - 1)]
    below = EDGES[index - 1] if index else above
    return float(f"{math.sqrt(below * above):.3g}")
