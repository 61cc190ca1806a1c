"""Request headers over a raw socket: what the server passes on, what the gate refuses, and when the connection ends."""

import pytest
from tests.acceptance.conftest import Running
from tests.acceptance.raw_http import Connection, ask, request

NOTES = "/api/notes"
JSON = "content-type: application/json"
CHUNKED = "transfer-encoding: chunked"
BODY = b'{"title": "x"}'
CHUNKS = b"e\r\n" + BODY + b"\r\n0\r\n\r\n"

Outcome = tuple[int, str | None, bool]
"""Status, code of the problem, and whether the connection was closed."""


def outcome(server: Running, data: bytes, method: str = "GET") -> Outcome:
    """What comes back; a refusal by the HTTP library itself has no problem document."""
    response = ask(server.port, data, method)
    assert response is not None, "no response"
    return response.status, response.code, response.is_last


GOOD = (200, None, False)
MALFORMED = (400, "malformed_request", True)
BY_SERVER = (400, None, True)


def get(*lines: str | bytes, host: str | None = "x", target: str | bytes = NOTES) -> bytes:
    return request("GET", target, *lines, host=host)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (get(), GOOD),
        (get(host="shop.example:8000"), GOOD),
        (get(host="[::1]:8000"), GOOD),
        (get(host=None), MALFORMED),
        (get(host=""), MALFORMED),
        (get("host: y"), MALFORMED),
        (get("host: x"), MALFORMED),
        (get("Host: x"), MALFORMED),
        (get(host="a b"), MALFORMED),
        (get(host="a,b"), MALFORMED),
        (get(host="user@a"), MALFORMED),
        (get(host="a/../b"), MALFORMED),
        (get(host="a:99999"), MALFORMED),
        (get(host="[::1"), MALFORMED),
        (get("host: y", host=None, target="http://other.example/api/notes"), GOOD),
        (get(host=None, target="http://other.example/api/notes"), GOOD),
        (b"GET /api/notes HTTP/1.0\r\n\r\n", (200, None, True)),
        (b"GET /api/notes HTTP/1.0\r\nhost: a b\r\n\r\n", MALFORMED),
    ],
)
def test_host(raw_http_server: Running, data: bytes, expected: Outcome) -> None:
    assert outcome(raw_http_server, data) == expected


def post(*lines: str | bytes, body: bytes = b"") -> bytes:
    return request("POST", NOTES, JSON, *lines) + body


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (post("content-length: 14", body=BODY), (201, None, False)),
        (post(CHUNKED, body=CHUNKS), (201, None, False)),
        (post("Transfer-Encoding:\tChUnKeD ", body=CHUNKS), (201, None, False)),
        (post("transfer-encoding: gzip, chunked", body=CHUNKS), MALFORMED),
        (post("transfer-encoding: chunked, chunked", body=CHUNKS), MALFORMED),
        (post("transfer-encoding: identity, chunked", body=CHUNKS), MALFORMED),
        (post("transfer-encoding: gzip", CHUNKED, body=CHUNKS), MALFORMED),
        (post(CHUNKED, CHUNKED, body=CHUNKS), MALFORMED),
        (post("transfer-encoding: identity", body=BODY), BY_SERVER),
        (post("transfer-encoding: chunked, gzip", body=CHUNKS), BY_SERVER),
        (post("transfer-encoding: xchunked", body=CHUNKS), BY_SERVER),
        (post("transfer-encoding : chunked", body=CHUNKS), BY_SERVER),
        (post("transfer-encoding: \x0bchunked", body=CHUNKS), BY_SERVER),
        (post("x: y\r\n transfer-encoding: chunked", body=CHUNKS), BY_SERVER),
        (post("content-length: 14", "content-length: 13", body=BODY), BY_SERVER),
        (post("content-length: 14, 14", body=BODY), BY_SERVER),
        (post("content-length: +14", body=BODY), BY_SERVER),
        (post("content-length: 0x0e", body=BODY), BY_SERVER),
        (post("content-length: -1", body=BODY), BY_SERVER),
        (post("content-length:", body=BODY), BY_SERVER),
        (post("content-length: 1e1", body=BODY), BY_SERVER),
        # Broken chunks: the body ends early, and nothing behind it is read as a request.
        (post(CHUNKED, body=b"-e\r\n" + BODY + b"\r\n0\r\n\r\n"), MALFORMED),
        (post(CHUNKED, body=b"0xe\r\n" + BODY + b"\r\n0\r\n\r\n"), MALFORMED),
        (post(CHUNKED, body=b"e\n" + BODY + b"\n0\n\n"), MALFORMED),
        (post(CHUNKED, body=b"e;\n" + BODY + b"\r\n0\r\n\r\n"), MALFORMED),
        (post(CHUNKED, body=b"1000000000000000e\r\n" + BODY + b"\r\n0\r\n\r\n"), MALFORMED),
        (post(CHUNKED, body=b"d\r\n" + BODY + b"\r\n0\r\n\r\n"), MALFORMED),
        # The server drops the length and closes: only a proxy in front can refuse this (docs/how-to).
        (post("content-length: 3", CHUNKED, body=CHUNKS), (201, None, True)),
        (post(CHUNKED, "content-length: 3", body=CHUNKS), (201, None, True)),
    ],
)
def test_framing(raw_http_server: Running, data: bytes, expected: Outcome) -> None:
    assert outcome(raw_http_server, data, "POST") == expected


