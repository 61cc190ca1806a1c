"""`OtherInstances`: asks the admin port of another instance for a page, for the console that shows them all.

With the token that all instances share. One that does not answer in time is said not to, and since when it is silent.
The server at an address that is written for an instance is not trusted: only what has the form of a page is passed on.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from gatepost.console.forwarding import OPERATOR
from gatepost.moments import shown_moment_or_none
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import JSON, Page, Request, json_page
from gatepost.records.records_database import RecordsAway

PATIENCE_SECONDS = 4.0
BODY_BYTES_MAX = 8 * 1024 * 1024

_FIND = "SELECT admin_address, beat_at FROM gatepost.instances WHERE name = $1"
_PASSED_ON = ("accept", "content-type")
_STATUSES = frozenset({200, 404, 405, 409, 413, 422, 500, 503})
_TYPES = frozenset({JSON, "application/x-ndjson", "text/plain", "application/openmetrics-text"})


class _Known(NamedTuple):
    """Where an instance can be asked, and its last beat."""

    address: str | None
    beat_at: datetime | None


class _NotAsked(Exception):
    """Why an instance cannot be asked."""


class OtherInstances:
    """Knows them by the table of instances, and while the database is away by what that had."""

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self._token = context.monitored.settings.admin.token
        self._known: dict[str, _Known] = {}

    def ask(self, name: str, request: Request) -> Page:
        """The page of another instance; 404 where there is none of this name, 503 or 504 where it does not answer."""
        known = self._find(name)
        if known is None:
            return json_page(404, {"detail": f"There is no instance {name}.", "instance": name})
        status, said = 503, f"does not answer at {known.address}."
        try:
            return self._asked(known.address, request)
        except _NotAsked as error:
            said = str(error)
        except TimeoutError:
            status, said = 504, f"does not answer at {known.address} in time."
        except (OSError, http.client.HTTPException, ValueError):
            pass
        as_of = shown_moment_or_none(known.beat_at)
        return json_page(status, {"detail": f"{name} {said}", "instance": name, "as_of": as_of})

    def _find(self, name: str) -> _Known | None:
        async def read() -> Any:
            async with self._context.database.connection("instances") as connection:
                return await connection.fetchrow(_FIND, name)

        try:
            row = self._context.wait_for(read())
        except (RecordsAway, TimeoutError):
            return self._known.get(name)
        if row is None:
            self._known.pop(name, None)
            return None
        known = self._known[name] = _Known(row["admin_address"], row["beat_at"])
        return known

    def _asked(self, address: str | None, request: Request) -> Page:
        if address is None:
            raise _NotAsked("has no admin port: set GATEPOST_ADMIN_BIND there.")
        if self._token is None:
            raise _NotAsked("cannot be asked: set GATEPOST_ADMIN_TOKEN, the same at all instances.")
        host = urlsplit(f"//{address}")
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=PATIENCE_SECONDS)
        query = {key: value for key, value in request.query.items() if key != "instance"}
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers |= {"authorization": f"Bearer {self._token}", OPERATOR: quote(request.operator)}
        target = f"{request.path}?{urlencode(query)}" if query else request.path
        try:
            connection.connect()
            with _ended_in(PATIENCE_SECONDS, connection.sock):
                connection.request(request.method, target, request.body or None, headers)
                response = connection.getresponse()
                body = response.read(BODY_BYTES_MAX + 1)
        finally:
            connection.close()
        if response.status in {401, 403}:
            raise _NotAsked("has another GATEPOST_ADMIN_TOKEN: it has to be the same at all instances.")
        content_type = response.getheader("content-type", "")
        if not _is_page(response.status, content_type, body):
            raise _NotAsked(f"does not answer: at {address} is something else.")
        return Page(response.status, content_type, body)


@contextlib.contextmanager
def _ended_in(seconds: float, connection: socket.socket) -> Generator[None]:
    """Have what is done with a connection end in time, however little comes at a time. Raises TimeoutError."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if is_late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if is_late.is_set():
        raise TimeoutError


def _is_page(status: int, content_type: str, body: bytes) -> bool:
    """Whether that is what an admin listener responds."""
    media_type = content_type.partition(";")[0]
    if status not in _STATUSES or media_type not in _TYPES or not content_type.isprintable():
        return False
    if len(body) > BODY_BYTES_MAX:
        return False
    if media_type == JSON:
        try:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            return False
    return True
