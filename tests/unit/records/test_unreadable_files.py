"""Files of records that something has damaged: nothing dies of them, and it is known which they are and why."""

import os
import random
from pathlib import Path

import msgspec
import pytest

from gatepost.records.changes import Change, Changes, change
from gatepost.records.error_groups import ErrorGroups
from gatepost.records.history import SLOT_BYTES, HistoryRing, KeptStep
from gatepost.records.record_files import OF_ONE_START, SIZES, RecordFiles
from gatepost.shared_files import shared_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Records of a server that has ended, with a change."""
    files = RecordFiles(tmp_path)
    changes = Changes(files.snapshot("changes"))
    for number in range(3):
        changes.add(change("operator", f"{number}"))
    assert files.unreadable == {}
    files.close()
    return tmp_path


def found(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The changes that the next server finds, and what it could not read."""
    files = RecordFiles(folder)
    changes = Changes(files.snapshot("changes"))
    kept = [each.summary for each in changes.newest_first()]
    changes.add(change("operator", "next"))
    assert Changes(files.snapshot("changes")).newest_first()[0].summary == "next"
    files.close()
    return kept, files.unreadable


def test_what_is_whole_is_read_without_a_word(folder: Path) -> None:
    assert found(folder) == (["2", "1", "0"], {})
    (folder / "changes").unlink()
    assert found(folder) == ([], {})


def test_garbage_is_named(folder: Path) -> None:
    (folder / "changes").write_bytes(random.Random(1).randbytes(SIZES["changes"]))
    assert found(folder) == ([], {"changes": "its checksums are wrong"})
    assert found(folder) == (["next"], {})


def test_a_truncated_file_is_named_and_what_is_left_of_it_is_read(folder: Path) -> None:
    os.truncate(folder / "changes", SIZES["changes"] // 2 + 10)
    kept, unreadable = found(folder)
    assert kept in (["2", "1", "0"], ["1", "0"])
    assert unreadable == {"changes": f"it has {SIZES['changes'] // 2 + 10} bytes in place of {SIZES['changes']}"}


def test_a_file_of_another_version_is_named(folder: Path) -> None:
    files = RecordFiles(folder)
    files.snapshot("changes").save(msgspec.msgpack.encode([{"kind": "of a version to come", "at": "later"}]))
    files.close()
    kept, unreadable = found(folder)
    assert kept == []
    assert unreadable["changes"].startswith("it is of another version, or no value of this kind: ")


def test_files_that_are_damaged_while_they_are_used_are_written_again(tmp_path: Path) -> None:
    files = RecordFiles(tmp_path)
    changes, groups = Changes(files.snapshot("changes")), ErrorGroups(files.snapshot("errors"))
    for name in SIZES.keys() - OF_ONE_START:
        (tmp_path / name).write_bytes(b"garbage")
    changes.add(Change("operator", "still here", 1.0))
    assert groups.save()
    assert Changes(files.snapshot("changes")).newest_first()[0].summary == "still here"
    files.close()


def test_steps_that_are_damaged_are_counted_and_the_others_read() -> None:
    descriptor = shared_file("history", 8 * SLOT_BYTES)
    ring = HistoryRing(descriptor, 8 * SLOT_BYTES)
    for number in range(1, 7):
        assert ring.write(KeptStep(number, number * 10.0, number * 10.0 + 10, b"step"))
    for number in (2, 3):
        os.pwrite(descriptor, b"garbage", number * SLOT_BYTES)
    again = HistoryRing(descriptor, 8 * SLOT_BYTES)
    assert again.unreadable == 2
    assert [step.number for step in again.steps(0, 100)] == [1, 4, 5, 6]
