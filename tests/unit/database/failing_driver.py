"""A driver that fails where a test wants it to: what asyncpg's connection does, await by await.

It injects failures that no real server can be made to produce on demand; the same pool meets a real PostgreSQL in
`tests/integration/database`.
"""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import asyncpg


class Driver:
    """Opens connections, and holds every await of theirs until it is told how that ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.raws: list[Raw] = []
        self.pending: list[asyncio.Future[None]] = []
        self.opening = 0

    @property
    def open(self) -> "list[Raw]":
        """What a server would count."""
        return [raw for raw in self.raws if not raw.is_closed()]

    async def wait(self) -> None:
        """One await: the test decides."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.pending.append(future)
        try:
            await future
        finally:
            self.pending.remove(future)

    async def connect(self) -> "Raw":
        """As `Database.connect`."""
        self.opening += 1
        try:
            await self.wait()
        finally:
            self.opening -= 1
        raw = Raw(self)
        self.raws.append(raw)
        return raw


class Raw:
    """A connection. Its methods raise what asyncpg's raise once it is closed or terminated."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._listeners: list[Callable[[Any], None]] = []
        self._is_closed = False
        self._is_terminated = False
        self._is_in_transaction = False
        self._is_beginning = False
        self._protocol = SimpleNamespace(queries_count=0)

    def is_closed(self) -> bool:
        return self._is_closed

    def is_in_transaction(self) -> bool:
        if self._is_terminated:
            raise AttributeError("'NoneType' object has no attribute 'is_in_transaction'")
        return self._is_in_transaction

    def add_termination_listener(self, listener: Callable[[Any], None]) -> None:
        self._listeners.append(listener)

    async def execute(self, sql: str) -> str:
        try:
            await self._talk()
        except asyncio.CancelledError:
            # It was sent, and may be done before PostgreSQL hears that it should not: the next response tells.
            self._is_beginning = self._is_beginning or sql.startswith("BEGIN")
            raise
        for command, is_in_transaction in (("BEGIN", True), ("COMMIT", False), ("ROLLBACK", False)):
            if sql.startswith(command):
                self._is_in_transaction = is_in_transaction
        return sql

    async def fetch(self, sql: str, *_arguments: Any) -> list[Any]:
        await self._talk()
        return []

    async def prepare(self, sql: str) -> "Prepared":
        await self._talk()
        return Prepared(self)

    async def reload_schema_state(self) -> None:
        await self._talk()

    async def reset(self) -> None:
        await self._talk()

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - asyncpg's signature
        self.check()
        try:
            async with asyncio.timeout(timeout):
                await self._driver.wait()
        finally:
            self.terminate()

    def terminate(self) -> None:
        self._is_terminated = True
        self.lose()

    def lose(self) -> None:
        """The other side has closed it."""
        self._is_closed = True
        for listener in self._listeners:
            self._driver.loop.call_soon(listener, self)
        self._listeners.clear()

    def check(self) -> None:
        if self._is_closed:
            raise asyncpg.InterfaceError("connection is closed")

    async def _talk(self) -> None:
        self.check()
        self._protocol.queries_count += 1
        await self._driver.wait()
        if self._is_closed:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        self._is_in_transaction = self._is_in_transaction or self._is_beginning
        self._is_beginning = False


class Prepared:
    """A prepared statement: a closed connection is noticed before anything is awaited."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    def fetch(self, *arguments: Any) -> Any:
        self._raw.check()
        return self._raw.fetch("", *arguments)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes when the test says so."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Run until nothing happens by itself any more."""
        self.run_until_complete(_yield_often())


async def _yield_often() -> None:
    for _ in range(16):
        await asyncio.sleep(0)
