"""`Forwarding`: what is asked of the console elsewhere, asked of the admin listener of a server on this machine.

It blocks: it is for threads. The listener knows which user's process asks; in whose name it does so is said by
`operator`, and the listener shows both.
"""

import http.client
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from gatepost.console.console_files import HEADERS

SECONDS = 10.0
OPERATOR = "gatepost-operator"
"""The header that names the user for whom a worker asks."""

SHORTENED = "gatepost-shortened"
"""The header that asks for data with addresses and keys shortened, and with which the listener says that it is."""

PASSED_ON = ("accept", "accept-encoding", "content-type", "if-none-match")
"""Headers of requests that the listener needs. What could say who is looking is not passed on."""
PASSED_BACK = ("cache-control", "content-encoding", "etag", "gatepost-before", "vary", SHORTENED, *HEADERS)

_SAFE_IN_PATHS = "/%:@!$&'()*+,;="


class Forwarded(NamedTuple):
    """The response: its status, its type, those of its headers that are passed back, and its body."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes


class AdminConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket at a path."""

    def __init__(self, path: Path) -> None:
        super().__init__("admin", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Open it. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


class Forwarding:
    """Asks the listener at the socket of this path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(  # noqa: PLR0913 - a request
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        *,
        operator: str | None = None,
        is_shortened: bool = False,
    ) -> Forwarded:
        """What it responds, `is_shortened` for who may not see all. Where it does not, a response says so: 502, or 504
        after SECONDS."""
        passed = {name: headers[name] for name in PASSED_ON if name in headers}
        if operator is not None:
            passed[OPERATOR] = quote(operator)
        if is_shortened:
            passed[SHORTENED] = "1"
        # Bytes that no target may have, which came as they are, are sent by their numbers.
        target = quote(path, safe=_SAFE_IN_PATHS, encoding="latin-1", errors="replace")
        connection = AdminConnection(self._path)
        try:
            connection.request(method, f"{target}?{urlencode(query)}" if query else target, body or None, passed)
            response = connection.getresponse()
            found = response.read()
        except TimeoutError:
            return _failure(504, "The monitor of the server does not respond in time.")
        except (OSError, http.client.HTTPException):
            return _failure(502, "The monitor of the server does not respond.")
        finally:
            connection.close()
        if is_shortened and response.status == 200 and response.getheader(SHORTENED) is None:
            return _failure(502, "The monitor is of a version that shortens nothing: start the server again.")
        back = {name: value for name in PASSED_BACK if (value := response.getheader(name)) is not None}
        return Forwarded(response.status, response.getheader("content-type", "text/plain"), back, found)


def _failure(status: int, detail: str) -> Forwarded:
    return Forwarded(status, "application/json", {"cache-control": "no-store"}, msgspec.json.encode({"detail": detail}))
