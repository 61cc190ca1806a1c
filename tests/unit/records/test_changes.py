"""What changes at an instance is kept in a file of a fixed size, the newest first."""

from concurrent.futures import ThreadPoolExecutor

from gatepost.events import Events, LogLevelChanged, WorkerDied
from gatepost.records.change_events import subscribe_changes
from gatepost.records.changes import CHANGES_MAX, SUMMARY_LENGTH_MAX, Change, Changes, change
from gatepost.records.snapshots import Snapshot
from gatepost.shared_files import shared_file

SIZE = 2 * 1024 * 1024


def test_the_last_ones_are_kept_over_a_new_monitor() -> None:
    descriptor = shared_file("changes", SIZE)
    changes = Changes(Snapshot(descriptor, SIZE))
    for number in range(CHANGES_MAX + 10):
        changes.add(change("operator", f"{number} " + "\N{SNOWMAN}" * (SUMMARY_LENGTH_MAX if number % 100 == 0 else 1)))
    again = Changes(Snapshot(descriptor, SIZE))
    assert [found.summary for found in again.newest_first()] == [found.summary for found in changes.newest_first()]
    assert again.newest_first()[0].summary.startswith(f"{CHANGES_MAX + 9} ")
    assert len(again.newest_first()) > 500


def test_a_file_of_something_else_is_no_reason_to_fail() -> None:
    file = Snapshot(shared_file("changes", SIZE), SIZE)
    file.save(b"something else")
    assert Changes(file).newest_first() == []


def test_words_of_others_do_no_harm_to_terminals_and_the_database() -> None:
    summary = change("operator", "a\x00b\x1b[2Jc\nd\ud800").summary
    assert summary == "a\\x00b\\x1b[2Jc\\nd\\ud800"


def test_what_is_copied_is_not_copied_again() -> None:
    changes = Changes(Snapshot(shared_file("changes", SIZE), SIZE))
    first, second = change("start", "a"), change("start", "b")
    changes.add(first)
    found = changes.uncopied()
    changes.add(second)
    changes.copied(found)
    assert changes.uncopied() == [second]


def test_events_are_sentences() -> None:
    kept: list[Change] = []
    events = Events()
    subscribe_changes(events, kept.append)
    events.emit(WorkerDied(worker=1, pid=7, ended_by="SIGKILL", replaced_in_seconds=0))
    events.emit(LogLevelChanged("access", "debug", 1800.0, "uid 0"))
    assert [(found.kind, found.summary) for found in kept] == [
        ("worker_death", "Worker 1 (process 7) ended by SIGKILL."),
        ("level", "Lines of the category access are written from debug on for 30 min (uid 0)."),
    ]


def test_events_of_several_threads_are_all_kept() -> None:
    descriptor = shared_file("changes", SIZE)
    changes = Changes(Snapshot(descriptor, SIZE))
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(changes.add, change("operator", str(number))) for number in range(200)]:
            done.result()
    expected = {str(number) for number in range(200)}
    assert {found.summary for found in changes.uncopied()} == expected
    assert {found.summary for found in Changes(Snapshot(descriptor, SIZE)).newest_first()} == expected
