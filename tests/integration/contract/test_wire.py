"""The wire table: every type in, and out again, through create, read, page and patch alike."""

from typing import Any

import pytest
from contract_clients import Clients, pointers, problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLE: list[tuple[str, Any, Any]] = [
    ("small", -(2**31), ...),
    ("large", 2**63 - 1, ...),
    ("word", 'quote " back\\slash\nline\ttab', ...),
    ("word", "ü 🜁 </script> \u2028 %s :x \x7f\x01", ...),
    ("word", "", ...),
    ("amount", "12.5", "12.500"),
    ("amount", 12.5, "12.500"),
    ("amount", "-999999999.999", ...),
    ("ratio", 0.1, ...),
    ("ratio", 5e-324, ...),
    ("ratio", 1.7976931348623157e308, ...),
    ("flag", False, ...),
    ("genre", "a novel", ...),
    ("mood", "an essay", ...),
    ("grade", "b", ...),
    ("day", "2024-02-29", ...),
    ("hour", "23:59:59.999999", ...),
    ("hour", "12:30:00", ...),
    ("moment", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"),
    ("moment", "1969-07-20T20:17:40.12Z", ...),
    ("moment", "0001-01-02T00:00:00Z", ...),
    ("span", "P1DT2H3M4.5S", "P1DT7384.5S"),
    ("span", "-PT1H", "-PT3600S"),
    ("span", "P2W", "P14D"),
    ("token", "018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d", ...),
    ("data", "AP8=", ...),
    ("data", "", ...),
    ("data", "A" * 400, ...),
    ("texts", ["a", "b,c", '"', "{}", "\\", "NULL", ""], ...),
    ("texts", [], ...),
    ("numbers", [1, -2, 2**31 - 1], ...),
    ("genres", ["poems", "a novel", "poems"], ...),
    ("amounts", ["1.50", 2], ["1.50", "2.00"]),
    ("moments", ["2024-01-01T12:00:00Z", "1969-07-20T20:17:40.12Z"], ...),
    ("document", {"b": [1, 2.5, True, None, "x\n"], "a": {"ü": {}}}, ...),
    ("document", [], ...),
    ("document", "text", ...),
    ("document", False, ...),
    ("document", 10**30, ...),
]


@pytest.mark.parametrize(("name", "sent", "shown"), TABLE)
async def test_what_is_sent_comes_back(clients: Clients, name: str, sent: Any, shown: Any) -> None:
    shown = sent if shown is ... else shown
    created = await clients.editor.post("/api/samples", json={name: sent})
    assert created.status == 201, created.body
    assert created.data[name] == shown
    path = f"/api/samples/{created.data['id']}"
    one = await clients.anonymous.get(path)
    assert one.data == created.data
    page = await clients.anonymous.get(f"/api/samples?sort=-id&limit=1&fields={name}")
    assert page.data == [{name: shown}]
    other = await clients.editor.post("/api/samples", json={})
    patched = await clients.editor.patch(f"/api/samples/{other.data['id']}", json={name: shown})
    assert patched.data[name] == shown, "what is shown can be sent back"
    cleared = await clients.editor.patch(f"/api/samples/{other.data['id']}", json={name: None})
    assert cleared.data[name] is None


async def test_a_row_with_nothing_in_it_shows_nulls(clients: Clients) -> None:
    created = await clients.editor.post("/api/samples", json={})
    assert created.status == 201
    assert {value for name, value in created.data.items() if name != "id"} == {None}


REFUSED: list[tuple[str, Any, str]] = [
    ("small", 2**31, "too_large"),
    ("small", -(2**31) - 1, "too_small"),
    ("small", 1.5, "wrong_type"),
    ("small", "1", "wrong_type"),
    ("small", True, "wrong_type"),
    ("large", 2**63, "too_large"),
    ("word", "x" * 41, "too_long"),
    ("word", "a\0b", "invalid_text"),
    ("amount", "1.2345", "too_precise"),
    ("amount", "1e12", "too_large"),
    ("amount", "NaN", "not_finite"),
    ("amount", "", "wrong_type"),
    ("flag", "true", "wrong_type"),
    ("flag", 1, "wrong_type"),
    ("genre", "NOVEL", "not_a_choice"),
    ("mood", "", "not_a_choice"),
    ("grade", "d", "not_a_choice"),
    ("day", "2023-02-29", "invalid_format"),
    ("day", "2024-01-01T00:00:00Z", "invalid_format"),
    ("hour", "24:00:00", "invalid_format"),
    ("moment", "2024-01-01T00:00:00", "invalid_format"),
    ("moment", "2024-01-01", "invalid_format"),
    ("span", "P1M", "invalid_format"),
    ("span", "1 day", "invalid_format"),
    ("token", "018f0e5a7c4b7c1e8a526d0b5b1f3c2d", "invalid_format"),
    ("data", "AP8", "invalid_format"),
    ("data", "not base64!", "invalid_format"),
]


@pytest.mark.parametrize(("name", "sent", "code"), REFUSED)
async def test_what_does_not_fit_is_refused_at_its_place(clients: Clients, name: str, sent: Any, code: str) -> None:
    for response in (
        await clients.editor.post("/api/samples", json={name: sent}),
        await clients.editor.patch("/api/samples/1", json={name: sent}),
    ):
        problem(response, 422, "invalid_body")
        assert pointers(response) == {f"/{name}": code}


@pytest.mark.parametrize(
    ("name", "sent", "pointer", "code"),
    [
        ("texts", ["a", 1], "/texts/1", "wrong_type"),
        ("texts", ["a", None], "/texts/1", "wrong_type"),
        ("texts", ["a\0"], "/texts/0", "invalid_text"),
        ("texts", "a", "/texts", "wrong_type"),
        ("numbers", [1, 2, 2**31], "/numbers/2", "too_large"),
        ("genres", ["poems", "NOVEL"], "/genres/1", "not_a_choice"),
        ("amounts", ["1.505"], "/amounts/0", "too_precise"),
        ("document", {"a/b": [{"c": "\0"}]}, "/document/a~1b/0/c", "invalid_text"),
    ],
)
async def test_a_mistake_inside_a_value_is_named_with_its_path(
    clients: Clients, name: str, sent: Any, pointer: str, code: str
) -> None:
    response = await clients.editor.post("/api/samples", json={name: sent})
    assert pointers(response) == {pointer: code}


async def test_every_violation_of_a_body_is_named_at_once(clients: Clients) -> None:
    response = await clients.editor.post(
        "/api/works", json={"title": "", "pages": -1, "genre": "x", "extra": 1, "zz": 1}
    )
    problem(response, 422, "invalid_body")
    assert pointers(response) == {
        "/author_id": "required",
        "/genre": "not_a_choice",
        "/pages": "too_small",
        "/title": "too_short",
        "/zz": "unknown_field",
    }
