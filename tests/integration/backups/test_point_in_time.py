"""A cluster is restored to a point in time: what was destroyed later is there, and what is damaged or missing is told.

One server is written to and backed up in order; what is restored of it is looked at by each test for itself.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from backed_up_server import DUMP, BackedUpServer, backed_up_server, restored, rows_in

from gatepost.backups import creating
from gatepost.backups.backup_records import BackupRecord, BackupRecords
from gatepost.backups.creating import create_backup
from gatepost.backups.folder_store import FolderStore
from gatepost.backups.listing import list_backups
from gatepost.backups.restoring import check_base, plan_restore
from gatepost.backups.retention import remove_old
from gatepost.backups.source_server import source_server
from gatepost.backups.verification import verify_backup, verify_wal
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_names import Segment, name_of
from gatepost.errors import ConfigurationError
from gatepost.moments import shown_moment


class History(NamedTuple):
    """What happened to the table: `good` is what it had at `moment`, before all of it was destroyed."""

    source: BackedUpServer
    before: datetime
    first: BackupRecord
    moment: datetime
    good: str
    after: datetime
    second: BackupRecord


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("backups")
    with backed_up_server(folder) as source:
        before = source.moment()
        source.execute("INSERT INTO book SELECT i, 'title ' || i FROM generate_series(1, 500) AS i")
        first = source.back_up("nightly")
        source.execute("UPDATE book SET title = 'later' WHERE id % 7 = 0; DELETE FROM book WHERE id = 3")
        good = source.execute(DUMP)
        moment = source.moment()
        source.execute("DELETE FROM book; INSERT INTO book VALUES (1, 'destroyed')")
        after = source.moment()
        source.archive_all()
        second = source.back_up()
        yield History(source, before, first, moment, good, after, second)


@pytest.fixture
def copy(history: History, tmp_path: Path) -> FolderStore:
    """A copy of the store, which a test may damage."""
    shutil.copytree(history.source.folder, tmp_path / "store")
    return FolderStore(tmp_path / "store")


def test_what_was_destroyed_later_is_there_after_a_restore(history: History, tmp_path: Path) -> None:
    store = history.source.store
    plan = plan_restore(store, history.moment)

    with restored(store, plan, tmp_path / "cluster") as server:
        rows = rows_in(server)
        assert rows_in(server, "SELECT pg_is_in_recovery()") == "False"
        assert rows_in(server, "SELECT timeline_id FROM pg_control_checkpoint()") == "2"

    assert plan.record.id == history.first.id
    assert len(history.good.split(";")) == 499
    assert rows == history.good
    assert not (tmp_path / "cluster" / "recovery.signal").exists()


def test_without_a_moment_everything_is_restored(history: History, tmp_path: Path) -> None:
    plan = plan_restore(history.source.store, None)

    with restored(history.source.store, plan, tmp_path / "cluster") as server:
        assert rows_in(server) == "(1,destroyed)"

    assert plan.record.id == history.second.id


def test_a_moment_after_the_last_transaction_is_reached_by_all_of_the_archive(history: History, tmp_path: Path) -> None:
    listed = list_backups(history.source.store).backups[0]
    until = listed.coverage.until
    assert until is not None

    plan = plan_restore(history.source.store, until, identifier=history.first.id)
    with restored(history.source.store, plan, tmp_path / "cluster") as server:
        assert rows_in(server) == "(1,destroyed)"


def test_a_moment_that_no_backup_reaches_is_refused(history: History) -> None:
    store = history.source.store

    with pytest.raises(ConfigurationError, match="before the first backup was finished"):
        plan_restore(store, history.before)
    with pytest.raises(ConfigurationError, match="is in the future"):
        plan_restore(store, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(ConfigurationError, match=r"The archive goes up to .* later WAL is not archived.*pg_switch_wal"):
        plan_restore(store, datetime.now(UTC))
    with pytest.raises(ConfigurationError, match="There is no backup '20010101T000000Z'"):
        plan_restore(store, None, identifier="20010101T000000Z")
    with pytest.raises(ConfigurationError, match="Timeline 7 does not branch off"):
        plan_restore(store, None, timeline=7)


def test_a_gap_in_the_archive_is_told_and_ends_what_can_be_restored(history: History, copy: FolderStore) -> None:
    archive = WALArchive(copy)
    between = history.second.start_segment.number - 1
    missing = name_of(Segment(1, between), history.first.segment_bytes)
    archive.delete(missing)

    first, second = list_backups(copy).backups
    assert (first.state, second.state) == ("gap", "good")
    assert first.coverage.missing == [missing]
    with pytest.raises(ConfigurationError, match=f"WAL is missing in the archive \\({missing}\\).*--to"):
        plan_restore(copy, None, identifier=first.record.id)
    problems = [verdict.problem for verdict in verify_backup(copy, first.record, lambda _: None)]
    assert problems[0] is None
    assert missing in str(problems[1])

    archive.delete(name_of(history.first.start_segment, history.first.segment_bytes))
    broken = list_backups(copy).backups[0]
    assert (broken.state, broken.coverage.until) == ("broken", None)
    with pytest.raises(ConfigurationError, match="cannot be restored: WAL that it needs is missing"):
        plan_restore(copy, history.moment)


def test_a_damaged_file_is_found_and_nothing_of_it_stays(history: History, copy: FolderStore, tmp_path: Path) -> None:
    base = tmp_path / "store" / "backups" / history.first.id / "base.tar.zst"
    data = bytearray(base.read_bytes())
    data[len(data) // 2] ^= 0x40
    base.write_bytes(data)
    wal = tmp_path / "store" / "wal" / f"{sorted(WALArchive(copy).sizes())[0]}.zst"
    wal.write_bytes(wal.read_bytes()[:-5])

    with pytest.raises(ConfigurationError, match=r"base.tar.zst: The file is damaged"):
        check_base(copy, history.first)
    assert [item.what for item in verify_wal(copy, lambda _: None)] == [f"WAL file {wal.stem}"]
    plan = plan_restore(copy, history.moment)
    with pytest.raises(ConfigurationError, match="damaged"), restored(copy, plan, tmp_path / "cluster"):
        pass
    assert list((tmp_path / "cluster").iterdir()) == []


def test_a_record_that_cannot_be_read_is_told_and_the_other_backups_are_there(
    history: History, copy: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "store" / "backups" / history.second.id / "backup.json").write_text("{}")

    listing = list_backups(copy)
    assert [item.record.id for item in listing.backups] == [history.first.id]
    assert f"{history.second.id}/backup.json: The file is damaged" in listing.unreadable[0]
    assert plan_restore(copy, history.moment).record.id == history.first.id
    assert BackupRecords(copy).remove_unfinished() == []


@pytest.mark.parametrize(
    ("field", "value"), [("segment_bytes", b"0"), ("segment_bytes", b"-1"), ("finished_at", b'"2026-12-01T02:00:00"')]
)
def test_a_record_with_impossible_values_is_damaged(
    history: History, copy: FolderStore, tmp_path: Path, field: str, value: bytes
) -> None:
    path = tmp_path / "store" / "backups" / history.second.id / "backup.json"
    path.write_bytes(re.sub(rb'("%s":)[^,]+' % field.encode(), rb"\g<1>" + value, path.read_bytes()))

    listing = list_backups(copy)
    assert [item.record.id for item in listing.backups] == [history.first.id]
    assert "backup.json: The file is damaged" in listing.unreadable[0]


def test_an_impossible_size_of_segments_is_damage_of_the_archive(copy: FolderStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "archive.json"
    path.write_bytes(re.sub(rb'("segment_bytes":)\d+', rb"\g<1>0", path.read_bytes()))

    with pytest.raises(ConfigurationError, match=r"archive\.json: The file is damaged"):
        list_backups(copy)


def test_what_was_before_a_last_wal_file_that_is_empty_is_restored(history: History, copy: FolderStore) -> None:
    last = sorted(name for name in WALArchive(copy).sizes() if len(name) == 24)[-1]
    (Path(copy.shown) / "wal" / f"{last}.zst").write_bytes(b"")

    assert plan_restore(copy, history.moment).record.id == history.first.id
    coverage = list_backups(copy).backups[0].coverage
    assert (coverage.is_restorable, coverage.missing) == (True, [last])
    with pytest.raises(ConfigurationError, match=f"WAL is missing in the archive \\({last}\\).*--to"):
        plan_restore(copy, None, identifier=history.first.id)


def test_a_segment_is_not_kept_under_the_name_of_another_one(
    history: History, copy: FolderStore, tmp_path: Path
) -> None:
    archive = WALArchive(copy)
    name = name_of(history.first.start_segment, history.first.segment_bytes)
    (tmp_path / name).write_bytes(archive.fetch(name))
    other = f"{name[:16]}000000F0"

    archive.push(tmp_path / name)
    with pytest.raises(ConfigurationError, match=f"It is not the segment {other}"):
        archive.push((tmp_path / name).rename(tmp_path / other))
    assert other not in archive.sizes()


def test_a_moment_as_it_is_shown_is_not_before_the_backup(history: History) -> None:
    for record in (history.first, history.second):
        moment = datetime.fromisoformat(shown_moment(record.finished_at))
        assert plan_restore(history.source.store, moment, identifier=record.id).moment == moment


def test_wal_that_cannot_be_read_ends_the_recovery_and_is_not_taken_for_the_end(
    history: History, copy: FolderStore, tmp_path: Path
) -> None:
    last = sorted(name for name in WALArchive(copy).sizes() if len(name) == 24)[-1]
    path = tmp_path / "store" / "wal" / f"{last}.zst"
    path.write_bytes(path.read_bytes()[:-5])
    plan = plan_restore(copy, None)

    with (
        pytest.raises(ConfigurationError, match=f"{last}.zst: The file is damaged"),
        restored(copy, plan, tmp_path / "cluster"),
    ):
        pass
    assert list((tmp_path / "cluster").iterdir()) == []


def test_an_interrupted_backup_is_not_listed_and_the_next_one_removes_it(history: History) -> None:
    source = history.source

    async def interrupt() -> None:
        making = asyncio.create_task(create_backup(source.store, source.dsn, "", lambda _: None))
        folder = source.folder / "backups"
        while not any(path.name > history.second.id for path in folder.iterdir()):  # noqa: ASYNC110 - files are not awaited
            await asyncio.sleep(0.01)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    asyncio.run(interrupt())
    killed = source.folder / "backups" / "20300101T000000Z"
    killed.mkdir(mode=0o700)
    (killed / "base.tar.zst").write_bytes(b"all of it, without a record")
    part = source.folder / "backups" / "20300101T000001Z" / ".unfinished-part"
    part.parent.mkdir(mode=0o700)
    part.write_bytes(b"a part")
    assert [item.record.id for item in list_backups(source.store).backups] == [history.first.id, history.second.id]

    assert BackupRecords(source.store).remove_unfinished() == ["20300101T000000Z"]
    assert sorted(path.name for path in (source.folder / "backups").iterdir()) == [history.first.id, history.second.id]


@pytest.mark.parametrize("database", ["shop", "postgres"])
def test_one_backup_of_a_server_is_made_at_a_time(history: History, database: str) -> None:
    async def lock_and_create() -> None:
        async with source_server(history.source.server.dsn(database)) as other:
            await other.lock()
            await create_backup(history.source.store, history.source.dsn, "", lambda _: None)

    with pytest.raises(ConfigurationError, match="Another backup of this server is being made"):
        asyncio.run(lock_and_create())


def test_a_backup_without_working_archiving_is_given_up(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    source = history.source
    monkeypatch.setattr(creating, "ARCHIVING_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(WALArchive, "push", lambda *_: 1 / 0)
    known = {path.name for path in (source.folder / "backups").iterdir()}
    try:
        with pytest.raises(ConfigurationError, match="The server does not get its WAL archived"):
            source.back_up()
    finally:
        monkeypatch.undo()
    assert {path.name for path in (source.folder / "backups").iterdir()} == known
    source.archive_all()


def test_the_store_of_another_cluster_is_refused(history: History, copy: FolderStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "archive.json"
    path.write_text(path.read_text().replace(history.first.system_identifier, "42"))

    with pytest.raises(ConfigurationError, match="another database cluster"):
        asyncio.run(create_backup(copy, history.source.dsn, "", lambda _: None))


def test_a_role_without_replication_is_told_what_to_run(history: History) -> None:
    history.source.execute("CREATE ROLE reader LOGIN")

    dsn = history.source.dsn.replace("gatepost@", "reader@")

    with pytest.raises(ConfigurationError, match="ALTER ROLE reader REPLICATION;"):
        asyncio.run(create_backup(history.source.store, dsn, "", lambda _: None))


def test_what_no_kept_backup_needs_is_removed_and_the_last_good_one_never(
    history: History, copy: FolderStore, tmp_path: Path
) -> None:
    remove_old(copy, 1, history.second.finished_at)
    wal = WALArchive(copy).sizes()
    unchanged = [item.record.id for item in list_backups(copy).backups]
    removed = remove_old(copy, 1, history.second.finished_at + timedelta(days=2))

    assert unchanged == [history.first.id, history.second.id]
    assert removed.backups == [history.first.id]
    assert [item.state for item in list_backups(copy).backups] == ["good"]
    assert len(wal) - len(WALArchive(copy).sizes()) == removed.wal_files > 0
    assert remove_old(copy, 1, history.second.finished_at + timedelta(days=99)) == ([], 0)
