"""The writer: takes lines from any thread, and writes them in batches from a thread of its own.

A line is bytes, or an event that is rendered when its batch is written. `write` costs the event loop an append. A
reader of the log that stops reading (a full pipe) blocks the thread, not the server: what no longer fits is dropped,
counted, and the count is written when the reader is back.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

LINES_MAX = 50_000
FLUSH_SECONDS = 0.05
CLOSE_SECONDS = 2.0
BATCH_LINES = 2_000


class Writer:
    """Lines on their way to `descriptor`.

    Before `start` and after `close` a line is written at once; in between by the thread, `flush_seconds` later at
    most. A process that forks has to start its writer after the fork: threads are not inherited.
    """

    def __init__(self, descriptor: int, *, lines_max: int = LINES_MAX, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._descriptor = descriptor
        self._flush_seconds = flush_seconds
        self._lines_max = lines_max
        self._room = 0  # lines that may wait; none while no thread is there to take them
        self._lines: deque[bytes | tuple[Callable[[float, Any], bytes], float, Any]] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Take one line, which ends in a newline."""
        if len(self._lines) < self._room:
            self._lines.append(line)
        elif self._thread is None:
            self._put(line)
        else:
            self.dropped += 1

    def subscriber(
        self, render: Callable[[float, Any], bytes], clock: Callable[[], float] = time.time
    ) -> Callable[[Any], None]:
        """What takes events, of each of which `render(moment, event)` will make a line."""
        lines = self._lines

        def keep(event: Any) -> None:
            if len(lines) < self._room:
                lines.append((render, clock(), event))
            else:
                self.write(_rendered((render, clock(), event)))

        return keep

    def start(self) -> None:
        """Begin to write in batches."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="gatepost-log", daemon=True)
        self._thread.start()
        self._room = self._lines_max

    def close(self) -> None:
        """Write what is waiting. Idempotent; waits CLOSE_SECONDS at most for a reader that does not read."""
        thread = self._thread
        if thread is None:
            return
        self._stop.set()
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            self._room = 0
            self._thread = None
            self._flush()

    def forget(self) -> None:
        """In a forked child: there is no thread here, and what is waiting is the parent's to write."""
        self._room = 0
        self._thread = None
        self._lines.clear()

    def _run(self) -> None:
        while not self._stop.wait(self._flush_seconds):
            self._flush()

    def _flush(self) -> None:
        while self._lines:
            count = min(len(self._lines), BATCH_LINES)
            self._put(b"".join([_rendered(self._lines.popleft()) for _ in range(count)]))
        if self.dropped:
            dropped, self.dropped = self.dropped, 0
            self._put(b'{"level":"warning","event":"log_lines_dropped","count":%d}\n' % dropped)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                self._stop.wait(0.01)  # somebody made the descriptor non-blocking, and it is full
            except OSError:
                # The reader has gone (EPIPE) or the disk is full: there is nowhere left to say so, and a server
                # does not die of its log.
                return


def _rendered(line: bytes | tuple[Callable[[float, Any], bytes], float, Any]) -> bytes:
    if isinstance(line, bytes):
        return line
    render, moment, event = line
    try:
        return render(moment, event)
    except Exception as error:
        # Whatever it is, the lines of others have to be written.
        return b'{"level":"error","event":"log_line_failed","error":"%b"}\n' % type(error).__name__.encode()
