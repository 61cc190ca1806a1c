"""What a row does not show can be neither read, guessed, merged into nor told from what does not exist."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from field_rules_app import (
    NAMES,
    PAIRS,
    Apart,
    Diary,
    Drawer,
    Label,
    PlainDiary,
    Safe,
    ServicedDiary,
    ServicedSafe,
    ServicedSheet,
    Sheet,
    app,
    name_of,
)
from sqlalchemy import MetaData

from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDENTITIES = ("anonymous", "stranger", "owner", "hr", "admin")
SIGNED_IN = IDENTITIES[1:]
SAFES = {"safes": Safe, "serviced_safes": ServicedSafe}


@dataclass
class FieldRulesApp:
    """The running app, and a client of every identity; rows belong to the owner."""

    clients: dict[str, Client]
    ids: dict[str, str]

    async def add(self, *rows: Any) -> Any:
        """Insert rows, whatever the policies say; the key of the last one."""
        async with app.transaction() as tx:
            tx.session.add_all(rows)
        return rows[-1].id

    async def safe(self, path: str, **values: Any) -> str:
        """The path of a new row."""
        return f"/api/{path}/{await self.add(SAFES[path](owner_id=self.ids['owner'], **values))}"

    async def stored(self, path: str, name: str) -> Any:
        """The value of a field, whatever the policies say."""
        _, _, table, key = path.split("/")
        model = {**SAFES, "diaries": Diary, "serviced_diaries": ServicedDiary, "aparts": Apart}[table]
        async with app.transaction() as tx:
            return getattr(await tx.session.get_one(model, key), name)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the field rules."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fields(module_database_url: str) -> AsyncIterator[FieldRulesApp]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        clients, ids = {"anonymous": running.anonymous}, {"anonymous": ""}
        for name in SIGNED_IN:
            clients[name], key = await running.user_and_id(*([name] if name in ("hr", "admin") else []))
            ids[name] = str(key)
        yield FieldRulesApp(clients, ids)


def passes(rule: str, identity: str) -> bool:
    """Whether a rule holds for an identity on a row of the owner's."""
    return {
        "anyone": True,
        "nobody": False,
        "hr": identity == "hr",
        "owner": identity == "owner",
        "mine": identity in ("owner", "admin"),
    }[rule]


def is_of_the_row(rule: str, identity: str) -> bool:
    """Whether what a rule says to an identity depends on the row."""
    return rule == "mine" or (rule == "owner" and identity != "anonymous")


def plain(response: ClientResponse) -> str:
    """A response as far as it may depend on what was asked: its status and its body, without the request's id."""
    body = re.sub(rb'"request_id":"[^"]*"', b"", response.body)
    return f"{response.status} {body.decode()}"


def errors(response: ClientResponse) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


# Reading


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_a_row_shows_to_an_identity_what_its_rules_of_reading_say(
    fields: FieldRulesApp, path: str, identity: str
) -> None:
    secret = secrets.token_hex(8)
    row = await fields.safe(path, **dict.fromkeys(NAMES, secret))
    key, client = row.rpartition("/")[2], fields.clients[identity]
    wanted = {name_of(*pair) for pair in PAIRS if passes(pair[0], identity)}
    (listed,) = (await client.get(f"/api/{path}?id={key}")).data
    for shown in ((await client.get(row)).data, listed):
        assert {name for name in shown if name in NAMES} == wanted
        assert {name for name in shown if name.endswith("_doc")} == {f"{name}_doc" for name in wanted}
        assert str(shown).count(secret) == len(wanted)


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_an_expansion_shows_no_more_than_the_row_itself(fields: FieldRulesApp, identity: str) -> None:
    row = await fields.safe("safes")
    label = await fields.add(Label(safe_id=row.rpartition("/")[2]))
    client = fields.clients[identity]
    expanded = (await client.get(f"/api/labels/{label}?expand=safe")).data["safe"]
    assert expanded == (await client.get(row)).data


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_only_what_every_row_shows_can_be_filtered_and_sorted_by(
    fields: FieldRulesApp, path: str, identity: str
) -> None:
    client = fields.clients[identity]
    for reads, writes in {reads: (reads, writes) for reads, writes in PAIRS}.values():  # of each rule of reading one
        name = name_of(reads, writes)
        surely = reads == "anyone" or (reads == "hr" and identity == "hr")
        refused = {"filter": f"{name}=first", "operator": f"{name}[gt]=a", "sort": f"sort={name}"}
        if path == "safes":
            refused["hop"] = f"safe.{name}=first"
        for how, query in refused.items():
            target = "labels" if how == "hop" else path
            response = await client.get(f"/api/{target}?{query}")
            assert response.status == (200 if surely else 400), (name, how)


