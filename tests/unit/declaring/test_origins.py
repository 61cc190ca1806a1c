import pytest

from gatepost.declaring.origins import Origins
from gatepost.errors import ConfigurationError

LISTED = (
    "https://shop.example",
    "https://*.shop.example",
    "http://localhost:3000",
    "https://*.eu.shop.example:8443",
    "http://[::1]:5173",
    "https://xn--bcher-kva.example",
)


@pytest.mark.parametrize(
    "origin",
    [
        b"https://shop.example",
        b"https://www.shop.example",
        b"https://a.shop.example",
        b"https://xn--bcher-kva.shop.example",
        b"http://localhost:3000",
        b"https://a.eu.shop.example:8443",
        b"http://[::1]:5173",
        b"https://xn--bcher-kva.example",
    ],
)
def test_what_is_listed_is_in(origin: bytes) -> None:
    assert origin in Origins(LISTED, location="test")


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"*",
        # suffix and prefix
        b"https://shop.example.evil.example",
        b"https://www.shop.example.evil.example",
        b"https://evilshop.example",
        b"https://evil-shop.example",
        b"https://shop.exampleevil",
        b"https://evil.example/.shop.example",
        b"https://evil.example?.shop.example",
        b"https://evil.example#.shop.example",
        b"https://evil.example:80.shop.example",
        b"https://evil.example\\.shop.example",
        b"https://evil.example%00.shop.example",
        b"https://evil_example.shop.example",
        # scheme, port, case
        b"http://shop.example",
        b"http://www.shop.example",
        b"HTTPS://shop.example",
        b"https://Shop.example",
        b"https://WWW.shop.example",
        b"https://shop.example:443",
        b"https://shop.example:444",
        b"https://www.shop.example:443",
        b"http://localhost",
        b"http://localhost:3001",
        b"https://a.eu.shop.example",
        b"ws://shop.example",
        b"//shop.example",
        b"shop.example",
        # dots
        b"https://shop.example.",
        b"https://www.shop.example.",
        b"https://.shop.example",
        b"https://..shop.example",
        b"https://*.shop.example",
        # the star is one label
        b"https://a.b.shop.example",
        b"https://-a.shop.example",
        b"https://a-.shop.example",
        b"https://" + b"a" * 64 + b".shop.example",
        b"https://a.eu.shop.example:8444",
        # user info, paths, several, injection, other encodings
        b"https://user@shop.example",
        b"https://shop.example@evil.example",
        b"https://evil@www.shop.example",
        b"https://shop.example/",
        b"https://shop.example https://evil.example",
        b"https://evil.example, https://shop.example",
        b"https://www.shop.example\r\nset-cookie: a=b",
        b"https://w\r\nw.shop.example",
        b"https://shop.example\x00",
        b" https://shop.example",
        b"https://shop.example\t",
        "https://b\u00fccher.example".encode(),
        "https://w\u200bww.shop.example".encode(),
        "https://shop\u3002example".encode(),
        # addresses
        b"http://[::1]",
        b"http://[0:0:0:0:0:0:0:1]:5173",
        b"http://[::ffff:127.0.0.1]:5173",
        # length
        b"https://" + b"a." * 50_000 + b"shop.example",
        b"https://" + b"a" * 1_000_000,
    ],
    ids=lambda origin: origin[:40].decode("latin-1"),
)
def test_what_only_looks_like_it_is_not(origin: bytes) -> None:
    assert origin not in Origins(LISTED, location="test")


@pytest.mark.parametrize(
    ("origin", "complaint"),
    [
        ("*", "every web page"),
        ("null", "sandboxed"),
        ("", "with a host"),
        ("shop.example", "with a host"),
        ("https://", "valid host name"),
        ("https:///", "more than"),
        ("ftp://shop.example", "with a host"),
        ("https://shop.example/", "more than"),
        ("https://shop.example/books", "more than"),
        ("https://shop.example?", "more than"),
        ("https://user@shop.example", "more than"),
        ("https://Shop.example", "lower-case"),
        ("https://b\u00fccher.example", "lower-case"),
        ("https://shop.example:443", "browsers leave out"),
        ("http://shop.example:80", "browsers leave out"),
        ("https://shop.example:", "valid port"),
        ("https://shop.example:0", "valid port"),
        ("https://shop.example:08443", "valid port"),
        ("https://shop.example:65536", "valid port"),
        ("https://shop.example:*", "valid port"),
        ("https://shop.example.", "ends in a dot"),
        ("https://shop..example", "valid host name"),
        ("https://shop_.example", "valid host name"),
        ("https://*", "top-level"),
        ("https://*.example", "top-level"),
        ("https://www.*.example", "whole first label"),
        ("https://*.*.shop.example", "whole first label"),
        ("https://a*.shop.example", "whole first label"),
        ("https://*shop.example", "whole first label"),
        ("https://shop.*", "whole first label"),
        ("*://shop.example", "with a host"),
        ("https://192.0.2.300", "IPv4"),
        ("https://192.0.2.07", "IPv4"),
        ("https://[::1", "with a host"),
        ("https://[0:0::1]", "IPv6"),
        ("https://[fe80::1%eth0]", "IPv6"),
        ("https://[192.0.2.1]", "IPv6"),
    ],
)
def test_what_could_never_match_or_would_match_too_much_is_refused_at_start(origin: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        Origins([origin], location="GATEPOST_CORS_ORIGINS")
    assert raised.value.location == "GATEPOST_CORS_ORIGINS"
    assert raised.value.hint


@pytest.mark.parametrize(
    "origin", ["https://192.0.2.7", "http://[2001:db8::1]", "http://localhost", "https://a-b.example"]
)
def test_addresses_and_short_names_can_be_listed(origin: str) -> None:
    assert origin.encode() in Origins([origin], location="test")
