"""Requests that nobody would send: good ones with damage, bodies and queries with damage in a good head, and noise."""

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from collections.abc import Callable

from tests.acceptance.conftest import Running
from tests.acceptance.raw_http import request

CONNECTIONS = 48
QUIET_SECONDS = 0.1
HANG_SECONDS = 10.0

KEY = "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d"
JSON = "content-type: application/json"
BODY = b'{"title": "x", "document": {"a": [1, 2.5e3, null, "\\u00e9"], "b": {"c": true}}, "numbers": [1, 2, 3]}'
LOGIN = b'{"email": "someone@shop.example", "password": "correct horse battery staple"}'
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n" + b"%x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n0\r\nx-trailer: y\r\n\r\n"
QUERY = f"title=x&id[in]={KEY},{KEY}&created_at[gte]=2026-01-01T00:00:00Z&sort=-id&fields=id,title&limit=5&after=abc"

GOOD = [
    request("GET", f"/api/notes?{QUERY}", "accept: */*", 'if-none-match: "1", W/"2"'),
    request("GET", f"/api/notes/{KEY}?fields=id", "authorization: Bearer a.b.c", "cookie: a=b; c=d"),
    request("POST", "/api/notes", JSON, body=BODY),
    request("POST", "/api/smalls", JSON, "expect: 100-continue", "idempotency-key: x", body=BODY),
    request("POST", "/api/notes", JSON, "transfer-encoding: chunked") + CHUNKS,
    request("PATCH", f"/api/notes/{KEY}", "content-type: application/merge-patch+json", 'if-match: "1"', body=BODY),
    request("DELETE", f"/api/notes/{KEY}", "if-match: *"),
    request("POST", "/api/auth/login", JSON, body=LOGIN),
    request("HEAD", "/livez", "x-forwarded-for: 192.0.2.1, 192.0.2.2", 'forwarded: for="[::1]:80";proto=https'),
    request("OPTIONS", "*", "origin: https://shop.example", "access-control-request-method: POST"),
    request("PUT", "/echo/a%20b/c;d?e=f#g", "content-type: text/plain", "content-encoding: gzip", body=BODY),
    request("GET", "http://x:80/api/notes", "upgrade: websocket", "connection: upgrade"),
]

SIGNS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"/", b"//", b"/../", b"?", b"#", b"&", b"=", b"[", b"]", b"{",
    b"}", b'"', b"\\", b",", b"*", b"%", b"%00", b"%2f", b"%2e", b"%ff", b"%c0%af", b"\xff",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), b"\\u0000", b"\\ud800", b"NaN", b"-0", b"1e999", b"9" * 40,
    b"0" * 30, b"true", b"null", b"-1", b"[" * 3000, b'{"a":' * 500, b"A" * 9000, b"[lt]", b"[contains]", b"fields=",
    b"expand=", b"sort=", b"author.name",
]  # fmt: skip

LINES = [
    b"host: y\r\n", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"expect: x\r\n", b"a: b\r\n" * 90,
    b"transfer-encoding: gzip, chunked\r\n", b"connection: close\r\n", b"GET ", b"TRACE ", b"HTTP/1.0", b"HTTP/9.9",
    b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"\r\n\r\n",
]  # fmt: skip

TOKENS = SIGNS + LINES


def damaged(chance: random.Random, data: bytes) -> bytes:
    """The data with one to six injuries."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 0, 1, 1, 2, 8, 60)))
        injury = chance.choice((_token, _noise, _flipped, _twice, _nothing, _stolen))
        data = data[:start] + injury(chance, data[start:end]) + data[end:]
    return data


def _token(chance: random.Random, part: bytes) -> bytes:
    return chance.choice(TOKENS)


def _noise(chance: random.Random, part: bytes) -> bytes:
    return chance.randbytes(chance.choice((1, 1, 2, 5, 50)))


def _flipped(chance: random.Random, part: bytes) -> bytes:
    return bytes(byte ^ (1 << chance.randrange(8)) for byte in part)


def _twice(chance: random.Random, part: bytes) -> bytes:
    return part * chance.choice((2, 2, 3, 50))


def _nothing(chance: random.Random, part: bytes) -> bytes:
    return b""


def _stolen(chance: random.Random, part: bytes) -> bytes:
    other = chance.choice(GOOD)
    start = chance.randrange(len(other))
    return other[start : start + chance.randrange(200)]


def _whole(chance: random.Random) -> bytes:
    return damaged(chance, chance.choice(GOOD))


def _body(chance: random.Random) -> bytes:
    method, target = chance.choice((("POST", "/api/notes"), ("PATCH", f"/api/notes/{KEY}"), ("POST", "/api/smalls")))
    return request(method, target, JSON, body=damaged(chance, BODY))


def _query(chance: random.Random) -> bytes:
    query = re.sub(rb"[\x00-\x20\x7f-\xff#]", b"%5B", damaged(chance, QUERY.encode()))
    return request("GET", b"/api/notes?" + query)


def _path(chance: random.Random) -> bytes:
    target = chance.choice((b"/api/notes/" + KEY.encode(), b"/echo/a/b", b"/api/auth/me", b"/readyz"))
    return request(chance.choice(("GET", "HEAD", "DELETE", "OPTIONS")), damaged(chance, target))


def _several(chance: random.Random) -> bytes:
    return b"".join(chance.choice((GOOD[0], GOOD[2], _whole(chance), _body(chance))) for _ in range(4))


def _random(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 2000))


SORTS: tuple[Callable[[random.Random], bytes], ...] = (_whole, _whole, _body, _query, _path, _several, _random)


class Fuzz:
    """Sends what `chance` makes for some seconds; `found` counts the responses by status, `complaints` lists faults."""

    def __init__(self, server: Running, seed: int) -> None:
        self._port = server.port
        self._chance = random.Random(seed)
        self.found: Counter[int] = Counter()
        self.complaints: list[str] = []

    async def run(self, seconds: float) -> None:
        """Send over several connections at once."""
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(self._send_until(deadline) for _ in range(CONNECTIONS)))

    async def _send_until(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            data = self._chance.choice(SORTS)(self._chance)
            try:
                response = await asyncio.wait_for(self._ask(data), HANG_SECONDS)
            except TimeoutError:
                self.complaints.append(f"no end after {HANG_SECONDS:g} s: {data!r}")
                continue
            self._judge(data, response)

    def _judge(self, data: bytes, response: bytes) -> None:
        statuses = [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", response, re.M)]
        self.found.update(statuses)
        # 501 is the response to a method that does not exist.
        self.complaints += [f"{status}: {data!r}" for status in statuses if status >= 500 and status != 501]

    async def _ask(self, data: bytes) -> bytes:
        """What comes back until there is nothing more to come; the end of what is sent ends what is half."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        response = b""
        try:
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                while part := await self._part(reader, writer):
                    response += part
        finally:
            writer.close()
        return response

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            return await asyncio.wait_for(reader.read(65_536), QUIET_SECONDS)
        except TimeoutError:
            writer.write_eof()
            return await reader.read(65_536)
