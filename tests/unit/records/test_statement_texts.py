"""The SQL of operations is kept in a bounded file: of each name the last texts, and those of the present release."""

from gatepost.records.snapshots import Snapshot
from gatepost.records.statement_texts import NAMES_MAX, SQL_LENGTH_MAX, TEXTS_MAX, StatementText, StatementTexts
from gatepost.shared_files import shared_file

SIZE = 4 * 1024 * 1024


def made() -> tuple[StatementTexts, Snapshot]:
    file = Snapshot(shared_file("texts", SIZE), SIZE)
    return StatementTexts(file), file


def test_the_last_texts_of_a_name_are_kept_over_a_new_monitor() -> None:
    texts, file = made()
    for number in range(TEXTS_MAX + 3):
        texts.add(StatementText("books.list", f"SELECT {number}", float(number)))
    texts.add(StatementText("books.list", "SELECT 5", 100.0))
    assert not texts.is_saved
    texts.save()
    assert texts.is_saved
    found = StatementTexts(file).by_name()["books.list"]
    assert found[:3] == ["SELECT 5", "SELECT 10", "SELECT 9"]
    assert len(found) == TEXTS_MAX


def test_names_and_bytes_are_bounded() -> None:
    texts, file = made()
    for number in range(NAMES_MAX + 10):
        for text in range(TEXTS_MAX):
            texts.add(StatementText(f"r{number}.list", f"{text} " + "x" * SQL_LENGTH_MAX, float(number)))
    assert len(texts.by_name()) == NAMES_MAX
    assert "r9.list" not in texts.by_name()
    texts.save()
    kept = StatementTexts(file).by_name()
    assert 10 < len(kept) < NAMES_MAX
    assert f"r{NAMES_MAX + 9}.list" in kept


def test_what_another_release_has_run_is_forgotten() -> None:
    texts, _ = made()
    for moment in (1.0, 5.0):
        texts.add(StatementText("books.list", f"SELECT {moment}", moment))
    texts.add(StatementText("books.get", "SELECT 1", 1.0))
    texts.forget(before=4.0)
    assert texts.by_name() == {"books.list": ["SELECT 5.0"]}
