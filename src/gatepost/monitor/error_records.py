"""`ErrorRecords`: keeps error groups, and brings them to `gatepost.error_groups` behind that.

What is resolved at one instance is resolved at all: each reads in the table what others have resolved.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from gatepost.events import ErrorGroupFound, ErrorGroupResolved, ErrorsLeftOut
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.error_pages import merged, shown_group, shown_samples
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.error_groups import ErrorGroup, ErrorGroups
from gatepost.records.error_reports import ErrorsSeen
from gatepost.records.records_database import RecordsAway

SAVE_SECONDS = 1.0
COPY_EVERY = 5
"""Of the times that the file is saved."""
KEPT_DAYS = 90
OTHERS_SECONDS_MAX = 3.0
"""How long a page waits for the database to tell of other instances; without them it shows those of this one."""

_UPSERT = """
INSERT INTO gatepost.error_groups (instance, fingerprint, first_at, last_at, count, resolved_at, data)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (instance, fingerprint) DO UPDATE
SET last_at = excluded.last_at, count = excluded.count, data = excluded.data,
  resolved_at = greatest(error_groups.resolved_at, excluded.resolved_at)
"""
_RESOLVED = """
SELECT fingerprint, extract(epoch FROM max(resolved_at))::float8 AS resolved_at FROM gatepost.error_groups
WHERE resolved_at IS NOT NULL GROUP BY fingerprint
"""
_RESOLVE = "UPDATE gatepost.error_groups SET resolved_at = $2 WHERE fingerprint = $1"
_OTHERS = "SELECT instance, data FROM gatepost.error_groups WHERE instance <> $1"
_FORGET = "DELETE FROM gatepost.error_groups WHERE last_at < now() - make_interval(days => $1)"


class ErrorRecords:
    """Serves them at `/errors`; a group is resolved by PUT."""

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self._instance = context.monitored.instance
        self._database = context.database
        self._events = context.events
        self._groups = ErrorGroups(context.monitored.files.snapshot("errors"))
        self._is_saved = True
        context.handle(ErrorsSeen, self._add)
        context.pages.add("GET", "/errors", self._list)
        context.pages.add("GET", "/errors/", self._show)
        context.pages.add("PUT", "/errors/", self._resolve)

    async def run(self) -> None:
        """Save and copy what is new, without end."""
        number = 0
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if not self._is_saved:
                self._is_saved = self._groups.save()
            number += 1
            if number % COPY_EVERY == 0:
                try:
                    await self._copy()
                except RecordsAway:
                    continue

    def _add(self, seen: ErrorsSeen) -> None:
        found = self._groups.add(seen)
        self._is_saved = False
        if found == "left_out":
            self._events.emit(ErrorsLeftOut(seen.count))
        if found in {"new", "returned"}:
            self._events.emit(ErrorGroupFound(seen.fingerprint, seen.kind, seen.where, found == "returned"))

    async def _copy(self) -> None:
        changed = [group for group in self._groups.all() if group.fingerprint in self._groups.changed]
        async with self._database.copying("error_groups") as connection:
            await connection.executemany(_UPSERT, [self._row(group) for group in changed])
            resolved = await connection.fetch(_RESOLVED)
            if changed:
                await connection.execute(_FORGET, KEPT_DAYS)
        self._groups.changed.difference_update(group.fingerprint for group in changed)
        for row in resolved:
            if self._groups.resolve(row["fingerprint"], row["resolved_at"]):
                self._is_saved = False

    def _row(self, group: ErrorGroup) -> tuple[object, ...]:
        resolved_at = None if group.resolved_at is None else datetime.fromtimestamp(group.resolved_at, UTC)
        return (
            self._instance,
            group.fingerprint,
            datetime.fromtimestamp(group.first_at, UTC),
            datetime.fromtimestamp(group.last_at, UTC),
            group.count,
            resolved_at,
            msgspec.msgpack.encode(group),
        )

    def _list(self, request: Request) -> Page:
        groups = merged(self._context.wait_for(self._of_all()))
        return json_page(200, {"errors": [shown_group(group, instances) for group, instances in groups]})

    def _show(self, request: Request) -> Page:
        found = self._found(request)
        if isinstance(found, Page):
            return found
        group, instances = found
        return json_page(200, {**shown_group(group, instances), "samples": shown_samples(group)})

    def _resolve(self, request: Request) -> Page:
        found = self._found(request)
        if isinstance(found, Page):
            return found
        group, instances = found
        moment = time.time()
        is_everywhere = self._context.wait_for(self._resolve_at(group.fingerprint, moment))
        self._events.emit(ErrorGroupResolved(group.fingerprint, request.operator))
        group.resolved_at = moment
        state = None if is_everywhere else self._database.state
        return json_page(200, {**shown_group(group, instances), "only_here_because": state})

    def _found(self, request: Request) -> "tuple[ErrorGroup, list[str]] | Page":
        groups = merged(self._context.wait_for(self._of_all()))
        found = [each for each in groups if request.name and each[0].fingerprint.startswith(request.name)]
        if len(found) == 1:
            return found[0]
        said = f"Several errors begin with {request.name!r}." if found else f"There is no error {request.name!r}."
        return json_page(404, {"detail": said, "errors": [group.fingerprint for group, _ in found]})

    async def _of_all(self) -> list[tuple[str, ErrorGroup]]:
        """The groups of all instances, as far as they can be had."""
        found = [(self._instance, group) for group in self._groups.all()]
        try:
            async with asyncio.timeout(OTHERS_SECONDS_MAX), self._database.connection("error_groups") as connection:
                rows: list[Any] = await connection.fetch(_OTHERS, self._instance)
        except (RecordsAway, TimeoutError):
            return found
        for row in rows:
            with suppress(msgspec.DecodeError):  # of a version that comes after this one
                found.append((row["instance"], msgspec.msgpack.decode(row["data"], type=ErrorGroup)))
        return found

    async def _resolve_at(self, fingerprint: str, moment: float) -> bool:
        self._groups.resolve(fingerprint, moment)
        self._groups.save()
        try:
            async with asyncio.timeout(OTHERS_SECONDS_MAX), self._database.connection("error_groups") as connection:
                await connection.execute(_RESOLVE, fingerprint, datetime.fromtimestamp(moment, UTC))
        except (RecordsAway, TimeoutError):
            return False
        return True
