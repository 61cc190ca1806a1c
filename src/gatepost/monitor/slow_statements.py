"""`SlowStatements`: keeps statements that take long, and asks PostgreSQL how it runs them: one a minute.

It asks for the plan that holds for any values (GENERIC_PLAN), so that none are needed; values of policies are masked.
"""

import asyncio
import re
import time
from typing import Any

import asyncpg

from gatepost.database.masked_sql import MASK, without_literals
from gatepost.logging.text import shortened
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.records_database import RecordsAway, RecordsConnection
from gatepost.records.slow_statements import KeptStatement, KeptStatements, SlowStatement

EXPLAIN_SECONDS = 60.0
AGAIN_SECONDS = 3600.0
"""A plan is asked for again where the statement is slow so long after."""
GENERIC_PLANS_SINCE = 16
PLAN_LENGTH_MAX = 8_000
SQL_LENGTH_MAX = 8_000

_TEXT = re.compile(r"'(?:[^']|'')*'")
"""A text in a plan: of a policy, or of a default. Values of requests are parameters there."""


class SlowStatements:
    """Serves them at `/statements`, the one that took longest first."""

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self._database = context.database
        self._kept = KeptStatements(context.monitored.files.snapshot("statements"))
        self._arrived = asyncio.Event()
        context.handle(SlowStatement, self._add)
        context.pages.add("GET", "/statements", self._page)

    async def run(self) -> None:
        """Explain what is slow, without end."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self._explain_next()
            self._kept.save()
            await asyncio.sleep(EXPLAIN_SECONDS)

    def _add(self, slow: SlowStatement) -> None:
        self._kept.add(slow)
        self._kept.save()
        self._arrived.set()

    async def _explain_next(self) -> None:
        due = [
            kept for kept in self._kept.all() if kept.last_at - kept.explained_at > AGAIN_SECONDS or kept.plan is None
        ]
        if not due:
            return
        if len(due) > 1:
            self._arrived.set()  # the others have their turn
        try:
            async with self._database.other_connection() as connection:
                await _explain(connection, due[0])
        except RecordsAway:
            self._arrived.set()

    def _page(self, request: Request) -> Page:
        found = [
            {
                "name": kept.name,
                "count": kept.count,
                "longest_seconds": round(kept.longest, 3),
                "first_at": shown_moment(kept.first_at),
                "last_at": shown_moment(kept.last_at),
                "sql": shortened(without_literals(kept.sql), SQL_LENGTH_MAX),
                "plan": kept.plan,
            }
            for kept in self._kept.all()
        ]
        return json_page(200, {"statements": found})


async def _explain(connection: RecordsConnection, kept: KeptStatement) -> None:
    version = connection.get_server_version()
    kept.explained_at = time.time()
    if version.major < GENERIC_PLANS_SINCE:
        kept.plan = (
            f"PostgreSQL {version.major} has no plans for any values; `gatepost explain` shows one for a request."
        )
        return
    try:
        await connection.execute("BEGIN READ ONLY")
        explaining = await connection.prepare(f"EXPLAIN (GENERIC_PLAN) {kept.sql}")
        # The protocol wants values, the plan is made without them.
        rows: list[Any] = await explaining.fetch(*[None] * len(explaining.get_parameters()))
    except asyncpg.PostgresSyntaxError as error:
        masked = " Values in its text are masked as ?: bind them, and it has a plan." if MASK in kept.sql else ""
        kept.plan = f"PostgreSQL does not explain it: {without_literals(str(error))}.{masked}"
        return
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        kept.plan = f"PostgreSQL does not explain it: {without_literals(str(error))}"
        return
    kept.plan = shortened(_TEXT.sub("'?'", "\n".join(row[0] for row in rows)), PLAN_LENGTH_MAX)
