"""Endpoints that return a `Select`: policy, fields and paging are compiled around it."""

import secrets
from itertools import combinations
from typing import Any

import pytest
from endpoints_clients import Library, failures

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def titles(library: Library, who: str, path: str, **params: Any) -> list[str]:
    """The titles of a list."""
    response = await library.by(who).get(f"/api/lists/{path}", params=params)
    assert response.status == 200, response.body
    return [row["title"] for row in response.data]


async def test_a_select_is_a_list_of_what_the_actor_may_list(library: Library) -> None:
    for title, is_secret in (("sel-a", False), ("sel-b", True), ("sel-c", False)):
        await library.book(title=title, is_secret=is_secret, stock=500)

    assert await titles(library, "anonymous", "stocked", stock=500) == ["sel-c", "sel-a"]
    assert await titles(library, "editor", "stocked", stock=500) == ["sel-c", "sel-b", "sel-a"]


async def test_values_of_a_select_are_those_of_its_call(library: Library) -> None:
    for title in ("val-a", "val-b"):
        await library.book(title=title, stock=600)

    found = [
        await titles(library, "editor", "stocked", stock=600, titles=title) for title in ("val-a", "val-b", "val-c")
    ]

    assert found == [["val-a"], ["val-b"], []]


@pytest.mark.parametrize("stock", [4, 2**31, 2**40, -(2**40), 2**63 - 1])
async def test_numbers_are_compared_whatever_their_size(library: Library, stock: int) -> None:
    await library.book(title="numbers", stock=4)

    found = await titles(library, "anonymous", "numbers/compared", stock=stock)
    assert set(found) == ({"numbers"} if stock > 0 else set())
    in_session = await library.anonymous.get(f"/api/lists/numbers/in-session?stock={stock}")
    assert set(in_session.data) == ({"numbers"} if stock != 4 else set())


@pytest.mark.parametrize(("stock", "code"), [(2**40, "too_large"), (-(2**40), "too_small"), (2**31 - 1, None)])
async def test_a_number_that_cannot_be_computed_with_is_refused(library: Library, stock: int, code: str | None) -> None:
    await library.book(title="numbers", stock=4)

    refused = await library.anonymous.get(f"/api/lists/numbers/added?stock={stock}")
    assert (refused.status, refused.json()["code"]) == (400, "invalid_parameter")
    assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == (
        [("/stock", code)] if code else []
    )


async def test_a_select_is_paged_in_its_own_order(library: Library) -> None:
    names = [f"page-{number}" for number in range(5)]
    for title in names:
        await library.book(title=title, stock=700)

    seen: list[str] = []
    path = "/api/lists/stocked?stock=700&limit=2"
    while path:
        response = await library.anonymous.get(path)
        seen += [row["title"] for row in response.data]
        after = response.json()["page"]["next"]
        path = after and f"/api/lists/stocked?stock=700&limit=2&after={after}"

    assert seen == names[::-1]
    counted = await library.anonymous.get("/api/lists/stocked?stock=700&limit=2&count=true")
    assert counted.json()["page"]["total"] == 5
    assert b"/api/lists/stocked?" in counted.headers["link"].encode()


async def test_a_cursor_holds_for_its_own_list(library: Library) -> None:
    for _ in range(3):
        await library.book(title="cursor", stock=800)
    derived = await library.anonymous.get("/api/books?limit=1")

    response = await library.anonymous.get(f"/api/lists/stocked?after={derived.json()['page']['next']}")

    assert response.status == 400


async def test_a_select_that_joins_has_each_row_once(library: Library) -> None:
    name = secrets.token_hex(4)
    book = await library.book(title="joined")
    await library.editor.post(f"/api/books/{book.id}/move", json={"shelf": name})

    assert await titles(library, "anonymous", f"on/{name}/now") == ["joined"]