@pytest.mark.parametrize("framing", [("content-length: 2", b"{}"), (CHUNKED, b"2\r\n{}\r\n0\r\n\r\n")])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_a_body_where_it_has_no_meaning(raw_http_server: Running, method: str, framing: tuple[str, bytes]) -> None:
    line, body = framing
    target = "/api/notes/018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d" if method == "DELETE" else NOTES
    response = ask(raw_http_server.port, request(method, target, JSON, line) + body, method)
    assert response is not None
    assert (response.status, response.is_last) == (400, True)


@pytest.mark.parametrize(
    ("method", "lines", "status"),
    [
        ("PATCH", ['if-match: "0"', "if-match: TAG"], 200),
        ("PATCH", ["if-match: TAG", "accept: */*", 'if-match: "0"'], 200),
        ("PATCH", ['if-match: "0", "8"', 'if-match: "9"'], 412),
        ("PATCH", ["if-match: TAG", "if-match: TAG TAG"], 400),
        ("GET", ['if-none-match: "0"', "if-none-match: TAG"], 304),
        ("GET", ["if-none-match: TAG", 'if-none-match: "0"'], 304),
        ("GET", ['if-none-match: "0"', 'if-none-match: "9"'], 200),
    ],
)
def test_entity_tags_of_several_lines_are_one_list(
    raw_http_server: Running, method: str, lines: list[str], status: int
) -> None:
    made = ask(raw_http_server.port, request("POST", NOTES, JSON, f"content-length: {len(BODY)}") + BODY, "POST")
    assert made is not None
    tags = [line.replace("TAG", made.headers["etag"]) for line in lines]
    body = BODY if method == "PATCH" else b""
    framing = [JSON, f"content-length: {len(body)}"] if body else []
    response = ask(raw_http_server.port, request(method, made.headers["location"], *framing, *tags) + body, method)
    assert response is not None
    assert response.status == status


ALLOW = "GET, HEAD, POST, OPTIONS"
ALL = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("method", "target", "status", "allow"),
    [
        ("HEAD", NOTES, 200, None),
        ("HEAD", "/livez", 200, None),
        ("HEAD", "/nothing", 404, None),
        ("HEAD", "/api/auth/login", 405, "POST, OPTIONS"),
        ("OPTIONS", NOTES, 204, ALLOW),
        ("OPTIONS", "/api/notes/7", 204, "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("OPTIONS", "/livez", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/api/auth/login", 204, "POST, OPTIONS"),
        ("OPTIONS", "*", 204, ALL),
        ("OPTIONS", "/nothing", 404, None),
        ("OPTIONS", "/echo/x", 200, None),
        ("PUT", NOTES, 405, ALLOW),
        ("DELETE", NOTES, 405, ALLOW),
        ("POST", "/livez", 405, "GET, HEAD, OPTIONS"),
        ("PATCH", "/readyz", 405, "GET, HEAD, OPTIONS"),
        ("DELETE", "/echo/x", 200, None),
        ("TRACE", NOTES, 405, ALLOW),
        ("TRACE", "/livez", 405, "GET, HEAD, OPTIONS"),
        ("TRACE", "/echo/x", 405, ALL),
        ("TRACE", "/nothing", 404, None),
        ("QUERY", NOTES, 405, ALLOW),
        ("CONNECT", "evil.example:443", 404, None),
        ("get", NOTES, 501, None),
        ("GET,", NOTES, 400, None),
        ("GE!T", NOTES, 501, None),
        ("PROPFIND", "/echo/x", 501, None),
        ("A" * 1000, NOTES, 501, None),
    ],
)
def test_methods(raw_http_server: Running, method: str, target: str, status: int, allow: str | None) -> None:
    response = ask(raw_http_server.port, request(method, target), method)
    assert response is not None
    assert (response.status, response.headers.get("allow")) == (status, allow)
    assert response.status not in (204, 501) or response.is_last == (status == 501)
    assert "x-request-id" in response.headers or status == 400
    assert not response.body if method == "HEAD" else "TRACE" not in response.body.decode() or response.code is not None


