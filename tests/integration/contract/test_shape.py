"""The shape of responses: envelopes, chosen fields, expansions, and what is not shown."""

import re
from typing import Any

import pytest
import pytest_asyncio
from contract_clients import Clients, problem, without_id
from contract_rows import write_works

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORK = {
    "id", "title", "pages", "pages_read", "genre", "state", "available", "limit", "order", "isbn", "extra",
    "author_id", "editor_id", "shelf_id",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


COSTS = {"cost", "files"}


@pytest.mark.parametrize(
    ("identity", "more"),
    [("anonymous", set[str]()), ("stranger", set[str]()), ("editor", COSTS), ("guard", COSTS | {"vault_id"})],
)
async def test_an_actor_sees_the_fields_that_its_roles_open(
    clients: Clients, keys: dict[str, int], identity: str, more: set[str]
) -> None:
    one = await clients.by(identity).get(f"/api/works/{keys['sea']}")
    page = await clients.by(identity).get("/api/works")
    assert set(one.json()) == {"data"}
    assert set(one.data) == WORK | more
    assert set(page.json()) == {"data", "page"}
    assert page.json()["page"] == {"limit": 20, "next": None, "prev": None}
    assert all(set(row) == WORK | more for row in page.data)


async def test_a_field_under_a_rule_is_shown_only_on_the_rows_where_it_holds(
    clients: Clients, keys: dict[str, int]
) -> None:
    for identity, own in (("member", "Ann"), ("stranger", "Bob"), ("anonymous", None), ("editor", None)):
        page = await clients.by(identity).get("/api/people")
        assert {row["name"]: row.get("diary") for row in page.data if "diary" in row} == (
            {own: f"{own}'s"} if own else {}
        )
        assert all("password" not in row for row in page.data)
        one = await clients.by(identity).get(f"/api/people/{keys['ann']}?fields=diary,name")
        if identity == "anonymous":
            problem(one, 400, "invalid_parameter")
        else:
            assert one.data == ({"name": "Ann", "diary": "Ann's"} if own == "Ann" else {"name": "Ann"})


@pytest.mark.parametrize("query", ["fields=diary", "fields=diary&expand=mentor", "fields=diary&expand=country,mentor"])
async def test_rows_of_which_nothing_is_left_to_show_are_still_json(
    clients: Clients, keys: dict[str, int], query: str
) -> None:
    page = await clients.member.get(f"/api/people?{query}")
    assert [row.get("diary") for row in page.data] == ["Ann's", None, None]
    one = await clients.member.get(f"/api/people/{keys['cyd']}?{query}")
    assert "diary" not in one.data


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("fields=title", {"title": "Sea"}),
        ("fields=title,id,title", {"title": "Sea", "id": 1}),
        ("fields=limit,order", {"limit": 1, "order": 9}),
        ("fields=title&expand=shelf", {"title": "Sea", "shelf": None}),
    ],
)
async def test_fields_choose_what_is_shown(
    clients: Clients, keys: dict[str, int], query: str, shown: dict[str, Any]
) -> None:
    response = await clients.anonymous.get(f"/api/works/{keys['sea']}?{query}")
    if "shelf" in query:
        problem(response, 400, "invalid_parameter")
        response = await clients.stranger.get(f"/api/works/{keys['sea']}?{query}")
    assert response.data == shown | ({"id": keys["sea"]} if "id" in shown else {})


async def test_expansions_stand_beside_their_columns_three_deep(clients: Clients, keys: dict[str, int]) -> None:
    response = await clients.anonymous.get(
        f"/api/works/{keys['sky']}?expand=author.mentor.mentor,editor.country,editor"
    )
    data = response.data
    assert (data["author_id"], data["author"]["id"]) == (keys["cyd"], keys["cyd"])
    assert data["author"]["mentor"]["mentor"]["name"] == "Ann"
    assert "mentor" not in data["author"]["mentor"]["mentor"]
    assert data["editor"]["country"] == {"code": "no", "name": "Norway"}
    assert "etag" not in response.headers
    page = await clients.anonymous.get("/api/works?expand=author.mentor.mentor,editor.country&sort=-id&limit=1")
    assert page.data == [data]


async def test_expanded_rows_show_no_more_than_they_do_themselves(clients: Clients, keys: dict[str, int]) -> None:
    for identity in ("anonymous", "member", "stranger", "editor"):
        client = clients.by(identity)
        people = {row["id"]: row for row in (await client.get("/api/people")).data}
        page = await client.get("/api/works?expand=author.mentor,editor")
        for row in page.data:
            mentor = row["author"].pop("mentor")
            assert row["author"] == people[row["author_id"]]
            assert mentor == people.get(row["author"]["mentor_id"])
            assert row["editor"] == people.get(row["editor_id"])


