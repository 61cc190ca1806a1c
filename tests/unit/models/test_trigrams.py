"""Which texts the trigram index can look for, and which would be looked for in every row."""

import pytest

from gatepost.models.trigrams import Trigrams

FOUND = ["abc", "zq1", "123", "ABC", "ab abc", "a_bcd", "%abc%", "-abc", "caf\u0301e abc", "x\u00e9abc"]
FOUND_WITH_LETTERS = ["ÉÈÊ", "中文字", "abé", "éa1", "Straße", "Жук"]
NEVER_FOUND = [
    "", "z", "zq", "a_b", "a%b", "ab cd", "12-34", "...", "   ", "%%%", "___", "e\u0301e\u0301e\u0301", "½½½", "٣٤٥",
    "²²²", "🜁🜁🜁", "a\u0130b", "\u200b\u200b\u200b", "\u0301\u0302\u0303", "Ⅷ" * 3,
]  # fmt: skip


def trigrams(*, sees_unicode: bool | None) -> Trigrams:
    made = Trigrams()
    made.sees_unicode = sees_unicode
    return made


@pytest.mark.parametrize("sees_unicode", [None, False, True])
@pytest.mark.parametrize("text", FOUND)
def test_three_letters_or_digits_in_a_row_are_found(text: str, sees_unicode: bool | None) -> None:
    assert trigrams(sees_unicode=sees_unicode).can_find(text, at_beginning=False)


@pytest.mark.parametrize("text", FOUND_WITH_LETTERS)
def test_letters_beyond_ascii_are_found_where_the_database_sees_them(text: str) -> None:
    assert trigrams(sees_unicode=True).can_find(text, at_beginning=False)
    assert trigrams(sees_unicode=False).can_find(text, at_beginning=False) == (text == "Straße")
    assert not trigrams(sees_unicode=None).can_find("ÉÈÊ", at_beginning=False)


@pytest.mark.parametrize("text", NEVER_FOUND)
def test_less_is_not_found(text: str) -> None:
    assert not trigrams(sees_unicode=True).can_find(text, at_beginning=False)


@pytest.mark.parametrize(
    ("text", "found"), [("a", True), ("É", True), ("-a", True), ("_1", True), ("", False), ("%", False), ("½", False)]
)
def test_at_the_beginning_one_letter_is_enough(text: str, found: bool) -> None:
    assert trigrams(sees_unicode=True).can_find(text, at_beginning=True) == found
