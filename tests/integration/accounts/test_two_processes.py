"""The bound of 100 ms, seen from outside: two processes that serve, a change by plain SQL, and a broken listener.

Both clocks are the machine's own monotonic one, which all its processes share.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from accounts_app import Watch, listening_backends, make_tokens, watching
from joserfc.jwk import OKPKey

from gatepost.migrations.epoch_raising import raise_epoch_of

Connection: TypeAlias = "asyncpg.Connection[Any]"

PEM = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
BOUND_SECONDS = 0.1


@asynccontextmanager
async def two_processes(connection: Connection, url: str) -> AsyncIterator[list[Watch]]:
    """Both report that the user is an editor, from their caches."""
    key: UUID = await connection.fetchval("INSERT INTO users (email, roles) VALUES ('a@b', '{editor}') RETURNING id")
    token = make_tokens(PEM).issue(str(key), 0)
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(watching(url, PEM, token)) for _ in range(2)]
        for watch in watches:
            await watch.next(outcome="editor", hit=True)
        yield watches


async def set_roles(connection: Connection, *roles: str) -> float:
    """Change the role by plain SQL; returns the moment at which the commit was confirmed."""
    await connection.execute("UPDATE users SET roles = $1", roles)
    return time.monotonic()


async def assert_bound(watches: list[Watch], changed_at: float, outcome: str, **wanted: object) -> None:
    for watch in watches:
        report = await watch.next(outcome=outcome, **wanted)
        late = report["before"] - changed_at
        assert late < BOUND_SECONDS, f"the old response was still given {late * 1000:.0f} ms after the change"


async def assert_recovery(watches: list[Watch], outcome: str) -> None:
    """What both serve from their caches next is this."""
    for watch in watches:
        assert (await watch.next(hit=True))["outcome"] == outcome


async def test_a_role_that_is_taken_away_is_gone_in_both_within_100_ms(
    connection: Connection, database_url: str
) -> None:
    async with two_processes(connection, database_url) as watches:
        for _ in range(5):
            await assert_bound(watches, await set_roles(connection), "user")
            await assert_bound(watches, await set_roles(connection, "editor"), "editor")
            await assert_recovery(watches, "editor")


async def test_an_account_that_is_closed_or_deleted_is_refused_in_both_within_100_ms(
    connection: Connection, database_url: str
) -> None:
    async with two_processes(connection, database_url) as watches:
        await connection.execute("UPDATE users SET is_active = false")
        await assert_bound(watches, time.monotonic(), "invalid_token")
        await connection.execute("UPDATE users SET is_active = true")
        await assert_bound(watches, time.monotonic(), "editor")
        await assert_recovery(watches, "editor")
        await connection.execute("DELETE FROM users")
        await assert_bound(watches, time.monotonic(), "invalid_token")


async def test_a_raised_epoch_ends_every_token_in_both_within_100_ms(connection: Connection, database_url: str) -> None:
    async with two_processes(connection, database_url) as watches:
        await raise_epoch_of(database_url)
        await assert_bound(watches, time.monotonic(), "invalid_token")


async def test_a_change_while_the_listeners_are_killed_is_served_stale_by_neither(
    connection: Connection, database_url: str
) -> None:
    killer: Connection = await asyncpg.connect(database_url)
    async with two_processes(connection, database_url) as watches:
        for roles, outcome in (((), "user"), (("editor",), "editor"), ((), "user")):
            backends = await listening_backends(connection, 2)
            kill = killer.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", backends)
            _, changed_at = await asyncio.gather(kill, set_roles(connection, *roles))
            await assert_bound(watches, changed_at, outcome)
            await assert_recovery(watches, outcome)
    await killer.close()


async def test_a_listener_that_is_silent_is_not_trusted_and_works_again_when_it_speaks(
    connection: Connection, database_url: str
) -> None:
    """Its backend stands still: the connection lives, no reply and no notification comes."""
    async with two_processes(connection, database_url) as watches:
        backends = await listening_backends(connection, 2)
        try:
            for backend in backends:
                os.kill(backend, signal.SIGSTOP)
            await assert_bound(watches, await set_roles(connection), "user", hit=False)
        finally:
            for backend in backends:
                os.kill(backend, signal.SIGCONT)
        await assert_recovery(watches, "user")
