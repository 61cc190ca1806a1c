"""Registering, signing in and new passwords in own endpoints, services and mounts."""

import json
import secrets

import pytest
from members_app import ClubMember, app
from sqlalchemy import func, select

from gatepost.events import SignInFailed, SignInSucceeded
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct horse battery"

told: list[object] = []
app.events.subscribe(SignInSucceeded, told.append)
app.events.subscribe(SignInFailed, told.append)


def new_member(**values: str) -> dict[str, str]:
    name = f"m{secrets.token_hex(6)}"
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD, **values}


async def registered(club: TestApp, **values: str) -> dict[str, str]:
    body = new_member(**values)
    assert (await club.anonymous.post("/api/door/register", json=body)).status == 201
    return body


async def entered(club: TestApp, body: dict[str, str], password: str = PASSWORD) -> Client:
    response = await club.anonymous.post("/api/door/enter", json={"email": body["email"], "password": password})
    assert response.status == 200
    return Client(app, token=response.data["token"])


async def count_members() -> int:
    async with app.transaction() as tx:
        return (await tx.session.execute(select(func.count()).select_from(ClubMember))).scalar_one()


async def test_a_registered_member_is_shown_as_the_new_member_sees_it(club: TestApp) -> None:
    body = new_member(email=f"{secrets.token_hex(6)}@EXAMPLE.com")

    response = await club.anonymous.post("/api/door/register", json=body)

    assert response.status == 201
    assert response.data["email"] == body["email"].lower()
    assert response.headers["location"] == f"/api/members/{response.data['id']}"
    assert response.data["greeting"] == f"Hello {body['username']}, from Actor(system)"
    others = await club.anonymous.get(f"/api/members/{response.data['id']}")
    assert "email" not in others.data
    assert "set-cookie" not in response.headers


async def test_a_dto_shows_the_token_that_the_call_has_issued_or_that_it_carries(club: TestApp) -> None:
    body = new_member()
    credentials = {"email": body["email"], "password": PASSWORD}

    for response in (
        await club.anonymous.post("/api/door/join", json=body),
        await club.anonymous.post("/api/door/me", json=credentials),
    ):
        token = response.data["token"]
        shown = await Client(app, token=token).get("/api/door/me")
        assert response.data == shown.data == {"username": body["username"], "token": token}


async def test_without_a_token_a_dto_shows_null(club: TestApp) -> None:
    await registered(club)

    response = await club.anonymous.get("/api/door/members")

    assert [row["token"] for row in response.data] == [None]


async def test_a_refusal_of_the_service_of_users_refuses_the_registration(club: TestApp) -> None:
    response = await club.anonymous.post("/api/door/register", json=new_member(username="forbidden"))

    assert (response.status, response.json()["code"]) == (409, "not_this_name")


@pytest.mark.parametrize(
    ("values", "violations"),
    [
        ({"password": "short"}, [("/password", "too_short", {"min": 8})]),
        ({"password": "x" * 257}, [("/password", "too_long", {"max": 256})]),
        ({"password": "\U0001f600" * 256}, []),
        ({"email": "nobody"}, [("/email", "pattern_mismatch", None)]),
        ({"email": "", "password": ""}, [("/email", "pattern_mismatch", None), ("/password", "too_short", {"min": 8})]),
        ({"username": "x"}, [("/username", "too_short", {"min": 2})]),
    ],
)
async def test_every_violation_is_at_its_field_and_nothing_is_written(
    club: TestApp, values: dict[str, str], violations: list[tuple[str, str, object]]
) -> None:
    before = await count_members()

    response = await club.anonymous.post("/api/door/register", json=new_member(**values))

    if not violations:
        assert response.status == 201
        return
    assert response.status == 422
    found = [(error["pointer"], error["code"], error.get("params")) for error in response.json()["errors"]]
    assert found == violations
    assert await count_members() == before


@pytest.mark.parametrize("name", ["email", "username"])
async def test_what_is_taken_is_a_conflict_at_its_field(club: TestApp, name: str) -> None:
    taken = await registered(club)
    before = await count_members()

    response = await club.anonymous.post("/api/door/register", json=new_member(**{name: taken[name]}))

    assert (response.status, response.json()["code"]) == (409, "already_exists")
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        (f"/{name}", "already_exists")
    ]
    assert await count_members() == before


async def test_an_endpoint_that_refuses_after_registering_has_registered_nobody(club: TestApp) -> None:
    body = new_member()
    refused = await club.anonymous.post("/api/door/register-and-refuse", json=body)
    entering = await club.anonymous.post("/api/door/enter", json={"email": body["email"], "password": PASSWORD})

    assert (refused.status, refused.json()["code"]) == (409, "full")
    assert (entering.status, entering.json()["code"]) == (401, "invalid_credentials")


