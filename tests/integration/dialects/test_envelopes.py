"""Envelopes and totals of a dialect: around rows, lists and what own endpoints return."""

import pytest
from dialects_clients import Spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_rows_and_lists_stand_in_the_envelope_of_the_dialect(counted: Spoken) -> None:
    editor, anonymous = counted.editor, counted.running.anonymous
    made = await editor.post("/api/poets", json={"fullName": "Sappho"})
    assert made.json().keys() == {"item"}
    path = f"/api/poets/{made.json()['item']['id']}"
    assert (await anonymous.get(path)).json()["item"]["fullName"] == "Sappho"
    assert (await editor.patch(path, json={"fullName": "Psappho"})).json()["item"]["fullName"] == "Psappho"
    await editor.post("/api/poets", json={"fullName": "Alcaeus"})
    page = (await anonymous.get("/api/poets?limit=1&fields=fullName&fullName[in]=Psappho,Alcaeus")).json()
    assert (page.keys(), len(page["items"]), page["itemsCount"]) == ({"items", "itemsCount"}, 1, 2)
    assert (await anonymous.get("/api/poets?offset=9&fullName[in]=Psappho,Alcaeus")).json() == {
        "items": [],
        "itemsCount": 2,
    }
    assert (await anonymous.get("/api/poets?fullName=nobody")).json() == {"items": [], "itemsCount": 0}


async def test_a_page_with_cursors_keeps_them_beside_the_total(counted_with_cursors: Spoken) -> None:
    for name in ("Erinna", "Corinna"):
        await counted_with_cursors.editor.post("/api/poets", json={"fullName": name})
    client = counted_with_cursors.running.anonymous
    page = (await client.get("/api/poets?limit=1&fullName[in]=Erinna,Corinna")).json()
    assert (page.keys(), page["rowCount"], page["page"].keys()) == (
        {"data", "rowCount", "page"},
        2,
        {"limit", "next", "prev"},
    )
    following = (
        await client.get(f"/api/poets?limit=1&fullName[in]=Erinna,Corinna&after={page['page']['next']}")
    ).json()
    assert (len(following["data"]), following["rowCount"]) == (1, 2)


async def test_own_endpoints_have_the_names_and_the_envelope_of_the_dialect(counted: Spoken) -> None:
    client = counted.running.anonymous
    assert (await client.get("/api/line-sums?atLeast=1&andMore=2")).json() == {"item": {"line_sum": 3}}
    unknown = await client.get("/api/line-sums?at_least=1")
    assert "There is no parameter 'at_least' here. Did you mean 'atLeast'?" in unknown.json()["detail"]
    assert [error["pointer"] for error in unknown.json()["errors"]] == ["/atLeast"]
    refused = await client.get("/api/line-sums?atLeast=1&andMore=-1")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/andMore"]


async def test_sign_in_answers_in_the_envelope_of_what_has_no_name_and_takes_none(counted: Spoken) -> None:
    running = counted.running
    sent = {"email": "envelope@example.com", "password": "long enough to use"}
    user, _ = await running.user_and_id(**sent)
    signed_in = await running.anonymous.post("/api/auth/login", json=sent)
    assert (signed_in.status, signed_in.json().keys()) == (200, {"item"})
    assert signed_in.json()["item"].keys() == {"access_token", "token_type", "expires_in"}
    assert (await user.get("/api/auth/me")).json()["item"]["email"] == "envelope@example.com"
    assert (await running.anonymous.post("/api/auth/login", json={"item": sent})).status == 422
