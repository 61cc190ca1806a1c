"""What the archive of WAL says of itself, what of it leads to a moment, and what a store and a backup do not take."""

import hashlib
import io
import json
import os
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.base_copy import without_password
from gatepost.backups.base_tar import BaseContents, DamagedBaseError
from gatepost.backups.folder_store import FolderStore
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_coverage import WALCoverage
from gatepost.backups.wal_files import Note, note_of, packed, unpacked
from gatepost.backups.wal_names import Segment, is_archived_name, name_of, segment_of
from gatepost.errors import ConfigurationError

SEGMENT_BYTES = 16 * 1024 * 1024
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def archive_of(folder: Path, *names: str, **histories: str) -> WALCoverage:
    """An archive with these files, each completed a second after the one before."""
    store = FolderStore(folder)
    for place, name in enumerate(names):
        store.create(f"wal/{name}.zst", packed(b"log", Note(NOON.timestamp() + place)))
    for timeline, text in histories.items():
        store.create(f"wal/{timeline[1:]}.history.zst", packed(text.encode(), Note(NOON.timestamp())))
    return WALCoverage(WALArchive(store), SEGMENT_BYTES)


def record(timeline: int = 1, start: int = 2, stop: int = 2) -> BackupRecord:
    """A backup that needs the log from one segment to another."""
    return BackupRecord(
        id="20261201T110000Z",
        label="",
        system_identifier="1",
        server_version=180_000,
        segment_bytes=SEGMENT_BYTES,
        started_at=NOON,
        finished_at=NOON,
        timeline=timeline,
        start_lsn=start * SEGMENT_BYTES + 40,
        stop_lsn=stop * SEGMENT_BYTES + 288,
        files=1,
        raw_bytes=1,
        stored_bytes=1,
        sha256="",
        superuser="postgres",
        settings={},
    )


def segments(timeline: int, *numbers: int) -> list[str]:
    return [name_of(Segment(timeline, number), SEGMENT_BYTES) for number in numbers]


def test_names_of_segments_count_on_over_files_of_the_log() -> None:
    assert name_of(Segment(1, 255), SEGMENT_BYTES) == "0000000100000000000000FF"
    assert name_of(Segment(1, 256), SEGMENT_BYTES) == "000000010000000100000000"
    assert all(segment_of(name_of(Segment(3, n), 1 << 30), 1 << 30) == Segment(3, n) for n in (0, 3, 4, 1000))
    good = ["0" * 24, "0" * 24 + ".partial", "0" * 24 + ".00000028.backup", "00000002.history"]
    assert [name for name in good if not is_archived_name(name)] == []
    assert [n for n in ["../x", "0" * 23, "0" * 24 + ".zst", "backup.json", ""] if is_archived_name(n)] == []


def test_the_end_of_the_log_is_the_last_segment_before_a_gap(tmp_path: Path) -> None:
    coverage = archive_of(tmp_path, *segments(1, 2, 3, 4, 6)).of(record())

    assert coverage.is_restorable
    assert coverage.missing == segments(1, 5)
    assert coverage.until is not None
    assert coverage.until.timestamp() == NOON.timestamp() + 2


def test_a_backup_without_its_own_log_is_not_restorable(tmp_path: Path) -> None:
    coverage = archive_of(tmp_path, *segments(1, 2, 4, 5)).of(record(stop=3))

    assert (coverage.is_restorable, coverage.until, coverage.missing) == (False, None, segments(1, 3))


def test_the_newest_timeline_that_branched_off_after_the_backup_is_followed(tmp_path: Path) -> None:
    history = "1\t0/5000100\tbefore 2026-12-01\n"
    names = [*segments(1, 2, 3, 4, 5, 6, 7), *segments(2, 5, 6)]
    found = archive_of(tmp_path, *names, _00000002=history)

    newest, own = found.of(record()), found.of(record(), 1)
    assert (newest.timeline, newest.segments, newest.missing) == (2, 5, [])
    assert (own.timeline, own.segments) == (1, 6)
    # A backup that the first timeline made after the second one had left it is on the first.
    assert found.of(record(start=6, stop=6)).timeline == 1
    assert found.timelines() == [1, 2]


def test_a_kept_file_says_when_it_was_complete_and_whether_it_is_whole() -> None:
    stored = packed(b"log" * 1000, Note(NOON.timestamp()))

    assert note_of(stored[:256]).completed_at == NOON.timestamp()
    assert unpacked(stored) == b"log" * 1000
    for damaged in (stored[:-3], stored[:40] + b"?" + stored[41:], b"", b"log", stored[1:]):
        with pytest.raises(ValueError, match=r".+"):
            unpacked(damaged) and note_of(damaged)