async def test_signing_in_makes_the_actor_of_the_rest_of_the_call(club: TestApp) -> None:
    body = await registered(club)
    credentials = {"email": body["email"].upper(), "password": PASSWORD}
    told.clear()

    response = await club.anonymous.post("/api/door/enter", json=credentials)
    shown = await club.anonymous.post("/api/door/look", json=credentials)

    assert (response.data["was_anonymous"], response.data["username"]) == (True, body["username"])
    assert told[0] == SignInSucceeded(user_id=response.data["actor"], client="127.0.0.1")
    assert shown.data["email"] == body["email"]
    me = await Client(app, token=response.data["token"]).get("/api/auth/me")
    assert me.data == {"id": response.data["actor"], "email": body["email"], "roles": []}


async def test_a_sign_in_sets_the_cookie_of_the_device_for_every_path(club: TestApp) -> None:
    body = await registered(club)
    credentials = {"email": body["email"], "password": PASSWORD}

    for path in ("/api/door/enter", "/api/auth/login", "/lobby"):
        cookie = (await club.anonymous.post(path, json=credentials)).headers["set-cookie"]
        assert cookie.startswith("gatepost_device=")
        assert "; Path=/; " in cookie


async def test_an_endpoint_that_refuses_after_signing_in_has_signed_nobody_in(club: TestApp) -> None:
    body = await registered(club)
    told.clear()

    refused = await club.anonymous.post("/api/door/refuse", json={"email": body["email"], "password": PASSWORD})

    assert (refused.status, refused.json()["code"]) == (409, "closed")
    assert "set-cookie" not in refused.headers
    assert told == []


@pytest.mark.parametrize("path", ["/api/door/enter", "/api/door/strict", "/api/auth/login"])
async def test_whatever_is_wrong_gets_the_same_refusal(club: TestApp, path: str) -> None:
    body = await registered(club)
    wrong = [
        {"email": body["email"], "password": "wrong"},
        {"email": "nobody@example.com", "password": PASSWORD},
    ]
    told.clear()

    responses = [await club.anonymous.post(path, json=credentials) for credentials in wrong]

    assert {response.status for response in responses} == {401}
    assert len({(response.json()["code"], response.json()["detail"]) for response in responses}) == 1
    assert [event.reason for event in told if isinstance(event, SignInFailed)] == ["wrong_password", "unknown"]


async def test_a_new_password_ends_every_token_but_the_new_one(club: TestApp) -> None:
    body = await registered(club)
    first, second = await entered(club, body), await entered(club, body)
    assert (await second.get("/api/auth/me")).status == 200

    response = await first.post("/api/door/password", json={"password": "another horse"})

    assert response.status == 200
    assert response.data["again"] == response.data["token"]
    assert [(await old.get("/api/auth/me")).status for old in (first, second)] == [401, 401]
    assert (await Client(app, token=response.data["token"]).get("/api/auth/me")).status == 200
    old = await club.anonymous.post("/api/door/enter", json={"email": body["email"], "password": PASSWORD})
    assert old.status == 401
    await entered(club, body, "another horse")


async def test_a_short_new_password_is_refused_and_changes_nothing(club: TestApp) -> None:
    body = await registered(club)
    member = await entered(club, body)

    refused = await member.post("/api/door/password", json={"password": "short"})

    assert refused.status == 422
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [("/password", "too_short")]
    assert (await member.get("/api/auth/me")).status == 200


async def test_the_password_of_another_one_leaves_the_actor(club: TestApp) -> None:
    body, other = await registered(club), await registered(club)
    member, admin = await entered(club, body), await entered(club, other)

    response = await admin.post(f"/api/door/password/{body['username']}", json={"password": "another horse"})

    assert response.data["is_same_actor"] is True
    assert (await member.get("/api/auth/me")).status == 401
    assert (await Client(app, token=response.data["token"]).get("/api/auth/me")).data["email"] == body["email"]
    assert (await admin.get("/api/auth/me")).data["email"] == other["email"]


async def test_outside_of_requests_users_are_registered_and_get_tokens(club: TestApp) -> None:
    name = f"m{secrets.token_hex(6)}"
    async with app.transaction() as tx:
        member = await tx.accounts.register(ClubMember(username=name, email=f"{name}@example.com"), PASSWORD)
        assert tx.actor.is_system
        token = await tx.accounts.issue(member)

    assert (await Client(app, token=token).get("/api/auth/me")).data["email"] == f"{name}@example.com"
    renewed = await app.accounts.set_password(member, "another horse")
    assert (await Client(app, token=token).get("/api/auth/me")).status == 401
    assert (await Client(app, token=renewed).get("/api/auth/me")).status == 200


async def test_nobody_signs_in_without_a_request(club: TestApp) -> None:
    with pytest.raises(RuntimeError, match="there is no request"):
        await app.accounts.sign_in("nobody@example.com", PASSWORD)


async def test_what_no_text_of_postgresql_can_be_is_a_wrong_password(club: TestApp) -> None:
    body = await registered(club)
    for email, password in ((body["email"], "x" * 5000), (body["email"], "\ud800"), ("a\0@b", "x"), ("\ud800@b", "x")):
        content = json.dumps({"email": email, "password": password}).encode()
        assert (await club.anonymous.post("/lobby", content=content)).status == 401
