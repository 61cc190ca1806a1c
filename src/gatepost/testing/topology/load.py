"""Clients that write rows with keys of their own and read, one request after the other, and record what they see."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from gatepost.testing.topology.history import CUT_OFF, NO_RESPONSE, NOT_SENT, Attempt, History
from gatepost.testing.topology.http_client import HTTPConnection, NotSent


class LoadPlan(msgspec.Struct, frozen=True):
    """What clients send: `body` makes the body of a POST to `path` of the key of the row, and each write is followed by
    a GET of `read`. `ports` are shared out among the clients."""

    ports: list[int]
    path: str
    body: Callable[[str], Any]
    read: str
    headers: dict[str, str]
    clients: int
    pause_seconds: float
    timeout_seconds: float


class Load:
    """The clients of a plan, from `start` to `stop`.

    A client whose write is refused repeats it with the same key, as a refusal says that nothing was written. It does
    not where it cannot know: then it goes on to the next key.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self.history = History()
        self._plan = plan
        self._run = secrets.token_hex(4)
        self._is_over = False
        self._clients: asyncio.Task[None] | None = None

    async def __aenter__(self) -> History:
        self._clients = asyncio.create_task(self._send())
        return self.history

    async def __aexit__(self, *_: object) -> None:
        """Let every client finish its request."""
        self._is_over = True
        if self._clients is not None:
            await self._clients

    async def _send(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for number in range(self._plan.clients):
                clients.create_task(self._client(number))

    async def _client(self, number: int) -> None:
        plan = self._plan
        connection = HTTPConnection(plan.ports[number % len(plan.ports)])
        keys = (f"{self._run}-{number}-{count}" for count in itertools.count())
        key = next(keys)
        try:
            while not self._is_over:
                written = await self._attempt(connection, number, key)
                if written.is_acknowledged or written.is_unknown:
                    key = next(keys)
                await asyncio.sleep(plan.pause_seconds)
                if not self._is_over:
                    await self._attempt(connection, number, None)
                    await asyncio.sleep(plan.pause_seconds)
        finally:
            connection.close()

    async def _attempt(self, connection: HTTPConnection, number: int, key: str | None) -> Attempt:
        plan = self._plan
        method, path, content = "GET", plan.read, None
        if key is not None:
            method, path, content = "POST", plan.path, msgspec.json.encode(plan.body(key))
        began = time.monotonic()
        status, code = 0, None
        try:
            response = await connection.request(method, path, plan.headers, content, seconds=plan.timeout_seconds)
            status, code = response.status, response.code
        except NotSent:
            code = NOT_SENT
        except TimeoutError:
            code = NO_RESPONSE
        except OSError:
            code = CUT_OFF
        attempt = Attempt(number, key, began, time.monotonic(), status, code)
        self.history.add(attempt)
        return attempt
