"""Entity tags of compressed responses, from the first read to the change that depends on it."""

import zlib
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from contract_clients import Clients, problem
from contract_rows import write_works

pytestmark = pytest.mark.asyncio(loop_scope="module")

GZIP = {"accept-encoding": "gzip"}
LARGE = {"text": "The sea, the sea. " * 500}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


async def test_a_row_read_in_a_coding_is_unchanged_and_can_be_changed(clients: Clients, keys: dict[str, int]) -> None:
    body: dict[str, Any] = {"title": "Large", "author_id": keys["ann"], "extra": LARGE}
    made = await clients.editor.post("/api/works", json=body, headers=GZIP)
    assert made.status == 201
    path, plain = made.headers["location"], (await clients.editor.get(made.headers["location"])).headers["etag"]

    read = await clients.editor.get(path, headers=GZIP)
    assert read.headers["content-encoding"] == "gzip"
    assert read.headers["vary"] == "accept-encoding"
    assert msgspec.json.decode(zlib.decompress(read.body, 31))["data"]["extra"] == LARGE
    coded = read.headers["etag"]
    assert made.headers["etag"] == coded == plain[:-1] + '-gzip"'

    again = await clients.editor.get(path, headers={**GZIP, "if-none-match": coded})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", coded)
    for headers, status in (({"if-none-match": coded}, 200), ({**GZIP, "if-none-match": plain}, 304)):
        assert (await clients.editor.get(path, headers=headers)).status == status

    changed = await clients.editor.patch(path, json={"pages": 7}, headers={**GZIP, "if-match": coded})
    assert (changed.status, changed.headers["content-encoding"]) == (200, "gzip")
    problem(await clients.editor.patch(path, json={"pages": 8}, headers={"if-match": coded}), 412, "version_mismatch")
    assert (await clients.editor.get(path, headers={**GZIP, "if-none-match": coded})).status == 200
    assert (await clients.editor.delete(path, headers={"if-match": changed.headers["etag"]})).status == 204
