"""`gatepost backup` in a project with the embedded PostgreSQL: from a backup to rows that are there again."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import Command

from gatepost.backups.embedded_archive import archiving_server
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.settings import BackupSettings

DUMP = "SELECT string_agg(title, ',' ORDER BY title) FROM book"
SWITCH = """
SELECT pg_logical_emit_message(false, 'test', 'something to archive');
SELECT pg_walfile_name(pg_current_wal_insert_lsn());
SELECT pg_switch_wal();
"""


def archive_all(server: EmbeddedPostgreSQL, store: Path) -> str:
    """Have the WAL archived that is written by now; the name of its last file."""
    name = server.execute(SWITCH, database="gatepost").splitlines()[1]
    deadline = time.monotonic() + 60
    while not (store / "wal" / f"{name}.zst").exists():
        assert time.monotonic() < deadline, f"{name} is not archived"
        time.sleep(0.02)
    return name


def test_a_project_is_restored_to_a_moment_by_commands(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")  # commands set it where they find the embedded one
    data, store = project / ".gatepost", project / "store"
    environ = {"GATEPOST_BACKUP_STORE": str(store)}
    data.mkdir()

    def backup(*words: str, status: int = 0, **others: str) -> Any:
        done = command("backup", *words, *(["--json"] if status == 0 else []), environ=environ | others)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if status == 0 else done.stderr

    with archiving_server(data / "postgresql", "gatepost", BackupSettings(store=str(store))) as server, server:
        server.execute("CREATE TABLE book AS SELECT 'first' AS title", database="gatepost")
        created = backup("create", "--label", "before it")
        server.execute("INSERT INTO book VALUES ('second')", database="gatepost")
        moment = server.execute("SELECT clock_timestamp()", database="gatepost")
        time.sleep(0.01)
        server.execute("DELETE FROM book", database="gatepost")
        wal = archive_all(server, store)
        found = {item["check"]: item for item in json.loads(command("doctor", "--json", environ=environ).stdout)}
        assert "An embedded PostgreSQL is already running" in backup("restore", status=2)

    listed = backup("list")
    assert [(item["id"], item["label"], item["state"]) for item in listed["backups"]] == [
        (created["id"], "before it", "good")
    ]
    assert "There is a database already" in backup("restore", "--to", moment, status=2)
    (data / "postgresql" / "cluster").rename(data / "before")
    restored = backup("restore", "--to", moment)
    assert (restored["backup"], list(restored["epochs"]), restored["problems"]) == (created["id"], ["gatepost"], [])
    assert not (data / "postgresql" / "cluster" / "backup_label.old").exists()
    with EmbeddedPostgreSQL(data / "postgresql") as server:
        assert server.execute(DUMP, database="gatepost") == "first,second"
        assert server.execute("SELECT epoch > 0 FROM gatepost.epoch", database="gatepost") == "t"

    assert (found["backups"]["ok"], found["archiving"]["ok"]) == (True, True)
    assert created["id"] in found["backups"]["detail"]
    check_archive_commands(command, store, wal, project, environ)


def check_archive_commands(command: Command, store: Path, wal: str, project: Path, environ: dict[str, str]) -> None:
    """What PostgreSQL runs says by its status what it has to."""
    assert command("backup", "fetch", wal, "fetched", environ=environ).returncode == 0
    segment = (project / "fetched").rename(project / wal)
    assert command("backup", "fetch", "0" * 24, "nothing", environ=environ).returncode == 1
    nowhere = {"GATEPOST_BACKUP_STORE": "relative"}
    assert command("backup", "fetch", wal, "nothing", environ=nowhere).returncode == 200
    assert not (project / "nothing").exists()
    # To PostgreSQL a status below 126 is the end of the log: it would go on without what there is.
    for folder in ("away", "empty"):
        away = {"GATEPOST_BACKUP_STORE": str(project / folder)}
        gone = command("backup", "fetch", wal, "nothing", environ=away)
        assert (gone.returncode, "the store is away" in gone.stderr) == (200, True)
        (project / "empty").mkdir(exist_ok=True)
    assert command("backup", "fetch", wal, "no/folder", environ=environ).returncode == 200
    assert command("backup", "fetch", wal, environ=environ).returncode == 200
    assert command("backup", "fetch", "--help", environ=environ).returncode == 0

    assert command("backup", "archive", str(segment), environ=environ).returncode == 0
    data = bytearray(segment.read_bytes())
    data[-1] ^= 1
    segment.write_bytes(data)
    changed = command("backup", "archive", str(segment), environ=environ)
    assert (changed.returncode, "has another file under the name" in changed.stderr) == (2, True)
    kept = (store / "wal" / f"{wal}.zst").stat()
    assert kept.st_mode & 0o777 == 0o600


def test_what_cannot_be_done_is_said_in_a_sentence(command: Command, tmp_path: Path) -> None:
    store = {"GATEPOST_BACKUP_STORE": str(tmp_path / "store")}
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").touch()
    history = tmp_path / "00000002.history"
    history.touch()
    cases: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("list",), {}, "GATEPOST_BACKUP_STORE: No backup store is configured. Set GATEPOST_BACKUP_STORE to"),
        (("list",), {"GATEPOST_BACKUP_STORE": "backups"}, "must be a folder from the root on"),
        (("restore",), store, "There is no backup to restore."),
        (("restore", "--to", "yesterday"), store, "'yesterday' is not a moment."),
        (("restore", "--into", str(full)), store, f"mv {full} {full}.before"),
        (("restore", "--into", "a", "--data", "b"), store, "Both --into and --data are given."),
        (("restore",), store | {"DATABASE_URL": "postgresql:///shop"}, "Name an empty folder"),
        (("verify",), store, "There is no backup."),
        (("archive", "no-wal"), store, "'no-wal' is not the name of a WAL file."),
        (("archive", f"{tmp_path}/{'0' * 24}"), store, "It cannot be read"),
        (("archive", str(history)), {"GATEPOST_BACKUP_STORE": "/proc/none"}, "The folder of backups cannot be used"),
    ]
    for words, environ, sentence in cases:
        done = command("backup", *words, environ=environ)
        assert done.returncode == 2, words
        assert sentence in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert command("backup", "list", environ=store).returncode == 0
