"""Paths over a raw socket: what is ambiguous is refused, what is unusual means itself, nothing is decoded twice."""

import pytest
from tests.acceptance.conftest import Running
from tests.acceptance.raw_http import ask, request

MALFORMED = (400, "malformed_request")
NOT_FOUND = (404, "not_found")
BY_SERVER = (400, None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/api/notes", (200, None)),
        ("/api/notes?", (200, None)),
        ("/api/notes#fragment", (200, None)),  # the server drops it; a proxy should refuse it
        ("/api/n%6ftes", (200, None)),
        ("http://x/api/notes", (200, None)),
        # Dot segments, raw and encoded: whoever resolves them would see another path.
        ("/api/../api/notes", MALFORMED),
        ("/api/./notes", MALFORMED),
        ("/api/notes/..", MALFORMED),
        ("/api/notes/.", MALFORMED),
        ("/..", MALFORMED),
        ("/api/%2e%2e/api/notes", MALFORMED),
        ("/api/%2E/notes", MALFORMED),
        ("/api/.%2e/notes", MALFORMED),
        ("/echo/../api/notes", MALFORMED),
        ("http://x/api/../notes", MALFORMED),
        # Empty segments.
        ("//api/notes", MALFORMED),
        ("/api//notes", MALFORMED),
        ("/echo//evil.example/", MALFORMED),
        ("//evil.example/..", MALFORMED),
        # Slashes, backslashes and control characters in disguise.
        ("/api%2fnotes", MALFORMED),
        ("/api%2Fnotes", MALFORMED),
        ("/api%5cnotes", MALFORMED),
        ("/api\\notes", MALFORMED),
        ("/api/notes%00", MALFORMED),
        ("/api/notes%0a", MALFORMED),
        ("/api/notes%0d%0aset-cookie:x", MALFORMED),
        ("/api/notes%7f", MALFORMED),
        ("/echo/%00", MALFORMED),
        # Escapes that are none, and bytes that are no UTF-8: overlong, surrogates, beyond Unicode, alone.
        ("/api/notes%", MALFORMED),
        ("/api/notes%2", MALFORMED),
        ("/api/notes%zz", MALFORMED),
        ("/api/%u002e%u002e/notes", MALFORMED),
        ("/api/%c0%ae%c0%ae/notes", MALFORMED),
        ("/api%c0%afnotes", MALFORMED),
        ("/api/%e0%80%af", MALFORMED),
        ("/api/%ed%a0%80", MALFORMED),
        ("/api/%f4%90%80%80", MALFORMED),
        ("/api/%ff", MALFORMED),
        (b"/api/caf\xc3\xa9", MALFORMED),
        (b"/api/caf\xff", BY_SERVER),
        # Targets that are no path.
        ("*", MALFORMED),
        ("api", MALFORMED),
        ("api/notes", BY_SERVER),
        ("evil.example:80", MALFORMED),
        ("?x", BY_SERVER),
        ("/api/<notes>", BY_SERVER),
        # Unusual, and itself: another path than the one it resembles.
        ("/api/notes/", NOT_FOUND),
        ("/API/notes", NOT_FOUND),
        ("/api/Notes", NOT_FOUND),
        ("/api/notes;v=1", NOT_FOUND),
        ("/api;x/notes", NOT_FOUND),
        ("/api/..;/notes", NOT_FOUND),
        ("/api/.../notes", NOT_FOUND),
        ("/api/no|tes", NOT_FOUND),
        ('/api/"notes"', NOT_FOUND),
        ("/api/%252e%252e/notes", NOT_FOUND),
        ("/api%252fnotes", NOT_FOUND),
        ("/api/notes%20", NOT_FOUND),
        ("/api/notes%3f", NOT_FOUND),
        ("/api/notes%23", NOT_FOUND),
        ("/api/notes/%e2%80%ae", NOT_FOUND),
        ("/api/notes.json", NOT_FOUND),
        ("/echo;x/y", NOT_FOUND),
        ("/echox", NOT_FOUND),
        ("/Echo", NOT_FOUND),
        ("/", NOT_FOUND),
    ],
)
def test_what_a_target_leads_to(
    raw_http_server: Running, target: str | bytes, expected: tuple[int, str | None]
) -> None:
    response = ask(raw_http_server.port, request("GET", target))
    assert response is not None
    assert (response.status, response.code) == expected
    if expected == BY_SERVER:
        assert response.is_last


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/echo", "/echo"),
        ("/echo/", "/echo/"),
        ("/echo/a;b=c/d", "/echo/a;b=c/d"),
        ("/echo/%252e%252e/x", "/echo/%2e%2e/x"),
        ("/echo/%252f", "/echo/%2f"),
        ("/echo/caf%C3%A9", "/echo/café"),
        ("/echo/.well-known/x.y", "/echo/.well-known/x.y"),
    ],
)
def test_a_mounted_application_sees_the_path_decoded_once(raw_http_server: Running, target: str, path: str) -> None:
    response = ask(raw_http_server.port, request("GET", target))
    assert response is not None
    assert response.json()["path"] == path


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("target", ["/api/../api/notes", "/echo/%2e%2e/x", "//echo"])
def test_an_ambiguous_path_is_one_for_every_method(raw_http_server: Running, method: str, target: str) -> None:
    response = ask(raw_http_server.port, request(method, target), method)
    assert response is not None
    assert response.status == 400
