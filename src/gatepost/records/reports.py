"""`Reports`: what the processes of a server tell its monitor, besides the numbers in shared memory.

Beside the request path. A report is one message on a socket that the master makes before it starts the others. Nobody
waits for the monitor: where it does not read, what does not fit is lost and counted; its successor reads what is left.
"""

import contextlib
import mmap
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gatepost.shared_files import shared_file

MESSAGE_BYTES_MAX = 32 * 1024
"""A longer report is handed over as the descriptor of a file."""

REPORT_BYTES_MAX = 16 * 1024 * 1024

_KIND = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
_IN_FILE = b"\0"
"""The message that comes with a descriptor: no report in MessagePack begins so."""


class Report(msgspec.Struct, tag=True):
    """What is reported. Each kind is a subclass, known by its name."""


class Reports:
    """Both ends of the socket; every process of a server has them. `lost` counts what this process could not send."""

    def __init__(self) -> None:
        self._sender, self.receiver = socket.socketpair(socket.AF_UNIX, _KIND)
        self._sender.setblocking(False)
        self.receiver.setblocking(False)
        self.lost = 0
        self._note_loss: Callable[[], object] = lambda: None

    def __getstate__(self) -> dict[str, Any]:
        """Pickled for a process that is being spawned, it is its sockets: that process counts losses of its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_note_loss"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _note_loss=lambda: None, lost=0)

    def count_losses(self, note_loss: Callable[[], object]) -> None:
        """Call `note_loss` for each report of this process that is lost, in the thread that sends it."""
        self._note_loss = note_loss

    def send(self, report: Report) -> bool:
        """Tell the monitor. False where the report is lost, because the monitor does not read."""
        if not self.offer(report):
            self.lost += 1
            self._note_loss()
            return False
        return True

    def offer(self, report: Report) -> bool:
        """Tell the monitor, where it reads. False where it does not: the caller keeps the report."""
        data = msgspec.msgpack.encode(report)
        try:
            if len(data) <= MESSAGE_BYTES_MAX:
                self._sender.send(data)
            else:
                self._send_file(data)
        except OSError:
            return False
        return True

    def receive(self) -> Iterator[bytes]:
        """The reports that have come, encoded."""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self.receiver, MESSAGE_BYTES_MAX + 1, 1)
            except BlockingIOError:
                return
            if not data:
                return
            yield _content(descriptors[0]) if data == _IN_FILE and descriptors else data

    def close(self) -> None:
        """Close both ends."""
        self._sender.close()
        self.receiver.close()

    def _send_file(self, data: bytes) -> None:
        if len(data) > REPORT_BYTES_MAX:
            raise OSError("longer than reports are")
        descriptor = shared_file("gatepost-report", len(data))
        try:
            with mmap.mmap(descriptor, len(data)) as memory:
                memory[:] = data
            socket.send_fds(self._sender, [_IN_FILE], [descriptor])
        finally:
            os.close(descriptor)


def _content(descriptor: int) -> bytes:
    try:
        size = min(os.fstat(descriptor).st_size, REPORT_BYTES_MAX)
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as memory:
            return memory[:]
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