def long(length: int) -> str:
    return "/echo/" + "x" * (length - 6)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (get(target=long(8192)), (200, None)),
        (get(target=long(8193)), (414, "uri_too_long")),
        (get(target=long(65_000)), (414, "uri_too_long")),
        (get(target=long(70_000)), (414, None)),
        (get(*[f"x{number}: y" for number in range(63)]), (200, None)),
        (get(*[f"x{number}: y" for number in range(64)]), (431, "headers_too_large")),
        (get(*["x: y"] * 64), (431, "headers_too_large")),
        (get(*["x: y"] * 200), (431, None)),
        (get("x: " + "y" * 16_000), (200, None)),
        (get("x: " + "y" * 16_384), (431, "headers_too_large")),
        (get(*["x: " + "y" * 300] * 60), (431, "headers_too_large")),
        # More than twice what the server buffers: however much it reads at once, it cannot have the whole head.
        (get("x: " + "y" * 1_000_000), (431, None)),
        (get("authorization: Bearer a", "authorization: Bearer b"), (400, "malformed_request")),
        (get("accept: a", "accept: b"), (200, None)),
        (post("content-type: application/json", "content-length: 14", body=BODY), (400, "malformed_request")),
    ],
)
def test_sizes_and_repetitions(raw_http_server: Running, data: bytes, expected: tuple[int, str | None]) -> None:
    assert outcome(raw_http_server, data)[:2] == expected


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/notes\r\n\r\n",
        b"GET  /api/notes HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET\t/api/notes HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /api/notes HTTP/2.0\r\nhost: x\r\n\r\n",
        b"GET /api/notes HTTP/1.2\r\nhost: x\r\n\r\n",
        b"GET /api/no tes HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost: x\r\na: b\x00c\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost: x\r\na: b\rc\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost: x\r\n: c\r\n\r\n",
        b"GET /api/notes HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /api/notes HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_what_the_server_refuses_by_itself(raw_http_server: Running, head: bytes) -> None:
    assert outcome(raw_http_server, head) == BY_SERVER


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("expect: 100-continue", [100, 201]),
        ("expect: 100-Continue", [100, 201]),
        ("expect: 200-ok", [417]),
        ("expect: 100-continue, x", [417]),
    ],
)
def test_expectations(raw_http_server: Running, line: str, expected: list[int]) -> None:
    with Connection(raw_http_server.port) as connection:
        connection.send(post("content-length: 14", line))
        first = connection.receive("POST")
        assert first is not None
        statuses = [first.status]
        if first.status == 100:
            connection.send(BODY)
            second = connection.receive("POST")
            assert second is not None
            statuses.append(second.status)
    assert statuses == expected


def test_a_body_that_will_be_refused_is_not_asked_for(raw_http_server: Running) -> None:
    for lines in (["content-length: 9999999"], ["content-length: 2", "content-encoding: gzip"]):
        with Connection(raw_http_server.port) as connection:
            connection.send(post(*lines, "expect: 100-continue"))
            response = connection.receive("POST")
            assert response is not None
            assert response.status in (413, 415)


def test_pipelined_requests_get_their_responses_one_by_one(raw_http_server: Running) -> None:
    with Connection(raw_http_server.port) as connection:
        connection.send(get() + post("content-length: 14", body=BODY) + get(host=None) + get())
        responses = [connection.receive(), connection.receive("POST"), connection.receive(), connection.receive()]
    assert [response and response.status for response in responses] == [200, 201, 400, None]