def test_no_name_leads_out_of_a_store_and_nothing_is_replaced(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.create("wal/a.zst", b"first")

    for name in ("../x", "/x", "wal/../../x", "wal//x", "", ".x", "wal/\0", "wal/.unfinished-x"):
        with pytest.raises(ValueError, match="is not a name"):
            store.create(name, b"")
    with pytest.raises(FileExistsError):
        store.create("wal/a.zst", b"second")
    with pytest.raises(ZeroDivisionError):
        store.write("wal/b.zst", (bytes(1 // part) for part in (1, 0)))
    assert [tuple(file) for file in store.list("wal")] == [("wal/a.zst", 5)]
    assert [path.name for path in (tmp_path / "store" / "wal").iterdir()] == ["a.zst"]
    assert store.read("wal/a.zst") == b"first"


def tar_of(files: dict[str, bytes], listed: dict[str, bytes]) -> io.BytesIO:
    """A base backup with these files, and a manifest that lists those."""
    entries = [
        {"Path": path, "Size": len(data), "Checksum-Algorithm": "SHA256", "Checksum": hashlib.sha256(data).hexdigest()}
        for path, data in listed.items()
    ]
    ranges = [{"Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120"}]
    head = json.dumps({"PostgreSQL-Backup-Manifest-Version": 1, "Files": entries, "WAL-Ranges": ranges})[:-1] + ",\n"
    manifest = f'{head}"Manifest-Checksum": "{hashlib.sha256(head.encode()).hexdigest()}"}}\n'.encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, data in {**files, "backup_manifest": manifest}.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return io.BytesIO(target.getvalue())


def read_all(contents: BaseContents, source: io.BytesIO) -> None:
    for _ in contents.read(source):
        pass
    contents.log_range()


FILES = {"PG_VERSION": b"18\n", "global/pg_control": b"control"}


@pytest.mark.parametrize(("mode", "folder", "file"), [(0o700, 0o700, 0o600), (0o750, 0o750, 0o640)])
def test_the_group_of_a_store_reads_what_its_folder_lets_it_read(
    tmp_path: Path, mode: int, folder: int, file: int
) -> None:
    top = tmp_path / "store"
    top.mkdir()
    top.chmod(mode)
    store = FolderStore(top)
    before = os.umask(0o077)
    try:
        store.create("wal/a.zst", b"")
        store.write("backups/20261201T110000Z/base.tar.zst", [b""])
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in top.rglob("*")}
    assert {modes[name] for name in ("wal", "backups", "20261201T110000Z")} == {folder}
    assert {modes[name] for name in ("a.zst", "base.tar.zst")} == {file}


def test_a_base_backup_is_what_its_manifest_says() -> None:
    contents = BaseContents()
    assert list(contents.read(tar_of(FILES, FILES)))
    assert contents.log_range() == (1, 0x2000028, 0x2000120)
    assert contents.files == 2


@pytest.mark.parametrize(
    ("files", "listed", "reason"),
    [
        (FILES | {"base/1": b"more"}, FILES, "does not have its file base/1"),
        (FILES, FILES | {"base/1": b"more"}, "base/1 of the manifest is missing"),
        (FILES | {"PG_VERSION": b"17\n"}, FILES, "PG_VERSION has another content"),
        (FILES | {"../outside": b""}, FILES, "leads out of its folder"),
        (FILES | {"/etc/passwd": b""}, FILES, "leads out of its folder"),
    ],
)
def test_any_other_base_backup_is_refused(files: dict[str, bytes], listed: dict[str, bytes], reason: str) -> None:
    contents = BaseContents()

    with pytest.raises(DamagedBaseError, match=reason):
        read_all(contents, tar_of(files, listed))


def test_a_base_backup_that_ends_early_is_refused() -> None:
    source = tar_of(FILES, FILES).getvalue()

    for end in (100, 600, 1200, 2048):
        contents = BaseContents()
        with pytest.raises(DamagedBaseError):
            read_all(contents, io.BytesIO(source[:end]))


@pytest.mark.parametrize(
    ("dsn", "shown", "secret"),
    [
        ("postgresql://shop:a%40b@db:5432/shop", "postgresql://shop@db:5432/shop", "a@b"),
        ("postgresql://shop@a,b/shop?password=x&sslmode=require", "postgresql://shop@a,b/shop?sslmode=require", "x"),
        ("postgresql:///shop?host=/var/run", "postgresql:///shop?host=%2Fvar%2Frun", None),
    ],
)
def test_no_password_is_in_the_arguments_of_a_program(dsn: str, shown: str, secret: str | None) -> None:
    assert without_password(dsn) == (shown, {} if secret is None else {"PGPASSWORD": secret})


def test_a_store_says_why_it_cannot_be_used_in_the_same_words_each_time(tmp_path: Path) -> None:
    """Archiving repeats a warning only when its text changes."""
    (tmp_path / "wal").touch()

    def refusal() -> str:
        with pytest.raises(ConfigurationError, match="Not a directory") as refused:
            FolderStore(tmp_path).create("wal/a", b"")
        return str(refused.value)

    assert refusal() == refusal()
