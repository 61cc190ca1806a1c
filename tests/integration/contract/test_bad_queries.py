"""Bad paths and query strings: a 4xx problem that names the place, never an internal error."""

from typing import Any

import pytest
import pytest_asyncio
from all_types_app import SORTED
from contract_clients import Clients, problem, random_requests
from contract_rows import write_samples, write_works
from hypothesis import given
from hypothesis import strategies as st
from reference_queries import operators_of

from gatepost.testing import Client, ClientResponse

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(clients: Clients) -> Client:
    """Anonymous, before tables with rows."""
    await write_works(clients.member_id, clients.stranger_id)
    await write_samples()
    return clients.anonymous


BAD: dict[str, str] = {
    "nothing but signs": "=",
    "no name": "=1",
    "no operator": "small[]=1",
    "no field": "[lt]=1",
    "brackets twice": "small[lt][gt]=1",
    "a bracket too many": "small]=1",
    "a bracket too few": "small[lt=1",
    "brackets within": "sm[al]l=1",
    "a path to nowhere": "..=1",
    "dots": "small.=1",
    "a NUL": "word=%00",
    "a NUL in a name": "wo%00rd=1",
    "not UTF-8": "word=%FF",
    "a surrogate": "word=%ED%A0%80",
    "a cut escape of UTF-8": "word=%C3",
    "a number beyond": "large=9223372036854775808",
    "far beyond": "small=" + "9" * 5000,
    "an exponent": "small=1e3",
    "a fraction": "small=1.5",
    "an infinite float": "ratio=1e999",
    "NaN": "ratio=nan",
    "infinity for a decimal that has none": "amount=Infinity",
    "an endless decimal": "amount=1e999999999",
    "digits of another script": "small=%D9%A1",
    "white space": "small=%201",
    "a plus sign": "small=+1",
    "an empty number": "small=",
    "an empty list": "small[in]=",
    "an empty member": "small[in]=1,,2",
    "a list too long": "small[in]=" + ",".join(["1"] * 101),
    "a huge list": "small[in]=" + ",".join(["1"] * 20_000),
    "a day that is none": "day=2023-02-29",
    "a day without zeros": "day=2024-1-1",
    "a moment without an offset": "moment=2024-01-01T00:00:00",
    "a moment beyond": "moment=9999-12-31T23:59:59-01:00",
    "an interval of months that is shown otherwise": "span=P13M",
    "a token without dashes": "token=018f0e5a7c4b7c1e8a526d0b5b1f3c2d",
    "a stored name of an enum": "genre=NOVEL",
    "null as a value": "flag=null",
    "a null that is none": "flag[null]=",
    "too many parameters": "&".join(["small=1"] * 60),
    "thousands of parameters": "&".join(f"p{index}=1" for index in range(7_000)),
    "a name of 50,000 signs": "x" * 50_000 + "=1",
    "a deep path": "x" + ".x" * 5000 + "=1",
    "thousands of fields": "fields=" + ",".join(f"f{index}" for index in range(7_000)),
    "thousands of orders": "sort=" + ",".join(f"f{index}" for index in range(7_000)),
    "thousands of expansions": "expand=" + ",".join(f"f{index}" for index in range(7_000)),
    "a bottomless expansion": "expand=" + ".".join(["parent"] * 7_000),
    "a limit of many digits": "limit=" + "9" * 5000,
    "limit as a filter": "limit[lt]=5",
    "an unknown parameter": "offset=5",
    "upper case": "Small=1",
    "an attribute of Python's": "__class__=1",
    "the metadata": "metadata=1",
}


def held(response: ClientResponse) -> dict[str, Any]:
    """A refusal of the kind that a bad query gets."""
    assert 400 <= response.status < 500, response.body
    assert len(response.body) < 130_000
    return problem(response, response.status, response.json()["code"])


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_query_is_refused(client: Client, name: str) -> None:
    response = await client.get(f"/api/samples?{BAD[name]}")
    assert held(response)["status"] in (400, 414)
    assert response.json()["code"] in ("invalid_parameter", "unknown_parameter", "not_filterable", "uri_too_long")
    assert held(await client.get(f"/api/samples/1?{BAD[name]}"))["status"] == response.status


