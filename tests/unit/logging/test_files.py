"""Log files: which lines stand where, and that none is lost or torn whoever writes, closes or fills them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from backports import zstd

from gatepost.errors import ConfigurationError
from gatepost.logging.archive import DAY_SECONDS, LOCK_NAME, closed_files, closed_name, tend
from gatepost.logging.files import MONITOR_SECONDS, LogFiles
from gatepost.logging.lines import ERROR, ORDINARY, SECURITY

MIB = 1024 * 1024


def files_in(folder: Path, bytes_max: int = 100 * MIB) -> LogFiles:
    """The files of a folder, checked."""
    files = LogFiles(folder, bytes_max)
    files.check()
    return files


def all_lines(folder: Path, log: str) -> list[bytes]:
    """Every line of a log: of its closed files, compressed or not, and of the one that is written."""
    found: list[bytes] = []
    for file in closed_files(folder):
        if file.log == log:
            data = file.path.read_bytes()
            found += (zstd.decompress(data) if file.is_compressed else data).splitlines(keepends=True)
    return found + (folder / f"{log}.log").read_bytes().splitlines(keepends=True)


def wait_until_tended(folder: Path) -> None:
    """Until every closed file is compressed."""
    deadline = time.monotonic() + 20
    while not all(file.is_compressed for file in closed_files(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_file_gets_its_kinds(tmp_path: Path) -> None:
    kinds = [(ORDINARY, b"o\n"), (ERROR, b"e\n"), (SECURITY, b"s\n"), (ERROR | SECURITY, b"es\n")]
    assert files_in(tmp_path).put(kinds) == 0
    assert (tmp_path / "combined.log").read_bytes() == b"o\ne\ns\nes\n"
    assert (tmp_path / "error.log").read_bytes() == b"e\nes\n"
    assert (tmp_path / "security.log").read_bytes() == b"s\nes\n"


def test_nobody_but_the_owner_and_the_group_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    files_in(folder)
    assert folder.stat().st_mode & 0o777 == 0o750
    assert (folder / "combined.log").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"GATEPOST_LOG_FOLDER.*cannot be written"):
        files_in(tmp_path / "file" / "logs")


WRITER = """
import sys
from pathlib import Path
from gatepost.logging.files import LogFiles

files = LogFiles(Path(sys.argv[1]), 16_000_000)
for number in range(0, int(sys.argv[3]), 100):
    lines = [(0, b"%s %d %s\\n" % (sys.argv[2].encode(), each, b"x" * 150)) for each in range(number, number + 100)]
    assert files.put(lines) == 0
