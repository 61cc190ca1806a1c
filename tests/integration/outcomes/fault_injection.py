"""One request with a fault at one message, and what became of it: the response, and what is in the table."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from outcomes_app import app
from protocol_proxy import Fault, Message, Proxy, until

from gatepost.database.database import Database
from gatepost.testing import Client, ClientResponse

KEY = uuid.UUID(int=1)

VERBS = ("list", "get", "create", "update", "change nothing", "update after a look", "delete")
RESOURCES = ("bookings", "postings")


@dataclass
class Outcome:
    """`is_written` says whether the row is as the request wants it, `messages` what passed the proxy."""

    response: ClientResponse
    is_written: bool
    messages: list[Message]

    @property
    def code(self) -> str:
        """The code of a refusal; `ok` where there is none."""
        return str(self.response.json()["code"]) if self.response.status >= 400 else "ok"


@dataclass
class FaultInjector:
    """The running app, its proxy, and a connection of somebody else's."""

    client: Client
    database: Database
    proxy: Proxy
    witness: "asyncpg.Connection[Any]"

    async def prepare(self, resource: str) -> None:
        """One row, number 1, and nobody at work."""
        self.proxy.rest()
        await self.until_nobody_works()
        await self.witness.execute(f"TRUNCATE {resource} RESTART IDENTITY")
        await self.witness.execute(f"INSERT INTO {resource} (id, text, number) VALUES ($1, 'first', 1)", KEY)

    async def run(
        self,
        verb: str,
        resource: str,
        fault: Fault | None = None,
        *,
        is_warm: bool = False,
        is_last_moment: bool = False,
    ) -> Outcome:
        """The request with the fault, on a connection that has served none, or the same one just before. At the fault
        its time is over, where that is its `is_last_moment`."""
        await self.prepare(resource)
        await self.renew_connection()
        if is_warm:
            await self.ask(verb, resource)
            await self.prepare(resource)
        messages = self.proxy.record(fault)
        async with self.no_more_time(self.proxy.happened if is_last_moment else asyncio.Event()):
            response = await self.ask(verb, resource)
        self.proxy.rest()
        await self.until_nobody_works()
        return Outcome(response, await self.is_written(verb, resource), messages)

    @asynccontextmanager
    async def no_more_time(self, event: asyncio.Event) -> AsyncGenerator[None]:
        """Once it happens, the time of the request that is served is over, however long it has taken until then."""
        deadlines = app.running.gate._deadlines
        kept = deadlines._request_ns

        async def end() -> None:
            await event.wait()
            deadlines._request_ns = time.monotonic_ns() - min(each.admission.arrived_at for each in deadlines.in_flight)

        ending = asyncio.create_task(end())
        try:
            yield
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            deadlines._request_ns = kept

    async def renew_connection(self) -> None:
        """Open a connection that has served no request: what passes then is no request's."""
        pool = self.database.pool

        async def is_idle() -> bool:
            """The reset of a connection goes on after the response, and would escape the closing."""
            return len(pool.idle) == len(pool.open)

        await until(is_idle)
        pool.close_idle(lambda raw: True)
        pool.release(await pool.acquire())

    async def ask(self, verb: str, resource: str) -> ClientResponse:
        """Send the request."""
        path, one = f"/api/{resource}", f"/api/{resource}/{KEY}"
        method, target, body = {
            "list": ("GET", path, None),
            "get": ("GET", one, None),
            "create": ("POST", path, {"text": "second", "number": 2}),
            "update": ("PATCH", one, {"number": 2}),
            "change nothing": ("PATCH", one, {}),
            "update after a look": ("PATCH", one, {"id": str(KEY), "number": 2}),
            "delete": ("DELETE", one, None),
        }[verb]
        return await self.client.request(method, target, **({} if body is None else {"json": body}))

    async def is_written(self, verb: str, resource: str) -> bool:
        """Whether the table shows what the request asks for."""
        rows = await self.witness.fetch(f"SELECT text, number FROM {resource} ORDER BY number")
        found = [tuple(row) for row in rows]
        assert found in ([("first", 1)], [("first", 2)], [("first", 1), ("second", 2)], []), found
        return found != [("first", 1)]

    async def until_served(self) -> None:
        """Wait until a connection can be had."""

        async def is_served() -> bool:
            return (await self.client.get("/api/bookings")).status == 200

        await until(is_served)

    async def until_writable(self) -> None:
        """Wait until the app knows that the database takes writes."""
        self.database.pool.close_idle(lambda raw: True)
        await self.until_served()
        assert not self.database.is_read_only

    async def until_nobody_works(self) -> None:
        """Wait until PostgreSQL has ended the backends whose connections were cut, and has replied to the others, and
        until the process knows why it gave up a write."""

        looking = self.database._unconfirmed._looking

        async def is_quiet() -> bool:
            if looking is not None and not looking.done():
                return False
            busy = await self.witness.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND (pid = ANY($1) OR (state <> 'idle' AND query !~ '^SELECT$'))",
                self.proxy.cut_backends,
            )
            return bool(busy == 0)

        await until(is_quiet)


def span_of(messages: list[Message]) -> tuple[int, int]:
    """The first message of the span in which the outcome is unknown, and the one whose arrival ends it."""
    commit = [i for i, item in enumerate(messages) if item.name == ">Q" and item.payload == b"COMMIT\0"]
    begin = commit[0] if commit else max(i for i, item in enumerate(messages) if item.name == ">B")
    end = next(i for i, item in enumerate(messages) if i > begin and item.name == "<Z")
    return begin, end
