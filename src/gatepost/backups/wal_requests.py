"""The way by which a PostgreSQL that we run archives its WAL and gets it back: it asks us, over a socket.

So the server's user need reach neither the store nor its keys, and a command of PostgreSQL takes as long as a bare
Python takes to start. PostgreSQL acts by the status of the command: 0 done, 1 not in the archive, and above 125
anything else, which ends a recovery rather than have it go on without WAL that exists.
"""

import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from gatepost.embedded.account import Account

DONE, MISSING, FAILED = 0, 1, 2
ARCHIVE_FAILED_STATUS = 1
RESTORE_FAILED_STATUS = 200
"""PostgreSQL gives up a recovery whose command ends with a status above 125, and does not count such an end of an
archiver."""

_CLIENT = """import socket, sys
address, status, *words = sys.argv[1:]
answer = b""
try:
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(address)
        asked.sendall(chr(10).join(words).encode() + bytes(1))
        answer = asked.recv(1)
finally:
    sys.exit(answer[0] if answer and answer[0] < 2 else int(status))
"""
_POLL_SECONDS = 0.2
_REQUEST_BYTES_MAX = 4096

Handler = Callable[[str, Path], None]
"""Handles a WAL file by its name and its path. Raises FileNotFoundError where the archive does not have it."""


class WALRequests:
    """Answers the commands of one server while the `with` block lasts, one after the other, in a thread.

    `path` is that of the socket, in a folder that the server's account may enter and nobody else. Paths of PostgreSQL
    are relative to `cluster`. `warn` is called with why a file could not be handled, once for each reason.
    """

    def __init__(
        self,
        path: Path,
        account: Account,
        cluster: Path,
        handle: Handler,
        warn: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._client = path.with_name(f"{path.name}.py")
        self._warn = warn
        self._starter = os.getpid()
        self._account = account
        self._cluster = cluster
        self._handle = handle
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gatepost-wal", daemon=True)
        self.error: Exception | None = None
        """Why the last file could not be handled."""

    def command(self, failed_status: int) -> str:
        """For `archive_command` or `restore_command`."""
        words = [sys.executable, "-I", "-S", str(self._client), str(self._path), str(failed_status)]
        return " ".join(shlex.quote(word).replace("%", "%%") for word in words) + " %f %p"

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        self._client.write_text(_CLIENT)  # a file, because PostgreSQL logs each command that fails
        self._client.chmod(0o644)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        if self._account.changes:
            os.chown(self._path, self._account.uid, self._account.gid)
        self._path.chmod(0o600)
        self._listener.listen()
        self._listener.settimeout(_POLL_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._starter:
            return  # a forked child has neither the thread nor the server
        self._is_over.set()
        self._thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)
        self._client.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._is_over.is_set():
            with suppress(TimeoutError):
                asking, _ = self._listener.accept()
                with asking, suppress(OSError):  # the one who asked may be gone
                    asking.settimeout(5)
                    asking.sendall(bytes([self._answer(_request(asking))]))

    def _answer(self, request: str) -> int:
        name, _, path = request.partition("\n")
        try:
            self._handle(name, self._cluster / path)
        except FileNotFoundError:
            return MISSING
        except Exception as error:
            if str(error) != str(self.error):
                self._warn(error)
            self.error = error
            return FAILED
        self.error = None
        return DONE


def _request(asking: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\0") and len(data) < _REQUEST_BYTES_MAX:
        part = asking.recv(_REQUEST_BYTES_MAX)
        if not part:
            break
        data += part
    return data.removesuffix(b"\0").decode()
