"""Clients that write under faults, and an exact account of what each of their requests was told.

Every write has a key of its own, so that the tables tell afterwards whether it was written once, twice or not at all.
"""

import http.client
import itertools
import json
import time
import uuid
from dataclasses import dataclass

from tests.client_threads import ClientThreads

PAUSE_SECONDS = 0.02
RESPONSE_SECONDS_MAX = 40.0
PATHS = ("/api/entries", "/api/orders")
"""A derived write, which is one statement, and one through a service, which is a transaction of two."""

UNKNOWN = "outcome_unknown"


@dataclass(frozen=True)
class Told:
    """What a client was told of one request. `status` is None where the connection broke instead."""

    path: str
    key: str | None
    began: float
    ended: float
    status: int | None
    code: str | None

    @property
    def is_acknowledged(self) -> bool:
        """Whether the row has to be there."""
        return self.status is not None and self.status < 300

    @property
    def is_unknown(self) -> bool:
        """Whether the row may be there, or not."""
        return self.status is None or self.code == UNKNOWN


class Ledger(ClientThreads):
    """So many clients that write and read in turns, each on a kept connection, from entering to leaving the block."""

    def __init__(self, port: int, clients: int) -> None:
        super().__init__(clients)
        self.told: list[Told] = []
        self._port = port

    def run(self, number: int) -> None:
        """Write and read until it is over."""
        connection = self._connect()
        paths = itertools.cycle(PATHS)
        while not self.is_over.wait(PAUSE_SECONDS):
            path = next(paths)
            key = str(uuid.uuid4())
            is_kept = self._tell(connection, path, key) and self._tell(connection, path, None)
            if not is_kept:
                connection.close()
                connection = self._connect()
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=RESPONSE_SECONDS_MAX)

    def _tell(self, connection: http.client.HTTPConnection, path: str, key: str | None) -> bool:
        """Write a row with this key, or read without one, and note what came of it. Returns whether the connection can
        be used again."""
        began = time.monotonic()
        status, code = None, None
        try:
            if key is None:
                connection.request("GET", f"{path}?limit=5")
            else:
                connection.request("POST", path, json.dumps({"key": key}), {"content-type": "application/json"})
            response = connection.getresponse()
            body = response.read()
            status = response.status
            code = json.loads(body).get("code") if status >= 400 else None
            is_kept = not response.will_close
        except (OSError, http.client.HTTPException):
            is_kept = False
        self.told.append(Told(path, key, began, time.monotonic(), status, code))
        return is_kept
