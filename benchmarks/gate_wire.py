"""A connection to a Valkey on which requests are sent as bytes made beforehand, and what the server says of itself."""

import socket
from types import TracebackType
from typing import Any

import hiredis
from tests.valkey_server import ValkeyServer


class Wire:
    """One connection, for one after the other or for many at once."""

    def __init__(self, server: ValkeyServer) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, requests: bytes, count: int = 1) -> Any:
        """Send `count` requests at once and wait for all responses; returns the last. An error is raised."""
        self._socket.sendall(requests)
        response: Any = False
        while count:
            response = self._reader.gets()
            if response is False:
                self._reader.feed(self._socket.recv(1 << 16))
            elif isinstance(response, Exception):
                raise response
            else:
                count -= 1
        return response

    def call(self, *words: object) -> Any:
        """One command and its response."""
        return self.send(encoded(*words))

    def info(self, section: str) -> dict[str, str]:
        """What INFO tells of a section."""
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def cpu_seconds(self) -> float:
        """The CPU time that the server has used, by its own count."""
        info = self.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    def scripts_run(self) -> int:
        """How many calls of scripts the server has replied to."""
        found = self.info("commandstats").get("cmdstat_evalsha", "calls=0,")
        return int(found.removeprefix("calls=").split(",", 1)[0])


def encoded(*words: object) -> bytes:
    """A command as it travels."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
