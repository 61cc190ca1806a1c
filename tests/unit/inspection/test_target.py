import pytest

from gatepost.errors import ConfigurationError
from gatepost.inspection.target import target_of


@pytest.mark.parametrize(
    ("url", "authority", "path", "is_local"),
    [
        ("http://127.0.0.1:8000/api/books?limit=1", "127.0.0.1:8000", "/api/books?limit=1", True),
        ("https://shop.example", "shop.example", "/", False),
        ("https://shop.example:443/a", "shop.example", "/a", False),
        ("http://shop.example:443", "shop.example:443", "/", False),
        ("http://[::1]:8000", "[::1]:8000", "/", True),
        ("HTTP://localhost", "localhost", "/", True),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, path: str, is_local: bool) -> None:
    target = target_of(url)
    assert (target.authority, target.path, target.is_local) == (authority, path, is_local)


@pytest.mark.parametrize(
    "url", ["", "shop.example", "localhost:8000", "ftp://a", "http://", "http://a:b", "http://a:99999", "http://a/ b"]
)
def test_what_is_no_url_is_a_sentence(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a URL"):
        target_of(url)
