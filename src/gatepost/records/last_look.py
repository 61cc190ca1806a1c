"""`Look`: what the metrics were when the last step of the history ended. The next one is the difference to it.

Off the request path. It is kept in memory of the master, so that a monitor that takes the place of another goes on
there: nothing is counted twice, and nothing that was counted meanwhile is missing.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram, Sums
from gatepost.records.snapshots import Snapshot
from gatepost.zstandard import compressed

LEVEL = 1
"""Of zstd: labels are much alike."""


class Look(msgspec.Struct, array_like=True):
    """The metrics `at` a moment, in seconds since the epoch; None where they had no room. `number` is that of the step
    which ended then."""

    number: int
    at: float
    numbers: list[Any] | None
    histograms: list[Any]

    @property
    def sums(self) -> Sums | None:
        """As they were summed."""
        if self.numbers is None:
            return None
        return Sums(
            {name: {_labels(pairs): value for pairs, value in series} for name, series in self.numbers},
            {
                name: {_labels(pairs): Histogram(dict(counts), seconds) for pairs, counts, seconds in series}
                for name, series in self.histograms
            },
        )


def look_at(found: Sums, number: int, at: float) -> Look:
    """What has been found."""
    numbers = [(name, list(series.items())) for name, series in found.numbers.items()]
    histograms = [
        (name, [(labels, list(each.counts.items()), each.seconds) for labels, each in series.items()])
        for name, series in found.histograms.items()
    ]
    return Look(number, at, numbers, histograms)


def without_metrics(number: int, at: float) -> Look:
    """That of a moment of which nothing else is known."""
    return Look(number, at, None, [])


def load_look(file: Snapshot) -> Look | None:
    """The one that was saved last."""
    return file.load_compressed(Look)


def save_look(file: Snapshot, look: Look) -> None:
    """Keep it, without its metrics where they are too many."""
    data = compressed(msgspec.msgpack.encode(look), LEVEL)
    if len(data) > file.bytes_max:
        data = compressed(msgspec.msgpack.encode(without_metrics(look.number, look.at)), LEVEL)
    file.save(data)


def _labels(pairs: Iterable[Iterable[str]]) -> Labels:
    return tuple((key, value) for key, value in pairs)
