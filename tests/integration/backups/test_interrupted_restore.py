"""A restore that is killed before the epoch is raised leaves nothing that starts with the old one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from backed_up_server import BackedUpServer, backed_up_server
from tests.ports import free_port

from gatepost.backups.private_folders import private_folder
from gatepost.backups.restoring import Restoration, is_unfinished, plan_restore
from gatepost.cli.restore import check_empty
from gatepost.embedded.account import Account
from gatepost.embedded.processes import spawn
from gatepost.embedded.programs import find_programs
from gatepost.errors import ConfigurationError

KILLED = """
import os, signal, sys
from pathlib import Path
from gatepost.cli import restore

async def killed(dsn):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "killed":
    restore.raise_epoch_of = killed
restore.restore(restore.Wanted(None, None, None, Path(sys.argv[1]), None), as_json=True)
"""
"""`gatepost backup restore --into FOLDER`, killed between the recovery and the raising of the epoch."""

ROUNDS_MAX = 500


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUpServer]:
    with backed_up_server(tmp_path_factory.mktemp("killed")) as server:
        server.execute("CREATE SCHEMA gatepost")
        server.back_up()
        server.archive_all()
        yield server


@pytest.fixture
def account(source: BackedUpServer, tmp_path: Path) -> Account:
    return Restoration(source.store, plan_restore(source.store, None), lambda _: None).account_for(tmp_path / "cluster")


@pytest.fixture
def cluster(account: Account, tmp_path: Path) -> Path:
    folder = tmp_path / "cluster"
    folder.mkdir(mode=0o700)
    if account.changes:
        os.chown(folder, account.uid, account.gid)
    return folder


class Ended(NamedTuple):
    """A restore, and what it said."""

    pid: int
    status: int
    said: str


def restore(source: BackedUpServer, cluster: Path, how: str) -> Ended:
    environ = {**os.environ, "GATEPOST_BACKUP_STORE": source.store.shown, "DATABASE_URL": ""}
    command = [sys.executable, "-c", KILLED, str(cluster), how]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said, _ = process.communicate(timeout=60)
    return Ended(process.pid, process.returncode, said)


def wait_until_stopped(cluster: Path) -> None:
    """The server of the killed restore ends by itself."""
    for _ in range(ROUNDS_MAX):
        if not (cluster / "postmaster.pid").exists():
            return
        time.sleep(0.02)
    raise AssertionError("the server goes on")


def started(cluster: Path, account: Account, folder: Path) -> str:
    """What a server says that somebody else starts on the cluster; empty where it runs."""
    with (folder / "log").open("w+") as log:
        command = [str(find_programs() / "postgres"), "-D", str(cluster), "-c", "unix_socket_directories="]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"port={free_port()}"]
        server = spawn(command, account, death_signal=signal.SIGINT, output=log.fileno())
        try:
            for _ in range(ROUNDS_MAX):
                if server.poll() is not None:
                    return (folder / "log").read_text()
                pid = cluster / "postmaster.pid"
                if pid.exists() and "ready" in pid.read_text():
                    return ""
                time.sleep(0.02)
            raise AssertionError("it neither runs nor ends")
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGINT)
                server.wait(60)


def test_what_a_killed_restore_leaves_does_not_start(
    source: BackedUpServer, cluster: Path, account: Account, tmp_path: Path
) -> None:
    killed = restore(source, cluster, "killed")
    assert killed.status == -9, killed.said
    wait_until_stopped(cluster)
    assert not (cluster / "recovery.signal").exists(), "the recovery had ended"

    assert is_unfinished(cluster)
    said = started(cluster, account, tmp_path)
    assert "is not a valid data directory" in said, said
    assert "PG_VERSION" in said
    with pytest.raises(ConfigurationError, match="A restore into this folder was interrupted"):
        check_empty(cluster)
    with private_folder("restore", account) as folder:
        assert not [*folder.parent.glob(f"gatepost-restore-{killed.pid}-*")], "the next one removes what it left"


def test_a_restore_that_is_over_starts(source: BackedUpServer, cluster: Path, account: Account, tmp_path: Path) -> None:
    done = restore(source, cluster, "whole")
    assert done.status == 0, done.said
    assert '"problems": []' in done.said
    assert not is_unfinished(cluster)
    assert started(cluster, account, tmp_path) == ""
