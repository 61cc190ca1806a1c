import pytest

from gatepost.errors import BadRequest, URITooLong
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
        (b"/api/caf\xc3\xa9", "/api/café"),
        (b"//api/books", "//api/books"),
        (b"//evil.example/api", "//evil.example/api"),
        (b"/api//books", "/api//books"),
        (b"/api/books//", "/api/books//"),
        (b"/api/../books", "/api/../books"),
        (b"/api/./books", "/api/./books"),
        (b"/api/books/..", "/api/books/.."),
        (b"/api/books/.", "/api/books/."),
        (b"/..", "/.."),
        (b"/api/%2e%2e/books", "/api/../books"),
        (b"/api/.%2E/books", "/api/../books"),
        (b"/api/%2e", "/api/."),
        (b"/api/%c0%ae%c0%ae/books", "/api/\ufffd\ufffd\ufffd\ufffd/books"),
        (b"/api/%e0%80%af", "/api/\ufffd\ufffd\ufffd"),
        (b"/api/%f8%80%80%80%af", "/api/\ufffd"),
        (b"/api/books%", "/api/books%"),
        (b"/api/%u002e", "/api/%u002e"),
        (b"", ""),
        (None, ""),
        (b"*", "*"),
        (b"api/books", "api/books"),
    ],
)
def test_strange_paths_are_refused(raw: bytes | None, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_path({"method": "GET", "path": path, "raw_path": raw, "query_string": b""}, 8192)
    assert caught.value.code == "malformed_request"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/books", "/api/books"),
        (b"/api/caf%C3%A9", "/api/café"),
        (b"/api/a%20b%25", "/api/a b%"),
        (b"/api/zero%E2%80%8Bwidth", "/api/zero\u200bwidth"),
        (None, "/api/books"),
        (None, "/api/café"),
        (b"/", "/"),
        (b"/api/books/", "/api/books/"),
        (b"/api/books;v=1", "/api/books;v=1"),
        (b"/api/..;/books", "/api/..;/books"),
        (b"/api/...", "/api/..."),
        (b"/api/.hidden/v1.2", "/api/.hidden/v1.2"),
        (b"/.well-known/x", "/.well-known/x"),
        (b"/api/%252e%252e/books", "/api/%2e%2e/books"),
        (b"/api/%252F", "/api/%2F"),
        (b"/API/Books", "/API/Books"),
        (b"/api/a:b@c!$&'()*+,=~", "/api/a:b@c!$&'()*+,=~"),
    ],
)
def test_honest_paths_pass(raw: bytes | None, path: str) -> None:
    check_path({"method": "GET", "path": path, "raw_path": raw, "query_string": b""}, 8192)


@pytest.mark.parametrize(
    ("path", "raw", "query"),
    [
        ("/" + "a" * 8192, None, b""),
        ("/" + "é" * 10, b"/" + b"%C3%A9" * 1366, b""),
        ("/a", b"/a", b"q" * 8191),
    ],
)
def test_a_path_and_its_query_have_a_length(path: str, raw: bytes | None, query: bytes) -> None:
    with pytest.raises(URITooLong):
        check_path({"method": "GET", "path": path, "raw_path": raw, "query_string": query}, 8192)
    check_path({"method": "GET", "path": path, "raw_path": raw, "query_string": query}, 8193 + len(raw or b""))


def test_the_asterisk_is_a_path_of_options_alone() -> None:
    asterisk = {"path": "*", "raw_path": b"*", "query_string": b""}
    check_path({"method": "OPTIONS", **asterisk}, 8192)
    with pytest.raises(BadRequest, match="has to begin with a slash"):
        check_path({"method": "GET", **asterisk}, 8192)


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
