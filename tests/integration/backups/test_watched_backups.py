"""What the monitor and `gatepost doctor` see of backups, also when they fail."""

import asyncio
import dataclasses
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from backed_up_server import BackedUpServer, backed_up_server
from tests.integration.records.monitor_contexts import context_of

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.wal_archive import WALArchive
from gatepost.cli.doctor_backups import examine_archiving, examine_backups
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.monitor import backup_watch
from gatepost.monitor.backup_watch import BackupWatch
from gatepost.monitor.context import MonitorContext
from gatepost.records.reports import Reports
from gatepost.settings import BackupSettings


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUpServer]:
    with backed_up_server(tmp_path_factory.mktemp("watched")) as server:
        yield server


@pytest.fixture(scope="module")
def backup(source: BackedUpServer) -> BackupRecord:
    record = source.back_up()
    source.archive_all()
    return record


@pytest.fixture
def reports() -> Iterator[Reports]:
    made = Reports()
    yield made
    made.close()


Watch = Callable[..., BackupWatch]


@pytest_asyncio.fixture
async def watch_of(source: BackedUpServer, reports: Reports) -> AsyncIterator[Watch]:
    """Makes what watches a server and a store, whose connections are closed at the end."""
    made: list[MonitorContext] = []

    def make(store: Path | None, dsn: str = source.dsn) -> BackupWatch:
        backups = BackupSettings(store=None if store is None else str(store))
        settings = dataclasses.replace(load_settings({"DATABASE_URL": dsn}), backups=backups)
        made.append(context_of(dsn, reports, settings=settings))
        return BackupWatch(made[-1])

    yield make
    for context in made:
        await context.database.close()


async def held(watch: BackupWatch) -> dict[str, str]:
    """What is wrong, after a look at both."""
    await watch.look_at_store()
    await watch.look_at_archiver()
    return {finding.name: finding.sentence for finding in watch.findings(time.time()) if finding.holds}


def values(watch: BackupWatch) -> dict[str, float]:
    return {name.removeprefix("gatepost_"): series[()] for name, series in watch.read().items()}


async def archiving_of(source: BackedUpServer, *, dsn: str | None = None) -> DoctorFinding:
    connection = await asyncpg.connect(dsn or source.dsn)
    try:
        [finding] = await examine_archiving(connection, BackupSettings(store=str(source.folder)))
    finally:
        await connection.close()
    return finding


async def test_a_good_backup_is_metrics_and_a_sentence(
    source: BackedUpServer, backup: BackupRecord, watch_of: Watch
) -> None:
    watch = watch_of(source.folder)
    assert (watch.sentence(time.time()), watch.read()) == (None, {})
    assert await held(watch) == {}
    seen = values(watch)
    assert seen["backup_finished_timestamp_seconds"] == backup.finished_at.timestamp()
    assert seen["backup_wal_timestamp_seconds"] >= backup.finished_at.timestamp()
    assert (seen["backups"], seen["backup_store_readable"], seen["backup_wal_missing"]) == (1, True, False)
    assert (seen["wal_archived_total"] > 0, seen["wal_archive_failing"]) == (True, False)
    assert abs(seen["wal_archived_timestamp_seconds"] - time.time()) < 60
    assert watch.sentence(time.time()) == "The only backup is 0 min old. WAL was last archived 0 min ago."


async def test_without_a_store_only_the_archiver_is_asked(source: BackedUpServer, watch_of: Watch) -> None:
    watch = watch_of(None)
    running = asyncio.ensure_future(watch.run())
    async with asyncio.timeout(30):
        while not watch.read():  # noqa: ASYNC110 - it is asked by another task
            await asyncio.sleep(0.01)
    running.cancel()
    assert {name.split("_")[1] for name in watch.read()} == {"wal"}
    assert [thread for thread in threading.enumerate() if thread.name == "gatepost-backup-store"] == []


