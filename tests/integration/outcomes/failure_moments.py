"""Every moment at which a request can fail, provoked for real: the response, and what is in the table then."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fault_injection import FaultInjector, Outcome, span_of
from outcomes_app import Postings
from protocol_proxy import Fault

from gatepost.gateway import request_deadlines

Provoke = Callable[[FaultInjector, str, str], Awaitable[list[Outcome]]]

WAYS = {"get": "bookings", "create": "bookings", "create through a service": "postings"}
"""The kinds of request in the table, and the resource that each is sent to."""


@dataclass(frozen=True)
class Moment:
    """`sentence` says when; `provoke` runs a verb on a resource at that moment, in each way in which it can happen."""

    sentence: str
    provoke: Provoke
    ways: tuple[str, ...]


MOMENTS: list[Moment] = []


def moment(sentence: str, ways: tuple[str, ...] = tuple(WAYS)) -> Callable[[Provoke], Provoke]:
    """Add a moment to the table."""

    def add(provoke: Provoke) -> Provoke:
        MOMENTS.append(Moment(sentence, provoke, ways))
        return provoke

    return add


WRITES = ("create", "create through a service")
SERVICE = ("create through a service",)


@asynccontextmanager
async def patched(target: Any, name: str, value: Any) -> AsyncGenerator[None]:
    """Another value for as long as the block runs."""
    kept = getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, kept)


@asynccontextmanager
async def database_setting(injector: FaultInjector, name: str, value: str) -> AsyncGenerator[None]:
    """A setting of the database that new connections have."""
    database = await injector.witness.fetchval("SELECT quote_ident(current_database())")
    await injector.witness.execute(f"ALTER DATABASE {database} SET {name} = {value}")
    try:
        yield
    finally:
        await injector.witness.execute(f"ALTER DATABASE {database} RESET {name}")


@asynccontextmanager
async def trigger(injector: FaultInjector, resource: str, body: str, *, deferred: bool = False) -> AsyncGenerator[None]:
    """What PostgreSQL does when a row is inserted, or when that is committed."""
    await injector.prepare(resource)
    kind = "CONSTRAINT TRIGGER act AFTER INSERT" if deferred else "TRIGGER act BEFORE INSERT"
    late = "DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    await injector.witness.execute(
        f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$"
    )
    await injector.witness.execute(
        f"CREATE {kind} ON {resource} {late} FOR EACH ROW WHEN (NEW.text = 'second') EXECUTE FUNCTION act()"
    )
    try:
        yield
    finally:
        await injector.until_nobody_works()
        await injector.witness.execute("DROP FUNCTION act CASCADE")


async def span(injector: FaultInjector, verb: str, resource: str) -> tuple[int, int]:
    """Where the span of the request begins and ends."""
    return span_of((await injector.run(verb, resource)).messages)


@moment("No connection becomes free in time")
async def busy(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    await injector.prepare(resource)
    connection = await injector.database.pool.acquire()
    async with patched(injector.database.pool, "_wait_seconds", 0.05):
        response = await injector.ask(verb, resource)
    injector.database.pool.release(connection)
    return [Outcome(response, await injector.is_written(verb, resource), [])]


@moment("The database is unavailable")
async def away(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    await injector.prepare(resource)
    injector.database.pool.close_idle(lambda raw: True)
    async with patched(injector.proxy, "is_away", True):
        response = await injector.ask(verb, resource)
    await injector.until_served()
    return [Outcome(response, await injector.is_written(verb, resource), [])]


@moment("The connection is lost before the write, or COMMIT, is sent")
async def lost_before(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    begin, _ = await span(injector, verb, resource)
    return [await injector.run(verb, resource, Fault(index)) for index in (0, begin - 1)]


@moment("The connection is lost between the sending of the write, or of COMMIT, and its reply")
async def lost_inside(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    begin, end = await span(injector, verb, resource)
    return [await injector.run(verb, resource, Fault(index)) for index in (begin, end)]


@moment("The same, and PostgreSQL has replied that it refuses", ("create",))
async def lost_after_refusal(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    async with trigger(injector, resource, "RAISE EXCEPTION USING ERRCODE = '53100'"):
        refused = await injector.run(verb, resource)
        return [await injector.run(verb, resource, Fault(len(refused.messages) - 1))]


@moment("The backend is ended while it writes or commits (57P01, 57P02, 57P03, 08xxx, 40003)", WRITES)
async def ended(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    async with trigger(injector, resource, "PERFORM pg_terminate_backend(pg_backend_pid())", deferred=True):
        lost = await injector.run(verb, resource)
    _, end = await span(injector, verb, resource)
    return [lost, await injector.run(verb, resource, Fault(end))]


@moment("The time of the request ends before the write, or COMMIT, is sent")
async def late_before(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return [await injector.run(verb, resource, Fault(0, "stall"), is_last_moment=True)]


@moment("It ends after that, and the reply comes within 5 s", WRITES)
async def late_reply(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    _, end = await span(injector, verb, resource)
    return [await injector.run(verb, resource, Fault(end, "delay", 0.5), is_last_moment=True)]


@moment("It ends after that, and no reply comes within 5 s", WRITES)
async def no_reply(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    begin, end = await span(injector, verb, resource)
    async with patched(request_deadlines, "OUTCOME_SECONDS", 0.3):
        return [
            await injector.run(verb, resource, Fault(index, "stall"), is_last_moment=True) for index in (begin, end)
        ]


@moment("It ends after the commit, while what `after_commit` calls runs", SERVICE)
async def late_callback(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    follows = asyncio.Event()

    async def wait_long() -> None:
        follows.set()
        await asyncio.sleep(30)

    async def follow(self: Postings, draft: object, actor: object) -> None:
        self.after_commit(wait_long)

    async with injector.no_more_time(follows), patched(Postings, "before_create", follow):
        return [await injector.run(verb, resource)]


@moment("What `after_commit` calls raises", SERVICE)
async def failed_callback(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    def fail() -> None:
        raise ValueError("no mail server")

    async def follow(self: Postings, draft: object, actor: object) -> None:
        self.after_commit(fail)

    async with patched(Postings, "before_create", follow):
        return [await injector.run(verb, resource)]


@moment("The service raises what is no refusal", SERVICE)
async def mistaken(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    async def fail(self: Postings, draft: object, actor: object) -> None:
        raise ValueError("a mistake")

    async with patched(Postings, "after_create", fail):
        return [await injector.run(verb, resource)]


@moment("The statement takes longer than its limit (57014)", WRITES)
async def too_slow(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    async with trigger(injector, resource, "PERFORM pg_sleep(30)"):
        return [await _with_timeout(injector, verb, resource, "statement_timeout")]


@moment("A lock does not become free in time (55P03)", WRITES)
async def locked(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    await injector.prepare(resource)
    async with injector.witness.transaction():
        await injector.witness.execute(f"LOCK TABLE {resource} IN SHARE MODE")
        return [await _with_timeout(injector, verb, resource, "lock_timeout")]


@moment("It collides with another transaction (40001, 40P01), in each of the service's `attempts`", WRITES)
async def collided(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return await refused_with(injector, verb, resource, "40001", "40P01")


@moment("The server is read-only, or a standby (25006)")
async def read_only(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    await injector.prepare(resource)
    async with database_setting(injector, "default_transaction_read_only", "on"):
        injector.database.pool.close_idle(lambda raw: True)
        response = await injector.ask(verb, resource)
    await injector.until_writable()
    return [Outcome(response, await injector.is_written(verb, resource), [])]


@moment("The disk is full, or a temporary file too large (53100, 53400)", WRITES)
async def full(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return await refused_with(injector, verb, resource, "53100", "53400")


@moment("PostgreSQL has no memory left (53200)", WRITES)
async def out_of_memory(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return await refused_with(injector, verb, resource, "53200")


@moment("Another row has the value (23505)", WRITES)
async def duplicate(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    async with trigger(injector, resource, "NEW.text = 'first'"):
        return [await injector.run(verb, resource)]


@moment("A value does not fit its column (22001, 22003, 22007, 22008, 22P02, 22021, 22P05)", WRITES)
async def unfit(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return await refused_with(injector, verb, resource, "22001", "22003", "22007", "22008", "22P02", "22021", "22P05")


@moment("Any other error of class 22, and a sequence that is used up (2200H)", WRITES)
async def mistaken_statement(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return await refused_with(injector, verb, resource, "22012", "2200H")


@moment("Row level security refuses the row (42501)", WRITES)
async def row_security(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    await injector.prepare(resource)
    await injector.witness.execute(f"ALTER TABLE {resource} ENABLE ROW LEVEL SECURITY")
    try:
        return [await as_teller(injector, verb, resource, "ALL")]
    finally:
        await injector.witness.execute(f"ALTER TABLE {resource} DISABLE ROW LEVEL SECURITY")


@moment("The role of `DATABASE_URL` may not write (42501)", WRITES)
async def no_right(injector: FaultInjector, verb: str, resource: str) -> list[Outcome]:
    return [await as_teller(injector, verb, resource, "SELECT")]


async def refused_with(injector: FaultInjector, verb: str, resource: str, *states: str) -> list[Outcome]:
    """The request, refused by PostgreSQL with each of these SQLSTATEs."""
    outcomes: list[Outcome] = []
    for state in states:
        async with trigger(injector, resource, f"RAISE EXCEPTION USING ERRCODE = '{state}'"):
            outcomes.append(await injector.run(verb, resource))
    return outcomes


async def as_teller(injector: FaultInjector, verb: str, resource: str, rights: str) -> Outcome:
    """The request on a connection whose role has these rights on the table, and is no superuser."""
    await injector.prepare(resource)
    role = "teller_" + await injector.witness.fetchval("SELECT md5(current_database())")
    await injector.witness.execute(f"CREATE ROLE {role}")
    await injector.witness.execute(f"GRANT {rights} ON {resource} TO {role}")
    try:
        async with database_setting(injector, "role", role):
            return await injector.run(verb, resource)
    finally:
        injector.database.pool.close_idle(lambda raw: True)
        await injector.until_nobody_works()
        await injector.witness.execute(f"DROP OWNED BY {role}")
        await injector.witness.execute(f"DROP ROLE {role}")


async def _with_timeout(injector: FaultInjector, verb: str, resource: str, name: str) -> Outcome:
    injector.database.pool.close_idle(lambda raw: True)
    connection = await injector.database.pool.acquire()
    await connection.raw.execute(f"SET {name} = '100ms'")
    injector.database.pool.release(connection)
    response = await injector.ask(verb, resource)
    injector.database.pool.close_idle(lambda raw: True)
    return Outcome(response, await injector.is_written(verb, resource), [])