"""


def test_no_line_of_four_processes_is_lost_or_torn_while_files_are_closed(tmp_path: Path) -> None:
    count = 20_000
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number), str(count)]) for number in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    lines = all_lines(tmp_path, "combined")
    assert len(closed_files(tmp_path)) > 10
    assert len(lines) == 4 * count
    for writer in range(4):
        mine = [line.split(b" ") for line in lines if line.startswith(b"%d " % writer)]
        assert [int(number) for _, number, _ in mine] == list(range(count))
        assert {text for _, _, text in mine} == {b"x" * 150 + b"\n"}


FILLER = """
import resource
import signal
import sys
from pathlib import Path
from gatepost.logging.files import LogFiles

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files = LogFiles(Path(sys.argv[1]), 100_000_000)
line = (0, b"x" * 99 + b"\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (1050, resource.RLIM_INFINITY))
lost = [files.put([line] * 8), files.put([line] * 8), files.put([line])]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
lost.append(files.put([line]))
print(lost)
"""


def test_half_a_line_is_taken_back_where_a_file_can_grow_no_more(tmp_path: Path) -> None:
    said = subprocess.run([sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout == "[0, 6, 1, 0]\n"
    assert (tmp_path / "combined.log").read_bytes() == (b"x" * 99 + b"\n") * 11


def test_with_little_room_on_the_disk_only_errors_and_security_lines_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_in(tmp_path)
    found = list(os.statvfs(tmp_path))
    found[4] = int(found[2] * 0.04)  # f_bavail of f_blocks
    monkeypatch.setattr("gatepost.logging.files.os.statvfs", lambda folder: os.statvfs_result(found))
    assert files.put([(ORDINARY, b"o\n"), (ERROR, b"e\n"), (SECURITY, b"s\n")]) == 1
    assert (tmp_path / "combined.log").read_bytes() == b"e\ns\n"


def test_a_file_of_yesterday_is_closed_and_compressed(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    files.put([(ORDINARY, b"yesterday\n")])
    os.utime(tmp_path / "combined.log", (time.time() - DAY_SECONDS,) * 2)
    files.put([(ORDINARY, b"today\n")])
    wait_until_tended(tmp_path)
    assert (tmp_path / "combined.log").read_bytes() == b"today\n"
    assert all_lines(tmp_path, "combined") == [b"yesterday\n", b"today\n"]


def test_closed_files_are_left_to_the_monitor_as_long_as_it_looks_after_them(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 1600, has_monitor=True)
    files.check()

    def close_one() -> None:
        for _ in range(2):
            files.put([(ORDINARY, b"x" * 150 + b"\n")])
        if files._tending is not None:
            files._tending.join()

    tend(tmp_path, MIB)
    close_one()
    close_one()
    assert [file.is_compressed for file in closed_files(tmp_path)] == [False] * 3
    os.utime(tmp_path / LOCK_NAME, (time.time() - MONITOR_SECONDS - 1,) * 2)
    close_one()
    assert all(file.is_compressed for file in closed_files(tmp_path)[:3])


def test_a_deleted_or_moved_file_is_made_again(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    files.put([(ORDINARY, b"1\n")])
    (tmp_path / "combined.log").rename(tmp_path / "moved")
    files.put([(ORDINARY, b"2\n")])
    (tmp_path / "combined.log").unlink()
    files.put([(ORDINARY, b"3\n")])
    assert (tmp_path / "combined.log").read_bytes() == b"3\n"


def test_who_is_stopped_while_it_writes_holds_up_nobody(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from gatepost.logging.files import FolderLock\n"
            "with FolderLock(Path(sys.argv[1])).held() as held: print(held, flush=True); time.sleep(60)",
            str(tmp_path / ".lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        holder.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert files_in(tmp_path).put([(ORDINARY, b"one\n")]) == 0
        assert time.monotonic() - began < 5
        assert (tmp_path / "combined.log").read_bytes() == b"one\n"
    finally:
        holder.kill()
        holder.communicate()


def closed(folder: Path, log: str, days: float, size: int) -> Path:
    """A closed and compressed file of so many days ago."""
    path = folder / f"{closed_name(log, time.time() - days * DAY_SECONDS)}.zst"
    path.write_bytes(b"x" * size)
    return path


def test_old_files_are_deleted_each_log_at_its_age(tmp_path: Path) -> None:
    ages = {"combined": (13, 15), "error": (29, 31), "security": (179, 181)}
    files = {log: [closed(tmp_path, log, days, 10) for days in pair] for log, pair in ages.items()}
    tend(tmp_path, 1000)
    assert {log: [path.exists() for path in pair] for log, pair in files.items()} == {
        log: [True, False] for log in ages
    }


def test_beyond_their_bytes_the_oldest_of_the_least_valuable_log_go_first(tmp_path: Path) -> None:
    older, newer = closed(tmp_path, "combined", 2, 100), closed(tmp_path, "combined", 1, 100)
    error, security = closed(tmp_path, "error", 3, 100), closed(tmp_path, "security", 9, 100)
    tend(tmp_path, 320)
    assert [path.exists() for path in (older, newer, error, security)] == [False, True, True, True]
    tend(tmp_path, 150)
    assert [path.exists() for path in (older, newer, error, security)] == [False, False, False, True]


def test_what_users_keep_in_the_folder_stays(tmp_path: Path) -> None:
    kept = [tmp_path / "combined-notes.log", tmp_path / "other-20200101T000000.000000Z-1.log"]
    for path in kept:
        path.write_bytes(b"x" * 1000)
    tend(tmp_path, 1)
    assert all(path.exists() for path in kept)


def test_a_file_that_could_not_be_compressed_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / closed_name("combined", time.time())
    path.write_bytes(b"line\n")

    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("gatepost.logging.archive.os.fchmod", full)
    with contextlib.suppress(OSError):
        tend(tmp_path, MIB)
    assert sorted(item.name for item in tmp_path.iterdir()) == [".archive.lock", path.name]
