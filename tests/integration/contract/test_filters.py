"""Filters: every operator on every type, over relations, and what may not be filtered by."""

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_asyncio
from all_types_app import ARRAYS, PATHS, SORTED, Sample, app
from contract_clients import Clients, problem, without_id
from contract_rows import VALUES, write_samples, write_works
from pagination import ids_of
from reference_queries import OPERANDS, Row, Term, operators_of, selected

from gatepost.models.filters import filterable
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows(running: TestApp) -> Sequence[Row]:
    """The samples, as Python sees them."""
    return await write_samples()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


TEXTS = ("red", "12", "12.0", "true", "True", "null", "", "-3", "wide, very", "width", "1e999999", '"red"', "[]")
"""What a client may send for a value inside a document."""


def operands(name: str, operator: str) -> Sequence[Any]:
    if name in PATHS:
        return (TEXTS[:4], TEXTS[4:], ["red"]) if OPERANDS[operator] == "list" else TEXTS
    known = [value for value in VALUES[name] if value is not None]
    if name in ARRAYS:
        return [item for value in known for item in value]
    if OPERANDS[operator] == "flag":
        return (True, False)
    if operator in ("contains", "icontains"):
        return ("sea", "land", "Ödl", "öDL", "100%", "ACK\\sla", "ack\\sla", "sla", "b_sea", "zzz", ', "Land')
    if operator in ("starts_with", "istarts_with"):
        return ("a", "a_", "A_", "a%", "sea", "SEA", "Ö", "ö", "back\\", "Back\\", "100%", "zz", '"s')
    return (known[:2], known[-1:], known) if OPERANDS[operator] == "list" else known[:3]


async def test_the_reference_has_every_operator_that_a_field_offers() -> None:
    offered = filterable(app.declaration.catalog.by_model[Sample]).operators
    names = [*SORTED, *ARRAYS, *PATHS]
    assert {name: set(operators_of(name)) for name in names} == {name: offered[name].keys() for name in names}


@pytest.mark.parametrize("name", [*SORTED, *ARRAYS, *PATHS])
async def test_every_operator_finds_what_python_finds(running: TestApp, rows: Sequence[Row], name: str) -> None:
    for operator in operators_of(name):
        for operand in operands(name, operator):
            term = Term(name, operator, operand)
            found = await ids_of(running.anonymous, f"/api/samples?limit=100&{term.parameter}")
            assert found == selected(rows, [term], []), term


async def test_a_bare_name_means_equal_and_several_filters_of_one_field_are_all_held(
    running: TestApp, rows: Sequence[Row]
) -> None:
    found = await ids_of(running.anonymous, "/api/samples?limit=100&small=3&small[lt]=4&small[ne]=0&large[null]=false")
    assert found == [row["id"] for row in rows if row["small"] == 3 and row["large"] is not None]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("small[lt]=3000000000", True),
        ("small[gt]=-9223372036854775808", True),
        ("small[eq]=3000000000", False),
        ("amount[gte]=1.2449999", True),
        ("amount[eq]=1.2451", False),
        ("amount[lt]=1e100", True),
        ("word[eq]=" + "x" * 41, False),
        ("moment[lt]=2024-01-01T01:00:00%2B01:00", True),
        ("moment[eq]=2024-01-01T02:00:00%2B02:00", True),
    ],
)
async def test_a_value_that_the_column_could_not_hold_is_compared_all_the_same(
    running: TestApp, rows: Sequence[Row], query: str, found: bool
) -> None:
    assert bool(await ids_of(running.anonymous, f"/api/samples?{query}")) is found


@pytest.mark.parametrize(
    ("identity", "query", "titles"),
    [
        ("anonymous", "author.name=Ann", {"Sea"}),
        ("anonymous", "author.name[in]=Ann,Cyd", {"Sea", "Sky"}),
        ("anonymous", "author.mentor.mentor.name=Ann", {"Sky"}),
        ("anonymous", "author.country.name=Norway", {"Sea"}),
        ("anonymous", "editor.name=Ann", {"Sky"}),
        ("anonymous", "editor.name[ne]=Ann", {"Sea"}),
        ("anonymous", "author.works.title=Sea", {"Sea"}),
        ("anonymous", "author.edited.title[starts_with]=Sk", {"Sea"}),
        ("anonymous", "author.born[null]=true", {"Sea", "Sky"}),
        ("anonymous", "limit[eq]=1", {"Sea"}),
        ("anonymous", "order[gte]=9", {"Sea"}),
        ("editor", "author.salary[gt]=0", {"Sea"}),
        ("member", "shelf.label=mine", {"Sea"}),
        ("stranger", "shelf.label=mine", set[str]()),
        ("stranger", "shelf.label[ne]=nothing", {"Land"}),
        ("guard", "vault.name=north", {"Sea"}),
        ("anonymous", "extra.a=1", {"Sea"}),
        ("anonymous", "extra.a=1.0", {"Sea"}),
        ("anonymous", "extra.a=2", set[str]()),
        ("anonymous", "author.works.extra.a[in]=2,1", {"Sea"}),
        ("anonymous", "author.mentor.works.extra.a=1", {"Land"}),
        ("editor", "files.a=1", {"Sea"}),
        ("editor", "author.works.files.a=1&files.a=1&author.works.extra.a=1", {"Sea"}),
    ],
)
async def test_a_path_leads_over_the_rows_that_the_actor_may_read(
    clients: Clients, keys: dict[str, int], identity: str, query: str, titles: set[str]
) -> None:
    response = await clients.by(identity).get(f"/api/works?{query}")
    assert response.status == 200, response.body
    assert {row["title"] for row in response.data} == titles


