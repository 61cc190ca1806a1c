"""Other ways to authenticate, as a user writes them: a session cookie and an API key beside bearer tokens."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from accounts_app import until
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import (
    Actor,
    App,
    BearerTokens,
    Call,
    Resource,
    Unauthorized,
    UserAuthenticator,
    UserColumns,
    VerifiedUser,
    anyone,
    authenticated,
    role,
)
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse, TestApp


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Owner(Base, UserColumns):
    __tablename__ = "authenticated_owners"
    id: Mapped[int] = mapped_column(primary_key=True)


class Letter(Base):
    __tablename__ = "authenticated_letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class SessionCookies(UserAuthenticator):
    """Sessions in the memory of the process."""

    challenge = "Session"
    headers = ("cookie",)
    is_ambient = True

    def __init__(self) -> None:
        self.sessions: dict[bytes, int] = {}

    def find_credentials(self, call: Call) -> bytes | None:
        session = call.cookie("session")
        return None if session is None else session.encode()

    async def verify(self, credentials: bytes) -> VerifiedUser | None:
        user = self.sessions.get(credentials)
        return None if user is None else VerifiedUser(user)


class APIKeys(UserAuthenticator):
    """Keys by their digests, counted as they are verified."""

    challenge = 'ApiKey realm="letters"'
    headers = ("x-api-key",)

    def __init__(self) -> None:
        self.users: dict[bytes, int] = {}
        self.verified = 0

    async def verify(self, credentials: bytes) -> VerifiedUser:
        self.verified += 1
        user = self.users.get(hashlib.sha256(credentials).digest())
        if user is None:
            raise Unauthorized("unknown_key", "There is no such API key.")
        return VerifiedUser(user)


class Partners:
    """Partners are not users: the actors are made here, and nothing is cached."""

    challenge = "Partner"
    headers = ("x-partner",)
    is_ambient = False

    def find(self, call: Call) -> Actor | None:
        return None

    async def load(self, call: Call) -> Actor | None:
        partner = call.headers.get(b"x-partner")
        return None if partner is None else Actor(partner.decode(), frozenset({"editor"}))


cookies, keys = SessionCookies(), APIKeys()
app = App(
    Resource(Letter, read=anyone, create=role("editor"), update=role("editor"), delete=role("editor")),
    users=Owner,
    authenticators=[BearerTokens(), keys, cookies, Partners()],
)


class Running:
    """The app with one user, an editor, who has a token, a key and a session."""

    def __init__(self, test: TestApp, signed_in: Client, user: int) -> None:
        self.test = test
        self.signed_in = signed_in
        self.user = user

    async def send(self, method: str, path: str, **headers: str) -> ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.test.anonymous.request(method, path, headers=named)

    async def me(self, **headers: str) -> ClientResponse:
        return await self.send("GET", "/api/auth/me", **headers)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app."""
    return app.metadata


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    async with TestApp(app, database_url, GATEPOST_CORS_ORIGINS="https://shop.example") as test:
        client, user = await test.user_and_id("editor", email="ada@example.com")
        keys.users = {hashlib.sha256(b"ada's key").digest(): user}
        cookies.sessions = {b"ada-1": user}
        keys.verified = 0
        await until(lambda: app.running.accounts.identities.listener.is_trusted)
        yield Running(test, client, user)


COOKIE = "theme=dark; session=ada-1"
KEY = "ada's key"


async def test_a_key_in_a_header_identifies_its_user(running: Running) -> None:
    response = await running.me(x_api_key=KEY)
    assert (response.status, response.data["email"]) == (200, "ada@example.com")
    assert response.headers["cache-control"] == "no-store"


async def test_an_invalid_key_is_refused_with_the_challenge_of_keys(running: Running) -> None:
    response = await running.me(x_api_key="nobody's key")
    assert (response.status, response.json()["code"]) == (401, "unknown_key")
    assert response.headers["www-authenticate"] == 'ApiKey realm="letters"'


async def test_an_invalid_token_is_refused_with_the_challenge_of_tokens(running: Running) -> None:
    response = await running.me(authorization="Bearer a.b.c", x_api_key=KEY)
    assert (response.status, response.json()["code"]) == (401, "invalid_token")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_header_that_no_authenticator_claims_is_refused(running: Running) -> None:
    response = await running.me(authorization="Basic YTpi")
    assert (response.status, response.json()["code"]) == (401, "invalid_token")


