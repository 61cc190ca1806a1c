"""A DSN with several hosts: which DSNs it stands for, and how long each may take."""

import asyncio

import asyncpg
import pytest

from gatepost.database.hosts import connect_first, split_hosts


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://me:x@a/db", ["postgresql://me:x@a/db"]),
        ("postgresql://me:x@a:1,b:2/db?sslmode=disable", ["postgresql://me:x@a:1/db?sslmode=disable",
                                                         "postgresql://me:x@b:2/db?sslmode=disable"]),
        ("postgresql://a,[::1]:6/db", ["postgresql://a/db", "postgresql://[::1]:6/db"]),
        ("postgresql:///db?host=a,b", ["postgresql:///db?host=a", "postgresql:///db?host=b"]),
        ("postgresql:///db?host=a,b&port=1,2", ["postgresql:///db?host=a&port=1", "postgresql:///db?host=b&port=2"]),
        ("postgresql:///db?host=a,b&port=1", ["postgresql:///db?host=a&port=1", "postgresql:///db?host=b&port=1"]),
        ("postgresql://a,b/db?target_session_attrs=prefer-standby",
         ["postgresql://a,b/db?target_session_attrs=prefer-standby"]),
        ("postgresql://me@/db?host=/run/postgresql", ["postgresql://me@/db?host=/run/postgresql"]),
    ],
)  # fmt: skip
def test_each_host_has_a_dsn_of_its_own(dsn: str, expected: list[str]) -> None:
    assert list(split_hosts(dsn)) == expected


async def connect(dsn: str) -> str:
    if dsn == "silent":
        await asyncio.Event().wait()
    if dsn == "refuses":
        raise ConnectionRefusedError
    if dsn == "standby":
        raise asyncpg.TargetServerAttributeNotMatched("standby")
    if dsn == "closes":
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    if dsn == "stops":
        raise asyncpg.AdminShutdownError("terminating connection due to administrator command")
    if dsn == "wrong password":
        raise asyncpg.InvalidPasswordError("no")
    return dsn


@pytest.mark.parametrize("first", ["silent", "refuses", "standby", "closes", "stops"])
async def test_a_host_that_is_of_no_use_leaves_time_for_the_next_one(first: str) -> None:
    assert await connect_first([first, "good"], 0.2, connect) == "good"


async def test_all_hosts_together_take_no_longer_than_one() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await connect_first(["silent", "silent", "silent"], 0.3, connect)
    assert 0.25 < loop.time() - began < 2


async def test_a_host_that_refuses_the_password_ends_the_search() -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect_first(["wrong password", "good"], 0.2, connect)
