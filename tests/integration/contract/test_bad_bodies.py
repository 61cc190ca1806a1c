"""Bad bodies: a 4xx problem that names the place, and nothing written."""

import json
from typing import Any

import pytest
import pytest_asyncio
from contract_clients import Clients, problem, random_requests
from contract_rows import write_works
from hypothesis import given
from hypothesis import strategies as st
from pagination import page

from gatepost.testing import ClientResponse

pytestmark = pytest.mark.asyncio(loop_scope="module")

MALFORMED = {
    "nothing": b"",
    "white space": b" \n",
    "a cut object": b'{"title": "a"',
    "a cut text": b'{"title": "a',
    "a comma too many": b'{"title": "a",}',
    "single quotes": b"{'title': 'a'}",
    "a comment": b'{"title": "a" /* b */}',
    "bytes behind": b'{"title": "a"} x',
    "two values": b'{"title": "a"}{"title": "b"}',
    "a byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "a raw byte": b'{"title": "\xff"}',
    "a raw surrogate": b'{"title": "\xed\xa0\x80"}',
    "an overlong form": b'{"title": "\xc0\x80"}',
    "a raw control": b'{"title": "a\x00b"}',
    "NaN": b'{"pages": NaN}',
    "Infinity": b'{"pages": -Infinity}',
    "a leading zero": b'{"pages": 01}',
    "hexadecimal": b'{"pages": 0x1}',
    "a doubled key": b'{"title": "a", "title": "b"}',
    "a doubled key, escaped": b'{"title": "a", "titl\\u0065": "b"}',
    "a doubled key inside": b'{"extra": {"a": 1, "a": 2}}',
    "a bad escape": b'{"title": "\\x41"}',
    "brackets": b"[" * 100_000,
    "brackets in a field": b'{"extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects in a field": b'{"extra": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
}

REFUSED = {
    "a list": b"[]",
    "a text": b'"title"',
    "null": b"null",
    "a list of objects": b'[{"title": "a"}]',
    "an escaped NUL": b'{"title": "a\\u0000"}',
    "a lone surrogate": b'{"title": "\\ud800"}',
    "a lone low surrogate": b'{"title": "\\udc00\\ud800"}',
    "a NUL in a document": b'{"extra": {"a": ["\\u0000"]}}',
    "a NUL in a document's key": b'{"extra": {"\\u0000": 1}}',
    "a surrogate in a document": b'{"extra": {"a": "\\ud800"}}',
    "a NUL in an unknown key": b'{"\\u0000": 1}',
    "a number beyond the column": b'{"pages": 2147483648}',
    "a number beyond everything": b'{"pages": 1e999}',
    "a fraction": b'{"pages": 1.5}',
    "a hundred digits": b'{"pages": ' + b"9" * 100 + b"}",
    "a million digits": b'{"pages": ' + b"9" * 1_000_000 + b"}",
    "a million digits in a document": b'{"extra": ' + b"9" * 1_000_000 + b"}",
    "a million digits in a decimal": b'{"cost": ' + b"9" * 1_000_000 + b"}",
    "a million digits in a decimal's text": b'{"cost": "' + b"9" * 1_000_000 + b'"}',
    "an exponent in a decimal": b'{"cost": 1e999999999}',
    "a small exponent in a decimal": b'{"cost": "1e-999999999"}',
    "an exponent in a document": b'{"extra": {"a": 1e1000}}',
    "depth in a document": b'{"extra": ' + b"[" * 40 + b"]" * 40 + b"}",
    "an object for a text": b'{"title": {"a": 1}}',
    "true for a number": b'{"pages": true}',
    "ten thousand unknown keys": json.dumps({f"k{index}": index for index in range(10_000)}).encode(),
    "an unknown key, odd": b'{"__proto__": 1, "": 2, "a/b~c": 3}',
    "a prototype": b'{"author_id.name": 1}',
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


async def present(clients: Clients) -> Any:
    """All works, with all that an editor sees."""
    return (await page(clients.editor, "/api/works?limit=100"))["data"]


async def both(clients: Clients, keys: dict[str, int], content: bytes) -> tuple[ClientResponse, ClientResponse]:
    return (
        await clients.editor.post("/api/works", content=content),
        await clients.editor.patch(f"/api/works/{keys['sea']}", content=content),
    )


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_strict_json_is_refused(clients: Clients, keys: dict[str, int], name: str) -> None:
    before = await present(clients)
    for response in await both(clients, keys, MALFORMED[name]):
        assert problem(response, 400, "malformed_json")["detail"].startswith("The body is not strict JSON: ")
        assert len(response.body) < 1000
    assert await present(clients) == before


@pytest.mark.parametrize("name", REFUSED)
async def test_what_does_not_fit_is_refused_at_its_place(clients: Clients, keys: dict[str, int], name: str) -> None:
    before = await present(clients)
    for response in await both(clients, keys, REFUSED[name]):
        if response.status == 400:
            assert "surrogate" in name
            problem(response, 400, "malformed_json")
        else:
            assert problem(response, 422, "invalid_body")["errors"]
        assert len(response.body) < 40_000, "a response is not larger than the attack"
    assert await present(clients) == before


async def test_a_body_beyond_the_limit_is_refused_unread(clients: Clients, keys: dict[str, int]) -> None:
    for response in await both(clients, keys, b'{"pages": ' + b"9" * 10_000_000 + b"}"):
        problem(response, 413, "content_too_large")


BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2024-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SAMPLE = ["small", "large", "word", "amount", "ratio", "flag", "genre", "mood", "grade", "day", "hour", "moment",
          "span", "token", "data", "texts", "numbers", "genres", "amounts", "moments", "document"]  # fmt: skip


@random_requests(0.8)
@given(body=st.dictionaries(st.sampled_from(SAMPLE), BODIES, max_size=4), key=st.text(max_size=3))
async def test_no_body_is_an_internal_error(clients: Clients, body: dict[str, Any], key: str) -> None:
    content = json.dumps(body, ensure_ascii=len(key) % 2 == 0).encode("utf-8", "surrogatepass")
    created = await clients.editor.post("/api/samples", content=content)
    assert created.status in (201, 400, 422), created.body
    if created.status == 201:
        again = await clients.editor.patch(created.headers["location"], json=created.data)
        assert (again.status, again.data) == (200, created.data), "what is sent as the row shows it stays"
    else:
        problem(created, created.status, created.json()["code"])


@random_requests(0.5)
@given(content=st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0d8e1-. tn', max_size=60).map(str.encode))
async def test_no_bytes_are_an_internal_error(clients: Clients, content: bytes) -> None:
    assert (await clients.editor.post("/api/samples", content=content)).status in (201, 400, 422)
