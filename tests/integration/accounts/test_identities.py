"""The cache of identities in one process: what is kept, and what makes it go."""

import asyncio
import time
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from accounts_app import (
    Member,
    User,
    cached,
    carrying,
    identified,
    listening_backends,
    make_accounts,
    make_tokens,
    running_accounts,
    until,
)

from gatepost.accounts.identities import CachedAuthenticator, Identities
from gatepost.accounts.new_users import create_user
from gatepost.accounts.user_accounts import UserAccounts
from gatepost.accounts.user_store import Identity, UserStore
from gatepost.actor import Actor
from gatepost.auth.bearer_tokens import BearerTokens
from gatepost.database.database import Database
from gatepost.errors import Unauthorized
from gatepost.events import Events, IdentitiesInvalidated
from gatepost.settings import DatabaseSettings

Connection: TypeAlias = "asyncpg.Connection[Any]"

TOKENS = make_tokens()


async def make_user(connection: Connection, email: str = "ada@example.com") -> UUID:
    key: UUID = await connection.fetchval(
        "INSERT INTO users (email, roles) VALUES ($1, '{editor}') RETURNING id", email
    )
    return key


def header(key: object, now: float | None = None, version: int = 0) -> bytes:
    return b"Bearer " + TOKENS.issue(str(key), version, now).encode()


def identify(accounts: UserAccounts, authorization: bytes) -> Any:
    return identified(accounts, carrying(authorization))


async def loaded(bearer: CachedAuthenticator, authorization: bytes) -> None:
    loading = bearer.load(carrying(authorization))
    assert loading is not None
    await loading


async def known(accounts: UserAccounts, authorization: bytes) -> Actor:
    """The actor, once it is in the cache."""
    actor: Actor = await identify(accounts, authorization)
    await until(lambda: cached(accounts, authorization) is not None)
    return actor


CHANGES = {
    "a role is taken away": "UPDATE users SET roles = '{}' WHERE id = $1",
    "the e-mail changes": "UPDATE users SET email = 'eve@example.com' WHERE id = $1",
    "the account is closed": "UPDATE users SET is_active = false WHERE id = $1",
    "the user is deleted": "DELETE FROM users WHERE id = $1",
    "the key itself changes": "UPDATE users SET id = uuidv7() WHERE id = $1",
    "an upsert meets the user": (
        "INSERT INTO users (id, email) VALUES ($1, 'x@y') ON CONFLICT (id) DO UPDATE SET roles = '{}'"
    ),
    "a merge meets the user": (
        "MERGE INTO users USING (VALUES ($1::uuid)) AS given (id) ON users.id = given.id WHEN MATCHED THEN DELETE"
    ),
}


async def last_found(accounts: UserAccounts, authorization: bytes) -> float:
    """Look until the user is forgotten; returns when the last look that found him began."""
    found_at = 0.0
    async with asyncio.timeout(60):
        while True:
            looked_at = time.monotonic()
            if cached(accounts, authorization) is None:
                return found_at
            found_at = looked_at
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_user_is_forgotten_when(connection: Connection, database_url: str, change: str) -> None:
    key = await make_user(connection)
    bystander = await make_user(connection, "bob@example.com")
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        authorization, other = header(key), header(bystander)
        await known(accounts, authorization)
        await known(accounts, other)
        await connection.execute(CHANGES[change], key)
        changed_at = time.monotonic()
        assert await last_found(accounts, authorization) - changed_at < 0.1
        await until(lambda: cached(accounts, other) is not None)


@pytest.mark.parametrize("change", ["TRUNCATE users", "UPDATE users SET roles = '{}'", "DELETE FROM users"])
async def test_everybody_is_forgotten_by_one_notification_when_many_change(
    connection: Connection, database_url: str, change: str
) -> None:
    key = await make_user(connection)
    await connection.execute("INSERT INTO users (email) SELECT n || '@example.com' FROM generate_series(1, 500) AS n")
    events = Events()
    told: list[str | None] = []
    events.subscribe(IdentitiesInvalidated, lambda event: told.append(event.user_id))
    async with running_accounts(database_url, tokens=TOKENS, events=events) as accounts:
        authorization = header(key)
        await known(accounts, authorization)
        told.clear()
        await connection.execute(change)
        await until(lambda: told != [])
        assert cached(accounts, authorization) is None
        assert told == [None]


async def test_a_change_that_is_rolled_back_forgets_nobody(connection: Connection, database_url: str) -> None:
    key = await make_user(connection)
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        actor = await known(accounts, header(key))
        authorization = header(key)
        actor = await known(accounts, authorization)
        await connection.execute("BEGIN; UPDATE users SET roles = '{}'; ROLLBACK")
        await connection.execute("NOTIFY gatepost_identity, 'somebody else'")
        await until(lambda: cached(accounts, authorization) is actor)


async def test_integer_keys_are_forgotten_too(connection: Connection, database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(), Events())
    key = await create_user(database, Member, "ada@example.com", None, ["editor"])
    await database.close()
    async with running_accounts(database_url, Member, tokens=TOKENS) as accounts:
        authorization = header(key)
        await known(accounts, authorization)
        await connection.execute('UPDATE "the members" SET nickname = $1 WHERE no = $2', "Countess", key)
        await until(lambda: cached(accounts, authorization) is None)
        assert (await identify(accounts, authorization)).user.nickname == "Countess"