async def test_a_path_to_many_means_some_and_finds_a_row_once(clients: Clients, keys: dict[str, int]) -> None:
    response = await clients.anonymous.get("/api/people?works.pages[gte]=0&works.available=true")
    assert sorted(row["name"] for row in response.data) == ["Ann", "Bob"]


HIDDEN = [
    ("works", "ghost_id=1", "gaost_xy=1"),
    ("works", "cost=1", "coqt=1"),
    ("works", "cost[gt]=1", "coqt[gt]=1"),
    ("works", "vault_id=1", "vauqt_id=1"),
    ("works", "vault.name=north", "vaulq.name=north"),
    ("works", "author.salary=1", "author.salqxz=1"),
    ("works", "author.password=p", "author.qassword=p"),
    ("works", "author.diary=p", "author.qiary=p"),
    ("works", "author.ghosted.title=Sea", "author.ghostqq.title=Sea"),
    ("people", "ghosted.title=Sea", "ghqsted.title=Sea"),
    ("people", "password=p", "passqord=p"),
    ("people", "diary=p", "dqary=p"),
    ("people", "salary[gt]=1", "sqlary[gt]=1"),
    ("works", "shelf.label=mine", "shqlf.label=mine"),
    ("works", "files.a=1", "filqs.a=1"),
    ("works", "files.b=1", "filqs.b=1"),
    ("people", "works.files.a=1", "works.filqs.a=1"),
]


@pytest.mark.parametrize(("path", "secret", "unknown"), HIDDEN)
async def test_what_is_hidden_is_as_unknown_as_what_does_not_exist(
    clients: Clients, keys: dict[str, int], path: str, secret: str, unknown: str
) -> None:
    hidden = await clients.anonymous.get(f"/api/{path}?{secret}")
    absent = await clients.anonymous.get(f"/api/{path}?{unknown}")
    problem(hidden, 400, "unknown_parameter")
    name, other = secret.partition("=")[0], unknown.partition("=")[0]
    assert without_id(hidden) | {"detail": ""} == without_id(absent) | {"detail": ""}
    assert hidden.json()["detail"].replace(name, "?") == absent.json()["detail"].replace(other, "?")


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        ("pages_read=1", "not_filterable", "pages"),
        ("extra=1", "not_filterable", "There is no filter for 'extra'; allowed: id, "),
        ("extra.x=1", "not_filterable", "There is no filter for 'extra.x'; allowed: id, "),
        ("extra.x=1", "not_filterable", ", extra.a, extra.b.c."),
        ("extra.b=1", "not_filterable", "There is no filter for 'extra.b'; allowed: "),
        ("extra.a.b=1", "not_filterable", "There is no filter for 'extra.a.b'; allowed: "),
        ("extra.=1", "not_filterable", "There is no filter for 'extra.'; allowed: "),
        ("extra.a[lt]=1", "not_filterable", "'extra.a' can be filtered by eq, in, not by 'lt'."),
        ("extra.a[equals]=1", "invalid_parameter", "There is no operator 'equals'; allowed: eq, in"),
        ("author.works.extra.x=1", "not_filterable", "allowed: author.works.id, "),
        ("title.x=1", "unknown_parameter", "title.x"),
        ("extr.a=1", "unknown_parameter", "Did you mean 'extra.a'?"),
        ('title[in]="Sea', "invalid_parameter", "begins with a quote"),
        ("author.name[contains]=Ann", "not_filterable", "'author.name' can be filtered by eq, "),
        ("genre[lt]=poems", "not_filterable", "genre"),
        ("pages[contains]=1", "not_filterable", "pages"),
        ("titel=Sea", "unknown_parameter", "title"),
        ("title[equals]=Sea", "invalid_parameter", "title[equals]"),
        ("pages=many", "invalid_parameter", "pages"),
        ("genre=NOVEL", "invalid_parameter", "a novel"),
        ("available=1", "invalid_parameter", "available"),
        ("title[null]=yes", "invalid_parameter", "title[null]"),
        ("author.mentor.mentor.mentor.name=Ann", "invalid_parameter", "3 relations"),
        ("author=1", "unknown_parameter", "author"),
        ("q=sea", "unknown_parameter", "q"),
        ("limit=5&limit=6", "invalid_parameter", "limit"),
    ],
)
async def test_a_filter_that_is_refused_says_why(
    clients: Clients, keys: dict[str, int], query: str, code: str, named: str
) -> None:
    response = await clients.anonymous.get(f"/api/works?{query}")
    detail = problem(response, 400, code)["detail"]
    assert named in detail
    assert not any(secret in detail for secret in ("cost", "ghost", "vault", "files"))