async def test_a_hidden_target_shows_as_null_beside_its_column(clients: Clients, keys: dict[str, int]) -> None:
    page = await clients.member.get("/api/works?expand=shelf&sort=id")
    assert [(row["shelf_id"], row["shelf"] and row["shelf"]["label"]) for row in page.data] == [
        (keys["mine"], "mine"),
        (keys["theirs"], None),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("identity", "secret", "unknown"),
    [
        ("anonymous", "expand=vault", "expand=vaqqt"),
        ("editor", "expand=vault", "expand=vaqqt"),
        ("anonymous", "expand=shelf", "expand=shqqf"),
        ("anonymous", "expand=ghost", "expand=ghqqt"),
        ("anonymous", "fields=cost", "fields=coqt"),
        ("anonymous", "fields=ghost_id", "fields=ghqst_ix"),
        ("anonymous", "fields=id,vault_id", "fields=id,vauqt_id"),
        ("anonymous", "sort=cost", "sort=coqt"),
        ("anonymous", "sort=id,cost", "sort=id,coqt"),
        ("anonymous", "sort=-id,title,cost", "sort=-id,title,coqt"),
    ],
)
async def test_hidden_and_unknown_get_equal_responses(
    clients: Clients, keys: dict[str, int], identity: str, secret: str, unknown: str
) -> None:
    client = clients.by(identity)
    for path in ("/api/works", f"/api/works/{keys['sea']}"):
        hidden, absent = await client.get(f"{path}?{secret}"), await client.get(f"{path}?{unknown}")
        assert hidden.status == absent.status == 400
        one, other = secret.partition("=")[2].split(",")[-1], unknown.partition("=")[2].split(",")[-1]
        assert str(without_id(hidden)).replace(one, "?") == str(without_id(absent)).replace(other, "?")


@pytest.mark.parametrize(
    ("path", "query", "hint"),
    [
        ("works", "fields=titel", "title"),
        ("works", "expand=auther", "author"),
        ("works", "expand=works", "allowed: author, "),
        ("works", "pages[below]=3", "allowed: eq, ne, "),
        ("works", "expand=author.mentr", "mentor"),
        ("works", "sort=titel", "title"),
        ("works", "sort=id,titel", "title"),
        ("works", "sort=id,title,id", "named twice"),
        ("works", "expand=author.mentor.mentor.mentor", "deeper"),
        ("works", "limit=0", "from 1 to 100"),
        ("works", "limit=101", "from 1 to 100"),
        ("works", "limit=-1", "from 1 to 100"),
        ("works", "limit=1e2", "from 1 to 100"),
        ("works", "limit=%D9%A1", "from 1 to 100"),
        ("works", "fields=", "no field"),
        ("works", "expand=", "no relation"),
        ("people", "expand=works", "'works' is to-many and cannot be expanded"),
    ],
)
async def test_what_is_refused_is_hinted_at(
    clients: Clients, keys: dict[str, int], path: str, query: str, hint: str
) -> None:
    detail = problem(await clients.anonymous.get(f"/api/{path}?{query}"), 400, "invalid_parameter")["detail"]
    assert hint in detail
    assert {"vault", "ghost", "cost", "shelf"}.isdisjoint(re.findall(r"\w+", detail))


async def test_terms_after_the_key_do_not_change_the_order(clients: Clients, keys: dict[str, int]) -> None:
    client = clients.anonymous
    page = (await client.get("/api/works?sort=-id,title&limit=1&fields=id")).json()
    after = page["page"]["next"]
    assert page["data"] == (await client.get("/api/works?sort=-id&limit=1&fields=id")).data
    rest = await client.get(f"/api/works?sort=-id&after={after}&fields=id")
    assert rest.status == 200, "the cursor is one of the order without the terms"
    assert page["data"][0]["id"] > max(row["id"] for row in rest.data)


async def test_rows_absent_hidden_and_with_an_impossible_key_get_equal_responses(
    clients: Clients, keys: dict[str, int]
) -> None:
    responses = [
        await clients.member.get(f"/api/shelves/{key}")
        for key in (keys["theirs"], 10**6, 10**12, 10**40, -1, "x", "1.0", "%20", "é", "1;2", "+1", "01", "0x1")
    ]
    assert {response.status for response in responses} == {404}
    assert len({str(without_id(response)) for response in responses}) == 1
    assert (await clients.member.get(f"/api/shelves/{keys['mine']}")).status == 200


async def test_a_resource_stands_at_its_path_and_not_at_its_table(clients: Clients, keys: dict[str, int]) -> None:
    assert (await clients.anonymous.get("/api/lands/no")).data["name"] == "Norway"
    problem(await clients.anonymous.get("/api/countries/no"), 404, "not_found")
    problem(await clients.anonymous.get("/api/vaults"), 401, "not_signed_in")
    problem(await clients.stranger.get("/api/vaults"), 403, "forbidden")