async def test_a_server_that_does_not_archive_is_nothing_without_a_store(
    source: BackedUpServer, watch_of: Watch, postgresql: EmbeddedPostgreSQL
) -> None:
    dsn = postgresql.dsn("postgres")
    quiet = watch_of(None, dsn)
    await quiet.look_at_archiver()
    assert (quiet.sentence(time.time()), quiet.read()) == (None, {})

    wanted = watch_of(source.folder, dsn)
    assert "does not archive its WAL" in (await held(wanted))["archiving"]
    finding = await archiving_of(source, dsn=dsn)
    assert (finding.ok, finding.detail) == (False, "the server does not archive its WAL")
    assert "archive_mode" in str(finding.hint)


async def test_archiving_that_fails_is_told_until_it_works_again(
    source: BackedUpServer, backup: BackupRecord, watch_of: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watch_of(source.folder)
    with monkeypatch.context() as broken:
        broken.setattr(WALArchive, "push", lambda *_: 1 / 0)
        source.execute("SELECT pg_logical_emit_message(false, 'test', 'more'); SELECT pg_switch_wal()")
        async with asyncio.timeout(60):
            while "archiving" not in await held(watch):  # noqa: ASYNC110 - PostgreSQL does it in its own time
                await asyncio.sleep(0.05)
        assert (values(watch)["wal_archive_failing"], values(watch)["wal_archive_failures_total"] > 0) == (True, True)
        finding = await archiving_of(source)
        assert not finding.ok
        assert "; the last was archived 0 min ago, and the WAL that waits" in finding.detail
    await asyncio.to_thread(source.archive_all)
    assert await held(watch) == {}
    assert (await archiving_of(source)).ok


async def test_a_store_that_restores_too_little_is_told(
    source: BackedUpServer, backup: BackupRecord, watch_of: Watch, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    watch = watch_of(store)

    def doctor() -> tuple[bool, str]:
        [finding] = examine_backups(BackupSettings(store=str(store)))
        return finding.ok, finding.detail

    assert (await held(watch))["backups"] == "The store has no backup that can be restored."
    assert doctor() == (False, "there is none")

    shutil.copytree(source.folder, store)
    copy = BackedUpServer(source.server, store)
    record = store / "backups" / backup.id / "backup.json"
    old = msgspec.structs.replace(backup, finished_at=datetime.now(UTC) - timedelta(days=3))
    record.write_bytes(msgspec.json.encode(old))
    assert (await held(watch))["backups"] == "The only backup is 3 d old."
    assert doctor() == (False, f"the last good one is {backup.id}, 3 d old, of 1")
    record.write_bytes(msgspec.json.encode(backup))

    last = sorted(name for name in copy.archive.sizes() if len(name) == 24)[-1]
    (store / "wal" / f"{last}.zst").write_bytes(b"")
    assert f"WAL after it is missing: {last}" in (await held(watch))["backups"]
    assert f"can be restored: {last}" in doctor()[1]
    assert values(watch)["backup_wal_missing"] is True

    for name in copy.archive.sizes():
        copy.archive.delete(name)
    assert (await held(watch))["backups"] == "The store has no backup that can be restored."
    assert doctor() == (False, "none can be restored")

    (store / "archive.json").write_text("{")
    assert "archive.json" in (await held(watch))["backups"]
    assert values(watch)["backup_store_readable"] is False
    assert "archive.json" in doctor()[1]


async def test_a_store_that_does_not_respond_is_read_by_one_thread(
    source: BackedUpServer, watch_of: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ends = [], threading.Event()

    def hang(settings: BackupSettings) -> backup_watch.StoreLook:
        begun.append(settings)
        ends.wait(60)
        return backup_watch.StoreLook(1, time.time())

    monkeypatch.setattr(backup_watch, "read_store", hang)
    monkeypatch.setattr(backup_watch, "STORE_PATIENCE_SECONDS", 0.05)
    watch = watch_of(source.folder)
    for _ in range(2):
        assert "has not responded" in (await held(watch))["backups"]
    assert len(begun) == 1
    ends.set()
    monkeypatch.setattr(backup_watch, "STORE_PATIENCE_SECONDS", 30)
    assert await held(watch) == {}


def test_the_doctor_says_that_others_make_the_backups() -> None:
    [finding] = examine_backups(BackupSettings())
    assert (finding.ok, "GATEPOST_BACKUP_STORE is not set" in finding.detail) == (True, True)
