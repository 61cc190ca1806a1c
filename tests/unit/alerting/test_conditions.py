"""What one look at an instance finds wrong, and what it does not."""

from collections.abc import Iterable
from typing import Any

import pytest

from gatepost.alerting.conditions import Conditions, OtherInstance, Surroundings
from gatepost.alerting.findings import Finding
from gatepost.alerting.readings import Disk, Reading, WorkerReading, reading_of
from gatepost.metrics import families
from gatepost.metrics.sums import Sums

NOW = 1_800_000_000.0
MIB = 1024 * 1024
WELL = WorkerReading("7", 100 * MIB, 0, 3, True)


def reading(**changes: Any) -> Reading:
    return Reading({}, [WELL], 0, 0, [Disk("/var/log", 50, 100)])._replace(**changes)


def around(**changes: Any) -> Surroundings:
    return Surroundings(0.1, [], [])._replace(**changes)


def held(conditions: Conditions, seen: Reading, known: Surroundings, now: float = NOW) -> dict[str, Finding]:
    return {finding.name: finding for finding in conditions.look(seen, known, now) if finding.holds}


def test_a_well_instance_has_nothing_wrong() -> None:
    findings = [*Conditions().look(reading(), around(), NOW)]
    assert [finding.name for finding in findings if finding.holds] == []
    assert len({finding.name for finding in findings}) == 9


@pytest.mark.parametrize(
    ("name", "seen", "known", "words"),
    [
        ("database", reading(workers=[WELL, WELL._replace(has_database=False)]), around(), "1 of 2 workers cannot"),
        ("pool", reading(workers=[WELL._replace(pool_waiting=4)]), around(), "4 requests of 1 workers wait"),
        ("disk", reading(disks=[Disk("/var/log", 4 * MIB, 100 * MIB)]), around(), "/var/log has 4 MiB free of 100"),
        ("clock", reading(), around(clock_offset_seconds=-1.5), "1.5 s behind that of this machine"),
        ("workers", reading(), around(death_times=[NOW - 5, NOW - 300, NOW - 599]), "3 workers died within 10 min"),
        ("instance:web-2", reading(), around(others=[OtherInstance("web-2", 61.0, 900.0)]), "not been heard from"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_numbers(name: str, seen: Reading, known: Surroundings, words: str) -> None:
    found = held(Conditions(), seen, known)
    assert set(found) == {name}
    assert words in found[name].sentence
    assert found[name].look_at


@pytest.mark.parametrize(
    "known",
    [
        around(clock_offset_seconds=None),
        around(clock_offset_seconds=1.0),
        around(death_times=[NOW - 5, NOW - 300, NOW - 601]),
        around(others=[OtherInstance("web-2", 59.0, 900.0)]),
        around(others=[OtherInstance("web-2", 90.0, 59.0)]),
        around(others=None),
    ],
)
def test_what_is_near_it_is_well(known: Surroundings) -> None:
    assert held(Conditions(), reading(), known) == {}


def test_requests_that_wait_for_a_database_that_is_away_are_no_alert_of_the_pool() -> None:
    away = reading(workers=[WELL._replace(pool_waiting=9, has_database=False)])
    assert set(held(Conditions(), away, around())) == {"database"}


def test_of_an_instance_that_could_not_write_nobody_knows() -> None:
    known = around(others=[OtherInstance("web-2", 90.0, 10.0)])
    found = [each for each in Conditions().look(reading(), known, NOW) if each.name == "instance:web-2"]
    assert [each.holds for each in found] == [None]


def look_through(conditions: Conditions, seen: Iterable[Reading], seconds: float = 60.0) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for number, each in enumerate(seen):
        found = held(conditions, each, around(), NOW + number * seconds)
    return found


def test_failed_sign_ins_are_compared_with_what_is_usual() -> None:
    few = [reading(failed_sign_ins=2 * minute) for minute in range(60)]
    assert look_through(Conditions(), few) == {}
    attacked = look_through(Conditions(), [*few, reading(failed_sign_ins=118 + 40)])
    assert "40 sign-ins failed within a minute; usually 2.0." in attacked["sign-ins"].sentence
    many = [reading(failed_sign_ins=25 * minute) for minute in range(60)]
    assert look_through(Conditions(), [*many, reading(failed_sign_ins=25 * 59 + 40)]) == {}
    # The counters of a server that has started anew begin at 0.
    assert look_through(Conditions(), [*few, reading(failed_sign_ins=3)]) == {}


def test_lost_lines_are_told_for_five_minutes() -> None:
    before, lost = reading(lost_log_lines=10), reading(lost_log_lines=15)
    found = look_through(Conditions(), [before, lost])
    assert found["log-lines"].sentence.startswith("5 lines of the log had no room")
    assert look_through(Conditions(), [before, *[lost] * 8]) == {}


def test_memory_that_grows_is_told_and_a_peak_is_not() -> None:
    def sizes(*mib: float) -> list[Reading]:
        return [reading(workers=[WELL._replace(resident_bytes=each * MIB)]) for each in mib]

    found = look_through(Conditions(), sizes(*range(100, 280, 3)))
    assert "process 7 from 100 to 250 MiB" in found["memory"].sentence
    assert look_through(Conditions(), sizes(*[100] * 55, *[900] * 5)) == {}
    assert look_through(Conditions(), sizes(*[20] * 30, *[60] * 30)) == {}, "less than 64 MiB"
    assert look_through(Conditions(), sizes(*range(100, 250, 3))) == {}, "not for an hour yet"


def test_a_reading_is_what_the_metrics_say(tmp_path: Any) -> None:
    def gauge(pid: str, value: float) -> Any:
        return {(("pid", pid),): value}

    numbers = {
        families.MEMORY.name: {**gauge("7", 5.0), **gauge("8", 6.0)},
        families.POOL_WAITING.name: gauge("7", 2.0),
        families.DATABASE_REACHABLE.name: {**gauge("7", 0.0), **gauge("8", 1.0)},
        families.SIGN_INS.name: {(("outcome", "failed"),): 4.0, (("outcome", "succeeded"),): 9.0},
    }
    found = reading_of(Sums(numbers), [str(tmp_path), str(tmp_path), str(tmp_path / "nowhere")])
    assert found.workers == [WorkerReading("7", 5.0, 2.0, 0, False), WorkerReading("8", 6.0, 0, 0, True)]
    assert found.failed_sign_ins == 4
    assert [disk.folder for disk in found.disks] == [str(tmp_path)]
    assert 0 <= found.disks[0].free_bytes <= found.disks[0].total_bytes
