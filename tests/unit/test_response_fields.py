"""Headers and cookies that a program sets: what is sent, and what is refused before it could be."""

from typing import Any

import pytest

from gatepost import Response
from gatepost.gateway import cors_rules, header_profiles
from gatepost.response_fields import cookie_field, response_field

DEFAULTS: dict[str, Any] = {"max_age": None, "path": "/", "secure": True, "http_only": True, "same_site": "lax"}


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\0b", "é", "", " a", "a "])
def test_a_value_that_could_end_the_head_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        response_field("X-Note", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\r\ny", "é"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a header name"):
        response_field(name, "x")


def test_whatever_the_gate_sets_is_refused() -> None:
    names = header_profiles.NAMES | header_profiles.OURS | cors_rules.NAMES | {b"ratelimit", b"ratelimit-policy"}

    for name in names - {b"cache-control"}:
        with pytest.raises(ValueError, match="cannot be set here"):
            response_field(name.decode().title(), "x")


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection", "Set-Cookie"])
def test_what_belongs_to_the_connection_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be set here"):
        response_field(name, "1")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "a=b; Path=/; SameSite=Lax; HttpOnly; Secure"),
        ({"max_age": 60, "path": "/api"}, "a=b; Path=/api; Max-Age=60; SameSite=Lax; HttpOnly; Secure"),
        ({"secure": False, "http_only": False, "same_site": "strict"}, "a=b; Path=/; SameSite=Strict"),
        ({"same_site": "none"}, "a=b; Path=/; SameSite=None; HttpOnly; Secure"),
        ({"max_age": 0}, "a=b; Path=/; Max-Age=0; SameSite=Lax; HttpOnly; Secure"),
    ],
)
def test_a_cookie(options: dict[str, Any], line: str) -> None:
    assert cookie_field("a", "b", **{**DEFAULTS, **options}) == (b"set-cookie", line.encode())


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("", "b", {}),
        ("a b", "b", {}),
        ("a;b", "b", {}),
        ("a=b", "b", {}),
        ("a", "b;c", {}),
        ("a", "b c", {}),
        ("a", 'b"', {}),
        ("a", "b\r\nX: y", {}),
        ("a", "é", {}),
        ("a", "b" * 4096, {}),
        ("a", "b", {"path": "api"}),
        ("a", "b", {"path": "/;Domain=example.com"}),
        ("a", "b", {"path": "/\r\n"}),
        ("a", "b", {"same_site": "Lax"}),
        ("a", "b", {"same_site": "none", "secure": False}),
        ("__Host-a", "b", {"secure": False}),
        ("__Host-a", "b", {"path": "/api"}),
        ("__Secure-a", "b", {"secure": False}),
    ],
)
def test_a_cookie_that_browsers_refuse_or_misread(name: str, value: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cookie"):
        cookie_field(name, value, **{**DEFAULTS, **options})


def test_responses_are_made_of_what_a_program_has() -> None:
    made = Response.text("Grüße", status=202, headers={"X-Note": "n"}, cache_control="max-age=60")

    assert (made.status, made.body, made.cache_control) == (202, "Grüße".encode(), b"max-age=60")
    assert made.headers == ((b"content-type", b"text/plain; charset=utf-8"), (b"x-note", b"n"))
    assert Response.json({"a": [1]}).body == b'{"a":[1]}'
    assert Response.html("<p>").headers == ((b"content-type", b"text/html; charset=utf-8"),)
    assert Response.binary(b"\0", "image/png").headers == ((b"content-type", b"image/png"),)


def test_a_redirect_leads_to_a_url() -> None:
    made = Response.redirect("/books?q=Ä b%20c", headers={"x-note": "n"})

    assert (made.status, made.body) == (303, b"")
    assert made.headers == ((b"location", b"/books?q=%C3%84%20b%20c"), (b"x-note", b"n"))
    assert Response.redirect("/\r\nX: y").headers == ((b"location", b"/%0D%0AX:%20y"),)
    with pytest.raises(ValueError, match="200"):
        Response.redirect("/", status=200)


@pytest.mark.parametrize(
    "options",
    [{"headers": {"X": "a\nb"}}, {"headers": {"Server": "mine"}}, {"cache_control": "a\r\nb"}],
)
def test_a_response_with_headers_that_cannot_be_sent(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="header"):
        Response.json({}, **options)
