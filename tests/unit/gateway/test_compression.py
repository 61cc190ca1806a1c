import random
import sys
import zlib
from typing import Any

import pytest
from gate_conversation import ask, forbidden_receive, gate, route, scope

from gatepost.asgi import Receive, Scope, Send
from gatepost.call import Call, Response
from gatepost.errors import Header
from gatepost.gateway.codings import wanted_coding
from gatepost.gateway.compression import BYTES_MIN, compressed, not_modified, strip_entity_tags

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGE = b'{"data":[' + b'{"title":"The Dispossessed"},' * 200 + b"{}]}"
JSON: Header = (b"content-type", b"application/json")
GZIP: Header = (b"accept-encoding", b"gzip")
VARY: Header = (b"vary", b"accept-encoding")
IF_MATCH, IF_NONE_MATCH = b"if-match", b"if-none-match"


def call(*headers: Header, kind: str = "api") -> Call:
    given = scope(headers=headers)
    return Call(given, forbidden_receive, "id", "192.0.2.1", dict(given["headers"]), b"", rules=route(kind=kind))


def response(*headers: Header, status: int = 200, body: bytes = LARGE) -> Response:
    return Response(status, body, (JSON, *headers))


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", None),
        ("gzip", b"gzip"),
        ("x-gzip", b"gzip"),
        ("GZIP", b"gzip"),
        ("gzip, deflate, br, zstd", b"zstd"),
        ("gzip;q=1.0, zstd;q=0.5", b"gzip"),
        ("gzip;q=0.5, zstd;q=0.5", b"zstd"),
        ("gzip ; q=0.5", b"gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("br", None),
        ("*", b"zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", b"gzip"),
        ("*;q=0.1, gzip;q=0.5", b"gzip"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", b"gzip"),
        ("identity;q=0.5, gzip;q=0.5", b"gzip"),
        ("identity;q=0, gzip;q=0.1", b"gzip"),
        ("identity;q=0", None),
        ("gzip;q=1.5", None),
        ("gzip;q=-1", None),
        ("gzip;q=nan", None),
        ("gzip;q=", None),
        ("gzip;x=1", None),
        ("gzipp, xgzip", None),
        (",,gzip,", b"gzip"),
        ("gzip\x00", None),
        ("gzip" + ", br" * 100, None),
    ],
)
def test_the_coding_is_the_one_that_the_client_weighs_most(accept: str, name: bytes | None) -> None:
    coding = wanted_coding(accept.encode())
    assert (coding.name if coding is not None else None) == name


@pytest.mark.parametrize(
    ("accept", "decode"), [(b"gzip", lambda body: zlib.decompress(body, 31)), (b"zstd", zstd.decompress)]
)
def test_a_large_response_is_compressed_and_can_be_read(accept: bytes, decode: Any) -> None:
    for _ in range(2):
        made = compressed(call((b"accept-encoding", accept)), response())
        assert decode(made.body) == LARGE
        assert len(made.body) < len(LARGE) / 10
        assert made.headers == (JSON, (b"content-encoding", accept), VARY)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (call(), response()),
        (call((b"accept-encoding", b"br")), response()),
        (call(GZIP, (b"cookie", b"session=1")), response()),
        (call(GZIP), response(body=random.Random(1).randbytes(4096))),
    ],
    ids=["not asked for", "not had", "with a cookie", "incompressible"],
)
def test_what_another_client_might_get_compressed_says_so(asked: Call, given: Response) -> None:
    made = compressed(asked, given)
    assert (made.body, made.headers) == (given.body, (*given.headers, VARY))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (call(GZIP, kind="auth"), response()),
        (call(GZIP), response((b"set-cookie", b"session=1"))),
        (call(GZIP), Response(200, LARGE, cache_control=b"private, no-transform")),
        (call(GZIP), response((b"content-encoding", b"br"))),
        (call(GZIP), response((b"content-range", b"bytes 0-9/10"), status=206)),
        (call(GZIP), response(status=400)),
        (call(GZIP), response(status=500)),
        (call(GZIP), Response(200, LARGE, ((b"content-type", b"image/png"),))),
        (call(GZIP), Response(200, LARGE, ((b"content-type", b"text/event-stream"),))),
        (call(GZIP), Response(200, LARGE, ())),
    ],
    ids=["auth", "cookie", "no-transform", "coded", "range", "400", "500", "image", "events", "no type"],
)
def test_what_is_never_compressed_is_left_as_it_is(asked: Call, given: Response) -> None:
    assert compressed(asked, given) is given


