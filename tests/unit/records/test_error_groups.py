"""Errors are grouped by what failed, not by what it met; groups have bounds, and say when they come back."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import quoted_name

from gatepost.events import (
    DatabaseLost,
    Events,
    LimitExceeded,
    RequestFailed,
    SchemaChanged,
    SignInFailed,
    StatementSlow,
    TaskFailed,
)
from gatepost.records.error_groups import ACTORS_MAX, GROUPS_MAX, NEW_A_MINUTE_MAX, SAMPLES_MAX, ErrorGroups
from gatepost.records.error_reports import SAMPLES_A_MINUTE, ErrorReporter, ErrorSample, ErrorsSeen
from gatepost.records.fingerprints import fingerprint_of
from gatepost.records.reports import Report
from gatepost.records.snapshots import Snapshot
from gatepost.shared_files import shared_file

SIZE = 4 * 1024 * 1024


def caught(work: Callable[[], object]) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def find(number: int) -> None:
    raise KeyError(f"order {number} of ada@example.com")


def find_1() -> None:
    raise KeyError("one")


def find_2() -> None:
    raise KeyError("two")


def other() -> None:
    raise LookupError


def test_values_lines_and_digits_make_no_other_group() -> None:
    first, where = fingerprint_of(caught(lambda: find(1)))
    assert fingerprint_of(caught(lambda: find(2)))[0] == first
    assert where.endswith("test_error_groups.find")
    assert fingerprint_of(caught(find_1))[0] == fingerprint_of(caught(find_2))[0] != first
    assert fingerprint_of(caught(other))[0] not in {first, fingerprint_of(caught(find_1))[0]}


def test_errors_of_libraries_have_groups_too() -> None:
    assert fingerprint_of(ValueError("never raised"))[1] == ""
    assert fingerprint_of(ValueError())[0] != fingerprint_of(TypeError())[0]


def made(clock: Callable[[], float] = lambda: 0.0) -> tuple[ErrorGroups, Snapshot]:
    file = Snapshot(shared_file("errors", SIZE), SIZE)
    return ErrorGroups(file, clock), file


def seen(name: str, moment: float = 1.0, traceback: str | None = None, actors: tuple[bytes, ...] = ()) -> ErrorsSeen:
    sample = None if traceback is None else ErrorSample(moment, "r", "GET", "/", "o", None, "v1", traceback, [])
    return ErrorsSeen(name, "KeyError", "app.find", "KeyError: gone", 1, moment, list(actors), sample)


def test_a_group_has_a_first_and_last_samples_releases_and_users() -> None:
    groups, file = made()
    assert groups.add(seen("a", 1, "one", (b"x",))) == "new"
    for number in range(2, 10):
        assert groups.add(seen("a", number, str(number), (b"x", b"y"))) == "known"
    groups.save()
    (group,) = ErrorGroups(file).all()
    assert (group.count, group.first_at, group.last_at, group.releases) == (9, 1, 9, ["v1"])
    assert group.actors == {b"x", b"y"}
    assert [sample.traceback for sample in group.read_samples()] == ["one", "8", "9"]
    assert len(group.samples) == SAMPLES_MAX


def test_what_is_resolved_and_comes_back_says_so() -> None:
    groups, _ = made()
    groups.add(seen("a", 1))
    assert groups.resolve("a", 2)
    assert not groups.resolve("a", 2)
    assert groups.all()[0].is_resolved
    assert groups.add(seen("a", 1.5)) == "known"  # it happened before, and was told late
    assert groups.all()[0].is_resolved
    assert groups.add(seen("a", 3)) == "returned"
    assert groups.add(seen("a", 4)) == "known"
    assert (groups.all()[0].is_resolved, groups.all()[0].returned_at) == (False, 3)


def test_there_are_so_many_new_groups_a_minute() -> None:
    now = [0.0]
    groups, _ = made(lambda: now[0])
    found = [groups.add(seen(str(number))) for number in range(NEW_A_MINUTE_MAX + 5)]
    assert found.count("left_out") == 5
    now[0] = 61.0
    assert groups.add(seen("later")) == "new"


def test_there_are_so_many_groups_and_resolved_ones_make_room_first() -> None:
    now = [0.0]
    groups, _ = made(lambda: now[0])
    for number in range(GROUPS_MAX):
        now[0] += 10
        groups.add(seen(str(number), number + 1.0))
    groups.resolve("500", 2000)
    now[0] += 10
    groups.add(seen("one more", 3000))
    assert groups.find("500") is None
    now[0] += 10
    groups.add(seen("two more", 3000))
    names = {group.fingerprint for group in groups.all()}
    assert len(names) == GROUPS_MAX
    assert "0" not in names


def test_a_file_that_is_full_drops_the_samples_of_old_groups() -> None:
    now = [0.0]
    groups, file = made(lambda: now[0])
    import random

    text = random.Random(3)
    for number in range(400):
        now[0] += 10
        for _ in range(SAMPLES_MAX):
            groups.add(seen(f"{number:04}", number + 1.0, "".join(map(chr, text.choices(range(33, 127), k=6000)))))
    groups.save()
    again = ErrorGroups(file).all()
    assert len(again) == 400
    assert again[0].samples
    assert not again[-1].samples


def test_there_are_so_many_users_of_a_group() -> None:
    groups, _ = made()
    groups.add(seen("a", 1, None, tuple(b"%d" % number for number in range(ACTORS_MAX + 10))))
    groups.add(seen("a", 2, None, (b"another",)))
    assert len(groups.all()[0].actors) == ACTORS_MAX


async def test_a_storm_is_counted_and_a_few_are_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.records.error_reports.COUNT_SECONDS", 0.01)
    told: list[Report] = []
    events = Events()
    ErrorReporter(told.append, "v1").subscribe(events)
    for number in range(500):
        error = caught(lambda number=number: find(number))  # type: ignore[misc]
        events.emit(RequestFailed("r", "GET", "/api/orders", "orders.list", number % 3, error))
    events.emit(TaskFailed("tidy", caught(other)))
    await asyncio.sleep(0.1)
    reports = [report for report in told if isinstance(report, ErrorsSeen)]
    assert sum(report.count for report in reports) == 501
    assert len(reports) == SAMPLES_A_MINUTE + 2
    first = reports[0].sample
    assert first is not None
    assert (first.operation, first.release, first.before) == ("orders.list", "v1", [])
    assert "raise KeyError" in first.traceback
    assert {digest for report in reports for digest in report.actors} == set(
        reports[0].actors + reports[1].actors + reports[2].actors
    )
    task = next(report.sample for report in reports if report.kind == "LookupError")
    assert task is not None
    assert task.during == "tidy"
    assert [event.name for event in task.before][-1] == "request_failed"


@pytest.mark.parametrize(
    "error", [ValueError("a\udc80b"), ValueError("it is a.b-c " * 1_000_000)], ids=["surrogate", "long"]
)
def test_no_text_of_an_error_keeps_it_from_being_told_or_holds_a_worker_up(error: Exception) -> None:
    told: list[bytes] = []
    events = Events()
    ErrorReporter(lambda report: told.append(msgspec.msgpack.encode(report)), None).subscribe(events)
    began = time.process_time()
    events.emit(TaskFailed(task="work", error=error))
    assert time.process_time() - began < 1
    (data,) = told
    found = msgspec.msgpack.decode(data, type=ErrorsSeen)
    assert found.message.startswith(("ValueError: a\\udc80b", "ValueError: it is a.b-c"))
    assert found.sample is not None
    assert len(data) < 40_000


async def test_what_happened_before_has_its_fields_but_nothing_of_clients() -> None:
    events, told = Events(), list[Report]()
    ErrorReporter(told.append, None, lambda text: text.replace("ada", "***")).subscribe(events)
    events.emit(LimitExceeded("5 / 1 min", "203.0.113.9"))
    events.emit(SchemaChanged([quoted_name("users", True)], ["gone"]))
    events.emit(SignInFailed("wrong_password", "203.0.113.9"))
    events.emit(DatabaseLost("no route for ada to postgresql://u:secret@db/shop", "db:5432"))
    events.emit(StatementSlow("books.list", "SELECT 'canary'", 2.5, 3))
    events.emit(TaskFailed(task="tidy", error=caught(other)))
    events.emit(TaskFailed(task="sweep", error=caught(other)))
    found = told[-1]
    assert isinstance(found, ErrorsSeen)
    assert found.sample is not None
    assert found.sample.own_files == [__file__]
    before = {event.name: event.fields for event in found.sample.before}
    assert msgspec.msgpack.encode(found)
    assert before["schema_changed"] == {"tables": ["users"]}
    assert before["limit_exceeded"] == {"limit": "5 / 1 min"}
    assert before["statement_slow"] == {"statement": "books.list", "seconds": 2.5, "count": 3}
    assert before["database_lost"]["address"] == "db:5432"
    assert before["task_failed"] == {"task": "tidy", "error": "LookupError"}
    said = repr(before)
    for canary in ("203.0.113.9", "canary", "secret", "ada"):
        assert canary not in said
