"""`Pulse`: whether the monitor's event loop runs, in memory that the monitor has from its master."""

import mmap
import struct
import time

BEAT_SECONDS = 5.0

_moment = struct.Struct("<d")


class Pulse:
    """When it last ran, by the clock that all processes of a machine have."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)  # shared with processes that are forked
        self.beat()

    @property
    def silent_seconds(self) -> float:
        """How long ago that was."""
        (moment,) = _moment.unpack_from(self._memory)
        return time.monotonic() - float(moment)

    def beat(self) -> None:
        """It runs."""
        _moment.pack_into(self._memory, 0, time.monotonic())