VIOLATIONS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("limit=101", "/limit", "too_large", {"max": 100}),
    ("limit=" + "9" * 30, "/limit", "too_large", {"max": 100}),
    ("limit=0", "/limit", "too_small", {"min": 1}),
    ("limit=-5", "/limit", "too_small", {"min": 1}),
    ("limit=ten", "/limit", "wrong_type", {"expected": "integer"}),
    ("small=x", "/small", "wrong_type", {"expected": "integer"}),
    ("large[lt]=9223372036854775808", "/large[lt]", "too_large", {"max": 2**63 - 1}),
    ("flag[null]=maybe", "/flag[null]", "wrong_type", {"expected": "boolean"}),
    ("day=1", "/day", "invalid_format", {"format": "date"}),
    ("mood=x", "/mood", "not_a_choice", {"choices": ["a novel", "poems", "an essay"]}),
    ("grade=x", "/grade", "not_a_choice", {"choices": ["a", "b", "c"]}),
    ("small[in]=" + "1," * 101, "/small[in]", "too_long", {"max": 100}),
    ('small[in]="1', "/small[in]", "invalid_format", {"format": "list"}),
    ("expand=" + ".".join("abcd"), "/expand", "too_deep", {"max": 3}),
    ("expand=" + ",".join("abcdefghijk"), "/expand", "too_long", {"max": 10}),
    ("&".join(["small=1"] * 60), "", "too_long", {"max": 50}),
]


@pytest.mark.parametrize("case", VIOLATIONS, ids=lambda case: case[0][:30])
async def test_a_value_out_of_its_bounds_is_an_error_of_its_parameter(
    client: Client, case: tuple[str, str, str, dict[str, Any]]
) -> None:
    query, pointer, code, params = case

    found = problem(await client.get(f"/api/samples?{query}"), 400, "invalid_parameter")
    (error,) = found["errors"]

    assert error.pop("detail").rstrip(".") in found["detail"]
    assert error == {"pointer": pointer, "code": code, "params": params}


async def test_a_query_that_names_nothing_known_has_no_errors_of_parameters(client: Client) -> None:
    found = [(await client.get(f"/api/samples?{query}")).json() for query in ("x=1", "sort=x", "small[x]=1")]

    assert [(item["code"], item["errors"]) for item in found] == [
        ("unknown_parameter", []),
        ("invalid_parameter", []),
        ("invalid_parameter", []),
    ]


def followed(filters: int, expand: str = "", path: str = "author.name[ne]") -> str:
    """So many filters over a path, and an expansion."""
    return "&".join([f"{path}=q{index}" for index in range(filters)] + [f"expand={expand}"] * bool(expand))


TREE = "author.mentor.mentor,author.mentor.country,author.country"


@pytest.mark.parametrize(
    ("query", "words"),
    [(followed(8), ""),
     (followed(9), "The filters follow more than 8 relations together"),
     (followed(50), "The filters follow more than 8 relations together"),
     (followed(2, path="author.works.author.name[ne]"), ""),
     (followed(3, path="author.works.author.name[ne]"), "The filters follow more than 8 relations together"),
     (followed(4, path="author.works.title"), ""),
     (followed(8, "author,editor.mentor.country"), ""),
     (followed(8, TREE), "'expand' and the filters follow more than 12 relations together"),
     (followed(2, f"{TREE},{TREE.replace('author', 'editor')}"), ""),
     (followed(3, f"{TREE},{TREE.replace('author', 'editor')}"), "'expand' and the filters follow more than 12"),
     (followed(0, "x.y.z,a.b.c,d.e.f,g.h.i,j"), "There is no relation 'x'")],
)  # fmt: skip
async def test_a_query_follows_few_relations(client: Client, query: str, words: str) -> None:
    response = await client.get(f"/api/works?{query}")
    if words:
        assert problem(response, 400, "invalid_parameter")["detail"].count(words) == 1
    else:
        assert response.status == 200, response.body


