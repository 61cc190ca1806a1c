"""Endpoints may return a `Select` of any shape: its values are those of the call, and its rows those of SQLAlchemy."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from shapes_app import SHAPES, Bench, Piece, app
from sqlalchemy import MetaData, insert
from sqlalchemy.ext.asyncio import create_async_engine

from gatepost.call import Call
from gatepost.events import RequestFailed
from gatepost.models.reads import ReadPage
from gatepost.models.recipes import Options
from gatepost.services.call_transactions import CallTransactions
from gatepost.testing import TestApp

failures: list[RequestFailed] = []
"""What was behind the internal errors of the test that is running."""

app.events.subscribe(RequestFailed, failures.append)

COMPILED_IN_EVERY_CALL = {
    "list of arrays",
    "list of plain documents",
    "list of a decorated type",
    "list in text",
    "list in text of params",
    "VALUES",
    "a type without a key",
    "a type without a key, and a list",
    "params without a key",
}
"""The shapes with a list that is no array, and those of which SQLAlchemy keeps nothing either."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the workshop."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, with a chain of six pieces on two benches."""
    async with TestApp(app, module_database_url) as started:
        engine = create_async_engine(module_database_url.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.begin() as connection:
            made = insert(Bench).values([{"name": f"b{number}"} for number in range(2)]).returning(Bench.id)
            benches = (await connection.scalars(made)).all()
            await connection.execute(insert(Bench), [{"name": f"x{number}"} for number in range(1_000)])
            above = None
            for number, name in enumerate(["p0", "p1", "p2", "p3", "p4", "piece"]):
                values = {
                    "name": name,
                    "size": number,
                    "weight": Decimal(number) / 2,
                    "tags": [f"t{number}", "all"] if number % 2 == 0 else ["all", f"t{number}"],
                    "notes": {"size": number, "deep": {"name": name, "kind": "odd" if number % 2 else "even"}},
                    "bench_id": benches[number % 2],
                    "above_id": above,
                }
                above = (await connection.scalars(insert(Piece).values(values).returning(Piece.id))).one()
        await engine.dispose()
        yield started


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[ReadPage]:
    """The pages that are compiled during the test."""
    found: list[ReadPage] = []
    compile_page = ReadPage.compile

    def compile(recipe: ReadPage, options: Options) -> Any:
        found.append(recipe)
        return compile_page(recipe, options)

    monkeypatch.setattr(ReadPage, "compile", compile)
    return found


@pytest.mark.parametrize("name", SHAPES)
async def test_a_select_gives_the_rows_that_sqlalchemy_gives_for_its_values(
    workshop: TestApp, name: str, compiled: list[ReadPage]
) -> None:
    path = f"/api/shapes/{quote(name)}"
    expected, found = [], []
    for turn in (0, 1, 0, 1):
        plain = await workshop.anonymous.get(f"{path}/plain?turn={turn}")
        shown = await workshop.anonymous.get(f"{path}?turn={turn}")
        assert shown.status == plain.status == 200, (shown.body, plain.body)
        expected.append(plain.data)
        found.append([piece["name"] for piece in shown.data])
    if "order" not in name and "limit" not in name:
        expected, found = [[sorted(names) for names in each] for each in (expected, found)]

    assert found == expected
    assert found[0] != found[1]
    assert (len(compiled) > 2) is (name in COMPILED_IN_EVERY_CALL)


@pytest.mark.parametrize(("path", "count"), [("comparison?turn=0", 0), ("comparison/plain?turn=0", 1)])
async def test_a_select_alone_takes_no_transaction(
    workshop: TestApp, monkeypatch: pytest.MonkeyPatch, path: str, count: int
) -> None:
    run, runs = CallTransactions.run, list[Call]()

    async def counted(transactions: CallTransactions, call: Call, *arguments: Any, **options: Any) -> Any:
        runs.append(call)
        return await run(transactions, call, *arguments, **options)

    monkeypatch.setattr(CallTransactions, "run", counted)

    assert (await workshop.anonymous.get(f"/api/shapes/{path}")).status == 200
    assert len(runs) == count


async def test_a_total_counts_the_chosen_rows(workshop: TestApp) -> None:
    for name in SHAPES:
        path = f"/api/shapes/{quote(name)}?turn=0"
        counted = await workshop.anonymous.get(f"{path}&count=true")
        if counted.status == 200:
            assert counted.json()["page"]["total"] == len((await workshop.anonymous.get(path)).data), name
        else:
            assert counted.json()["code"] == "unknown_parameter"
            assert "limit" in name or "order" in name


async def test_a_list_that_is_not_paged_has_no_next_page(workshop: TestApp) -> None:
    response = await workshop.anonymous.get("/api/windows/benches")

    assert (len(response.data), response.json()["page"]) == (1_000, {"limit": 1_000, "next": None, "prev": None})
    assert "link" not in response.headers


async def test_a_list_that_pages_itself_is_filtered_before_it_is_cut(workshop: TestApp) -> None:
    response = await workshop.anonymous.get("/api/windows/named?name[in]=p3,p4&limit=1")

    assert [piece["name"] for piece in response.data] == ["p3"]
    for label in ("sort=name", "after=x", "count=true"):
        refused = await workshop.anonymous.get(f"/api/windows/named?{label}")
        assert (refused.status, refused.json()["code"]) == (400, "unknown_parameter")
    document = (await workshop.anonymous.get("/openapi.json")).json()
    named = document["paths"]["/api/windows/named"]["get"]["parameters"]
    assert not {"sort", "after", "before", "count"} & {each.get("name") for each in named}


async def test_a_parameter_named_count_leaves_a_list_its_pages(workshop: TestApp) -> None:
    response = await workshop.anonymous.get("/api/windows/counted?count=2&limit=3")

    assert len(response.data) == 3
    assert response.json()["page"]["next"] is not None
    assert "total" not in response.json()["page"]


@pytest.mark.parametrize(("limit", "shown"), [(0, 0), (2, 2), (5_000, 1_000), (2**31 - 1, 1_000)])
async def test_a_page_says_the_limit_of_its_select(workshop: TestApp, limit: int, shown: int) -> None:
    response = await workshop.anonymous.get(f"/api/windows/pieces?limit={limit}")

    assert len(response.data) == min(limit, 6)
    assert response.json()["page"] == {"limit": shown, "next": None, "prev": None}


@pytest.mark.parametrize(
    ("target", "label", "code"),
    [
        ("pieces?limit=-1", "limit", "too_small"),
        ("pieces?skip=-2", "skip", "too_small"),
        ("pieces?skip=3000000000", "skip", "too_large"),
        (f"pieces?limit={2**70}", "limit", "too_large"),
        ("pieces?limit=-1&skip=-1", None, None),
        ("class?first=-3", "first", "too_small"),
        ("numbered?number=0", None, None),
        ("computed?skip=-1", None, None),
        ("inner?rows=-1", "rows", "too_small"),
        ("names?rows=-1", "rows", "too_small"),
        (f"names?rows={2**64}", "rows", "too_large"),
        ("names/computed?rows=-1", None, None),
    ],
)
async def test_a_number_of_rows_out_of_range_is_refused(
    workshop: TestApp, target: str, label: str | None, code: str | None
) -> None:
    response = await workshop.anonymous.get(f"/api/windows/{target}")

    assert (response.status, response.json()["code"]) == (400, "invalid_parameter"), response.body
    errors = [(error["pointer"], error["code"]) for error in response.json()["errors"]]
    assert errors == ([] if label is None else [(f"/{label}", code)])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("unlimited", "Windows.unlimited: the Select has no .limit(), and an endpoint with a parameter of this name"),
        ("unlimited?after=p1", "('after'): return it with `.limit(...)`, or rename the parameter"),
        ("constant", "The Select has a LIMIT or OFFSET that is out of range: -1."),
        ("required", "The Select has bindparam('size') without a value."),
        ("criteria", "The Select has with_loader_criteria()"),
    ],
)
async def test_a_select_of_no_rows_for_anyone_is_an_error_of_the_server(
    workshop: TestApp, path: str, message: str
) -> None:
    failures.clear()
    response = await workshop.anonymous.get(f"/api/windows/{path}")

    assert response.status == 500
    assert [message in str(failure.error) for failure in failures] == [True]