@pytest.mark.parametrize("path", ["diaries", "serviced_diaries"])
@pytest.mark.parametrize(
    "query",
    [
        "secret=right",
        "secret[gt]=a",
        "secret[none]=a",
        "secre=right",
        "sort=secret",
        "sort=-secret,text",
        "fields=secret",
        "fields=id,secre",
        "expand=secret",
        "secret.id=1",
    ],
)
async def test_a_query_that_names_it_gets_the_response_of_one_that_does_not_exist(
    fields: FieldRulesApp, path: str, query: str
) -> None:
    for identity in ("anonymous", "stranger", "owner", "hr"):
        response = await fields.clients[identity].get(f"/api/{path}?{query}")
        assert plain(response) == plain(await fields.clients[identity].get(f"/api/plain_diaries?{query}"))
        assert response.status == 400


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_no_message_names_what_an_identity_never_sees(fields: FieldRulesApp, identity: str) -> None:
    client = fields.clients[identity]
    row = await fields.safe("safes")
    never = [name for name in NAMES if not (passes(name.split("_")[0], identity) or is_of_the_row(name, identity))]
    never = [name for name in never if name.split("_")[0] in ("nobody", "hr")]
    queries = ["fields=nobodi_nobody", "sort=nobodi_nobody", "nobodi_nobody=1", "expand=nobody", "fields=hr_h"]
    responses = [await client.get(f"/api/safes?{query}") for query in queries]
    if identity != "anonymous":
        responses += [await client.patch(row, json={f"{name}x": 1}) for name in never]
    for response in responses:
        assert response.status in (400, 422)
        for word in re.findall(r"\w+", response.json()["detail"] + str(response.json()["errors"])):
            assert word not in never, response.body


# Changing


async def expect_change(fields: FieldRulesApp, row: str, identity: str, pair: tuple[str, str], value: str) -> None:
    """Send a value for a field of a row that holds "first", and compare with what the rules say."""
    reads, writes = pair
    name, client = name_of(*pair), fields.clients[identity]
    response = await client.patch(row, json={name: value})
    sees, sets = passes(reads, identity), passes(writes, identity)
    case = (row, identity, name, value, response.body)
    if sets:
        assert response.status == 200, case
        assert response.data.get(name) == (value if sees else None), case
        assert await fields.stored(row, name) == value, case
        return
    assert await fields.stored(row, name) == "first", case
    if not sees:
        assert (response.status, errors(response)) == (422, [(f"/{name}", "unknown_field")]), case
    elif is_of_the_row(writes, identity):
        assert (response.status, response.json()["code"]) == (403, "forbidden"), case
    elif value == "first":
        assert response.status == 200, case
    else:
        assert (response.status, errors(response)) == (422, [(f"/{name}", "read_only")]), case


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", SIGNED_IN)
@pytest.mark.parametrize("value", ["first", "other"])
async def test_the_response_to_a_change_depends_on_what_the_row_shows_and_on_who_writes(
    fields: FieldRulesApp, path: str, identity: str, value: str
) -> None:
    row = await fields.safe(path)
    for pair in PAIRS:
        await expect_change(fields, row, identity, pair, value)


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", SIGNED_IN)
async def test_right_and_wrong_guesses_get_the_same_response(fields: FieldRulesApp, path: str, identity: str) -> None:
    row = await fields.safe(path)
    for reads, writes in PAIRS:
        if passes(reads, identity) or passes(writes, identity):
            continue
        name, client = name_of(reads, writes), fields.clients[identity]
        texts = [plain(await client.patch(row, json={name: guess})) for guess in ("first", "other", None, "")]
        guesses = ({"a": 1, "keep": "me"}, {"a": 1}, {}, None, [1])
        documents = [plain(await client.patch(row, json={f"{name}_doc": guess})) for guess in guesses]
        assert len(set(texts)) == len(set(documents)) == 1, (reads, writes)
        assert texts[0].startswith("422 ")


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", SIGNED_IN)
async def test_a_document_is_merged_into_where_it_is_shown_and_replaced_whole_where_not(
    fields: FieldRulesApp, path: str, identity: str
) -> None:
    row = await fields.safe(path)
    for reads, writes in PAIRS:
        name, client = f"{name_of(reads, writes)}_doc", fields.clients[identity]
        response = await client.patch(row, json={name: {"b": 2}})
        stored = await fields.stored(row, name)
        if not passes(writes, identity):
            assert (response.status in (403, 422), stored) == (True, {"a": 1, "keep": "me"}), (reads, writes)
            continue
        wanted = {"a": 1, "b": 2, "keep": "me"} if passes(reads, identity) else {"b": 2}
        assert (response.status, stored) == (200, wanted), (reads, writes)
        assert response.data.get(name) == (wanted if passes(reads, identity) else None)
        assert (await client.patch(row, json={name: None})).status == 200
        assert await fields.stored(row, name) is None


