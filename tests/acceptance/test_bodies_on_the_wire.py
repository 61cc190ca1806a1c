"""Bodies over a raw socket: their type, their encoding, and JSON as strict as RFC 8259, for both readers of it."""

import gzip
import socket
import zlib

import pytest
from tests.acceptance.conftest import Running
from tests.acceptance.raw_http import Connection, RawResponse, ask, request

JSON = "content-type: application/json"
GOOD = b'{"title": "x"}'


def post(server: Running, *lines: str | bytes, body: bytes = GOOD, target: str = "/api/notes") -> RawResponse:
    response = ask(server.port, request("POST", target, *lines, body=body), "POST")
    assert response is not None
    return response


FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
"""What a page of any origin may send without being asked first (Fetch standard, CORS-safelisted)."""


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("application/merge-patch+json", 201),
        ("APPLICATION/JSON; Charset=UTF-8", 201),
        ('application/json; charset="utf-8"; profile=x', 201),
        ("application/json;", 201),
        ("", 415),
        ("*/*", 415),
        ("text/json", 415),
        ("application/jsonp", 415),
        ("application/json-patch+json", 415),
        ("application/vnd.api+json", 415),
        ("application/json, text/plain", 415),
        ("text/plain; application/json", 415),
        ("text/plain, application/json", 415),
        ("text/plain;x=application/json", 415),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-7", 415),
        ("application/json; charset=utf-8; charset=utf-16", 415),
        ("application/json; charset", 415),
        ("application/json charset=utf-8", 415),
        ("application/json; charset=utf-8, text/plain", 415),
        ("application/json;\tboundary=x; =", 415),
        *((kind, 415) for kind in FORMS),
    ],
)
def test_content_types(raw_http_server: Running, kind: str, status: int) -> None:
    response = post(raw_http_server, f"content-type: {kind}")
    assert (response.status, response.code) == (status, None if status == 201 else "unsupported_media_type")


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("body", [b"", b"title=x", b'{"title": "x", "a": "=', b"--x--"])
def test_no_form_changes_anything(raw_http_server: Running, method: str, kind: str, body: bytes) -> None:
    target = "/api/notes" if method == "POST" else "/api/notes/018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d"
    lines = [f"content-type: {kind}", "origin: https://evil.example", *([] if body else ["content-length: 0"])]
    response = ask(raw_http_server.port, request(method, target, *lines, body=body), method)
    assert response is not None
    assert response.status == (405 if method == "PUT" else 415)


def test_no_type_is_no_body(raw_http_server: Running) -> None:
    assert post(raw_http_server).status == 415
    assert post(raw_http_server, "content-length: 0", body=b"").code == "malformed_json"
    assert post(raw_http_server, body=b"").code == "malformed_json"


BOMB = gzip.compress(b'{"title": "' + b"x" * 10_000_000 + b'"}')


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        (["content-encoding: identity"], GOOD, 201),
        (["content-encoding: IDENTITY"], GOOD, 201),
        (["content-encoding: identity, identity"], GOOD, 201),
        (["content-encoding: identity", "content-encoding: identity"], GOOD, 201),
        (["content-encoding:"], GOOD, 201),
        (["content-encoding: gzip"], BOMB, 415),
        (["content-encoding: x-gzip"], BOMB, 415),
        (["content-encoding: identity, gzip"], BOMB, 415),
        (["content-encoding: identity", "content-encoding: gzip"], BOMB, 415),
        (["content-encoding: gzip", "content-encoding: identity"], BOMB, 415),
        (["content-encoding: deflate"], zlib.compress(GOOD), 415),
        (["content-encoding: br"], GOOD, 415),
        (["content-encoding: zstd"], GOOD, 415),
        (["content-encoding: gzip;q=0"], GOOD, 415),
        (["content-encoding: utf-8"], GOOD, 415),
        # A bomb that does not say so is no JSON.
        ([], BOMB, 400),
        ([], zlib.compress(GOOD), 400),
    ],
)  # fmt: skip
def test_content_encodings(raw_http_server: Running, lines: list[str], body: bytes, status: int) -> None:
    response = post(raw_http_server, JSON, *lines, body=body)
    assert response.status == status
    if status == 415:
        assert response.headers["accept-encoding"] == "identity"


QUIET, LOUD = b"", b', "document": {"a": "b: c", "\\u0064": "\\":"}'
"""What stands at the end of a body: nothing, for the fast reader; members that it leaves to the careful one."""