def test_a_strong_entity_tag_differs_by_coding_and_a_weak_one_does_not() -> None:
    made = compressed(call(GZIP), response((b"etag", b'"3"')))
    assert (b"etag", b'"3-gzip"') in made.headers
    made = compressed(call(GZIP), response((b"etag", b'W/"3"')))
    assert (b"etag", b'W/"3"') in made.headers


@pytest.mark.parametrize("tag", [b'"3"', b'"3-gzip"', b'"3-zstd"'])
def test_if_match_means_the_row_in_whatever_coding_it_was_read(tag: bytes) -> None:
    asked = call((IF_MATCH, tag + b', "2-gzip"'))
    strip_entity_tags(asked)
    assert asked.headers[IF_MATCH] == b'"3", "2"'


@pytest.mark.parametrize(
    ("accept", "tag", "seen"),
    [
        (b"gzip", b'"3-gzip"', b'"3"'),
        (b"gzip", b'W/"3-gzip"', b'W/"3"'),
        (b"gzip", b'"3"', b'"3"'),
        (b"gzip", b'"2", "3-gzip"', b'"2", "3"'),
        # To one who reads no gzip, bytes in gzip are another response.
        (b"", b'"3-gzip"', b'"3-gzip"'),
        (b"zstd", b'"3-gzip"', b'"3-gzip"'),
        (b"gzip", b"*", b"*"),
    ],
)
def test_if_none_match_means_the_bytes_that_the_client_would_get(accept: bytes, tag: bytes, seen: bytes) -> None:
    asked = call((b"accept-encoding", accept), (IF_NONE_MATCH, tag))
    strip_entity_tags(asked)
    assert asked.headers[IF_NONE_MATCH] == seen


@pytest.mark.parametrize(
    ("accept", "named", "tag"),
    [
        (b"gzip", b'"3-gzip"', b'"3-gzip"'),
        (b"gzip", b'"3"', b'"3"'),
        (b"gzip", b'"3", "3-gzip"', b'"3-gzip"'),
        (b"gzip", b"*", b'"3"'),
        (b"", b'"3"', b'"3"'),
    ],
)
def test_a_304_names_the_response_that_the_client_holds(accept: bytes, named: bytes, tag: bytes) -> None:
    asked = call((b"accept-encoding", accept), (IF_NONE_MATCH, named))
    strip_entity_tags(asked)
    made = not_modified(asked, Response(304, b"", (JSON, (b"etag", b'"3"'))))
    assert made.headers == (JSON, (b"etag", tag), VARY)


def responding(given: Response) -> Any:
    """An application that responds as Gatepost's own does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["gatepost"].respond(given)

    return app


async def test_through_the_gate_head_says_what_get_says() -> None:
    app = gate(responding(response((b"etag", b'"3"'))))
    got, head = await ask(app, scope(headers=[GZIP])), await ask(app, scope("HEAD", headers=[GZIP]))
    assert zlib.decompress(got.body, 31) == LARGE
    assert head.body == b""
    assert head.header("content-length") == str(len(got.body))
    for name in ("content-encoding", "etag", "vary"):
        assert got.header(name) == head.header(name) is not None


async def test_small_responses_and_all_responses_where_it_is_off_are_left_alone() -> None:
    small = response(body=b'"' + b"x" * (BYTES_MIN - 3) + b'"')
    for app in (gate(responding(small)), gate(responding(response()), compress=False)):
        got = await ask(app, scope(headers=[GZIP]))
        assert (got.header("content-encoding"), got.header("vary")) == (None, None)


async def test_both_varying_headers_are_named() -> None:
    app = gate(responding(response()), cors_origins=("https://shop.example",))
    got = await ask(app, scope(headers=[GZIP]))
    assert {value for name, value in got.headers if name == b"vary"} == {b"origin", b"accept-encoding"}


async def test_a_mounted_application_compresses_itself_or_not_at_all() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"br")]})
        await send({"type": "http.response.body", "body": LARGE})

    got = await ask(gate(app), scope(path="/legacy", headers=[GZIP]))
    assert (got.body, got.header("content-encoding")) == (LARGE, "br")
