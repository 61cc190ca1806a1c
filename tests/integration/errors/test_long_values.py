"""Values that are too long for an index: 422 at the field, by every way in."""

import random
import string
from typing import Any

import pytest
from errors_app import Bookmark, Site, app, failures, refused

from gatepost import Unprocessable

pytestmark = pytest.mark.asyncio(loop_scope="module")


def noise(length: int, signs: str = string.ascii_letters + string.digits) -> str:
    """A text that hardly compresses."""
    return "".join(random.Random(length).choices(signs, k=length))


CHINESE = "".join(chr(sign) for sign in range(0x4E00, 0x9FA5))

CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"url": noise(4000)}, ["url"]),
    ({"url": noise(1200, CHINESE)}, ["url"]),
    ({"url": noise(60_000)}, ["url"]),
    ({"title": noise(4000)}, ["title"]),
    ({"note": noise(4000)}, ["note"]),
    ({"host": "example.com", "place": noise(4000)}, ["place"]),
    ({"host": noise(2000), "place": noise(2001)}, ["host", "place"]),
    ({"tags": [noise(6000)[start : start + 300] for start in range(0, 6000, 300)]}, ["tags"]),
    ({"words": ["short", noise(4000)]}, ["words"]),
    ({"digest": noise(8000)}, ["digest"]),
    ({"document": {"a": noise(20_000)}}, ["document"]),
    ({"url": noise(4000), "body": noise(9000)}, ["url"]),
    ({"url": noise(60_000), "body": noise(90_000)}, ["url"]),
    ({"url": noise(60_000), "title": noise(60_001)}, ["title", "url"]),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("body", "fields"), CASES, ids="-".join)
async def test_a_value_too_long_for_an_index_is_refused_at_its_field(
    site: Site, method: str, body: dict[str, Any], fields: list[str]
) -> None:
    await site.clear("links")
    response = await site.write(method, "links", **body)

    assert (response.status, response.json()["code"]) == (422, "invalid_body")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/{field}" for field in fields]
    assert {error["code"] for error in response.json()["errors"]} == {"too_long"}
    assert "index row" not in response.body.decode()
    assert refused[0].reason.startswith("54000 index row")
    assert not failures


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("field", ["url", "title"])
async def test_through_a_service_as_well(site: Site, method: str, field: str) -> None:
    await site.clear("bookmarks")
    for size in (4000, 60_000):
        response = await site.write(method, "bookmarks", **{field: noise(size), "body": noise(70_000)})

        assert (response.status, [error["pointer"] for error in response.json()["errors"]]) == (422, [f"/{field}"])
        assert response.json()["errors"][0]["code"] == "too_long"
    assert not failures


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_long_values_without_a_btree_are_stored(site: Site, method: str) -> None:
    await site.clear("links")
    response = await site.write(method, "links", body=noise(60_000), hashed=noise(60_000), short="ok")

    assert response.status in (200, 201)


async def test_a_value_whose_computed_column_is_too_long_is_named_by_its_size(site: Site) -> None:
    await site.clear("links")
    await site.witness.execute("DROP INDEX IF EXISTS ix_links_title_id, ix_links_title_id_desc")
    response = await site.write("POST", "links", title=noise(4000), host="example.com")

    assert (response.status, [error["pointer"] for error in response.json()["errors"]]) == (422, ["/title"])


async def test_a_trigger_that_makes_the_value_too_long_is_a_mistake(site: Site) -> None:
    await site.clear("links")
    await site.trigger("links", "NEW.url := (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i)")
    response = await site.write("POST", "links", host="example.com")
    await site.witness.execute("DROP FUNCTION act() CASCADE")

    assert response.status == 500
    assert "index row" in str(failures[0])


async def test_outside_of_a_request_as_well(site: Site) -> None:
    with pytest.raises(Unprocessable) as refusal:
        async with app.transaction() as tx:
            await tx.service(Bookmark).create(Bookmark(url=noise(4000)), tx.actor)

    assert [(error.pointer, error.code) for error in refusal.value.errors] == [("/url", "too_long")]
