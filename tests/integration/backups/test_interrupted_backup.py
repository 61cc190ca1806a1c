"""A backup that is interrupted while PostgreSQL archives nothing leaves no process, and the next one is as good."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from backed_up_server import BackedUpServer, backed_up_server
from tests.acceptance.conftest import without_settings

ROUNDS_MAX = 500


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUpServer]:
    with backed_up_server(tmp_path_factory.mktemp("interrupted")) as server:
        server.back_up()
        yield server


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_process_outlives_it(source: BackedUpServer, tmp_path: Path, number: signal.Signals, status: int) -> None:
    wal = source.folder / "wal"
    wal.rename(tmp_path / "wal")
    wal.touch()  # nothing can be archived into a file
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "gatepost", "backup", "create"],
            env={
                **without_settings(),
                "GATEPOST_BACKUP_STORE": source.store.shown,
                "GATEPOST_BACKUP_DATABASE_URL": source.dsn,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as command:
            wait_until_waiting(source, command)
            [copying] = psutil.Process(command.pid).children()
            command.send_signal(number)
            said, _ = command.communicate(timeout=60)
        assert (command.returncode, said) == (status, "")
        copying.wait(10)
    finally:
        wal.unlink()
        (tmp_path / "wal").rename(wal)
    if number == signal.SIGINT:
        assert len([*(source.folder / "backups").iterdir()]) == 1, "it removes what it has written"
    record = source.back_up()
    assert {path.name for path in (source.folder / "backups" / record.id).iterdir()} == {"backup.json", "base.tar.zst"}
    source.store.delete(f"backups/{record.id}/backup.json")


def wait_until_waiting(source: BackedUpServer, command: "subprocess.Popen[str]") -> None:
    """All was copied, and PostgreSQL waits until the WAL that the backup needs is archived."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'BackupWaitWalArchive'"
    for _ in range(ROUNDS_MAX):
        assert command.poll() is None, command.communicate()[0]
        if source.execute(waits) == "1":
            return
        time.sleep(0.05)
    raise AssertionError("it never waits")
