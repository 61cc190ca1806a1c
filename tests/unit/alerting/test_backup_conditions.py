"""What is wrong with backups, and how that is said."""

import pytest

from gatepost.alerting.backup_conditions import BACKUP_SECONDS_MAX, ArchivingLook, StoreLook, backup_findings

NOW = 1_800_000_000.0
GOOD = StoreLook(14, NOW - 5 * 3600, NOW - 60)
WORKS = ArchivingLook(True, archived=7, archived_at=NOW - 180)


def test_nothing_is_judged_where_nobody_makes_backups() -> None:
    assert [*backup_findings(None, None, NOW)] == []


def test_good_backups_are_no_alert() -> None:
    findings = [*backup_findings(GOOD, WORKS, NOW)]
    assert [(finding.name, finding.holds) for finding in findings] == [("backups", False), ("archiving", False)]
    assert findings[0].sentence == "The newest of 14 backups is 5 h old."
    assert findings[1].sentence == "WAL was last archived 3 min ago."


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (GOOD._replace(finished_at=NOW - 3 * 86_400), "The newest of 14 backups is 3 d old."),
        (StoreLook(1, NOW - BACKUP_SECONDS_MAX - 1, None), "The only backup is 2 d old."),
        (StoreLook(), "The store has no backup that can be restored."),
        (
            GOOD._replace(missing_wal=("A", "B")),
            "The newest of 14 backups is 5 h old, and WAL after it is missing: A, B.",
        ),
        (StoreLook(error="no route to it"), "The store of backups cannot be read: no route to it"),
    ],
)
def test_a_store_that_restores_too_little_is_a_ticket(look: StoreLook, sentence: str) -> None:
    [finding] = backup_findings(look, None, NOW)
    assert (finding.name, finding.severity, finding.holds, finding.sentence) == ("backups", "ticket", True, sentence)


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (
            WORKS._replace(is_failing=True, failed_wal="0A"),
            "PostgreSQL cannot archive 0A; it last archived a file 3 min ago. WAL that waits fills its disk.",
        ),
        (
            ArchivingLook(True, is_failing=True, failed_wal="0A"),
            "PostgreSQL cannot archive 0A. WAL that waits fills its disk.",
        ),
    ],
)
def test_archiving_that_fails_is_a_page(look: ArchivingLook, sentence: str) -> None:
    [finding] = backup_findings(None, look, NOW)
    assert (finding.name, finding.severity, finding.holds, finding.sentence) == ("archiving", "page", True, sentence)


def test_archiving_that_is_off_is_a_ticket() -> None:
    [finding] = backup_findings(None, ArchivingLook(False), NOW)
    assert (finding.name, finding.severity, finding.holds) == ("archiving", "ticket", True)
    assert finding.sentence == "PostgreSQL does not archive its WAL: nothing after a backup can be restored."


def test_how_old_a_backup_may_become_is_scaled_as_all_windows_are() -> None:
    [finding] = backup_findings(GOOD, None, NOW, scale=0.01)
    assert finding.holds
