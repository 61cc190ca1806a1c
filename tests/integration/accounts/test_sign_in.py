"""Signing in, being somebody, and the commands that make users."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest
from accounts_app import PASSWORD, Member, User, call_of, carrying, identified, make_tokens, running_accounts, sign_in
from argon2 import PasswordHasher

from gatepost.accounts.new_users import create_user, issue_token
from gatepost.accounts.user_accounts import UserAccounts
from gatepost.accounts.user_store import UserStore
from gatepost.actor import anonymous
from gatepost.database.database import Database
from gatepost.errors import ConfigurationError, Unauthorized
from gatepost.events import Events, SignInFailed, SignInSucceeded
from gatepost.settings import DatabaseSettings

Connection: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
async def database(connection: Connection, database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, DatabaseSettings(), Events())
    yield opened
    await opened.close()


async def test_a_user_signs_in_and_is_shown_without_the_hash(accounts: UserAccounts, database: Database) -> None:
    key = await create_user(database, User, "Ada@Example.com", PASSWORD, ["editor", "admin"])
    asked = call_of(token=await sign_in(accounts, "aDA@example.com"))
    await identified(accounts, asked)
    assert (asked.actor.id, asked.actor.roles) == (key, {"editor", "admin"})
    assert not hasattr(asked.actor.user, "password_hash")


async def test_a_model_with_integer_keys_and_more_columns_signs_in(database_url: str, database: Database) -> None:
    key = await create_user(database, Member, "ada@example.com", PASSWORD)
    async with running_accounts(database_url, Member) as accounts:
        actor = await identified(accounts, call_of(token=await sign_in(accounts, "ada@example.com")))
    assert (actor.id, actor.user.number, actor.user.nickname) == (key, key, "none yet")
    with pytest.raises(AttributeError):
        actor.user.nickname = "changed"


async def test_unknown_wrong_inactive_and_without_password_look_the_same(
    connection: Connection, database: Database, database_url: str
) -> None:
    for name in ("known", "inactive", "tokenonly"):
        await create_user(database, User, f"{name}@example.com", None if name == "tokenonly" else PASSWORD)
    await connection.execute("UPDATE users SET is_active = false WHERE email = 'inactive@example.com'")
    events = Events()
    failures: list[str] = []
    events.subscribe(SignInFailed, lambda event: failures.append(event.reason))
    responses: set[tuple[object, ...]] = set()
    async with running_accounts(database_url, events=events) as accounts:
        for name, password in (("unknown", PASSWORD), ("known", "wrong"), ("inactive", PASSWORD), ("tokenonly", "x")):
            with pytest.raises(Unauthorized) as caught:
                await sign_in(accounts, f"{name}@example.com", password)
            responses.add((caught.value.code, caught.value.detail, caught.value.headers))
    assert len(responses) == 1
    assert responses.pop()[0] == "invalid_credentials"
    assert failures == ["unknown", "wrong_password", "inactive", "no_password"]


async def test_a_success_is_told_with_the_user_and_the_address(database: Database, database_url: str) -> None:
    key = await create_user(database, User, "ada@example.com", PASSWORD)
    events = Events()
    told: list[SignInSucceeded] = []
    events.subscribe(SignInSucceeded, told.append)
    async with running_accounts(database_url, events=events) as accounts:
        await sign_in(accounts, "ada@example.com")
    assert told == [SignInSucceeded(user_id=str(key), client="192.0.2.1")]


async def test_a_hash_with_old_parameters_is_renewed_at_sign_in(
    accounts: UserAccounts, connection: Connection, database: Database
) -> None:
    await create_user(database, User, "ada@example.com", PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    await connection.execute("UPDATE users SET password_hash = $1", old)
    await sign_in(accounts, "ada@example.com")
    renewed: str = await connection.fetchval("SELECT password_hash FROM users")
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await sign_in(accounts, "ada@example.com")
    assert await connection.fetchval("SELECT password_hash FROM users") == renewed


async def test_without_an_authorization_header_the_actor_is_anonymous(accounts: UserAccounts) -> None:
    assert await identified(accounts, call_of()) is anonymous


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer a.b.c", b"Bearer \xff", b"Bearer " + b"a" * 5000, b"token"],
)
async def test_a_malformed_or_unknown_authorization_is_refused(accounts: UserAccounts, header: bytes) -> None:
    with pytest.raises(Unauthorized) as caught:
        await identified(accounts, carrying(header))
    assert caught.value.code == "invalid_token"


@pytest.mark.parametrize("subject", ["no key", "0198c0de-0000-7000-8000-000000000000", "7"])
async def test_a_token_for_nobody_is_refused(connection: Connection, database_url: str, subject: str) -> None:
    tokens = make_tokens()
    async with running_accounts(database_url, tokens=tokens) as accounts:
        with pytest.raises(Unauthorized):
            await identified(accounts, call_of(token=tokens.issue(subject, 0)))


@pytest.mark.parametrize("subject", ["x", "7", "99999999999999", "9" * 19, "-" + "9" * 19, "9" * 5000])
async def test_an_integer_that_is_no_key_is_refused(database_url: str, connection: Connection, subject: str) -> None:
    tokens = make_tokens()
    async with running_accounts(database_url, Member, tokens=tokens) as accounts:
        with pytest.raises(Unauthorized):
            await identified(accounts, call_of(token=tokens.issue(subject, 0)))


async def test_the_scheme_is_read_in_any_case(accounts: UserAccounts, database: Database, database_url: str) -> None:
    key = await create_user(database, User, "ada@example.com", PASSWORD)
    token = (await sign_in(accounts, "ada@example.com")).encode()
    actor = await identified(accounts, call_of(headers=((b"authorization", b"bEARER " + token),)))
    assert actor.id == key


async def test_a_command_makes_lists_and_gives_tokens_to_users(database: Database) -> None:
    tokens = make_tokens()
    key = await create_user(database, User, "Ada@example.com", None, ["editor"])
    assert tokens.verify(await issue_token(database, User, tokens, "ADA@example.com")).subject == str(key)
    (line,) = await UserStore(database, User).list()
    assert (line.id, line.email, line.roles, line.is_active) == (key, "ada@example.com", ("editor",), True)


@pytest.mark.parametrize("email", ["", "ada", "@", "a@", "a b@c", "a@b@c", "a@b\0", "a" * 320 + "@b"])
async def test_a_user_without_a_plausible_email_is_not_made(database: Database, email: str) -> None:
    with pytest.raises(ConfigurationError, match="e-mail"):
        await create_user(database, User, email, None)


async def test_an_email_is_taken_in_whatever_case(database: Database) -> None:
    await create_user(database, User, "ada@example.com", None)
    with pytest.raises(ConfigurationError, match="already"):
        await create_user(database, User, "ADA@EXAMPLE.COM", None)


async def test_the_database_itself_keeps_emails_in_lower_case(connection: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("INSERT INTO users (email) VALUES ('Ada@example.com')")


async def test_no_token_is_given_to_the_unknown_or_inactive(connection: Connection, database: Database) -> None:
    tokens = make_tokens()
    with pytest.raises(ConfigurationError, match="does not exist"):
        await issue_token(database, User, tokens, "ada@example.com")
    await create_user(database, User, "ada@example.com", None)
    await connection.execute("UPDATE users SET is_active = false")
    with pytest.raises(ConfigurationError, match="is inactive"):
        await issue_token(database, User, tokens, "ada@example.com")
