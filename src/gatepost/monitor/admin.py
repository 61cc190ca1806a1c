"""The admin listener: HTTP on a Unix socket, and on a port where one is asked for.

Outside the request path. Everyone who can open the socket (mode 0660) is an operator. A port wants a token, always, and
refuses what a page in somebody's browser could send: a `Host` that is not this machine's, any foreign `Origin`.
The server is the standard library's, a thread for each connection: a handful of operators and one Prometheus use it.
"""

import contextlib
import functools
import hmac
import ipaddress
import os
import socket
import socketserver
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterable
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from gatepost.console.forwarding import OPERATOR
from gatepost.errors import ConfigurationError
from gatepost.logging.text import escaped
from gatepost.monitor.addresses import is_served
from gatepost.monitor.page_table import Access, Page, Request

CONNECTIONS_MAX = 64
SECONDS_MAX = 10.0
BODY_BYTES_MAX = 65_536
LENGTH_DIGITS_MAX = 10
SOCKET_MODE = 0o660
NEW_SECONDS = 60.0
WAIT_SECONDS = 1.0
OPERATOR_LENGTH_MAX = 200
PATH_BYTES_MAX = 100
"""Systems take 104 to 108 bytes for the path of a socket."""

TEXT = "text/plain; charset=utf-8"
NOT_OWN_PAGE = b"Not from a page of another origin.\n"

FindPage = Callable[[Request], Page]

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_credentials = struct.Struct("iII")  # process, user, group (Linux, unix(7))


class Arrived(NamedTuple):
    """A request of which it is not known yet whether its client may have what it asks for; `address` is that of the
    client, empty for one of a Unix socket."""

    method: str
    target: str
    headers: Message
    body: bytes
    address: str

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class AdminServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves pages on a socket that listens. With a `token`, only to clients that send it.

    A connection serves one request, in SECONDS_MAX: who is slow can neither keep others out nor put a second request
    behind a first one. Where there are too many, the oldest makes room. Where a server `keeps_connections`, each of
    their requests has that time.
    """

    daemon_threads = True
    block_on_close = False
    keeps_connections = False

    def __init__(self, listener: socket.socket, find: FindPage, token: str | None) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.find = find
        self.token = token
        self._open: dict[socket.socket, float] = {}  # oldest first, with the moment of each
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection."""
        connection, address = self.socket.accept()
        connection.settimeout(SECONDS_MAX)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address or ("", 0)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread."""
        with self._lock:
            if len(self._open) >= CONNECTIONS_MAX:
                _cut_off(next(iter(self._open)))
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is served, or has failed."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def note_response(self, request: socket.socket) -> None:
        """Its connection is kept for another request."""
        with self._lock:
            if request in self._open:
                del self._open[request]
                self._open[request] = time.monotonic()

    def service_actions(self) -> None:
        """Called about twice a second."""
        with self._lock:
            for connection, since in list(self._open.items()):
                if time.monotonic() - since > SECONDS_MAX:
                    _cut_off(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no failure."""

    def refusal(self, arrived: Arrived) -> Page | None:
        """What is sent in place of the page; None where the client may have it."""
        if self.token is None:
            return None
        if not is_own_host(arrived.headers.get("host", "")) or "origin" in arrived.headers:
            return Page(403, TEXT, NOT_OWN_PAGE)
        if not self.is_token(arrived.headers.get("authorization", "").removeprefix("Bearer ")):
            return Page(401, TEXT, b"Send the token of GATEPOST_ADMIN_TOKEN: Authorization: Bearer ...\n")
        return None

    def is_token(self, given: str) -> bool:
        """Whether a text is the token, in the same time whatever it is."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def sender(self, arrived: Arrived) -> tuple[str, Access]:
        """Who asks at this port, in words, and how they came."""
        return f"the token, from {arrived.address}", "token"

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, name="gatepost-admin", daemon=True).start()


def _cut_off(connection: socket.socket) -> None:
    # Its thread, which waits for it, finds it at its end.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: AdminServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "gatepost"
    sys_version = ""
    wbufsize = 65_536  # head and body in one packet, where they fit

    def do_GET(self) -> None:
        body = self._body()
        page = body if isinstance(body, Page) else self._page(body)
        if isinstance(body, Page) or not self.server.keeps_connections:
            self.close_connection = True
        self.send_response(page.status)
        headers = {"content-type": page.content_type, **_HEADERS, **page.headers}
        if self.close_connection:
            headers["connection"] = "close"
        if page.status != 304:  # which would have to tell the length of what it does not send
            headers["content-length"] = str(len(page.body))
        if page.status == 401:
            headers["www-authenticate"] = "Bearer"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)
        self.wfile.flush()
        self.server.note_response(self.connection)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that the standard library looks for

    def log_message(self, format: str, *args: object) -> None:
        """Not logged: a scrape every few seconds is no news."""

    def _body(self) -> bytes | Page:
        """The whole body, before anything is said: what is left unread would reset the connection."""
        lengths = self.headers.get_all("content-length", ["0"])
        if "transfer-encoding" in self.headers or len(lengths) > 1 or not lengths[0].isdecimal():
            return Page(400, TEXT, b"State the length of the body, once.\n")
        if len(lengths[0]) > LENGTH_DIGITS_MAX or (length := int(lengths[0])) > BODY_BYTES_MAX:
            return Page(413, TEXT, b"The body is too long.\n")
        return self.rfile.read(length)

    def _page(self, body: bytes) -> Page:
        address = "" if self.connection.family == socket.AF_UNIX else str(self.client_address[0])
        arrived = Arrived(self.command, self.path, self.headers, body, address)
        refusal = self.server.refusal(arrived)
        if refusal is not None:
            return refusal
        who, access = self.server.sender(arrived) if address else (self._peer(), "socket")
        request = Request(
            self.command,
            arrived.path,
            self.headers.get("accept", ""),
            body,
            named_operator(self.headers.get(OPERATOR), who),
            dict(parse_qsl(self.path.partition("?")[2])),
            access=access,
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        return self.server.find(request)

    def _peer(self) -> str:
        if not hasattr(socket, "SO_PEERCRED"):
            return "the socket"
        _, uid, _ = _credentials.unpack(self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return f"uid {uid}"


def named_operator(named: str | None, who: str) -> str:
    """Who asks, in words: a client that may ask at all may name whom it asks for, a worker its user, another instance
    its operator."""
    return who if named is None else f"{escaped(unquote(named))[:OPERATOR_LENGTH_MAX]}, by {who}"


def is_own_host(host: str) -> bool:
    """An address, this machine's name, or localhost: none of them can be a domain that somebody else points here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in {"localhost", socket.gethostname().lower()}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == full_name()
    return True