@pytest.mark.parametrize("change", ["DELETE FROM users", "UPDATE users SET is_active = false"])
async def test_the_token_of_somebody_deleted_or_inactive_is_refused(
    connection: Connection, database_url: str, change: str
) -> None:
    key = await make_user(connection)
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        authorization = header(key)
        await known(accounts, authorization)
        await connection.execute(change)
        await until(lambda: cached(accounts, authorization) is None)
        with pytest.raises(Unauthorized) as caught:
            await identify(accounts, authorization)
        assert caught.value.code == "invalid_token"


async def test_a_known_token_is_refused_from_the_second_in_which_it_expires(
    connection: Connection, database_url: str
) -> None:
    key = await make_user(connection)
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        authorization = header(key, time.time() - 899)
        expires_at = int(time.time() - 899) + 900
        await identify(accounts, authorization)
        await until(lambda: time.time() >= expires_at)
        assert cached(accounts, authorization) is None
        with pytest.raises(Unauthorized, match="expired"):
            await identify(accounts, authorization)


class SlowUsers(UserStore):
    """A user store that holds back the row it has read until `arrive` is set."""

    def __init__(self, database: Database, model: type[Any]) -> None:
        super().__init__(database, model)
        self.is_read = asyncio.Event()
        self.arrive = asyncio.Event()

    async def find(self, subject: str) -> Identity | None:
        found = await super().find(subject)
        self.is_read.set()
        await self.arrive.wait()
        return found


async def test_a_row_that_was_overtaken_by_its_change_is_not_kept(connection: Connection, database_url: str) -> None:
    key = await make_user(connection)
    events = Events()
    told: list[str | None] = []
    events.subscribe(IdentitiesInvalidated, lambda event: told.append(event.user_id))
    database = Database(database_url, DatabaseSettings(), events)
    users = SlowUsers(database, User)
    identities = Identities(database, User, users)
    bearer = identities.cached(BearerTokens().verified_by(TOKENS))
    await identities.start(events)
    try:
        await until(lambda: identities.listener.is_trusted)
        loading = asyncio.ensure_future(loaded(bearer, header(key)))
        await users.is_read.wait()
        await connection.execute("UPDATE users SET roles = '{}'")
        await until(lambda: str(key) in told)
        users.arrive.set()
        await loading
        assert len(identities) == 0
    finally:
        await identities.stop()
        await database.close()


async def test_the_token_not_used_for_longest_goes_when_there_is_no_room(
    connection: Connection, database_url: str
) -> None:
    key = await make_user(connection)
    database = Database(database_url, DatabaseSettings(), Events())
    identities = Identities(database, User, UserStore(database, User), size_max=2)
    bearer = identities.cached(BearerTokens().verified_by(TOKENS))
    await identities.start(Events())
    try:
        await until(lambda: identities.listener.is_trusted)
        first, second, third = (header(key) for _ in range(3))
        await loaded(bearer, first)
        await loaded(bearer, second)
        await until(lambda: bearer.find(carrying(first)) is not None)
        await loaded(bearer, third)
        await until(lambda: identities.listener.is_trusted)
        assert [bearer.find(carrying(item)) is not None for item in (first, second, third)] == [True, False, True]
        identities.drop(str(key))
        assert len(identities) == 0
    finally:
        await identities.stop()
        await database.close()


async def test_without_its_triggers_in_the_database_nothing_is_served_from_the_cache(
    connection: Connection, database_url: str
) -> None:
    key = await make_user(connection)
    await connection.execute("ALTER TABLE users DISABLE TRIGGER gatepost_identity_update")
    database = Database(database_url, DatabaseSettings(), Events())
    accounts = make_accounts(User, database, TOKENS, Events())
    await accounts.start()
    try:
        authorization = header(key)
        assert (await identify(accounts, authorization)).roles == {"editor"}
        await connection.execute("UPDATE users SET roles = '{}'")
        assert (await identify(accounts, authorization)).roles == frozenset()
        assert not accounts.identities.listener.is_trusted
        await connection.execute("ALTER TABLE users ENABLE TRIGGER gatepost_identity_update")
        await until(lambda: accounts.identities.listener.is_trusted)
    finally:
        await accounts.stop()
        await database.close()


async def test_a_token_of_another_key_is_refused_before_the_database_is_asked(database_url: str) -> None:
    """The database has no tables here: asking it would be another error."""
    database = Database(database_url, DatabaseSettings(), Events())
    bearer = Identities(database, User, UserStore(database, User)).cached(BearerTokens().verified_by(make_tokens()))
    with pytest.raises(Unauthorized):
        await loaded(bearer, header("0198c0de-0000-7000-8000-000000000000"))
    await database.close()


class GatedDatabase(Database):
    """A database to which no new connection is opened before `is_open` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url, DatabaseSettings(), Events())
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def connect(self) -> Connection:
        await self.is_open.wait()
        return await super().connect()


async def test_nobody_outlives_the_gap_in_which_notifications_are_lost(
    connection: Connection, database_url: str
) -> None:
    """The change commits while nobody listens, and nobody asks in between."""
    key = await make_user(connection)
    database = GatedDatabase(database_url)
    accounts = make_accounts(User, database, TOKENS, Events())
    await accounts.start()
    try:
        await until(lambda: accounts.identities.listener.is_trusted)
        authorization = header(key)
        await known(accounts, authorization)
        database.is_open.clear()
        (backend,) = await listening_backends(connection, 1)
        await connection.execute("SELECT pg_terminate_backend($1)", backend)
        await until(lambda: not accounts.identities.listener.is_trusted)
        await connection.execute("UPDATE users SET roles = '{}'")
        database.is_open.set()
        await until(lambda: accounts.identities.listener.is_trusted)
        assert cached(accounts, authorization) is None
        assert (await identify(accounts, authorization)).roles == frozenset()
    finally:
        await accounts.stop()
        await database.close()