STRICT: list[tuple[str, bytes, int]] = [
    ("an object", b'{"title": "x"%b}', 201),
    ("white space", b' \t\r\n{ "title"\n:\t"x" %b } \r\n', 201),
    ("escapes", b'{"t\\u0069tle": "\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\"%b}', 201),
    ("raw UTF-8", '{"title": "é\U0001f600\u2028"'.encode() + b"%b}", 201),
    ("DEL in a text", b'{"title": "\x7f"%b}', 201),
    ("a byte order mark", b'\xef\xbb\xbf{"title": "x"%b}', 400),
    ("UTF-16", '{"title": "x"}'.encode("utf-16"), 400),
    ("UTF-16 without a mark", '{"title": "x"}'.encode("utf-16-be"), 400),
    ("UTF-32", '{"title": "x"}'.encode("utf-32-le"), 400),
    ("latin-1", b'{"title": "\xe9"%b}', 400),
    ("overlong", b'{"title": "\xc0\xaf"%b}', 400),
    ("a raw surrogate", b'{"title": "\xed\xa0\x80"%b}', 400),
    ("beyond Unicode", b'{"title": "\xf4\x90\x80\x80"%b}', 400),
    ("a cut character", b'{"title": "\xe2\x82"%b}', 400),
    ("a byte that is not UTF-8 behind the end", b'{"title": "x"%b}\xff', 400),
    ("a key that is not UTF-8", b'{"title": "x", "\xff": 1%b}', 400),
    ("nothing", b" ", 400),
    ("a trailing comma", b'{"title": "x"%b,}', 400),
    ("a trailing byte", b'{"title": "x"%b}x', 400),
    ("a trailing object", b'{"title": "x"%b}{}', 400),
    ("a trailing NUL", b'{"title": "x"%b}\0', 400),
    ("a leading NUL", b'\0{"title": "x"%b}', 400),
    ("a form feed", b'\f{"title": "x"%b}', 400),
    ("a no-break space", b'{"title":\xc2\xa0"x"%b}', 400),
    ("a comment", b'{"title": "x"/**/%b}', 400),
    ("a line comment", b'// x\n{"title": "x"%b}', 400),
    ("single quotes", b"{'title': 'x'%b}", 400),
    ("a bare key", b'{title: "x"%b}', 400),
    ("a number as a key", b'{1: 1, "title": "x"%b}', 400),
    ("a control character", b'{"title": "\x01"%b}', 400),
    ("a raw newline", b'{"title": "\n"%b}', 400),
    ("a raw tab", b'{"title": "\t"%b}', 400),
    ("an unknown escape", b'{"title": "\\x41"%b}', 400),
    ("a capital escape", b'{"title": "\\U0041"%b}', 400),
    ("a cut escape", b'{"title": "\\u12"%b}', 400),
    ("a doubled key", b'{"title": "x", "title": "x"%b}', 400),
    ("a doubled key in disguise", b'{"title": "x", "t\\u0069tle": "y"%b}', 400),
    ("a doubled unknown key", b'{"title": "x", "y": 1, "y": 1%b}', 400),
    ("NaN", b'{"title": "x", "numbers": NaN%b}', 400),
    ("Infinity", b'{"title": "x", "numbers": [Infinity]%b}', 400),
    ("minus Infinity", b'{"title": "x", "numbers": [-Infinity]%b}', 400),
    ("a leading zero", b'{"title": "x", "numbers": [01]%b}', 400),
    ("a plus sign", b'{"title": "x", "numbers": [+1]%b}', 400),
    ("a bare point", b'{"title": "x", "numbers": [1.]%b}', 400),
    ("a leading point", b'{"title": "x", "numbers": [.1]%b}', 400),
    ("a bare exponent", b'{"title": "x", "numbers": [1e]%b}', 400),
    ("hexadecimal", b'{"title": "x", "numbers": [0x1]%b}', 400),
    ("underscores", b'{"title": "x", "numbers": [1_0]%b}', 400),
    ("two minus signs", b'{"title": "x", "numbers": [--1]%b}', 400),
    ("digits of another script", '{"title": "x", "numbers": [\u0661]'.encode() + b"%b}", 400),
    ("Python's words", b'{"title": "x", "numbers": None%b}', 400),
    ("capital words", b'{"title": "x", "numbers": NULL%b}', 400),
    ("undefined", b'{"title": "x", "numbers": undefined%b}', 400),
    ("an unclosed text", b'{"title": "x', 400),
    ("an unclosed object", b'{"title": "x"%b', 400),
    ("100,000 brackets", b"[" * 100_000, 400),
    ("100,000 objects", b'{"document":' * 80_000, 400),
    ("a lone surrogate", b'{"title": "\\ud800"%b}', 422),
    ("surrogates in the wrong order", b'{"title": "\\udc00\\ud800"%b}', 422),
    ("a NUL in a text", b'{"title": "\\u0000"%b}', 422),
    ("a NUL in a key", b'{"title": "x", "\\u0000": 1%b}', 422),
    ("a number beyond", b'{"title": "x", "numbers": [2147483648]%b}', 422),
    ("a number of 10,000 digits", b'{"title": "x", "numbers": [' + b"9" * 10_000 + b"]%b}", 422),
    ("an exponent beyond", b'{"title": "x", "numbers": [1e999]%b}', 422),
    ("an array", b'[{"title": "x"}]', 422),
    ("a text", b'"title"', 422),
    ("null", b"null", 422),
    ("a key of the machinery", b'{"title": "x", "__proto__": {}, "constructor": 1%b}', 422),
    ("another key's case", b'{"Title": "x"%b}', 422),
]  # fmt: skip