@functools.cache
def full_name() -> str:
    """This machine's name in the DNS, which is asked once: no client may have each request wait for it."""
    return socket.getfqdn().lower()


def open_socket(path: Path) -> socket.socket:
    """A Unix socket that listens at a path, in place of one that nobody listens at any more. Raises
    ConfigurationError."""
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise _refused(path, f"is longer than {PATH_BYTES_MAX} bytes, which is what systems take for a socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _wait_for_its_end(path)
        _remove_abandoned(path)
        before = os.umask(0o777 & ~SOCKET_MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        raise _refused(path, f"cannot be made: {error.strerror}") from None
    except BaseException:
        listener.close()
        raise
    return listener


def remove_abandoned(paths: Iterable[Path]) -> None:
    """Remove those of the sockets at which nobody listens: servers that were killed have left them. One that is new may
    be of a server that is about to listen."""
    for path in paths:
        with contextlib.suppress(OSError, ConfigurationError):
            if path.lstat().st_mtime < time.time() - NEW_SECONDS:
                _remove_abandoned(path)


def _wait_for_its_end(path: Path) -> None:
    """The monitor of a server that was killed is about to end: wait a moment."""
    deadline = time.monotonic() + WAIT_SECONDS
    while path.is_socket() and is_served(path) and time.monotonic() < deadline:
        time.sleep(0.02)


def _remove_abandoned(path: Path) -> None:
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise _refused(path, "is a file, and no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.settimeout(1)
        try:
            other.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise _refused(path, "is the socket of another server, which runs")


def _refused(path: Path, what: str) -> ConfigurationError:
    hint = "Name another path with GATEPOST_ADMIN_SOCKET, or write none for no socket."
    return ConfigurationError(f"{path} {what}.", location="GATEPOST_ADMIN_SOCKET", hint=hint)
