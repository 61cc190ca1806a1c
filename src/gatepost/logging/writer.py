"""The writer: takes lines from any thread, and writes them in batches from its own thread.

A line is bytes, or an event that is rendered when its batch is written. `write` costs the event loop an append. A
reader of the log that stops reading (a full pipe) blocks the thread, not the server: what no longer fits is dropped,
counted, and the count is written when the reader is back. So is what a full disk does not take. Errors and security
lines wait in a reserve of their own, which no number of other lines can fill.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from gatepost.logging.descriptor import Descriptor
from gatepost.logging.lines import ERROR, ORDINARY, Sink
from gatepost.moments import shown_moment

LINES_MAX = 50_000
BYTES_MAX = 64 * 1024 * 1024
"""Of waiting lines; events are not counted, because they are small."""

RESERVE_BYTES = 8 * 1024 * 1024
"""Of waiting errors and security lines; beyond it the oldest of them are dropped."""

EVENT_BYTES = 512
"""What an event in the reserve counts, about as much as its line will have."""

FLUSH_SECONDS = 0.05
CLOSE_SECONDS = 2.0
BATCH_LINES = 2_000
REPORT_SECONDS = 10.0
"""At most so often it is said how many lines were dropped."""

Render = Callable[[float, Any], bytes]
Entry = tuple[int, Render | None, float, Any]
"""Kind, what renders it (None: it is bytes already), the moment, and the event or the bytes."""


class Writer:
    """Lines on their way to a descriptor, or to another sink.

    Before `start` and after `close` a line is written at once; in between by the thread, `flush_seconds` later at
    most. With `flush_seconds` None the thread waits for a line and writes it: for what is rare, and read by people. A
    process that forks has to start its writer after the fork: threads are not inherited.
    """

    def __init__(
        self, sink: int | Sink, *, lines_max: int = LINES_MAX, flush_seconds: float | None = FLUSH_SECONDS
    ) -> None:
        self._sink = Descriptor(sink) if isinstance(sink, int) else sink
        self._flush_seconds = flush_seconds
        self._lines_max = lines_max
        self._bytes = 0  # of waiting lines, about: threads do not wait for each other to count
        self._room = 0  # lines that may wait; none while no thread is there to take them
        # What waits in the reserve stands as None among the others.
        self._lines: deque[Entry | None] = deque()
        self._reserve: deque[Entry] = deque()
        self._reserve_bytes = 0
        self._stop = threading.Event()
        self._wake = threading.Lock()  # held while there is nothing to write
        self._thread: threading.Thread | None = None
        self._writing_since = 0.0  # monotonic; 0 while no write is under way
        self.dropped = 0
        self._reported = 0
        self._report_at = 0.0  # monotonic
        self._before_flush: Callable[[], None] | None = None

    @property
    def lost(self) -> int:
        """How many lines have been dropped so far."""
        return self._reported + self.dropped

    def write(self, line: bytes, kind: int = ORDINARY) -> None:
        """Take one line, which ends in a newline."""
        if self._thread is None:
            self.dropped += self._put([(kind, line)])
        elif kind:
            self._keep_in_reserve((kind, None, 0.0, line), len(line))
        elif len(self._lines) < self._room and self._bytes < BYTES_MAX:
            self._lines.append((kind, None, 0.0, line))
            self._bytes += len(line)
        else:
            self.dropped += 1
            return
        if self._flush_seconds is None:
            self._call_thread()

    def subscriber(
        self, render: Render, clock: Callable[[], float] = time.time, kind: int = ORDINARY
    ) -> Callable[[Any], None]:
        """A subscriber: `render(moment, event)` will make a line of each event. Where they are errors, they may wait in
        the reserve."""
        if self._flush_seconds is None:
            return lambda event: self.write(_rendered((ORDINARY, render, clock(), event)))
        if kind:
            return lambda event: self._keep_event(kind, render, clock(), event)
        lines = self._lines

        def keep(event: Any) -> None:
            if len(lines) < self._room:
                lines.append((ORDINARY, render, clock(), event))
            else:
                self._keep_event(ORDINARY, render, clock(), event)

        return keep

    def start(self, before_flush: Callable[[], None] | None = None) -> None:
        """Begin to write in the thread, which calls `before_flush` each time. Idempotent; a process that is forked
        while it does begins with `forget`."""
        if self._thread is not None:
            return
        os.register_at_fork(after_in_child=self.forget)
        self._stop.clear()
        self._wake.acquire(blocking=False)
        self._room = self._lines_max
        self._before_flush = before_flush
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
        self._reserve.clear()
        self._reserve_bytes = 0
        self._writing_since = 0.0
        # The parent's thread may have held their locks when the process was forked.
        self._stop, self._wake = threading.Event(), threading.Lock()

    def _keep_event(self, kind: int, render: Render, moment: float, event: Any) -> None:
        """An event that is an error, or that came where no more lines may wait."""
        entry = (kind, render, moment, event)
        if self._thread is None:
            self.dropped += self._put([(kind, _rendered(entry))])
        elif kind:
            self._keep_in_reserve(entry, EVENT_BYTES)
        else:
            self.dropped += 1

    def _keep_in_reserve(self, entry: Entry, length: int) -> None:
        self._reserve.append(entry)
        self._reserve_bytes += length
        if self._reserve_bytes <= RESERVE_BYTES:
            self._lines.append(None)
        while self._reserve_bytes > RESERVE_BYTES and self._take_from_reserve() is not None:
            self.dropped += 1

    def _take_from_reserve(self) -> Entry | None:
        try:
            entry = self._reserve.popleft()
        except IndexError:  # another thread was faster
            return None
        self._reserve_bytes -= len(entry[3]) if entry[1] is None else EVENT_BYTES
        return entry

    def _run(self) -> None:
        while not self._is_over():
            if self._before_flush is not None:
                self._before_flush()
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
        lost = 0
        while self._lines:
            entries = [self._lines.popleft() for _ in range(min(len(self._lines), BATCH_LINES))]
            found = [self._take_from_reserve() if entry is None else entry for entry in entries]
            batch = [(entry[0], _rendered(entry)) for entry in found if entry is not None]
            lost += self._put(batch)
            written = sum(len(line) for kind, line in batch if not kind)
            self._bytes = max(0, self._bytes - written) if self._lines else 0
        self.dropped += lost
        if self.dropped and not lost and (self._thread is None or time.monotonic() >= self._report_at):
            self._report_dropped()

    def _report_dropped(self) -> None:
        dropped, self.dropped = self.dropped, 0
        said = _own_line("log_lines_dropped", "count", dropped)
        if self._put([(ERROR, said)]):
            self.dropped += dropped
        else:
            self._reported += dropped
            self._report_at = time.monotonic() + REPORT_SECONDS

    def _put(self, lines: list[tuple[int, bytes]]) -> int:
        self._writing_since = time.monotonic()
        lost = self._sink.put(lines)
        self._writing_since = 0.0
        return lost


def _rendered(entry: Entry) -> bytes:
    _, render, moment, event = entry
    if render is None:
        return event  # type: ignore[no-any-return]
    try:
        return render(moment, event)
    except Exception as error:
        # Whatever it is, the lines of others have to be written.
        return _own_line("log_line_failed", "error", type(error).__name__)


def _own_line(event: str, name: str, value: object) -> bytes:
    fields = {
        "time": shown_moment(time.time()),
        "level": "error",
        "category": "error",
        "source": "logging",
        "event": event,
        name: value,
    }
    return msgspec.json.encode(fields) + b"\n"
