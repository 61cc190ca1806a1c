"""Device cookies: a device is known by its own cookie, whatever stands beside it, and by no other."""

import time
from collections.abc import Callable

import pytest
from gate_conversation import forbidden_receive

from gatepost.call import Call
from gatepost.device_cookies import COOKIE, LIFETIME_SECONDS, Devices

DEVICES = Devices(b"a secret", "/api/auth")
ADA, BOB = DEVICES.account_of("ada@example.com"), DEVICES.account_of("bob@example.com")
NAME = COOKIE.encode()


def call_with(cookie: bytes) -> Call:
    return Call({}, forbidden_receive, "id", "192.0.2.1", {b"cookie": cookie}, b"")


def cookie_of_ada() -> bytes:
    """The cookie of a device that has signed in to Ada's account, as the device sends it back."""
    _, header = DEVICES.header(ADA, None, is_tls=False)
    return header.partition(b";")[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"a=b; ", b"; c=d"), (b"a/b=1; ", b""), (b"\xff=\xfe; ", b""), (b"a=" + b"x" * 10_000 + b"; ", b"")],
)
def test_a_device_is_known_whatever_cookie_stands_beside_its_own(before: bytes, after: bytes) -> None:
    device = DEVICES.find(call_with(before + cookie_of_ada() + after))
    assert device is not None
    assert device.account == ADA
    assert device.account != BOB


def test_a_cookie_is_secure_over_tls() -> None:
    assert DEVICES.header(ADA, None, is_tls=True)[1].endswith(b"; Secure")
    assert not DEVICES.header(ADA, None, is_tls=False)[1].endswith(b"; Secure")


@pytest.mark.parametrize("spoil", [lambda v: v[:-1], lambda v: v[:20] + b"A" + v[21:], lambda v: v + b"A"])
def test_a_cookie_that_was_touched_is_none(spoil: Callable[[bytes], bytes]) -> None:
    value = cookie_of_ada().partition(b"=")[2]
    spoilt = spoil(value)
    assert spoilt == value or DEVICES.find(call_with(NAME + b"=" + spoilt)) is None


@pytest.mark.parametrize(
    "cookie",
    [
        *(
            NAME + b"=" + value
            for value in (b"", b"x", b"\xff", b"\xff\xfe", b"!!!!", b"%%%", b'"', b"A" * 67, b"A" * 100_000)
        ),
        NAME,
        b"=" * 5000,
    ],
)
def test_a_forged_cookie_is_none(cookie: bytes) -> None:
    assert DEVICES.find(call_with(cookie)) is None


def test_a_cookie_of_another_key_or_of_long_ago_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    call = call_with(cookie_of_ada())
    assert Devices(b"another", "/api/auth").find(call) is None
    assert DEVICES.find(call) is not None
    now = time.time()
    monkeypatch.setattr("gatepost.device_cookies.time.time", lambda: now + LIFETIME_SECONDS + 1)
    assert DEVICES.find(call) is None
