"""Folders of killed processes are removed by the next one of their kind, and no others."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gatepost.backups import private_folders
from gatepost.backups.private_folders import private_folder
from gatepost.embedded.account import Account

ACCOUNT = Account(os.geteuid(), os.getegid(), changes=False)
HOLDER = """
import os, sys
from pathlib import Path
from gatepost.backups import private_folders
from gatepost.embedded.account import Account

private_folders._PARENT = Path(sys.argv[1])
with private_folders.private_folder("wal", Account(os.geteuid(), os.getegid(), changes=False)) as folder:
    (folder / "wal").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(private_folders, "_PARENT", tmp_path)
    return tmp_path


@contextmanager
def holder(parent: Path) -> Generator["tuple[subprocess.Popen[str], Path]"]:
    """Another process that has a folder of its own."""
    command = [sys.executable, "-c", HOLDER, str(parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_the_folder_of_a_killed_process_is_removed_by_the_next(parent: Path) -> None:
    with holder(parent) as (process, left), private_folder("wal", ACCOUNT) as first:
        assert left.is_dir(), "its process lives"
        assert first.stat().st_mode & 0o777 == 0o700
        process.send_signal(signal.SIGKILL)
        process.wait()
        with private_folder("restore", ACCOUNT):
            assert (left / "wal").exists(), "another kind"
        with private_folder("wal", ACCOUNT) as second:
            assert sorted(parent.iterdir()) == sorted([first, second])
    assert list(parent.iterdir()) == []


def test_a_folder_whose_process_cannot_be_seen_from_here_is_locked(parent: Path) -> None:
    """Of another container that shares the folder above."""
    elsewhere = parent / "gatepost-wal-4194399-abc"
    elsewhere.mkdir()
    lock = os.open(elsewhere, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with private_folder("wal", ACCOUNT):
        assert elsewhere.exists()
    os.close(lock)
    with private_folder("wal", ACCOUNT):
        assert not elsewhere.exists()


def test_what_is_no_folder_of_ours_stays(parent: Path) -> None:
    (parent / "target").mkdir()
    (parent / "gatepost-wal-4194399-link").symlink_to(parent / "target")
    (parent / "gatepost-wal-4194399-file").touch()
    (parent / "gatepost-wal-notes").mkdir()
    before = set(parent.iterdir())
    with private_folder("wal", ACCOUNT):
        pass
    assert set(parent.iterdir()) == before


def test_a_forked_child_leaves_the_folder_to_its_parent() -> None:
    making = private_folder("wal", ACCOUNT)
    folder = making.__enter__()
    child = os.fork()
    if child == 0:
        making.__exit__(None, None, None)
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.exists()
    making.__exit__(None, None, None)
    assert not folder.exists()
