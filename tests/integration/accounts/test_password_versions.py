"""A token ends with the password under which it was issued, changed by any writer."""

import asyncio
import time
from typing import Any, TypeAlias

import asyncpg
import pytest
from accounts_app import PASSWORD, User, cached, carrying, identified, make_tokens, running_accounts, sign_in, until
from argon2 import PasswordHasher
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, UserColumns, anyone
from gatepost.accounts.new_users import create_user
from gatepost.accounts.password_versions import REHASH
from gatepost.accounts.user_accounts import UserAccounts
from gatepost.accounts.user_store import UserStore
from gatepost.database.database import Database
from gatepost.errors import Unauthorized
from gatepost.events import Events
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.base import NAMING
from gatepost.models.schema_objects import OBJECTS
from gatepost.settings import DatabaseSettings
from gatepost.testing import TestApp

Connection: TypeAlias = "asyncpg.Connection[Any]"

TOKENS = make_tokens()
OLD_HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)

ENDS = {
    "another hash": "UPDATE users SET password_hash = 'another'",
    "no password any more": "UPDATE users SET password_hash = NULL",
    "another hash among other columns": "UPDATE users SET roles = '{x}', password_hash = 'another', is_active = true",
    "a hash that is set back at once": (
        "UPDATE users SET password_hash = NULL; UPDATE users SET password_hash = 'first'"
    ),
    "another hash and the version set back": "UPDATE users SET password_hash = 'another', password_version = 0",
    "an upsert": (
        "INSERT INTO users (email) VALUES ('ada@example.com') ON CONFLICT (email) DO UPDATE SET password_hash = 'x'"
    ),
    "a rehash that was announced in a transaction before": (
        "BEGIN; SET LOCAL gatepost.rehash = 'on'; COMMIT; UPDATE users SET password_hash = 'another'"
    ),
    "the version alone, raised by hand": "UPDATE users SET password_version = password_version + 1",
}

KEEPS = {
    "the same hash": "UPDATE users SET password_hash = password_hash",
    "other columns": "UPDATE users SET roles = '{x}'",
    "the version set back": "UPDATE users SET password_version = -1",
    "no version": "UPDATE users SET password_version = NULL",
    "a rehash": f"BEGIN; {REHASH}; UPDATE users SET password_hash = 'rehashed'; COMMIT",
}


def gated_users() -> type[Any]:
    """A users' model in a MetaData of its own."""

    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=NAMING)

    class Gated(Base, UserColumns):
        __tablename__ = "gated_users"
        id: Mapped[int] = mapped_column(primary_key=True)

    return Gated


async def user_and_token(connection: Connection, version: int = 0) -> bytes:
    key = await connection.fetchval(
        "INSERT INTO users (email, password_hash) VALUES ('ada@example.com', 'first') RETURNING id"
    )
    return b"Bearer " + TOKENS.issue(str(key), version).encode()


def identify(accounts: UserAccounts, authorization: bytes) -> Any:
    return identified(accounts, carrying(authorization))


async def refusal(accounts: UserAccounts, authorization: bytes) -> str:
    with pytest.raises(Unauthorized) as caught:
        await identify(accounts, authorization)
    return caught.value.code


@pytest.mark.parametrize("change", ENDS)
async def test_a_known_token_ends_within_100_ms_of(connection: Connection, database_url: str, change: str) -> None:
    authorization = await user_and_token(connection)
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        await identify(accounts, authorization)
        await until(lambda: cached(accounts, authorization) is not None)
        await connection.execute(ENDS[change])
        changed_at = time.monotonic()
        while cached(accounts, authorization) is not None:
            looked_at = time.monotonic()
            await asyncio.sleep(0.001)
            assert looked_at - changed_at < 0.1
        assert await refusal(accounts, authorization) == "invalid_token"


@pytest.mark.parametrize("change", KEEPS)
async def test_a_token_is_not_ended_by(connection: Connection, database_url: str, change: str) -> None:
    authorization = await user_and_token(connection)
    await connection.execute(KEEPS[change])
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        assert (await identify(accounts, authorization)).user.email == "ada@example.com"


@pytest.mark.parametrize("version", [1, 2**31, 2**52])
async def test_a_token_of_another_version_is_refused(connection: Connection, database_url: str, version: int) -> None:
    authorization = await user_and_token(connection, version)
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        assert await refusal(accounts, authorization) == "invalid_token"


async def test_the_rehash_at_sign_in_ends_no_token(connection: Connection, database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(), Events())
    key = await create_user(database, User, "ada@example.com", PASSWORD)
    await connection.execute("UPDATE users SET password_hash = $1", OLD_HASH)
    authorization = b"Bearer " + TOKENS.issue(str(key), 1).encode()
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        await identify(accounts, authorization)
        await sign_in(accounts, "ada@example.com")
        assert await connection.fetchval("SELECT password_hash FROM users") != OLD_HASH
        assert await connection.fetchval("SELECT password_version FROM users") == 1
        await identify(accounts, authorization)
    await database.close()


async def test_a_users_table_from_before_gets_the_version_and_its_trigger(database_url: str) -> None:
    before = gated_users().__table__
    before._columns.remove(before.c.password_version)
    before.info[OBJECTS] = [item for item in before.info[OBJECTS] if "password" not in item.name]
    await apply_lossless(database_url, before.metadata)
    connection: Connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO gated_users (email) VALUES ('ada@example.com')")
    model = gated_users()
    app = App(Resource(model, read=anyone), users=model)
    async with TestApp(app, database_url):
        await connection.execute("UPDATE gated_users SET password_hash = 'another'")
        assert await connection.fetchval("SELECT password_version FROM gated_users") == 1
    await connection.close()


async def test_what_a_rehash_announces_ends_with_its_transaction(connection: Connection, database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(pool_size=1), Events())
    await create_user(database, User, "ada@example.com", PASSWORD)
    await UserStore(database, User).replace_hash("ada@example.com", "not this one", "new")
    await database.fetch("UPDATE users SET password_hash = 'another'")
    assert await connection.fetchval("SELECT password_version FROM users") == 1
    await database.close()


async def test_a_sign_in_that_a_new_password_overtakes_gives_no_token_that_is_good(
    connection: Connection, database_url: str
) -> None:
    database = Database(database_url, DatabaseSettings(), Events())
    await create_user(database, User, "ada@example.com", PASSWORD)
    user = await UserStore(database, User).find_credentials("ada@example.com")
    assert user is not None
    await connection.execute("UPDATE users SET password_hash = 'another'")
    authorization = b"Bearer " + TOKENS.issue(user.subject, user.password_version).encode()
    async with running_accounts(database_url, tokens=TOKENS) as accounts:
        assert await refusal(accounts, authorization) == "invalid_token"
    await database.close()
