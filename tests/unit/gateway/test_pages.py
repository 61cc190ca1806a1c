import base64
import hashlib

import pytest

from gatepost.errors import ConfigurationError
from gatepost.gateway.pages import HTMLPage


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def directives(page: HTMLPage) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in page.policy.split(";"))


def test_the_policy_admits_exactly_the_scripts_and_styles_of_the_page() -> None:
    script = "if (1 < 2 && 3 > 2) { x = '&amp;</b>' }\n"
    page = HTMLPage(f"<!doctype html><style>p {{}}</style><script>{script}</script><p>1 &amp; 2", location="docs")
    assert directives(page) == {
        "default-src": "'none'",
        "script-src": digest(script),
        "style-src": digest("p {}"),
        "connect-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert page.headers.values == ((b"content-security-policy", page.policy.encode()),)
    assert page.response.headers == ((b"content-type", b"text/html; charset=utf-8"),)


def test_files_of_the_same_origin_are_admitted_and_a_page_without_any_admits_none() -> None:
    page = HTMLPage(
        '<link rel="stylesheet" href="/a.css"><link rel="icon" href="/a.ico"><script src="/a.js"></script>',
        location="x",
    )
    assert (directives(page)["script-src"], directives(page)["style-src"]) == ("'self'", "'self'")
    assert "script-src" not in directives(HTMLPage("<p>Nothing runs here.", location="x"))


def test_the_digest_is_of_what_the_browser_reads() -> None:
    page = HTMLPage("<script>a()\r\nb()</script>", location="x")
    assert directives(page)["script-src"] == digest("a()\nb()")
    assert b"\r" not in page.response.body


@pytest.mark.parametrize(
    "html",
    [
        '<p onclick="go()">',
        '<p style="color: red">',
        '<script src="https://cdn.example/a.js"></script>',
        '<script src="//cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="https://cdn.example/a.css">',
    ],
)
def test_what_the_policy_would_silently_stop_is_refused_at_start(html: str) -> None:
    with pytest.raises(ConfigurationError, match="own policy") as raised:
        HTMLPage(html, location="the page of docs")
    assert raised.value.location == "the page of docs"
