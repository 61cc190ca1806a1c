"""What layers read of a `Call`."""

import pytest
from gate_conversation import forbidden_receive

from gatepost.call import Call
from gatepost.errors import Header


def call_with(cookie: bytes | None) -> Call:
    headers: list[Header] = [] if cookie is None else [(b"cookie", cookie)]
    return Call({}, forbidden_receive, "id", "192.0.2.1", dict(headers), b"")


@pytest.mark.parametrize(
    ("cookie", "value"),
    [
        (None, None),
        (b"", None),
        (b"session=x", "x"),
        (b"session=", ""),
        (b"theme=dark; session=x", "x"),
        (b"theme=dark;session=x;", "x"),
        (b" \tsession\t= x\t", "x"),
        (b"session=a=b==", "a=b=="),
        # malformed, or not what is asked for
        (b"a/b=1; session=x", "x"),
        (b"; ;=;=y;[]=1;session;session=x", "x"),
        (b"session", None),
        (b"SESSION=x; session2=x; xsession=x; my session=x", None),
        (b"$Version=1; session=x; $Path=/", "x"),
        (b"expires=Wed, 09 Jun 2021 10:18:14 GMT; session=x", "x"),
        # doubled
        (b"session=first; session=second", "first"),
        (b"session=; session=second", ""),
        # quoted
        (b'session="x y"', "x y"),
        (b'session=""', ""),
        (b'session="', '"'),
        (b'session="x', '"x'),
        (b'a="; session=x; b="', "x"),
        (b'session="\\377"', "\\377"),
        # beyond ASCII
        (b"\xff=\xfe; session=x", "x"),
        (b"session=\xff\xfe", "\xff\xfe"),
        (b"session=\xa0x\x85", "\xa0x\x85"),
        # huge
        (b"a=b; " * 20_000 + b"session=x", "x"),
        (b"session=" + b"x" * 100_000, "x" * 100_000),
        (b"=" * 100_000, None),
        (b'"' * 100_000 + b";session=x", "x"),
    ],
)
def test_a_cookie_is_read_whatever_stands_beside_it(cookie: bytes | None, value: str | None) -> None:
    assert call_with(cookie).cookie("session") == value
