"""The nearest known name, and a client's own words in a sentence."""

import pytest

from gatepost.hints import NAME_LENGTH_MAX, did_you_mean, nearest, parameter_hint, shown

KNOWN = ("title", "price", "author_id", "ISBN")


@pytest.mark.parametrize(
    ("name", "near"),
    [("titel", "title"), ("Price", "price"), ("isbn", "ISBN"), ("author", "author_id"), ("zzz", None), ("", None)],
)
def test_the_nearest_name_is_the_one_that_is_known(name: str, near: str | None) -> None:
    assert nearest(name, KNOWN) == near
    assert did_you_mean(name, KNOWN) == (f" Did you mean {near!r}?" if near else "")


CURSORS = ("sort", "fields", "expand", "limit", "after", "before", "count", "title")
OFFSETS = ("sort", "limit", "offset", "stock")


@pytest.mark.parametrize(
    ("name", "by_cursor", "by_offset"),
    [
        ("next", "after", "offset"),
        ("cursor", "after", "offset"),
        ("page", "after", "offset"),
        ("offset", "after", None),
        ("prev", "before", None),
        ("per_page", "limit", "limit"),
        ("pageSize", "limit", "limit"),
        ("total", "count=true", None),
        ("order_by", "sort", "sort"),
        ("include", "expand", None),
        ("titel", "title", None),
        ("zzz", None, None),
    ],
)
def test_what_other_apis_call_a_parameter_is_known(name: str, by_cursor: str | None, by_offset: str | None) -> None:
    for known, meant in ((CURSORS, by_cursor), (OFFSETS, by_offset)):
        if name not in known:
            hint = parameter_hint(name, known)
            assert hint.startswith(f" Did you mean {meant!r}?") if meant else hint == ""
    assert parameter_hint("next", CURSORS).endswith("It takes the cursor of a page, `next`.")


def test_a_long_name_is_compared_with_nothing() -> None:
    long = "a" * NAME_LENGTH_MAX
    assert nearest(long, [long]) == long
    assert nearest(f"{long}a", [f"{long}a"]) is None


def test_a_name_is_shown_without_what_could_not_be_printed_and_not_whole() -> None:
    assert shown("a\n\x00b") == '"a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"'
    assert shown("a" * 65) == f'"{"a" * 64}..."'