@pytest.mark.parametrize("path", SAFES)
async def test_a_row_is_sent_back_as_it_was_read_but_for_what_a_rule_of_the_row_guards(
    fields: FieldRulesApp, path: str
) -> None:
    for identity in SIGNED_IN:
        row = await fields.safe(path)
        shown = (await fields.clients[identity].get(row)).data
        kept = {
            name: value
            for name, value in shown.items()
            if "_" not in name
            or name in ("created_at", "owner_id")
            or not is_of_the_row(name.split("_")[1], identity)
            or passes(name.split("_")[1], identity)
        }
        response = await fields.clients[identity].patch(row, json=kept)
        assert (response.status, response.data) == (200, shown), identity


# Creating


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", SIGNED_IN)
async def test_a_creation_sets_what_its_rule_lets_and_shows_what_the_new_row_shows(
    fields: FieldRulesApp, path: str, identity: str
) -> None:
    for reads, writes in PAIRS:
        name, body = name_of(reads, writes), {"owner_id": fields.ids["owner"]}
        response = await fields.clients[identity].post(f"/api/{path}", json={**body, name: "set"})
        case = (identity, name, response.body)
        if passes(writes, identity):
            assert response.status == 201, case
            assert response.data.get(name) == ("set" if passes(reads, identity) else None), case
            continue
        is_known = passes(reads, identity) or is_of_the_row(reads, identity)
        if not is_known:
            assert (response.status, errors(response)) == (422, [(f"/{name}", "unknown_field")]), case
        elif is_of_the_row(writes, identity):
            assert response.status == 403, case
        else:
            assert (response.status, errors(response)) == (422, [(f"/{name}", "read_only")]), case


async def test_creating_and_changing_have_rules_of_their_own(fields: FieldRulesApp) -> None:
    body = {"owner_id": fields.ids["owner"], "number": 1}
    made = await fields.clients["stranger"].post("/api/aparts", json=body)
    assert made.status == 201
    row = f"/api/aparts/{made.data['id']}"
    refused = await fields.clients["stranger"].patch(row, json={"number": 2})
    assert errors(refused) == [("/number", "read_only")]
    assert refused.json()["errors"][0]["detail"] == "You may not write the field number."
    assert (await fields.clients["stranger"].patch(row, json={"number": 1})).status == 200
    assert (await fields.clients["hr"].patch(row, json={"number": 2})).data["number"] == 2
    refused = await fields.clients["owner"].post("/api/aparts", json={**body, "later": 1})
    assert errors(refused) == [("/later", "read_only")]
    assert refused.json()["errors"][0]["detail"] == "The field is kept by the server; leave it out."
    assert (await fields.clients["owner"].patch(row, json={"later": 3})).data["later"] == 3
    assert errors(await fields.clients["hr"].patch(row, json={"later": 3})) == [("/later", "unknown_field")]


