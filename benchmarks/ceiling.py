"""The bare ceiling: one ASGI function that does Gatepost's work by Gatepost's technique, without its layers."""

import asyncio
import os
from base64 import urlsafe_b64encode
from collections import deque
from itertools import count
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import DecodeError, json

from benchmarks.ceiling_data import (
    CLAIMS,
    HEADERS,
    INSERT,
    LEFT,
    ONE,
    PAGE,
    UPDATE,
    USER,
    Access,
    Draft,
    LastRow,
    Patch,
)

KEY, CAPACITY, REFILL = OKPKey.import_key(Path(os.environ["PUBLIC_KEY_FILE"]).read_text()), 1e9, 1e6
encoder, drafts, patches, last_rows = json.Encoder(), json.Decoder(Draft), json.Decoder(Patch), json.Decoder(LastRow)
idle: list[Any] = []  # connections with their prepared statements, last in first out
waiting: deque[asyncio.Future[Any]] = deque()
users: dict[bytes, tuple[Any, float]] = {}
buckets: dict[str, tuple[float, float]] = {}
lines, opened, numbers = list[Access](), count(), count()


async def fetch(sql: str, *arguments: Any) -> Any:
    if idle:
        held = idle.pop()
    elif next(opened) < 10:
        held = await asyncpg.connect(os.environ["DATABASE_URL"]), dict[str, Any]()
    else:
        waiting.append(waiter := asyncio.get_running_loop().create_future())
        held = await waiter
    try:
        statement = held[1].get(sql) or held[1].setdefault(sql, await held[0].prepare(sql))
        return await statement.fetchrow(*arguments)
    finally:
        waiting.popleft().set_result(held) if waiting else idle.append(held)


async def identify(authorization: bytes) -> Any:
    if (known := users.get(authorization)) is None or known[1] < time():
        token = jwt.decode(authorization.removeprefix(b"Bearer ").decode(), KEY, algorithms=["EdDSA"])
        CLAIMS.validate(token.claims)
        known = users[authorization] = dict(await fetch(USER, token.claims["sub"])), token.claims["exp"]
    return known[0]


def take(key: str, now: float) -> float:
    level, since = buckets.get(key, (CAPACITY, now))
    buckets[key] = ((level := min(CAPACITY, level + (now - since) * REFILL)) - (level >= 1), now)
    return level - 1


def write_lines() -> None:
    os.write(1, encoder.encode_lines(lines))
    lines.clear()


async def work(method: str, path: str, query: bytes, user: Any, receive: Any) -> tuple[int, bytes, list[Any]]:
    if method == "GET" and path == "/api/books":
        asked = dict(parse_qsl(query))
        text, rows = await fetch(PAGE, asked[b"price[lt]"].decode(), (limit := int(asked[b"limit"])) + 1)
        kept = text[: text.rfind(",\n")] if rows > limit else text or ""
        last = kept[kept.rfind("\n") + 1 :]
        cursor = urlsafe_b64encode(encoder.encode(last_rows.decode(last))) if rows > limit else None
        page = b'"%b"' % cursor if cursor else b"null"
        body = b'{"data":[%b],"page":{"limit":%d,"next":%b,"prev":null}}' % (kept.encode(), limit, page)
        return 200, body, [(b"link", b'<?%b&after=%b>; rel="next"' % (query, cursor))] if cursor else []
    if method == "GET":
        found, extra = await fetch(ONE, path[11:]), []
    elif "editor" not in user["roles"]:
        return 403, b'{"status":403}', []
    else:
        body = (await receive())["body"]
        if method == "POST":
            draft = drafts.decode(body)
            found = await fetch(INSERT, draft.title, draft.price, draft.author_id, draft.stock)
            extra = [(b"location", b"/api/books/" + found[2].encode())]
        else:
            names, values = patches.decode(body).changes()
            found, extra = await fetch(UPDATE[names], path[11:], *values), []
    if found is None:
        return 404, b'{"status":404}', []
    return 201 if method == "POST" else 200, b'{"data":%b}' % found[0].encode(), [*extra, (b"etag", b'"%d"' % found[1])]


async def app(scope: Any, receive: Any, send: Any) -> None:
    now, headers, user = time(), dict(scope["headers"]), None
    number, client, method, path = b"%x" % next(numbers), scope["client"][0], scope["method"], scope["path"]
    status, body, extra, second = 429, b'{"status":429}', list[Any](), 0.0
    try:
        user = await identify(headers.get(b"authorization", b"")) if (first := take(client, now)) >= 0 else None
        if user and (second := take(f"{user['id']} {method}", now)) >= 0:
            status, body, extra = await work(method, path, scope["query_string"], user, receive)
    except (DecodeError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
        status, body = 422, b'{"status":422}'
    except (JoseError, TypeError, ValueError):
        status, body = 401, b'{"status":401}'
    left = LEFT % (first, (CAPACITY - first) // REFILL, second, (CAPACITY - second) // REFILL)
    head = [*HEADERS, (b"x-request-id", number), (b"ratelimit", left), *extra]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
    if not lines:
        asyncio.get_running_loop().call_later(0.05, write_lines)
    lines.append(Access(now, number.decode(), method, path, status, (time() - now) * 1000, client, user and user["id"]))
