"""Keyset cursors: every row exactly once, forwards and back, whatever happens between the pages."""

from collections.abc import Sequence
from itertools import combinations

import pytest
import pytest_asyncio
from all_types_app import SORTED, Sample, app
from contract_clients import Clients, problem
from contract_rows import write_samples, write_works
from pagination import ids, page, there_and_back
from reference_queries import Row, ordered
from sqlalchemy import delete

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIXED = [f"{first},-{second}" for first, second in combinations(SORTED[:6], 2)] + ["-small,large,-word", "-id", "id"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows(running: TestApp, clients: Clients) -> Sequence[Row]:
    """The samples, as Python sees them, and the catalogue beside them."""
    await write_works(clients.member_id, clients.stranger_id)
    return await write_samples()


@pytest.mark.parametrize("sort", [*SORTED, *(f"-{name}" for name in SORTED), *MIXED])
@pytest.mark.sampled(count=16)
async def test_the_pages_of_an_order_show_every_row_once_and_prev_leads_back(
    running: TestApp, rows: Sequence[Row], sort: str
) -> None:
    found = await there_and_back(running.anonymous, f"/api/samples?limit=5&sort={sort}")
    assert found == [row["id"] for row in ordered(rows, sort.split(","))]


@pytest.mark.parametrize("fields", ["id", "word", "data,texts", "span", "genre,mood"])
async def test_the_cursor_does_not_need_the_fields_that_are_shown(
    running: TestApp, rows: Sequence[Row], fields: str
) -> None:
    first = await page(running.anonymous, f"/api/samples?limit=30&sort=-genre,span&fields={fields}")
    second = await page(
        running.anonymous, f"/api/samples?limit=30&sort=-genre,span&after={first['page']['next']}&fields=id"
    )
    assert ids(second) == [row["id"] for row in ordered(rows, ["-genre", "span"])][30:]
    assert set(first["data"][0]) == set(fields.split(","))


async def test_not_null_columns_of_one_direction_and_of_mixed_ones_page_alike(
    running: TestApp, rows: Sequence[Row]
) -> None:
    for sort in ("title", "-title", "pages,-title", "-state,title", "state,pages,title", "-order,title"):
        assert len(await there_and_back(running.anonymous, f"/api/works?limit=1&sort={sort}")) == 3


async def test_the_first_page_has_no_prev_and_the_last_no_next(running: TestApp, rows: Sequence[Row]) -> None:
    envelope = await page(running.anonymous, "/api/samples?limit=100")
    assert envelope["page"] == {"limit": 100, "next": None, "prev": None}
    assert "link" not in (await running.anonymous.get("/api/samples?limit=100")).headers


async def test_the_link_header_leads_to_the_same_pages(running: TestApp, rows: Sequence[Row]) -> None:
    first = await running.anonymous.get("/api/samples?word[ne]=a%26b>c&limit=10&sort=-small&fields=id")
    path, _, relation = first.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    assert path.startswith("</api/samples?word[ne]=a%26b%3Ec&limit=10&sort=-small&fields=id&after=")
    second = await running.anonymous.get(path.strip("<>"))
    links = dict(link.split("; ")[::-1] for link in second.headers["link"].split(", "))
    assert set(links) == {'rel="next"', 'rel="prev"'}
    back = await running.anonymous.get(links['rel="prev"'].strip("<>"))
    assert back.data == first.data
    assert "after" not in links['rel="prev"']


async def test_rows_inserted_and_deleted_between_pages_disturb_no_other_row(
    running: TestApp, rows: Sequence[Row]
) -> None:
    query = "/api/samples?limit=4&sort=-small,word&word[ne]=zz-gone"
    first = await page(running.anonymous, query)
    before = [row["id"] for row in ordered(rows, ["-small", "word"])]
    async with app.transaction() as work:
        early, late = Sample(small=2**31 - 1, word="zz-new"), Sample(small=-(2**31), word="zz-new")
        work.session.add_all([early, late])
        await work.session.execute(delete(Sample).where(Sample.id == before[3]))
    second = await page(running.anonymous, f"{query}&after={first['page']['next']}")
    assert ids(second) == before[4:8], "the row at the cursor is gone, and the page begins behind it all the same"
    again = await page(running.anonymous, f"{query}&before={second['page']['prev']}")
    assert ids(again) == [early.id, *before[:3]][-4:]
    async with app.transaction() as work:
        await work.session.execute(delete(Sample).where(Sample.word == "zz-new"))
        work.session.add(Sample(**rows[before[3] - rows[0]["id"]]))


async def test_a_cursor_of_another_order_or_resource_or_a_broken_one_is_refused(
    running: TestApp, rows: Sequence[Row]
) -> None:
    cursor = (await page(running.anonymous, "/api/samples?limit=5&sort=small"))["page"]["next"]
    swapped = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
    for path, sent in [
        ("samples?sort=-small", cursor), ("samples?sort=small,-id", cursor), ("samples", cursor),
        ("works?sort=order", cursor), ("samples?sort=small", swapped), ("samples?sort=small", cursor[:-2]),
        ("samples?sort=small", cursor + "AAAA"), ("samples?sort=small", ""), ("samples?sort=small", "x"),
        ("samples?sort=small", "%C3%BC"), ("samples?sort=small", "A" * 5000), ("samples?sort=small", "...."),
        ("samples?sort=small", "WzEsMV0"),
    ]:  # fmt: skip
        for parameter in ("after", "before"):
            joint = "&" if "?" in path else "?"
            response = await running.anonymous.get(f"/api/{path}{joint}{parameter}={sent}")
            problem(response, 400, "invalid_cursor")


async def test_after_and_before_exclude_each_other(running: TestApp, rows: Sequence[Row]) -> None:
    cursor = (await page(running.anonymous, "/api/samples?limit=5"))["page"]["next"]
    problem(await running.anonymous.get(f"/api/samples?after={cursor}&before={cursor}"), 400, "invalid_parameter")


@pytest.mark.parametrize(
    ("sort", "code"),
    [
        ("nothing", "invalid_parameter"), ("", "invalid_parameter"), ("small,small", "invalid_parameter"),
        ("small,-small", "invalid_parameter"), ("--small", "invalid_parameter"), ("data", "not_sortable"),
        ("texts", "not_sortable"), ("document", "not_sortable"), ("small asc", "invalid_parameter"),
    ],
)  # fmt: skip
async def test_an_order_that_is_not_to_be_had_is_refused(running: TestApp, sort: str, code: str) -> None:
    response = await running.anonymous.get(f"/api/samples?sort={sort.replace(' ', '%20')}")
    problem(response, 400, code)


@pytest.mark.parametrize("name", ["cost", "ghost_id", "vault_id", "nothing"])
async def test_a_hidden_field_cannot_be_sorted_by_and_is_not_betrayed(running: TestApp, name: str) -> None:
    response = await running.anonymous.get(f"/api/works?sort={name}")
    assert f"There is no field '{name}'" in problem(response, 400, "invalid_parameter")["detail"]
    refused = await running.anonymous.get("/api/works?sort=extra")
    possible = problem(refused, 400, "not_sortable")["detail"].partition("allowed: ")[2]
    assert not any(secret in possible for secret in ("cost", "ghost", "vault"))
