"""HTTP by hand: bytes over a socket, and what comes back, byte by byte. No library in between repairs anything."""

import contextlib
import dataclasses
import json
import socket
from collections.abc import Iterator
from typing import Any

SECONDS_MAX = 10.0
BODILESS = (204, 304)


@dataclasses.dataclass(frozen=True)
class RawResponse:
    """One response; `is_last` where the server closed the connection after it."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_last: bool = False

    @property
    def code(self) -> str | None:
        """The code of a problem document; None where there is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        return str(json.loads(self.body)["code"])

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Connection:
    """A connection to a local port."""

    def __init__(self, port: int, seconds_max: float = SECONDS_MAX) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), seconds_max)
        self._left = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send; a server that has closed already is for `receive` to find out."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def receive(self, method: str = "GET") -> RawResponse | None:
        """The next response, interim ones included; None where the server closed without one."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(status_line.split(" ")[1])
        return RawResponse(status, headers, self._body(status, method, headers))

    def serves_on(self) -> bool:
        """Whether the connection serves one more request."""
        self.send(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        response = self.receive()
        return response is not None and response.json() == {"status": "ok"}

    def _body(self, status: int, method: str, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in BODILESS or status < 200:
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._rest()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n") or b"0", 16):
            yield self._exactly(size)
            self._exactly(2)
        self._exactly(2)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._left:
            data = self._more()
            if not data:
                return None
            self._left += data
        found, _, self._left = self._left.partition(end)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._left) < count:
            data = self._more()
            assert data, "the connection ended within a response"
            self._left += data
        found, self._left = self._left[:count], self._left[count:]
        return found

    def _rest(self) -> bytes:
        while data := self._more():
            self._left += data
        found, self._left = self._left, b""
        return found

    def _more(self) -> bytes:
        try:
            return self.socket.recv(65_536)
        except ConnectionError:
            return b""


def ask(port: int, data: bytes, method: str = "GET") -> RawResponse | None:
    """One request on a connection of its own, and a second one to see whether the first was the last."""
    with Connection(port) as connection:
        connection.send(data)
        response = connection.receive(method)
        return response if response is None else dataclasses.replace(response, is_last=not connection.serves_on())


def request(method: str, target: str | bytes, *lines: str | bytes, body: bytes = b"", host: str | None = "x") -> bytes:
    """The bytes of a request, with nothing but what is given, a Host, and the length of the body where there is one."""
    first = b"%b %b HTTP/1.1" % (method.encode(), target if isinstance(target, bytes) else target.encode())
    all_lines = [first, *([f"host: {host}"] if host is not None else []), *lines]
    if body:
        all_lines.append(f"content-length: {len(body)}")
    return (
        b"".join((line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in all_lines) + b"\r\n" + body
    )
