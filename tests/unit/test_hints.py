"""The nearest known name, and a client's own words in a sentence."""

import pytest

from gatepost.hints import NAME_LENGTH_MAX, did_you_mean, nearest, shown

KNOWN = ("title", "price", "author_id", "ISBN")


@pytest.mark.parametrize(
    ("name", "near"),
    [("titel", "title"), ("Price", "price"), ("isbn", "ISBN"), ("author", "author_id"), ("zzz", None), ("", None)],
)
def test_the_nearest_name_is_the_one_that_is_known(name: str, near: str | None) -> None:
    assert nearest(name, KNOWN) == near
    assert did_you_mean(name, KNOWN) == (f" Did you mean {near!r}?" if near else "")


def test_a_long_name_is_compared_with_nothing() -> None:
    long = "a" * NAME_LENGTH_MAX
    assert nearest(long, [long]) == long
    assert nearest(f"{long}a", [f"{long}a"]) is None


def test_a_name_is_shown_without_what_could_not_be_printed_and_not_whole() -> None:
    assert shown("a\n\x00b") == '"a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"'
    assert shown("a" * 65) == f'"{"a" * 64}..."'