async def test_values_inside_relations_are_those_of_the_call(library: Library) -> None:
    """SQLAlchemy keeps the inside of `has()` and `any()` from being replaced, and so from being bound."""
    names = [secrets.token_hex(4) for _ in range(3)]
    for name in names[:2]:
        book = await library.book(title=name)
        await library.editor.post(f"/api/books/{book.id}/move", json={"shelf": name})

    found = [await titles(library, "anonymous", f"of/{name}") for name in names]
    among = [
        await titles(library, "anonymous", f"in?names={first}&names={last}") for first, last in combinations(names, 2)
    ]

    assert found == [[names[0]], [names[1]], []]
    assert among == [sorted(names[:2]), names[:1], names[1:2]]


async def test_filters_and_sorting_are_offered_where_the_endpoint_says_so(library: Library) -> None:
    book = await library.book(title="filtered")

    assert await titles(library, "anonymous", "filtered", isbn=book.isbn) == ["filtered"]
    assert (await library.anonymous.get("/api/lists/filtered?sort=-isbn&limit=1")).status == 200
    refused = await library.anonymous.get(f"/api/lists/stocked?isbn={book.isbn}")
    assert (refused.status, refused.json()["code"]) == (400, "unknown_parameter")
    assert (await library.anonymous.get("/api/lists/stocked?sort=isbn")).status == 400


async def test_a_limit_of_its_own_counts_the_rows_that_the_actor_may_list(library: Library) -> None:
    await library.book(title="x" * 150, stock=1, is_secret=True)
    for letter in "yz":
        await library.book(title=letter * 140, isbn=f"{letter}-longest", stock=1)

    assert await titles(library, "anonymous", "longest") == ["y" * 140, "z" * 140]
    assert await titles(library, "editor", "longest") == ["x" * 150, "y" * 140]
    assert (await library.editor.get("/api/lists/longest?after=x")).status == 400
    page = (await library.editor.get("/api/lists/longest")).json()["page"]
    assert (page["next"], page["prev"]) == (None, None)


async def test_a_list_without_pages_is_whole(library: Library) -> None:
    for number in range(25):
        await library.book(title="whole", isbn=f"whole-{number:02}", stock=2)

    found = await titles(library, "anonymous", "whole")

    assert found.count("whole") == 25
    assert (await library.anonymous.get("/api/lists/whole?limit=3")).status == 400


async def test_an_endpoint_may_page_itself(library: Library) -> None:
    for _ in range(4):
        await library.book(title="own", stock=2)

    assert len(await titles(library, "anonymous", "own")) == 2
    assert len(await titles(library, "anonymous", "own", limit=4)) == 4
    assert (await library.anonymous.get("/api/lists/own?limit=6")).status == 400


async def test_the_actor_is_a_value_of_the_call(library: Library) -> None:
    book = await library.book()
    lent = await library.reader.post(f"/api/desk/loans/{book.isbn}")

    mine = await library.reader.get("/api/lists/mine")
    theirs = await library.editor.get("/api/lists/mine")

    assert lent.data["id"] in [row["id"] for row in mine.data]
    assert theirs.data == []


async def test_a_select_of_columns_is_plain_data(library: Library) -> None:
    for title in ("plain-a", "plain-b", "plain-b"):
        await library.book(title=title)

    found = await library.anonymous.get("/api/lists/titles?prefix=plain-")
    counts = await library.anonymous.get("/api/lists/counts?prefix=plain-")

    assert found.json() == {"data": ["plain-a", "plain-b"]}
    assert counts.json() == {"data": [{"title": "plain-a", "copies": 1}, {"title": "plain-b", "copies": 2}]}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("unlimited", "FolioLists.unlimited: A Select of columns needs a limit"),
        ("distinct", "FolioLists.distinct: The Select has DISTINCT"),
        ("unordered", "FolioLists.by_expression: The Select is ordered by expressions"),
        ("of-shelves", "FolioLists.of_shelves: The Select has actor_column(Shelf.name), and users are of User."),
        (
            "titles-of-shelves",
            "FolioLists.titles_of_shelves: The Select has actor_column(Shelf.name), and users are of User.",
        ),
        ("nothing", "FolioLists.nothing returned NoneType, not Folio."),
    ],
)
async def test_what_cannot_be_paged_is_an_error_of_the_server(library: Library, path: str, words: str) -> None:
    failures.clear()

    response = await library.anonymous.get(f"/api/lists/{path}")

    assert response.status == 500
    [failure] = failures
    assert words in str(failure.error)
