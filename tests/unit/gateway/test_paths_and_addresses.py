import pytest

from gatepost.errors import BadRequest
from gatepost.gateway.addresses import network_of
from gatepost.gateway.paths import check_path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/books%00", "/api/books\x00"),
        (b"/api/books%0A", "/api/books\n"),
        (b"/api/%7f", "/api/\x7f"),
        (b"/api%2Fbooks", "/api/books"),
        (b"/api%2fbooks", "/api/books"),
        (b"/api%5cbooks", "/api\\books"),
        (b"/api\\books", "/api\\books"),
        (b"/api/%", "/api/%"),
        (b"/api/%4", "/api/%4"),
        (b"/api/%zz", "/api/%zz"),
        (b"/api/%ff", "/api/\ufffd"),
        (b"/api/%c0%af", "/api/\ufffd\ufffd"),
        (b"/api/%ed%a0%80", "/api/\ufffd"),
        (None, "/api/\x00"),
        (b"/api/\x01", "/api/\x01"),
    ],
)
def test_strange_paths_are_refused(raw: bytes | None, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_path({"path": path, "raw_path": raw})
    assert caught.value.code == "malformed_request"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/books", "/api/books"),
        (b"/api/caf%C3%A9", "/api/café"),
        (b"/api/a%20b%25", "/api/a b%"),
        (b"/api/zero%E2%80%8Bwidth", "/api/zero\u200bwidth"),
        (None, "/api/books"),
    ],
)
def test_honest_paths_pass(raw: bytes | None, path: str) -> None:
    check_path({"path": path, "raw_path": raw})


@pytest.mark.parametrize(
    ("client", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_the_key_of_an_address(client: str, key: str) -> None:
    assert network_of(client) == key