async def test_an_expansion_of_one_row_follows_few_relations(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    work = (await client.get("/api/works?limit=1")).data[0]
    path = f"/api/works/{work['id']}?{followed(0, TREE)}"
    assert (await client.get(path)).status == 200
    monkeypatch.setattr("gatepost.controllers.queries.RELATIONS_MAX", 4)
    assert "follow more than 4 relations" in problem(await client.get(path), 400, "invalid_parameter")["detail"]


@pytest.mark.parametrize(
    "query",
    ["", "&", "&&&", "small=1&", "&small=1", "%73mall=1", "small%5Blt%5D=1", "word=a%26b%3Dc", "word==", "word=%",
     "word=%zz", "word=a=b", "word=", "word=" + "x" * 50_000, "word[contains]=", "word[contains]=%25_%5C",
     "word[starts_with]=%5C", "word=%F0%9F%9C%81", "amount=1e-400", "amount=0e999", "ratio=-0.0", "ratio=1e-999",
     "large=-9223372036854775808", "moment=0001-01-01T00:00:01Z", "span=-P999999999D", "small[in]=1,1,1"],
)  # fmt: skip
async def test_an_odd_query_is_served_or_refused_as_such(client: Client, query: str) -> None:
    assert (await client.get(f"/api/samples?{query}")).status in (200, 400)


@pytest.mark.parametrize(
    ("path", "status"),
    [("%00", 400), ("a%2Fb", 400), ("a%5Cb", 400), ("%0A", 400), ("%FF", 400), ("%", 400), ("%ED%A0%80", 400),
     ("%C3%BC", 404), ("x" * 60_000, 404), ("..", 400), (".", 400), ("%2e%2e", 400), ("a/b", 404), ("a;b=c", 404),
     ("🜁", 404), ("'or'1'='1", 404), ("9" * 5000, 404), ("-0", 404), ("1e1", 404)],
)  # fmt: skip
async def test_a_weird_key_is_no_key(client: Client, path: str, status: int) -> None:
    for resource in ("samples", "lands", "works"):
        response = await client.get(f"/api/{resource}/{path}")
        assert held(response)["status"] == status, (resource, path)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/samples/", "/api/samples;a=1", "/API/samples"])
async def test_a_path_that_leads_nowhere_is_not_found(client: Client, path: str) -> None:
    assert held(await client.get(path or "/"))["status"] == 404


NAMES = st.sampled_from([*SORTED, "data", "texts", "document", "id", "sort", "fields", "expand", "limit", "after",
                         "before", "author.name", "x"])  # fmt: skip
BRACKETS = st.sampled_from(["", *(f"[{name}]" for name in operators_of("word")), "[", "]", "[x]"])
VALUES = (
    st.text(max_size=12)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.dates().map(str)
    | st.datetimes(timezones=st.timezones()).map(lambda value: value.isoformat())
    | st.times().map(str)
    | st.timedeltas().map(str)
    | st.sampled_from(["true", "a novel", "small,-large", "id,word", "P1D", "%", "%zz", "1,2", "-id", "1e400"])
)


@random_requests(1.5)
@given(parameters=st.lists(st.tuples(NAMES, BRACKETS, VALUES), max_size=3), escaped=st.booleans())
async def test_no_query_is_an_internal_error(
    client: Client, parameters: list[tuple[str, str, str]], escaped: bool
) -> None:
    parts = [
        f"{name}{operator}={''.join(f'%{byte:02X}' for byte in value.encode('utf-8', 'surrogatepass'))}"
        if escaped
        else f"{name}{operator}={value.encode('ascii', 'ignore').decode()}"
        for name, operator, value in parameters
    ]
    response = await client.get(f"/api/samples?{'&'.join(parts)}")
    if response.status != 200:
        assert held(response)["status"] == 400


@random_requests(0.5)
@given(query=st.text(alphabet="smalword[]=&%.,+-019abcdefiptx \\", max_size=40), key=st.text(max_size=8))
async def test_no_path_is_an_internal_error(client: Client, query: str, key: str) -> None:
    key = key.replace("?", "").encode("utf-8", "ignore").decode()
    for path in (f"/api/samples?{query}", f"/api/lands/{key}?{query}", f"/api/samples/{key}"):
        response = await client.get(path)
        if response.status != 200:
            held(response)
