"""A descriptor as the end of lines: a terminal, a pipe, whatever stdout is."""

import os
import time
from collections.abc import Sequence


class Descriptor:
    """Lines of every kind, one after the other. A line that a full disk cut off is ended before the next one begins."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._is_torn = False  # the last line was written in part

    def put(self, lines: Sequence[tuple[int, bytes]]) -> int:
        """Write them, waiting for the reader; how many lines could not be written."""
        data = b"".join([line for _, line in lines])
        whole = b"\n" + data if self._is_torn else data
        left = memoryview(whole)
        while left:
            try:
                left = left[os.write(self.number, left) :]
            except BlockingIOError:
                time.sleep(0.01)  # another process made the descriptor non-blocking, and it is full
            except OSError:
                # The reader has gone (EPIPE) or the disk is full: there is nowhere left to say so, and a server
                # does not die of its log.
                break
        if not left:
            self._is_torn = False
            return 0
        if written := len(whole) - len(left):
            self._is_torn = whole[written - 1 : written] != b"\n"
        return min(bytes(left).count(b"\n"), data.count(b"\n"))