@pytest.mark.parametrize("path", ["vault_tickets", "serviced_vault_tickets"])
async def test_the_rule_of_a_field_is_weighed_before_a_constraint_tells_of_another_row(
    fields: FieldRulesApp, path: str
) -> None:
    codes = [secrets.token_hex(4) for _ in range(3)]
    owner, stranger = fields.clients["owner"], fields.clients["stranger"]
    body = {"owner_id": fields.ids["owner"], "note": "set"}
    assert (await owner.post(f"/api/{path}", json={**body, "code": codes[0]})).status == 201
    made = await owner.post(f"/api/{path}", json={**body, "code": codes[1]})
    row = f"/api/{path}/{made.data['id']}"
    for code in (codes[0], codes[2]):
        refused = await stranger.post(f"/api/{path}", json={**body, "code": code})
        assert (refused.status, refused.json()["code"]) == (403, "forbidden")
        given = {"code": code, "owner_id": fields.ids["stranger"], "note": "new"}
        assert (await owner.patch(row, json=given)).status == 403
    assert (await owner.patch(row, json={"code": codes[0], "note": "new"})).status == 409
    assert (await stranger.post(f"/api/{path}", json={"code": codes[0]})).status == 409


# As what does not exist

BODIES: list[dict[str, Any]] = [
    {"secret": "right"},
    {"secret": "wrong"},
    {"secret": None},
    {"secret": 5},
    {"secret": "x" * 30},
    {"secret": {"a": 1}},
    {"secrets": 7},
    {"secrets": "seven"},
    {"secret": "right", "secrets": 7},
    {"secret": "right", "text": "new"},
    {"secret": "right", "size": "not a number"},
    {"secret": 5, "size": "not a number", "nothing": 1},
    {"secret": "right", "id": "00000000-0000-7000-8000-000000000000"},
    {"secret": "right", "version": 99},
    {"secre": 1},
    {"secretes": 1, "sizes": 1},
    {"siz": 1, "secret": "right"},
]


@pytest.mark.parametrize("path", ["diaries", "serviced_diaries"])
@pytest.mark.parametrize("headers", [{}, {"If-Match": '"1"'}, {"If-Match": '"77"'}])
async def test_a_field_neither_seen_nor_writable_is_to_the_byte_as_one_that_does_not_exist(
    fields: FieldRulesApp, path: str, headers: dict[str, str]
) -> None:
    model = {"diaries": Diary, "serviced_diaries": ServicedDiary}[path]
    key = await fields.add(model(owner_id=fields.ids["owner"], secret="right"))
    await fields.add(PlainDiary(id=key, owner_id=fields.ids["owner"]))
    try:
        for identity in ("stranger", "hr"):
            for body in BODIES:
                client = fields.clients[identity]
                with_secret = await client.patch(f"/api/{path}/{key}", json=body, headers=headers)
                without = await client.patch(f"/api/plain_diaries/{key}", json=body, headers=headers)
                assert plain(with_secret) == plain(without), body
                assert with_secret.status == 422
        assert await fields.stored(f"/api/{path}/{key}", "secret") == "right"
    finally:
        async with app.transaction() as tx:
            await tx.session.delete(await tx.session.get_one(PlainDiary, key))


@pytest.mark.parametrize("path", ["diaries", "serviced_diaries"])
async def test_a_creation_with_such_a_field_is_as_one_with_an_unknown_one(fields: FieldRulesApp, path: str) -> None:
    for body in ({"secret": "x"}, {"secret": "x", "text": "y"}, {"secrets": 1}):
        sent = {**body, "owner_id": fields.ids["owner"]}
        refused = await fields.clients["stranger"].post(f"/api/{path}", json=sent)
        assert plain(refused) == plain(await fields.clients["stranger"].post("/api/plain_diaries", json=sent))
        made = await fields.clients["owner"].post(f"/api/{path}", json=sent)
        assert made.status == 201
        assert not {"secret", "secrets"} & made.data.keys()