@pytest.mark.parametrize("end", [QUIET, LOUD], ids=["fast", "careful"])
@pytest.mark.parametrize(("body", "status"), [case[1:] for case in STRICT], ids=[case[0] for case in STRICT])
def test_json_is_strict(raw_http_server: Running, body: bytes, status: int, end: bytes) -> None:
    response = post(raw_http_server, JSON, body=body.replace(b"%b", end))
    assert response.status == status, response.body
    assert response.code == {201: None, 400: "malformed_json", 422: "invalid_body"}[status]


def deep(levels: int) -> bytes:
    return b'{"title": "x", "document": ' + b"[" * levels + b"]" * levels + b"}"


def wide(items: int) -> bytes:
    return b'{"title": "x", "document": [' + b",".join([b"1"] * items) + b"]}"


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/api/notes", deep(32), 201),
        ("/api/notes", deep(33), 422),
        ("/api/notes", deep(900), 422),
        ("/api/notes", deep(50_000), 400),
        ("/api/notes", wide(10_000), 201),
        ("/api/notes", wide(10_001), 422),
        ("/api/notes", wide(500_000), 422),
        ("/api/notes", b'{"title": "' + b"x" * 1_048_563 + b'"}', 201),
        ("/api/notes", b'{"title": "' + b"x" * 1_048_564 + b'"}', 413),
        ("/api/smalls", deep(2), 201),
        ("/api/smalls", deep(3), 422),
        ("/api/smalls", wide(3), 201),
        ("/api/smalls", wide(4), 422),
        ("/api/smalls", b'{"title": "' + b"x" * 287 + b'"}', 201),
        ("/api/smalls", b'{"title": "' + b"x" * 288 + b'"}', 413),
    ],
)
def test_bounds_of_a_body_are_those_of_its_resource(
    raw_http_server: Running, target: str, body: bytes, status: int
) -> None:
    assert post(raw_http_server, JSON, body=body, target=target).status == status


def test_a_chunked_body_is_counted_as_it_comes(raw_http_server: Running) -> None:
    with Connection(raw_http_server.port) as connection:
        connection.send(request("POST", "/api/smalls", JSON, "transfer-encoding: chunked"))
        connection.send(b"c8\r\n" + b"x" * 200 + b"\r\n")
        connection.send(b"c8\r\n" + b"x" * 200 + b"\r\n")
        response = connection.receive("POST")
        assert response is not None
        assert (response.status, response.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("size", [1, 2_000, 300_000])
def test_a_body_in_pieces_is_whole_and_the_connection_serves_on(raw_http_server: Running, size: int) -> None:
    title = "x" * size
    data = request("POST", "/api/notes", JSON, body=b'{"title": "%b"}' % title.encode())
    with Connection(raw_http_server.port) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(3):
            for piece in (data[:-size], data[-size : -size // 2], data[-size // 2 :]):
                connection.send(piece)
            response = connection.receive("POST")
            assert response is not None
            assert (response.status, response.json()["data"]["title"]) == (201, title)
        assert connection.serves_on()


def test_a_mount_takes_any_body_within_the_limit(raw_http_server: Running) -> None:
    response = post(raw_http_server, "content-type: text/plain", "content-encoding: gzip", body=b"any", target="/echo")
    assert response.json()["body"] == "any"
    response = post(raw_http_server, "content-type: text/plain", body=b"x" * 1_048_577, target="/echo")
    assert (response.status, response.is_last) == (413, True)
