"""Whatever is opened, lent, failed, cancelled and closed, in whatever order: no slot of the pool is ever lost."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any
from unittest import mock

import asyncpg
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import column, insert, select, table
from tests.unit.database.failing_driver import Driver, VirtualTimeLoop

from gatepost.database.connection import PooledConnection
from gatepost.database.database import Database
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.events import Events
from gatepost.settings import DatabaseSettings

SIZE = 4  # the smallest that is shared out
READ = Statement(select(1))
WRITE = Statement(insert(table("things", column("number"))).values(number=1))
CLOCKS = ("pool", "wait_queue", "reachability", "fair_sharing", "transactions")

FAILURES = (
    OSError("the network is unreachable"),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cannot switch to state 12"),
    asyncpg.TooManyConnectionsError("too many connections for role"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.UniqueViolationError("duplicate key"),
    asyncpg.InvalidCachedStatementError("cached plan must not change result type"),
    AttributeError("'NoneType' object has no attribute 'is_in_transaction'"),
    ValueError("an unreadable DSN"),
    asyncio.CancelledError(),
)

place = st.integers(0, 1000)


class PoolMachine(RuleBasedStateMachine):
    """A database of which every await ends as hypothesis wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.loop.set_exception_handler(lambda _loop, _context: None)
        self.patches = contextlib.ExitStack()
        for name in CLOCKS:
            clock = SimpleNamespace(monotonic=self.loop.time)
            with contextlib.suppress(ModuleNotFoundError):
                self.patches.enter_context(mock.patch(f"gatepost.database.{name}.time", clock))
        self.driver = Driver(self.loop)
        self.database = Database("", DatabaseSettings(pool_size=SIZE), Events())
        self.pool = self.database.pool
        self.pool.openings.connect = self.driver.connect  # type: ignore[assignment]
        self.tasks: list[asyncio.Task[Any]] = []
        self.held: list[PooledConnection] = []

    def start(self, coroutine: Any) -> None:
        task = self.loop.create_task(coroutine)
        self.tasks.append(task)
        task.add_done_callback(self.tasks.remove)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self.loop.settle()

    @initialize(count=st.integers(0, SIZE))
    def hold_some(self, count: int) -> None:
        for _ in range(count):
            self.hold()
        self.finish()

    @rule()
    def read(self) -> None:
        self.start(self.database.run(READ, []))

    @rule()
    def write(self) -> None:
        self.start(self.database.run(WRITE, WRITE.arguments({})))

    @rule()
    def fetch(self) -> None:
        self.start(self.database.fetch("SELECT 1"))

    @rule(raises=st.sampled_from([None, RuntimeError, asyncio.CancelledError]), isolation=st.booleans())
    def transact(self, raises: type[BaseException] | None, isolation: bool) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.begin()
            await transaction.connection.raw.execute("INSERT")
            if raises is not None:
                raise raises

        self.start(self.database.transact(work, isolation="serializable" if isolation else "read committed"))

    @rule()
    def hold(self) -> None:
        async def hold() -> None:
            self.held.append(await self.pool.acquire())

        self.start(hold())

    @precondition(lambda self: self.held)
    @rule(where=place, how=st.sampled_from(["release", "recover", "discard"]), is_altered=st.booleans())
    def give_back(self, where: int, how: str, is_altered: bool) -> None:
        connection = self.held.pop(where % len(self.held))
        connection.needs_reset = is_altered

        async def give_back() -> None:
            getattr(self.pool, how)(connection)

        self.start(give_back())

    @precondition(lambda self: self.driver.pending)
    @rule(where=place, count=st.integers(1, 5))
    def succeed(self, where: int, count: int) -> None:
        for _ in range(min(count, len(self.driver.pending))):
            self.end(where, None)

    @precondition(lambda self: self.driver.pending)
    @rule(where=place, error=st.sampled_from(FAILURES), count=st.integers(0, 2))
    def fail(self, where: int, error: BaseException, count: int) -> None:
        """One await fails, or with `count` the last that began, then what follows from that, and so on."""
        self.end(where if count == 0 else -1, type(error)(*error.args))
        for _ in range(min(count, len(self.driver.pending))):
            self.end(-1, type(error)(*error.args))

    def end(self, where: int, error: BaseException | None) -> None:
        if not self.driver.pending:
            return
        future = self.driver.pending[where % len(self.driver.pending)]
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(None)
        self.loop.settle()

    @precondition(lambda self: self.driver.open)
    @rule(where=place, by_us=st.booleans())
    def lose(self, where: int, by_us: bool) -> None:
        raw = self.driver.open[where % len(self.driver.open)]
        raw.terminate() if by_us else raw.lose()
        self.loop.settle()

    @precondition(lambda self: self.tasks)
    @rule(where=place, turns=st.integers(0, 3))
    def cancel(self, where: int, turns: int) -> None:
        self.tasks[where % len(self.tasks)].cancel()
        self.loop.settle()

    @rule(
        use=st.sampled_from(["read", "write", "fetch", "transact", "hold"]),
        successes=st.integers(0, 4),
        error=st.none() | st.sampled_from(FAILURES),
        failures=st.integers(1, 3),
    )
    def fail_at(self, use: str, successes: int, error: BaseException | None, failures: int) -> None:
        """One use of a connection goes well so far; there it fails, and what follows from that, or it is cancelled."""
        use_it = {"read": self.read, "write": self.write, "fetch": self.fetch, "hold": self.hold}
        use_it.get(use, lambda: self.transact(None, False))()
        for _ in range(successes):
            self.end(-1, None)
        if error is None and self.tasks:
            self.tasks[-1].cancel()
            self.loop.settle()
            self.end(-1, None)
        elif error is not None:
            for _ in range(failures):
                self.end(-1, type(error)(*error.args))

    @precondition(lambda self: self.tasks and self.held)
    @rule()
    def give_back_to_one_who_has_just_been_cancelled(self) -> None:
        async def give_back() -> None:
            self.pool.release(self.held.pop())
            for task in list(self.tasks):
                task.cancel()

        self.loop.run_until_complete(give_back())
        self.loop.settle()

    @precondition(lambda self: self.tasks and self.driver.pending)
    @rule(where=place, which=place)
    def cancel_what_has_just_succeeded(self, where: int, which: int) -> None:
        self.driver.pending[which % len(self.driver.pending)].set_result(None)
        self.tasks[where % len(self.tasks)].cancel()
        self.loop.settle()

    @rule(seconds=st.sampled_from([0.06, 0.5, 1.1, 2.1, 5.1]))
    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds
        self.loop.settle()

    @rule()
    def fall_silent(self) -> None:
        self.loop.call_soon(self.database.note_silence)
        self.loop.settle()

    @invariant()
    def every_slot_is_an_open_connection_or_one_that_is_being_opened(self) -> None:
        given_up = [connection.raw for connection in self.pool.given_up]
        assert self.pool.size == len(self.driver.open) - len(given_up) + self.driver.opening <= SIZE
        assert not self.pool.idle or not self.pool._sharing.is_on
        idle = [connection.raw for connection in (*self.pool.idle, *self.pool._sharing.spare)]
        assert not set(given_up) & set(idle)
        assert len(set(idle)) == len(idle)
        assert all(raw in self.driver.open and not raw.is_in_transaction() for raw in idle)  # type: ignore[comparison-overlap]
        users = len(asyncio.all_tasks(self.loop)) + len(self.held)
        assert len(self.driver.open) - len(idle) <= users, "a connection that nobody uses did not come back"

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if any(not waiter.done() for _, waiter, *_ in self.pool.waiting):
            assert not self.pool.idle
            assert self.pool.size

    def teardown(self) -> None:
        """Everything ends well: then all of the pool is there for those who ask, and none is left after it closed."""
        try:
            self.give_all_back()
            self.loop.now += 60
            self.start(self.database.fetch("SELECT 1"))  # the first request after an outage finds that it is over
            self.finish()
            held = self.loop.create_task(self.hold_all())
            self.finish()
            assert held.done(), "as many requests at once as the pool is large do not all get a connection"
            assert len(held.result()) == len(self.driver.open) == self.pool.size == SIZE
            self.held = list(held.result())
            self.start(self.pool.close())
            self.give_all_back()
            assert self.pool.size == len(self.driver.open) == 0
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.settle()
            self.loop.close()
            self.patches.close()

    async def hold_all(self) -> list[PooledConnection]:
        return await asyncio.gather(*(self.pool.acquire() for _ in range(SIZE)))

    def give_all_back(self) -> None:
        self.finish()
        while self.held:
            self.loop.call_soon(self.pool.release, self.held.pop())
            self.finish()
        assert not asyncio.all_tasks(self.loop), "something never ends"

    def finish(self) -> None:
        self.loop.settle()
        for _ in range(200):
            if not self.driver.pending:
                return
            self.end(0, None)
            self.loop.now += 0.001
        raise AssertionError("something goes on for ever")


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestPoolMachine = PoolMachine.TestCase