@pytest.mark.parametrize("path", ["diaries", "serviced_diaries"])
async def test_the_one_who_may_write_without_reading_replaces_and_clears(fields: FieldRulesApp, path: str) -> None:
    model = {"diaries": Diary, "serviced_diaries": ServicedDiary}[path]
    row = f"/api/{path}/{await fields.add(model(owner_id=fields.ids['owner'], secret='right'))}"
    for value in ("wrong", "right", None, "last"):
        response = await fields.clients["owner"].patch(row, json={"secret": value})
        assert (response.status, "secret" in response.data) == (200, False)
        assert await fields.stored(row, "secret") == value
    wrong = await fields.clients["owner"].patch(row, json={"secret": 5})
    assert errors(wrong) == [("/secret", "wrong_type")]
    assert (await fields.clients["admin"].get(row)).data["secret"] == "last"
    assert errors(await fields.clients["admin"].patch(row, json={"secret": "x"})) == [("/secret", "read_only")]
    absent = await fields.clients["owner"].patch(f"{row[:-12]}000000000000", json={"secret": "x"})
    assert absent.status == 404


@pytest.mark.parametrize("path", SAFES)
@pytest.mark.parametrize("identity", SIGNED_IN)
async def test_two_rows_that_are_shown_alike_get_equal_responses(
    fields: FieldRulesApp, path: str, identity: str
) -> None:
    """Whatever is hidden in them, and whatever is sent: only that a row was written may be told."""
    client = fields.clients[identity]
    unseen = [name_of(*pair) for pair in PAIRS if not passes(pair[0], identity)]
    hidden = ({}, dict.fromkeys(unseen, "other"), dict.fromkeys(unseen))
    documents = ({}, {f"{name}_doc": {"b": [2]} for name in unseen}, {f"{name}_doc": None for name in unseen})
    bodies: list[dict[str, Any]] = [
        {},
        {"title": "new"},
        *({name: value} for name in unseen for value in ("first", 1)),
        *({f"{name}_doc": {"a": 1, "keep": None, "b": [2]}} for name in unseen),
        dict.fromkeys(unseen, "first"),
        {"title": 1, **dict.fromkeys(unseen, "other")},
        {"owner_id": fields.ids[identity], **dict.fromkeys(unseen[:2])},
    ]
    rows = [await fields.safe(path, **texts, **docs) for texts, docs in zip(hidden, documents, strict=True)]

    def told(response: ClientResponse, row: str) -> str:
        text = plain(response).replace(row.rpartition("/")[2], "the row")
        return re.sub(r'"(version|created_at|updated_at)":("[^"]*"|\d+)', "", text)

    for body in bodies:
        responses = {told(await client.patch(row, json=body), row) for row in rows}
        assert len(responses) == 1, body
    assert len({told(await client.get(row), row) for row in rows}) == 1


# References


@pytest.mark.parametrize("path", ["sheets", "serviced_sheets"])
async def test_a_reference_to_a_hidden_row_may_be_sent_back_and_is_otherwise_looked_up(
    fields: FieldRulesApp, path: str
) -> None:
    drawers = [Drawer(owner_id=fields.ids["owner"]) for _ in range(2)]
    await fields.add(*drawers)
    model = {"sheets": Sheet, "serviced_sheets": ServicedSheet}[path]
    row = f"/api/{path}/{await fields.add(model(drawer_id=drawers[0].id))}"
    client = fields.clients["stranger"]
    shown = (await client.get(row)).data
    assert (await client.patch(row, json=shown)).data == shown
    assert (await client.patch(row, json={"drawer_id": shown["drawer_id"], "text": "new"})).data["text"] == "new"

    other, nothing = str(drawers[1].id), "00000000-0000-7000-8000-000000000000"
    for target in (other, nothing):
        refused = await client.patch(row, json={"drawer_id": target})
        assert errors(refused) == [("/drawer_id", "not_found")]
        both = await client.patch(row, json={"drawer_id": shown["drawer_id"], "other_id": target})
        assert errors(both) == [("/other_id", "not_found")], "the one that is as it was is none of them"
        again = (await client.get(row)).data
        all_three = await client.patch(row, json={**again, "other_id": target, "label_id": nothing})
        assert errors(all_three) == [("/label_id", "not_found"), ("/other_id", "not_found")]
    assert (await client.post(f"/api/{path}", json={"drawer_id": shown["drawer_id"]})).status == 422
    assert (await fields.clients["owner"].patch(row, json={"drawer_id": other})).status == 200
