"""The standard streams of a server: what is written there waits for no reader.

Off the request path. A full pipe whose reader is stuck, a terminal on hold or a full disk must keep no process of a
server from starting, replacing a worker or ending. So whatever is written to `sys.stdout` and `sys.stderr` (sentences,
prints, tracebacks of threads) takes the way of the log: a bounded queue, a thread that writes, and a count of what was
dropped. Non-blocking descriptors would not do: the flag belongs to the open file, which other programs share.
"""

import atexit
import io
import os
import sys
from typing import Any

from gatepost.logging.writer import Writer


class StandardStreams:
    """`sys.stdout` and `sys.stderr` of this process, written by their own threads. One in each process of a server.

    `out` takes the lines of stdout in place of a writer made here: a process has one for each descriptor, so that its
    lines keep their order.
    """

    def __init__(self, out: Writer | None = None) -> None:
        self.out = out or Writer(1, flush_seconds=None)
        self.err = Writer(2, flush_seconds=None)

    def start(self) -> None:
        """From now on no write waits. After the fork, in the process that writes."""
        for writer in (self.out, self.err):
            writer.start()
        sys.stdout, sys.stderr = _text(self.out, 1), _text(self.err, 2)
        atexit.register(self.close)

    def close(self) -> None:
        """Write what is waiting, as long as the readers read. Idempotent."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for writer in (self.out, self.err):
            writer.close()


class _Lines(io.RawIOBase):
    """The bytes of a stream on their way to a writer."""

    def __init__(self, writer: Writer, descriptor: int) -> None:
        super().__init__()
        self._writer = writer
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._writer.write(bytes(data))
        return len(data)

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def _text(writer: Writer, descriptor: int) -> io.TextIOWrapper:
    raw: Any = _Lines(writer, descriptor)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
