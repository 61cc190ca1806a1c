"""Names in camelCase, wherever a name can stand: rows, bodies, query strings, pointers, sentences, hints."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from dialects_app import Poem
from dialects_clients import Spoken
from sqlalchemy import text, update

pytestmark = pytest.mark.asyncio(loop_scope="module")

POEM = {
    "id", "createdAt", "updatedAt", "version", "shortTitle", "lineCount2", "printRun", "extraData", "poetId",
    "coPoetId", "keeperId", "twicePrinted", "printedOn",
}  # fmt: skip


async def test_rows_have_the_names_of_the_dialect_and_documents_keep_theirs(in_camel_case: Spoken) -> None:
    made = await in_camel_case.poem(extraData={"inner_key": {"deep_key": 1}}, lineCount2=3)
    read = (await in_camel_case.running.anonymous.get(f"/api/poems/{made['id']}")).data
    assert made.keys() == read.keys() == POEM
    assert read["extraData"] == {"inner_key": {"deep_key": 1}}
    assert read["lineCount2"] == 3


async def test_a_field_that_only_some_rows_show_has_its_wire_name(in_camel_case: Spoken) -> None:
    keeper, keeper_id = await in_camel_case.running.user_and_id()
    made = await in_camel_case.poem(keeperId=str(keeper_id), draftNote="mine")
    path = f"/api/poems/{made['id']}"
    assert (await keeper.get(path)).data.keys() == POEM | {"draftNote"}
    assert (await in_camel_case.running.anonymous.get(path)).data.keys() == POEM


async def test_relations_are_expanded_by_their_wire_names(in_camel_case: Spoken) -> None:
    made = await in_camel_case.poem()
    read = await in_camel_case.running.anonymous.get(f"/api/poems/{made['id']}?expand=mainPoet&fields=shortTitle")
    assert read.data.keys() == {"shortTitle", "mainPoet"}
    assert read.data["mainPoet"].keys() == {"id", "createdAt", "updatedAt", "version", "fullName"}


async def test_changes_and_read_only_values_that_are_sent_back_are_taken_by_wire_names(in_camel_case: Spoken) -> None:
    made = await in_camel_case.poem()
    path = f"/api/poems/{made['id']}"
    changed = await in_camel_case.editor.patch(path, json={**made, "shortTitle": "Elegy", "extraData": {"a_b": 1}})
    assert changed.status == 200, changed.body
    assert changed.data["shortTitle"] == "Elegy"
    assert changed.data["extraData"] == {"a_b": 1}
    refused = await in_camel_case.editor.patch(path, json={"printRun": 7})
    assert refused.json()["errors"] == [
        {"pointer": "/printRun", "code": "read_only", "detail": "The field printRun cannot be written."}
    ]


async def test_a_value_that_no_body_may_have_is_taken_back_by_its_wire_name(in_camel_case: Spoken) -> None:
    made = await in_camel_case.poem()
    async with in_camel_case.running.app.transaction() as tx:
        poem = await tx.session.get_one(Poem, UUID(made["id"]))
        await tx.session.execute(update(Poem).where(Poem.id == poem.id).values(printed_on=text("'infinity'")))
    path = f"/api/poems/{made['id']}"
    shown = (await in_camel_case.editor.get(path)).data
    assert shown["printedOn"] == "infinity"
    changed = await in_camel_case.editor.patch(path, json={**shown, "shortTitle": "Elegy"})
    assert (changed.status, changed.data["shortTitle"]) == (200, "Elegy")
    refused = await in_camel_case.editor.patch(path, json={**changed.data, "shortTitle": "", "printRun": 7})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/printRun", "/shortTitle"]


def body(**values: Any) -> dict[str, Any]:
    return {"shortTitle": "Ode", "poetId": str(uuid4()), **values}


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({"poetId": str(uuid4())}, [("/shortTitle", "required")]),
        (body(shortTitle=""), [("/shortTitle", "too_short")]),
        (body(lineCount2=0), [("/lineCount2", "too_small")]),
        (body(line_count_2=1), [("/line_count_2", "unknown_field")]),
        (body(shortTitel="x"), [("/shortTitel", "unknown_field")]),
        (body(createdAt="2020-01-01T00:00:00Z"), [("/createdAt", "read_only")]),
        (body(), [("/poetId", "not_found")]),
    ],
)
async def test_pointers_lead_to_the_names_that_were_sent(
    in_camel_case: Spoken, sent: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    refused = await in_camel_case.editor.post("/api/poems", json=sent)
    assert refused.status == 422, refused.body
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == errors
    assert b"short_title" not in refused.body


async def test_what_a_service_says_of_attributes_reaches_clients_by_wire_names(in_camel_case: Spoken) -> None:
    poet = await in_camel_case.poet()
    refused = await in_camel_case.editor.post("/api/poems", json=body(shortTitle="wrong", poetId=poet["id"]))
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/shortTitle", ""]


async def test_hints_suggest_wire_names(in_camel_case: Spoken) -> None:
    refused = await in_camel_case.editor.post("/api/poems", json=body(lineCont2=1))
    assert refused.json()["errors"][0]["params"] == {"suggestion": "lineCount2"}


async def test_a_constraint_of_the_database_is_told_by_wire_names(in_camel_case: Spoken) -> None:
    name = (await in_camel_case.poet())["fullName"]
    refused = await in_camel_case.editor.post("/api/poets", json={"fullName": name})
    assert refused.status == 409
    assert refused.json()["detail"] == "Another row has the same fullName."
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/fullName"]


@pytest.mark.parametrize("query", ["bankAccount=x", "sort=bankAccount", "fields=bankAccount", "fields=penName"])
async def test_hidden_fields_do_not_exist_by_any_name(in_camel_case: Spoken, query: str) -> None:
    refused = await in_camel_case.running.anonymous.get(f"/api/poets?{query}")
    missing = await in_camel_case.running.anonymous.get(
        f"/api/poets?{query.replace('ank', 'onk').replace('pen', 'pin')}"
    )
    assert refused.status == missing.status == 400
    assert refused.json()["code"] == missing.json()["code"]
    assert b"penName" not in missing.body


async def test_lists_are_filtered_and_sorted_by_wire_names(in_camel_case: Spoken) -> None:
    client = in_camel_case.running.anonymous
    made = [await in_camel_case.poem(lineCount2=number, extraData={"inner_key": "k"}) for number in (901, 903, 902)]
    poet = (await client.get(f"/api/poets/{made[0]['poetId']}")).data
    for query, count in [
        ("lineCount2[gte]=901", 3),
        ("lineCount2[gte]=901&extraData.inner_key=k", 3),
        ("lineCount2[gte]=902&shortTitle[icontains]=ode", 2),
        (f"mainPoet.fullName={poet['fullName']}", 1),
        (f"poetId={poet['id']}", 1),
    ]:
        page = await client.get(f"/api/poems?{query}&sort=-lineCount2&fields=lineCount2")
        assert page.status == 200, page.body
        numbers = [row["lineCount2"] for row in page.data]
        assert (len(numbers), numbers) == (count, sorted(numbers, reverse=True)), query


async def test_cursors_lead_on_in_the_order_of_a_renamed_field(in_camel_case: Spoken) -> None:
    for number in (801, 802, 803):
        await in_camel_case.poem(lineCount2=number)
    client, path, numbers = in_camel_case.running.anonymous, "/api/poems?lineCount2[gte]=801&lineCount2[lt]=900", []
    page = await client.get(f"{path}&sort=-lineCount2&limit=2")
    numbers += [row["lineCount2"] for row in page.data]
    page = await client.get(f"{path}&sort=-lineCount2&limit=2&after={page.json()['page']['next']}")
    numbers += [row["lineCount2"] for row in page.data]
    assert numbers == [803, 802, 801]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("line_count_2=1", "There is no parameter 'line_count_2'. Did you mean 'lineCount2'?"),
        ("shortTitel=x", "Did you mean 'shortTitle'?"),
        ("sort=short_title", "There is no field 'short_title'; allowed: "),
        ("fields=short_title", "There is no field 'short_title'; allowed: "),
        ("expand=main_poet", "There is no relation 'main_poet' to expand; allowed: mainPoet."),
        ("mainPoet.full_name=x", "There is no parameter 'mainPoet.full_name'."),
        ("main_poet.fullName=x", "There is no parameter 'main_poet.fullName'."),
        ("extra_data.inner_key=x", "There is no parameter 'extra_data.inner_key'."),
        ("extraData.innerKey=x", "There is no filter for 'extraData.innerKey'; allowed: "),
        ("twicePrinted=1", "There is no filter for 'twicePrinted'; allowed: "),
        ("sort=extraData", "The field 'extraData' cannot be sorted by; allowed: "),
    ],
)
async def test_what_a_query_may_not_name_is_said_by_wire_names(in_camel_case: Spoken, query: str, said: str) -> None:
    refused = await in_camel_case.running.anonymous.get(f"/api/poems?{query}")
    assert refused.status == 400, refused.body
    detail = refused.json()["detail"]
    assert said in detail
    for name in ("poet_id", "created_at", "print_run"):
        assert name not in detail


async def test_a_dialect_may_name_things_in_any_way(in_capitals: Spoken) -> None:
    made = await in_capitals.editor.post("/api/poets", json={"FULL_NAME": "Sappho"})
    assert made.data["FULL_NAME"] == "Sappho"
    assert (await in_capitals.running.anonymous.get("/api/poets?FULL_NAME=Sappho")).data[0]["ID"] == made.data["ID"]
