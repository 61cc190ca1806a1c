"""What keeps records from being copied keeps back only what it is about, and is said: tables that are lacking, a
database that takes no writes, another server that has the name of the instance."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.cli.doctor_database import examine_database
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.environment import load_settings
from gatepost.events import InstanceNameTaken, RecordsNotCopied
from gatepost.monitor import instances
from gatepost.monitor.change_records import ChangeRecords
from gatepost.monitor.copy_watch import SAID_AFTER_SECONDS, CopyWatch
from gatepost.monitor.history_copies import HistoryCopies
from gatepost.monitor.history_page import HistoryPage
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.instances import InstanceBeats
from gatepost.monitor.page_table import Request
from gatepost.record_tables import RECORD_TABLES
from gatepost.records import records_database
from gatepost.records.changes import change
from gatepost.records.records_database import RecordsAway
from gatepost.records.reports import Reports


class Server:
    """The monitor of a server, with what copies changes and the history."""

    def __init__(self, dsn: str, reports: Reports, name: str = "one", started_at: float = 1.7e9) -> None:
        self.context = context_of(dsn, reports, name=name, started_at=started_at)
        self.changes = ChangeRecords(self.context)
        history = HistoryRecords(self.context)
        self.history = HistoryCopies(self.context, history)
        HistoryPage(self.context, history)
        self.said: list[Any] = []
        for event in (InstanceNameTaken, RecordsNotCopied):
            self.context.events.subscribe(event, self.said.append)

    async def copy_a_change(self) -> bool:
        """Whether the database has it then."""
        self.context.changes.add(change("operator", "something"))
        await self.changes.copy()
        return not self.context.changes.uncopied()

    async def page(self, path: str, **query: str) -> tuple[int, Any]:
        """A page, as a thread of the listener asks for it."""
        found = await asyncio.to_thread(self.context.pages.find, Request("GET", path, "", b"", "uid 7", query))
        return found.status, json.loads(found.body)


@asynccontextmanager
async def beating(server: Server) -> AsyncIterator[InstanceBeats]:
    """The server writes its beats, while the block runs; and ends then."""
    beats = InstanceBeats(server.context)
    task = asyncio.ensure_future(beats.run())
    try:
        yield beats
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await beats.stop()
        await server.context.database.close()


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)


async def run(dsn: str, *statements: str) -> Any:
    """The first value of the last statement."""
    connection: Any = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def test_a_table_that_is_lacking_keeps_back_only_what_needs_it(
    database_url: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_database, "TABLES_SECONDS", 0.0)
    await run(database_url, "DROP TABLE gatepost.changes", "SELECT 1")
    server = Server(database_url, reports)
    database, watch = server.context.database, CopyWatch(server.context)
    assert not await server.copy_a_change()
    await server.history.copy()
    assert database.is_here
    assert database.state == (
        "Records are copied to the schema gatepost, but for those of some tables. The table gatepost.changes does not "
        "exist: `gatepost migrate up` creates it, or `gatepost dev` where there are no migration files."
    )
    async with database.copying("history"):
        pass
    for moment in (0.0, SAID_AFTER_SECONDS - 1, SAID_AFTER_SECONDS, 1000.0):
        watch.look(moment)
    [said] = server.said
    assert said.reason == database.state
    await run(database_url, *RECORD_TABLES["changes"].create, "SELECT 1")
    assert await server.copy_a_change()
    assert database.state == "Records are copied to the schema gatepost."
    await database.close()


async def test_a_table_that_is_closed_to_the_role_is_named_with_what_its_owner_runs(
    database_url: str, reports: Reports
) -> None:
    role = "records_reader"
    name = await run(
        database_url,
        f"DROP ROLE IF EXISTS {role}",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA gatepost TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA gatepost TO {role}",
        f"REVOKE DELETE ON gatepost.history FROM {role}",
        "SELECT current_user",
    )
    server = Server(database_url.replace(f"//{name}", f"//{role}", 1), reports)
    try:
        assert await server.copy_a_change()
        assert "GRANT SELECT, INSERT, UPDATE, DELETE ON gatepost.history TO records_reader;" in (
            server.context.database.state
        )
    finally:
        await server.context.database.close()
        await run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}", "SELECT 1")


async def test_the_doctor_says_what_is_lacking(database_url: str) -> None:
    settings = load_settings({"DATABASE_URL": database_url})

    async def found() -> DoctorFinding:
        findings = await examine_database(settings, None)
        return next(finding for finding in findings if finding.check == "records")

    assert (await found()).ok
    await run(database_url, "DROP TABLE gatepost.history", "SELECT 1")
    finding = await found()
    assert (finding.ok, finding.is_warning) == (False, True)
    assert finding.detail == "some of what the monitor keeps stays with its instance"
    assert (finding.hint or "").startswith(
        "The table gatepost.history does not exist: `gatepost migrate up` creates it"
    )


async def test_a_database_that_was_never_there_is_said_once(reports: Reports) -> None:
    server = Server("postgresql://127.0.0.1:1/nowhere", reports)
    watch = CopyWatch(server.context)
    for moment in range(0, 200, 5):
        await server.history.copy()
        watch.look(moment)
    assert len(server.said) == 1


async def test_what_the_database_refuses_breaks_no_connection(database_url: str, reports: Reports) -> None:
    server = Server(database_url, reports)
    database = server.context.database
    assert (await server.page("/history", instance="a\0b"))[0] == 422
    name = await run(database_url, "SELECT current_database()")
    await run(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on", "SELECT 1")
    try:
        for _ in range(3):
            assert not await server.copy_a_change()
            assert (await server.page("/history", instance="all"))[0] == 200
            assert database.is_here
        assert database.state == "Records stay with this instance: cannot execute INSERT in a read-only transaction."
    finally:
        await database.close()
        await run(
            database_url,
            "SET default_transaction_read_only = off",
            f"ALTER DATABASE {name} RESET default_transaction_read_only",
            "SELECT 1",
        )
    assert await server.copy_a_change()
    assert database.state == "Records are copied to the schema gatepost."
    await database.close()


async def test_a_part_that_is_broken_off_keeps_no_other_from_saying_that_the_instance_ends(
    database_url: str, reports: Reports
) -> None:
    server = Server(database_url, reports)
    beats = InstanceBeats(server.context)
    await beats._beat()

    async def work() -> None:
        async with server.context.database.copying("history") as connection:
            await connection.fetch("SELECT pg_sleep(30)")

    for _ in range(3):
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.2)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await beats.stop()
    await server.context.database.close()
    assert await run(database_url, "SELECT stopped_at IS NOT NULL FROM gatepost.instances")


async def test_two_servers_of_one_name_are_noticed_and_never_mixed(
    database_url: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "BEAT_SECONDS", 0.1)
    first, second = Server(database_url, reports), Server(database_url, reports, started_at=1.8e9)
    async with beating(first):
        await until(first.context.database._name_is_known.is_set)
        assert await first.copy_a_change()
        async with beating(second):
            assert not await second.copy_a_change()
            await until(lambda: second.said)
            assert await first.copy_a_change()
            database = second.context.database
            assert database.state == (
                "Records stay with this instance. Another server, started at 2023-11-14T22:13:20.000Z, is called one "
                "as well: give each a GATEPOST_INSTANCE of its own."
            )
            assert database.is_name_taken
            _, shown = await second.page("/instances")
            assert [each["is_this"] for each in shown["instances"]] == [False, True]
            await asyncio.sleep(0.5)
            assert second.said == [InstanceNameTaken("one", "2023-11-14T22:13:20.000Z", None)]
            with pytest.raises(RecordsAway, match="is called one as well"):
                async with database.copying("history"):
                    pass
    assert first.said == []
    assert await run(database_url, "SELECT count(*) FROM gatepost.changes") == 2
    assert await run(database_url, "SELECT stopped_at IS NOT NULL FROM gatepost.instances")


async def test_of_very_many_instances_those_that_run_are_listed_first(
    database_url: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "LISTED_MAX", 4)
    server = Server(database_url, reports)
    async with beating(server) as beats:
        await until(beats.has_tried.is_set)
        others = """
            INSERT INTO gatepost.instances (name, version, started_at, beat_at, stopped_at)
            SELECT 'pod-' || n, '1', now(), now() - n * interval '7 h', CASE WHEN n > 2 THEN now() END
            FROM generate_series(1, 50) n
        """
        await run(database_url, others, "SELECT 1")
        _, shown = await server.page("/instances")
    listed = [(each["name"], each["state"]) for each in shown["instances"]]
    assert listed == [("one", "running"), ("pod-1", "silent"), ("pod-2", "silent"), ("pod-3", "stopped")]
    assert shown["left_out"] == 47


async def test_the_name_of_a_server_that_has_ended_is_free_at_once_and_of_a_killed_one_soon(
    database_url: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "BEAT_SECONDS", 0.1)
    async with beating(Server(database_url, reports)) as beats:
        await until(beats.has_tried.is_set)
    second = Server(database_url, reports, started_at=1.8e9)
    async with beating(second):
        assert await second.copy_a_change()
        moved = "UPDATE gatepost.instances SET started_at = now() - interval '1 h', beat_at = now()"
        await run(database_url, moved, "SELECT 1")
        database = second.context.database
        await until(lambda: database.name_conflict)
        assert not database.is_name_taken
        assert database.state == (
            "Records stay with this instance. The server that was one before has not said that it ended."
        )
        monkeypatch.setattr(instances, "HELD_SECONDS", 0.0)
        await until(lambda: not database.name_conflict)
        assert await second.copy_a_change()
    assert second.said == []