async def test_a_header_that_is_not_its_own_leaves_the_request_to_the_next(running: Running) -> None:
    assert (await running.me(authorization="Basic YTpi", x_api_key=KEY)).status == 200


async def test_without_credentials_a_client_is_anonymous(running: Running) -> None:
    assert (await running.send("GET", "/api/authenticated_letters")).status == 200
    assert (await running.send("GET", "/api/authenticated_letters", cookie="theme=dark")).status == 200
    response = await running.send("DELETE", "/api/authenticated_letters/1", cookie="session=forgotten")
    assert (response.status, response.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize("cookie", ["a/b=1; session=ada-1", "=; ;x; [=]; session=ada-1", 'session="ada-1"'])
async def test_a_malformed_cookie_does_not_hide_the_session(running: Running, cookie: str) -> None:
    for _ in range(2):  # loaded, then cached
        assert (await running.me(cookie=cookie)).status == 200


async def test_an_actor_may_be_no_user(running: Running) -> None:
    assert (await running.me(x_partner="acme")).data == {"id": "acme", "email": None, "roles": ["editor"]}
    response = await running.send("DELETE", "/api/authenticated_letters/1", x_partner="acme")
    assert response.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/authenticated_letters"),
        ("DELETE", "/api/authenticated_letters/1"),
        ("PATCH", "/api/authenticated_letters/1"),
    ],
)
@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site", "origin": "https://sister.example"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "https://shop.example"}, False),
        ({"sec_fetch_site": "same-origin", "origin": "http://test"}, False),
        ({"origin": "http://test"}, False),
        ({}, False),
    ],
)
async def test_a_page_of_another_origin_changes_nothing_with_a_cookie(
    running: Running, method: str, path: str, headers: dict[str, str], is_refused: bool
) -> None:
    """Without a body, such a post needs no preflight. What is let through fails for want of a body or a row."""
    for _ in range(2):  # loaded, then cached
        response = await running.send(method, path, cookie=COOKIE, **headers)
        assert (response.status == 403) is is_refused, response.body
        assert not is_refused or response.json()["code"] == "cross_origin"
        assert response.status in (400, 403, 404, 415, 422)


async def test_a_page_of_another_origin_may_read_and_may_use_a_key(running: Running) -> None:
    shown = await running.me(cookie=COOKIE, origin="https://evil.example", sec_fetch_site="cross-site")
    assert shown.status == 200
    assert "access-control-allow-origin" not in shown.headers
    path = "/api/authenticated_letters/1"
    assert (await running.send("DELETE", path, x_api_key=KEY, origin="https://evil.example")).status == 404


async def test_the_first_that_claims_a_request_wins(running: Running) -> None:
    _, other = await running.test.user_and_id(email="eve@example.com")
    cookies.sessions[b"eve-1"] = other
    for _ in range(2):
        assert (await running.me(x_api_key=KEY, cookie="session=eve-1")).data["email"] == "ada@example.com"
        assert (await running.me(cookie="session=eve-1")).data["email"] == "eve@example.com"


async def test_the_same_bytes_are_not_credentials_of_another_kind(running: Running) -> None:
    keys.users[hashlib.sha256(b"shared").digest()] = running.user
    assert (await running.me(x_api_key="shared")).status == 200
    assert (await running.me(cookie="session=shared")).status == 401


async def test_a_key_is_verified_once_and_forgotten_when_its_user_changes(running: Running, database_url: str) -> None:
    path = "/api/authenticated_letters/1"
    for _ in range(5):
        assert (await running.send("DELETE", path, x_api_key=KEY)).status == 404
    assert keys.verified == 1

    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE authenticated_owners SET roles = '{}'")
    finally:
        await connection.close()
    await until(lambda: len(app.running.accounts.identities) == 0)

    assert (await running.send("DELETE", path, x_api_key=KEY)).status == 403
    assert keys.verified == 2


async def test_a_key_of_a_user_who_is_gone_is_refused(running: Running) -> None:
    keys.users[hashlib.sha256(b"old").digest()] = running.user + 1000
    response = await running.me(x_api_key="old")
    assert (response.status, response.json()["code"]) == (401, "invalid_token")
    assert response.headers["www-authenticate"] == 'ApiKey realm="letters"'


async def test_without_bearer_tokens_there_is_no_endpoint_that_issues_them() -> None:
    other = App(Resource(Letter, read=authenticated), users=Owner, authenticators=[APIKeys()])
    assert "auth.login" in {operation.name for operation in app.operations}
    assert "auth.login" not in {operation.name for operation in other.operations}
