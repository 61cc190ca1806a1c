"""`Look`: what the metrics were when the last step of the history ended. The next one is the difference to it.

Off the request path. It is kept in memory of the master, so that a monitor that takes the place of another goes on
there: nothing is counted twice, and nothing that was counted meanwhile is missing.
"""

from typing import Any

import msgspec

from gatepost.metrics.exposition import Summed
from gatepost.records.snapshots import Snapshot
from gatepost.zstandard import compressed

LEVEL = 1
"""Of zstd: most counts are 0."""


class Look(msgspec.Struct, array_like=True):
    """The metrics `at` a moment, in seconds since the epoch; None where they had no room. `number` is that of the step
    which ended then."""

    number: int
    at: float
    series: list[Any] | None

    @property
    def sums(self) -> Summed | None:
        """As they were summed."""
        if self.series is None:
            return None
        return {
            name: {tuple((key, value) for key, value in labels): cells for labels, cells in series}
            for name, series in self.series
        }


def look_at(found: Summed, number: int, at: float) -> Look:
    """What has been found."""
    return Look(number, at, [(name, list(series.items())) for name, series in found.items()])


def load_look(file: Snapshot) -> Look | None:
    """The one that was saved last."""
    return file.load_compressed(Look)


def save_look(file: Snapshot, look: Look) -> None:
    """Keep it, without its metrics where they are too many."""
    data = compressed(msgspec.msgpack.encode(look), LEVEL)
    if len(data) > file.bytes_max:
        data = compressed(msgspec.msgpack.encode(Look(look.number, look.at, None)), LEVEL)
    file.save(data)
