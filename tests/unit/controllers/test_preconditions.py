"""Lists that arrive in several lines mean what they mean in one."""

import pytest

from gatepost.controllers.answers import is_unchanged, wanted_versions
from gatepost.controllers.preconditions import whole_list
from gatepost.errors import BadRequest


def whole(wanted: bytes, *lines: bytes, sent: bytes = b"if-match") -> bytes | None:
    """The header `wanted` of a request that has these lines of the header `sent`."""
    headers = [(b"host", b"x"), *((sent, line) for line in lines), (b"accept", b"*/*")]
    return whole_list(dict(headers), {"headers": headers}, wanted)


def test_every_line_of_if_match_counts() -> None:
    assert wanted_versions(whole(b"if-match", b'"1"', b'"2", W/"9"', b'"3"')) == ("1", "2", "3")


def test_every_line_of_if_none_match_counts() -> None:
    header = whole(b"if-none-match", b'"1"', b'W/"2"', sent=b"if-none-match")
    assert [is_unchanged(header, version) for version in ("1", "2", "3")] == [True, True, False]


def test_one_line_stays_as_it_is_and_none_is_none() -> None:
    assert whole(b"if-match", b'"1"') == b'"1"'
    assert whole(b"if-match") is None
    assert whole(b"if-none-match", b'"1"') is None


@pytest.mark.parametrize("lines", [(b"*", b'"1"'), (b'"1"', b"*"), (b"*", b"*")])
def test_a_star_is_no_member_of_a_list(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(BadRequest):
        wanted_versions(whole(b"if-match", *lines))
