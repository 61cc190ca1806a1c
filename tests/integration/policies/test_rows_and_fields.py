"""Ownership on create and change, relations under the target's rule, rules of fields, and one rule in many shapes."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from row_rules_app import Cheap, Crowd, Entry, Good, GuestList, Invite, Party, Seat, Stall, app, shapes
from sqlalchemy import MetaData, false, or_, select

from gatepost import Actor, Changes, NotFound, Service
from gatepost.models.list_query import ListQuery, Order
from gatepost.testing import Client, TestApp

T = TypeVar("T")
Shape = Callable[[Any, Actor], Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class RowRulesApp:
    """A running app with two ordinary users, an admin and an inspector."""

    running: TestApp
    anna: Client
    anna_id: str
    ben: Client
    ben_id: str
    admin: Client
    inspector: Client

    async def add(self, *rows: Any) -> None:
        """Insert rows, whatever the policies say."""
        async with app.transaction() as tx:
            tx.session.add_all(rows)

    async def all(self, model: type[T]) -> list[T]:
        """All rows, whatever the policies say."""
        async with app.transaction() as tx:
            return list(await tx.session.scalars(select(model)))

    async def good(self, **values: Any) -> tuple[Stall, Good]:
        """A good of anna's on anna's stall."""
        stall = Stall(name=secrets.token_hex(4), keeper_id=self.anna_id)
        await self.add(stall)
        good = Good(**{"name": "pear", "stall_id": stall.id, "seller_id": self.anna_id, **values})
        await self.add(good)
        return stall, good


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the row rules."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rules(module_database_url: str) -> AsyncIterator[RowRulesApp]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        anna, anna_id = await running.user_and_id()
        ben, ben_id = await running.user_and_id()
        admin, inspector = await running.user("admin"), await running.user("inspector")
        yield RowRulesApp(running, anna, str(anna_id), ben, str(ben_id), admin, inspector)


# Ownership


async def test_the_owner_of_a_new_row_is_filled_when_absent(rules: RowRulesApp) -> None:
    response = await rules.anna.post("/api/sales", json={})
    assert (response.status, response.data["buyer_id"]) == (201, rules.anna_id)


async def test_a_new_row_cannot_be_somebody_elses(rules: RowRulesApp) -> None:
    response = await rules.anna.post("/api/sales", json={"buyer_id": rules.ben_id})
    assert (response.status, response.json()["code"]) == (403, "forbidden")


async def test_an_admin_may_set_the_owner_where_the_rule_says_so(rules: RowRulesApp) -> None:
    response = await rules.admin.post("/api/sales", json={"buyer_id": rules.ben_id})
    assert (response.status, response.data["buyer_id"]) == (201, rules.ben_id)


async def test_a_row_cannot_be_given_away(rules: RowRulesApp) -> None:
    made = (await rules.anna.post("/api/sales", json={"text": "mine"})).data
    path = f"/api/sales/{made['id']}"
    assert (await rules.anna.patch(path, json={"buyer_id": rules.ben_id})).status == 403
    assert (await rules.anna.patch(path, json={"buyer_id": rules.ben_id, "text": "yours"})).status == 403
    assert (await rules.anna.get(path)).data == made
    assert (await rules.anna.patch(path, json={"buyer_id": rules.anna_id, "text": "still mine"})).status == 200


async def test_a_row_can_be_given_away_where_the_rule_still_holds(rules: RowRulesApp) -> None:
    made = (await rules.anna.post("/api/gifts", json={})).data
    response = await rules.anna.patch(f"/api/gifts/{made['id']}", json={"holder_id": rules.ben_id})
    assert (response.status, response.data["holder_id"]) == (200, rules.ben_id)


# Relations


async def test_an_expansion_shows_a_row_that_may_not_be_read_as_null(rules: RowRulesApp) -> None:
    stall, good = await rules.good()
    path = f"/api/goods/{good.id}?expand=stall"
    assert (await rules.anna.get(path)).data["stall"]["name"] == stall.name
    assert (await rules.ben.get(path)).data["stall"] is None
    assert stall.name not in (await rules.ben.get(path)).body.decode()


async def test_a_filter_over_a_relation_finds_only_through_rows_that_may_be_read(rules: RowRulesApp) -> None:
    stall, good = await rules.good()
    path = f"/api/goods?stall.name={stall.name}"
    assert [row["id"] for row in (await rules.anna.get(path)).data] == [str(good.id)]
    assert (await rules.ben.get(path)).data == []


async def test_a_reference_to_a_row_that_may_not_be_read_is_as_one_to_none(rules: RowRulesApp) -> None:
    stall, _ = await rules.good()
    bodies = [{"name": "plum", "stall_id": str(id)} for id in (stall.id, "00000000-0000-7000-8000-000000000000")]
    hidden, absent = [await rules.ben.post("/api/goods", json=body) for body in bodies]
    assert hidden.status == absent.status == 422
    assert hidden.json()["errors"] == absent.json()["errors"]
    assert hidden.json()["errors"][0]["pointer"] == "/stall_id"
    assert (await rules.anna.post("/api/goods", json=bodies[0])).status == 201


@pytest.mark.parametrize(
    "path",
    [
        "/api/parties?invites.{}[lte]=" + str(uuid.UUID(int=5)),
        "/api/seats?invite.{}=" + str(uuid.UUID(int=5)),
        "/api/seats?guest_list.party.invites.{}[lte]=" + str(uuid.UUID(int=5)),
    ],
)
async def test_what_may_not_be_listed_cannot_be_filtered_by_nor_told_from_what_is_not_there(
    rules: RowRulesApp, path: str
) -> None:
    for client in (rules.running.anonymous, rules.anna, rules.admin):
        present, absent = (
            await client.get(path.format("id")),
            await client.get(path.format("id").replace("invite", "invitx")),
        )
        assert (present.status, present.json()["code"]) == (400, "unknown_parameter")
        assert _plain(present) == _plain(absent)


def _plain(response: Any) -> str:
    return str({**response.json(), "request_id": None}).replace("invitx", "invite")


async def test_a_filter_over_a_relation_finds_only_through_rows_that_may_be_listed(rules: RowRulesApp) -> None:
    for name in ("public", "private"):
        party = Party(name=secrets.token_hex(4))
        await rules.add(party)
        guests = GuestList(name=name, party_id=party.id)
        await rules.add(guests)
        seat = Seat(guest_list_id=guests.id)
        await rules.add(seat)
        paths = (f"/api/parties?id={party.id}&guest_list.name={name}", f"/api/seats?guest_list.id={guests.id}")
        for path in paths:
            for client, is_found in ((rules.running.anonymous, name == "public"), (rules.admin, True)):
                assert len((await client.get(path)).data) == is_found
        # One that is named by a reference may be looked at, and one that is found by the party may not.
        seen = (await rules.anna.get(f"/api/seats/{seat.id}?expand=guest_list")).data
        assert seen["guest_list"]["name"] == name
        found = (await rules.anna.get(f"/api/parties/{party.id}?expand=guest_list")).data
        assert (found["guest_list"] is not None) == (name == "public")


async def test_an_expansion_of_a_reference_follows_get(rules: RowRulesApp) -> None:
    party = Party(name="any")
    await rules.add(party)
    invite = Invite(name="secret", party_id=party.id)
    await rules.add(invite)
    seat = Seat(invite_id=invite.id)
    await rules.add(seat)
    assert (await rules.anna.get(f"/api/seats/{seat.id}?expand=invite")).data["invite"]["name"] == "secret"
    assert (await rules.anna.get("/api/invites")).status == 404
    for path in (f"/api/parties/{party.id}?expand=invites", "/api/parties?expand=invites"):
        assert (await rules.admin.get(path)).status == 400


async def test_a_policys_subquery_is_not_tied_to_another_table_of_the_statement(rules: RowRulesApp) -> None:
    stall, good = await rules.good(name="apple")
    other = Good(name="pear", stall_id=stall.id)
    await rules.add(other)
    crowd = Crowd(good_id=other.id)
    await rules.add(crowd)
    for path in (f"/api/goods/{other.id}?expand=stall", f"/api/goods/{good.id}?expand=stall"):
        assert (await rules.inspector.get(path)).data["stall"]["id"] == str(stall.id)
    found = (await rules.inspector.get(f"/api/crowds/{crowd.id}?expand=good.stall")).data
    assert found["good"]["stall"]["id"] == str(stall.id)
    assert len((await rules.inspector.get(f"/api/goods?stall.name={stall.name}")).data) == 2


# Fields


async def test_a_field_is_shown_on_the_rows_on_which_its_rule_holds(rules: RowRulesApp) -> None:
    _, good = await rules.good()
    path = f"/api/goods/{good.id}"
    assert (await rules.anna.get(path)).data["cost"] == 7
    for client in (rules.ben, rules.admin, rules.running.anonymous):
        assert "cost" not in (await client.get(path)).data


async def test_a_rule_of_a_field_may_have_another_shape_for_every_actor(rules: RowRulesApp) -> None:
    _, good = await rules.good()
    path = f"/api/goods/{good.id}"
    for _ in range(2):
        assert (await rules.admin.get(path)).data["note"] == "secret"
        assert "note" not in (await rules.ben.get(path)).data
        assert (await rules.anna.get(path)).data["note"] == "secret"
    listed = {client: (await client.get("/api/goods?limit=100")).data for client in (rules.admin, rules.ben)}
    assert all("note" in row for row in listed[rules.admin])
    assert not any("note" in row for row in listed[rules.ben] if row["seller_id"] == rules.anna_id)


async def test_a_field_that_a_role_may_set_is_read_only_for_others(rules: RowRulesApp) -> None:
    _, good = await rules.good()
    path = f"/api/goods/{good.id}"
    assert (await rules.admin.patch(path, json={"cost": 8})).status == 200
    refused = await rules.anna.patch(path, json={"cost": 9})
    assert (refused.status, refused.json()["errors"][0]["code"]) == (422, "read_only")
    assert (await rules.anna.patch(path, json={"cost": 8})).status == 200, "its present value is accepted"


async def test_the_value_of_a_hidden_field_cannot_be_guessed_by_sending_it_back(rules: RowRulesApp) -> None:
    _, good = await rules.good()
    responses = [await rules.ben.patch(f"/api/goods/{good.id}", json={"cost": cost}) for cost in (7, 8)]
    assert [response.status for response in responses] == [422, 422]


async def test_a_field_that_the_owner_may_set_is_refused_to_others(rules: RowRulesApp) -> None:
    stall, good = await rules.good()
    path = f"/api/goods/{good.id}"
    assert (await rules.anna.patch(path, json={"grade": "fine"})).data["grade"] == "fine"
    refused = await rules.ben.patch(path, json={"grade": "poor", "name": "x"})
    assert (refused.status, [item["pointer"] for item in refused.json()["errors"]]) == (403, ["/grade"])
    assert (await rules.ben.patch(path, json={"grade": "fine", "name": "y"})).status == 403, "whatever was sent"
    assert (await rules.anna.patch(path, json={"grade": "best", "seller_id": rules.ben_id})).status == 403
    body = {"name": "plum", "stall_id": str(stall.id), "grade": "fine"}
    refused = await rules.anna.post("/api/goods", json=body)
    assert (refused.status, [item["pointer"] for item in refused.json()["errors"]]) == (403, ["/grade"])
    assert (await rules.anna.post("/api/goods", json={**body, "seller_id": rules.anna_id})).status == 201


async def test_the_rules_of_fields_bind_bodies_and_not_what_services_set(rules: RowRulesApp) -> None:
    _, good = await rules.good()
    path = f"/api/goods/{good.id}"
    for body, status in (({"cost": 1}, 422), ({"grade": "gold"}, 403)):
        assert (await rules.ben.patch(path, json=body)).status == status
    assert (await rules.ben.post("/api/crowds", json={"good_id": str(good.id)})).status == 201
    shown = (await rules.anna.get(path)).data
    assert (shown["cost"], shown["grade"], shown["note"]) == (99, "gold", "seen"), "ben may set none of them himself"
    async with app.transaction(Actor(uuid.UUID(rules.ben_id))) as tx:
        await tx.service(Good).update(await tx.service(Good).get(good.id, tx.actor), Changes({"cost": 100}), tx.actor)
    assert (await rules.anna.get(path)).data["cost"] == 100


async def test_the_rule_of_the_row_binds_services_that_call_each_other(rules: RowRulesApp) -> None:
    stall, good = await rules.good(name="theirs")
    assert (await rules.ben.post("/api/crowds", json={"good_id": str(good.id)})).status == 403
    shown = (await rules.anna.get(f"/api/goods/{good.id}")).data
    assert (shown["cost"], shown["grade"]) == (7, "plain"), "all of it is undone"
    assert (await rules.anna.get(f"/api/stalls/{stall.id}")).data["name"] == stall.name
    assert (await rules.anna.post("/api/crowds", json={"good_id": str(good.id)})).status == 201
    assert (await rules.anna.get(f"/api/stalls/{stall.id}")).data["name"] == "mine"


# Shapes and values


def _less(low: int) -> Shape:
    return lambda model, actor: model.number < low


def _among(several: list[int]) -> Shape:
    return lambda model, actor: model.number.in_(several)


def _written(model: Any, actor: Actor) -> Any:
    return model.writer_id == actor.id


def _one_or_written(low: int) -> Shape:
    return lambda model, actor: or_(model.number == low, model.writer_id == actor.id, false())


async def test_a_number_in_a_policy_is_not_rounded_to_its_column(rules: RowRulesApp) -> None:
    await rules.add(low := Cheap(price="1.24"), high := Cheap(price="1.25"))
    assert [row["price"] for row in (await rules.ben.get("/api/cheap")).data] == ["1.24"]
    await only_one_is_loaded(Actor(uuid.uuid4()), low, high)


async def test_one_policy_never_serves_one_actors_values_or_shape_to_another(rules: RowRulesApp) -> None:
    users = [await rules.running.user_and_id() for _ in range(6)]
    numbers = list(range(1000, 1020))
    await rules.add(*(Entry(number=number, writer_id=users[number % 6][1]) for number in numbers))
    wanted: dict[str, set[int]] = {}
    for index, (_, key) in enumerate(users):
        low, several = 1000 + index, numbers[index : index * 3 + 1]
        own = {number for number in numbers if number % 6 == index}
        shapes[str(key)], wanted[str(key)] = [
            (_less(low), set(numbers[:index])),
            (_less(low), set(numbers[:index])),
            (_among(several), set(several)),
            (_among(several), set(several)),
            (_written, own),
            (_one_or_written(low), {low, *own}),
        ][index]

    async def look(client: Client, key: Any) -> None:
        for _ in range(10):
            shown = await client.get("/api/market_entries?sort=number&limit=100")
            assert {row["number"] for row in shown.data} == wanted[str(key)]

    async def ask_services(key: Any) -> None:
        """The same of the verbs that a service finds behind `super()`, which load objects."""
        actor, query = Actor(key), ListQuery((Order("number", descending=False), Order("id", descending=False)), 100)
        rows = [row for row in await rules.all(Entry) if row.number in numbers]
        async with app.transaction(actor=actor) as tx:
            service: Service[Entry] = tx.service(Entry)
            assert [row.number for row in await service.list(query, actor)] == sorted(wanted[str(key)])
            for row in rows:
                if row.number in wanted[str(key)]:
                    assert (await service.get(row.id, actor)).number == row.number
                else:
                    with pytest.raises(NotFound):
                        await service.get(row.id, actor)

    await asyncio.gather(*(look(client, key) for client, key in users))
    for _ in range(
        3
    ):  # no more at once than the pool has connections for: on a busy machine others would wait too long
        await asyncio.gather(*(ask_services(key) for _, key in users))


async def test_a_service_loads_an_object_under_a_subquery(rules: RowRulesApp) -> None:
    shown, _ = await rules.good(name="apple")
    hidden, _ = await rules.good()
    await only_one_is_loaded(Actor(uuid.uuid4(), frozenset({"inspector"})), shown, hidden)


async def only_one_is_loaded(actor: Actor, shown: Any, hidden: Any) -> None:
    """Both through a service that overrides nothing."""
    async with app.transaction(actor=actor) as tx:
        verbs = tx.service(type(shown))
        assert (await verbs.get(shown.id, actor)).id == shown.id
        with pytest.raises(NotFound):
            await verbs.get(hidden.id, actor)


async def test_a_policy_may_refuse_a_change_that_it_would_not_refuse_after_it(rules: RowRulesApp) -> None:
    client, key = await rules.running.user_and_id()
    shapes[str(key)] = lambda model, actor: model.number > 5000
    inside, outside = Entry(number=6000), Entry(number=4000)
    await rules.add(inside, outside)
    assert (await client.patch(f"/api/market_entries/{inside.id}", json={"number": 4999})).status == 403
    assert (await client.patch(f"/api/market_entries/{outside.id}", json={"number": 6001})).status == 404
    assert (await client.post("/api/market_entries", json={"number": 1})).status == 403
    assert (await client.post("/api/market_entries", json={"number": 6002})).status == 201


@pytest.mark.parametrize("length", [0, 1, 2, 50])
async def test_a_list_of_literals_may_have_any_length(rules: RowRulesApp, length: int) -> None:
    client, key = await rules.running.user_and_id()
    await rules.add(*(Entry(number=10_000 + length * 100 + n) for n in range(length + 1)))
    allowed = [10_000 + length * 100 + n for n in range(length)]
    shapes[str(key)] = lambda model, actor: model.number.in_(allowed)
    assert len((await client.get("/api/market_entries?limit=100")).data) == length
    shapes[str(key)] = lambda model, actor: model.number.not_in(allowed)
    shown = (await client.get(f"/api/market_entries?limit=100&number[gte]={10_000 + length * 100}")).data
    assert {row["number"] for row in shown}.isdisjoint(allowed)
