"""The writer: takes lines from any thread, and writes them in batches from its own thread.

A line is bytes, or an event that is rendered when its batch is written. `write` costs the event loop an append. A
reader of the log that stops reading (a full pipe) blocks the thread, not the server: what no longer fits is dropped,
counted, and the count is written when the reader is back. So is what a full disk does not take.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

LINES_MAX = 50_000
BYTES_MAX = 64 * 1024 * 1024
"""Of waiting lines; events are not counted, because they are small."""

FLUSH_SECONDS = 0.05
CLOSE_SECONDS = 2.0
BATCH_LINES = 2_000


class Writer:
    """Lines on their way to `descriptor`.

    Before `start` and after `close` a line is written at once; in between by the thread, `flush_seconds` later at
    most. With `flush_seconds` None the thread waits for a line and writes it: for what is rare, and read by people. A
    process that forks has to start its writer after the fork: threads are not inherited.
    """

    def __init__(
        self, descriptor: int, *, lines_max: int = LINES_MAX, flush_seconds: float | None = FLUSH_SECONDS
    ) -> None:
        self.descriptor = descriptor
        self._flush_seconds = flush_seconds
        self._lines_max = lines_max
        self._bytes = 0  # of waiting lines, about: threads do not wait for each other to count
        self._room = 0  # lines that may wait; none while no thread is there to take them
        self._lines: deque[bytes | tuple[Callable[[float, Any], bytes], float, Any]] = deque()
        self._stop = threading.Event()
        self._wake = threading.Lock()  # held while there is nothing to write
        self._thread: threading.Thread | None = None
        self._writing_since = 0.0  # monotonic; 0 while no write is under way
        self._is_torn = False  # the last line was written in part
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Take one line, which ends in a newline."""
        if len(self._lines) < self._room and self._bytes < BYTES_MAX:
            self._lines.append(line)
            self._bytes += len(line)
            if self._flush_seconds is None:
                self._call_thread()
        elif self._thread is None:
            self.dropped += self._put(line)
        else:
            self.dropped += 1

    def subscriber(
        self, render: Callable[[float, Any], bytes], clock: Callable[[], float] = time.time
    ) -> Callable[[Any], None]:
        """A subscriber: `render(moment, event)` will make a line of each event."""
        if self._flush_seconds is None:
            return lambda event: self.write(_rendered((render, clock(), event)))
        lines = self._lines

        def keep(event: Any) -> None:
            if len(lines) < self._room:
                lines.append((render, clock(), event))
            else:
                self.write(_rendered((render, clock(), event)))

        return keep

    def start(self) -> None:
        """Begin to write in the thread. Idempotent; a process that is forked while it does begins with `forget`."""
        if self._thread is not None:
            return
        os.register_at_fork(after_in_child=self.forget)
        self._stop.clear()
        self._wake.acquire(blocking=False)
        self._room = self._lines_max
        self._thread = threading.Thread(target=self._run, name="gatepost-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting. Idempotent; a reader that has not read for CLOSE_SECONDS is waited for no longer."""
        thread = self._thread
        if thread is None:
            return
        self._stop.set()
        self._call_thread()
        since = self._writing_since
        thread.join(max(0.0, CLOSE_SECONDS - (time.monotonic() - since if since else 0.0)))
        if not thread.is_alive():
            self._room = 0
            self._thread = None
            self._flush()

    def forget(self) -> None:
        """In a forked child: there is no thread here, and what is waiting is the parent's to write."""
        self._room = 0
        self._thread = None
        self._lines.clear()
        self._bytes = 0
        self._writing_since = 0.0
        # The parent's thread may have held their locks when the process was forked.
        self._stop, self._wake = threading.Event(), threading.Lock()

    def _run(self) -> None:
        while not self._is_over():
            self._flush()
        self._flush()

    def _is_over(self) -> bool:
        if self._flush_seconds is not None:
            return self._stop.wait(self._flush_seconds)
        self._wake.acquire()
        return self._stop.is_set()

    def _call_thread(self) -> None:
        # A bare lock, because the handler of a signal may write as well, in the middle of this.
        with contextlib.suppress(RuntimeError):
            self._wake.release()

    def _flush(self) -> None:
        while self._lines:
            count = min(len(self._lines), BATCH_LINES)
            batch = b"".join([_rendered(self._lines.popleft()) for _ in range(count)])
            self.dropped += self._put(batch)
            self._bytes = max(0, self._bytes - len(batch)) if self._lines else 0
        if self.dropped:
            dropped, self.dropped = self.dropped, 0
            if self._put(b'{"level":"warning","event":"log_lines_dropped","count":%d}\n' % dropped):
                self.dropped += dropped

    def _put(self, data: bytes) -> int:
        """Write it, waiting for the reader; how many lines could not be written."""
        whole = b"\n" + data if self._is_torn else data
        left = memoryview(whole)
        self._writing_since = time.monotonic()
        while left:
            try:
                left = left[os.write(self.descriptor, left) :]
            except BlockingIOError:
                time.sleep(0.01)  # another process made the descriptor non-blocking, and it is full
            except OSError:
                # The reader has gone (EPIPE) or the disk is full: there is nowhere left to say so, and a server
                # does not die of its log.
                break
        self._writing_since = 0.0
        if not left:
            self._is_torn = False
            return 0
        if written := len(whole) - len(left):
            self._is_torn = whole[written - 1 : written] != b"\n"
        return min(bytes(left).count(b"\n"), data.count(b"\n"))


def _rendered(line: bytes | tuple[Callable[[float, Any], bytes], float, Any]) -> bytes:
    if isinstance(line, bytes):
        return line
    render, moment, event = line
    try:
        return render(moment, event)
    except Exception as error:
        # Whatever it is, the lines of others have to be written.
        return b'{"level":"error","event":"log_line_failed","error":"%b"}\n' % type(error).__name__.encode()
