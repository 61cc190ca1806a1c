"""What a service sets on a connection ends with its request: the next one on the same connection sees none of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import (
    Integer,
    Sequence,
    String,
    cast,
    delete,
    event,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Numeric
from transaction_app import Note, Plain, TransactionApp, app, failures, until

from gatepost import Service
from gatepost.database.guards import TransactionIsManaged
from gatepost.database.sql_tokens import FUNCTIONS, VOLATILE
from gatepost.database.statements import Statement

pytestmark = pytest.mark.asyncio(loop_scope="module")

Do = Callable[[Any], Awaitable[Any]]

SET = "SELECT set_config('app.user_id', '42', false)"
SETTING = "SELECT coalesce(current_setting('app.user_id', true), '')"


class Leak(FunctionElement[str]):
    """An element of the service's own, which renders what it likes."""

    inherit_cache = True
    type = String()


@compiles(Leak)
def _render_leak(_element: Leak, _compiler: Any, **_options: Any) -> str:
    return "set_config('app.user_id', '42', false)"


CREATE = """
CREATE FUNCTION leak() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.user_id', '42', false) $$;
CREATE SCHEMA side;
CREATE FUNCTION side.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.user_id', '42', false) $$;
CREATE FUNCTION "odd name"(text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.user_id', '42', false) $$;
CREATE SEQUENCE numbers;
CREATE ROLE {role};
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def prepared(one_connection_app: TransactionApp) -> Any:
    """The app, with functions of the application's own."""
    role = f"other_{id(one_connection_app)}"
    await (await raw_of(one_connection_app)).execute(CREATE.format(role=role))
    yield one_connection_app, role
    await (await raw_of(one_connection_app)).execute(f"DROP ROLE {role}")


@pytest_asyncio.fixture(loop_scope="module")
async def transaction_app(prepared: tuple[TransactionApp, str]) -> TransactionApp:
    """The app with one connection, and empty tables."""
    await prepared[0].database.fetch("TRUNCATE notes, plain, stubborn")
    return prepared[0]


async def raw_of(transaction_app: TransactionApp) -> Any:
    """The one connection, when it has come back."""
    pool = transaction_app.database.pool
    connection = await pool.acquire()
    pool.release(connection)
    return connection.raw


async def value(transaction_app: TransactionApp, sql: str) -> Any:
    """What the next request on the connection sees."""
    return (await transaction_app.database.fetch(sql))[0][0]


def execute(statement: Any) -> Do:
    return lambda service: service.session.execute(statement)


async def by_driver(service: Any, sql: str) -> None:
    raw = await (await service.session.connection()).get_raw_connection()
    await raw.driver_connection.execute(sql)


async def by_run_async(service: Any) -> None:
    raw = await (await service.session.connection()).get_raw_connection()

    def run(_session: Any) -> None:
        raw.run_async(lambda driver: driver.execute(SET))

    await service.session.run_sync(run)


def by_cursor(session: Any) -> None:
    cursor = session.connection().connection.cursor()
    cursor.execute(SET)
    cursor.close()


async def by_stream(service: Any) -> None:
    async for _ in await service.session.stream(select(func.set_config("app.user_id", "42", False))):
        pass


async def by_upsert(service: Any) -> None:
    service.session.add(Plain(text="there"))
    await service.session.flush()
    setting = func.set_config("app.user_id", "42", False)
    statement = (
        upsert(Plain).values(text="there").on_conflict_do_update(index_elements=["text"], set_={"text": setting})
    )
    await service.session.execute(statement)


async def by_flush(service: Any) -> None:
    service.session.add(Note(text=func.set_config("app.user_id", "42", False)))
    await service.session.flush()


async def by_event(service: Any) -> None:
    connection = await service.session.connection()

    def rewrite(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return statement.replace("SELECT", SET + ", ", 1).replace("SELECT set", "SELECT set", 1), parameters

    event.listen(connection.sync_connection, "before_cursor_execute", rewrite, retval=True)
    await service.session.execute(select(Note.id))


OF_SETTING = func.set_config("app.user_id", "42", False)

SETTING_WAYS: dict[str, Do] = {
    "text": execute(text(SET)),
    "text with columns": execute(text(SET + " AS x").columns(x=String)),
    "a function": execute(select(OF_SETTING)),
    "a function as a table": execute(select(OF_SETTING.column_valued("x"))),
    "a function of a schema": execute(select(func.pg_catalog.set_config("app.user_id", "42", False))),
    "a function of the application's": execute(select(func.leak())),
    "one named as a harmless one": execute(select(func.side.lower("x"))),
    "one with an odd name": execute(select(getattr(func, "odd name")("x"))),
    "an element of the service's own": execute(select(Leak())),
    "a column as text": execute(select(literal_column(SET.removeprefix("SELECT ")))),
    "a text among columns": execute(select(text(SET.removeprefix("SELECT ")))),
    "an order by text": execute(select(func.now()).order_by(text(SET.removeprefix("SELECT ")))),
    "a prefix": execute(select(literal_column("1")).prefix_with(SET.removeprefix("SELECT ") + ",")),
    "an operator": execute(select(literal_column("''").op("|| " + SET.removeprefix("SELECT ") + " ||")("x"))),
    "a condition": execute(select(func.now()).where(OF_SETTING == "42")),
    "a subquery": execute(select(select(OF_SETTING).scalar_subquery())),
    "an insert": execute(insert(Note).values(text=OF_SETTING)),
    "an insert from select": execute(insert(Note).from_select(["text"], select(OF_SETTING))),
    "a returning": execute(insert(Note).values(text="x").returning(OF_SETTING)),
    "an upsert": by_upsert,
    "a flush": by_flush,
    "a stream": by_stream,
    "the driver's SQL": lambda service: _driver_sql(service, SET),
    "a block": execute(text("DO $$ BEGIN PERFORM set_config('app.user_id', '42', false); END $$")),
    "a cursor": lambda service: service.session.run_sync(by_cursor),
    "the driver's connection": lambda service: by_driver(service, "SET app.user_id = '42'"),
    "run_async": by_run_async,
    "run_sync": lambda service: service.session.run_sync(lambda session: session.execute(text(SET))),
    "an event": by_event,
    "many": lambda service: service.session.execute(
        text("SELECT set_config('app.user_id', :x, false)"), [{"x": "42"}, {"x": "42"}]
    ),
}


async def _driver_sql(service: Any, sql: str) -> None:
    await (await service.session.connection()).exec_driver_sql(sql)


@pytest.mark.parametrize("way", SETTING_WAYS)
async def test_a_setting_reads_empty_afterwards(transaction_app: TransactionApp, way: str) -> None:
    backend = await value(transaction_app, "SELECT pg_backend_pid()")
    seen: list[str] = []

    async def step(service: Service[Any]) -> None:
        await SETTING_WAYS[way](service)
        seen.append((await service.session.execute(text(SETTING))).scalar_one())

    response = await transaction_app.create_after(step)
    assert response.status == 201, failures
    assert seen == ["42"]
    assert await value(transaction_app, SETTING) == ""
    assert await value(transaction_app, "SELECT pg_backend_pid()") == backend, "the connection is kept"


async def test_a_setting_of_a_service_that_raised_or_only_read_or_was_no_service_ends_as_well(
    transaction_app: TransactionApp,
) -> None:
    async def locks(service: Service[Any]) -> None:
        await service.session.execute(select(func.pg_advisory_lock(7), OF_SETTING))

    async def raises(service: Service[Any]) -> None:
        await locks(service)
        raise RuntimeError("after it")

    assert (await transaction_app.read_after(locks)).status == 200
    assert await value(transaction_app, SETTING) == ""
    assert (await transaction_app.create_after(raises)).status == 500
    assert await value(transaction_app, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    async with app.transaction() as unit:
        await unit.session.execute(select(OF_SETTING))
    assert await value(transaction_app, SETTING) == ""


async def test_what_a_cancelled_request_left_ends_as_well(transaction_app: TransactionApp) -> None:
    locked = asyncio.Event()

    async def hangs(service: Service[Any]) -> None:
        await service.session.execute(select(func.pg_advisory_lock(7)))
        locked.set()
        await service.session.execute(select(func.pg_sleep(60)))

    asked = asyncio.ensure_future(transaction_app.create_after(hangs))
    await locked.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert await value(transaction_app, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


OTHERS: dict[str, tuple[Do, str, Any]] = {
    "an advisory lock": (
        execute(select(func.pg_advisory_lock(7))),
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
        0,
    ),
    "a temporary table": (
        execute(text("CREATE TEMPORARY TABLE left_behind AS SELECT 42 AS x")),
        "SELECT to_regclass('left_behind')",
        None,
    ),
    "a temporary function": (
        execute(text("CREATE FUNCTION pg_temp.secret() RETURNS int LANGUAGE sql AS 'SELECT 42'")),
        "SELECT count(*) FROM pg_proc WHERE proname = 'secret'",
        0,
    ),
    "a temporary table in place of ours": (
        execute(text("CREATE TEMPORARY TABLE notes (x integer)")),
        "SELECT count(*) FROM information_schema.columns WHERE table_name = 'notes' AND column_name = 'x'",
        0,
    ),
    "a cursor": (
        execute(text("DECLARE left_open CURSOR WITH HOLD FOR SELECT 42")),
        "SELECT count(*) FROM pg_cursors WHERE name = 'left_open'",
        0,
    ),
    "a channel": (execute(text("LISTEN gossip")), "SELECT count(*) FROM pg_listening_channels()", 0),
    "a statement": (
        execute(text("DO $$ BEGIN EXECUTE 'PREPARE left_ready AS SELECT 42'; END $$")),
        "SELECT count(*) FROM pg_prepared_statements WHERE from_sql",
        0,
    ),
    "a role": (
        lambda service: by_driver(service, "SET ROLE pg_monitor"),
        "SELECT current_user <> session_user OR current_user = 'pg_monitor'",
        False,
    ),
    "a user": (
        lambda service: by_driver(service, "SET SESSION AUTHORIZATION pg_monitor"),
        "SELECT session_user = 'pg_monitor' OR current_user = 'pg_monitor'",
        False,
    ),
    "a search path": (execute(select(func.set_config("search_path", "side", False))), "SHOW search_path", None),
    "a time limit": (
        execute(select(func.set_config("statement_timeout", "60000", False))),
        "SHOW statement_timeout",
        None,
    ),
    "a lock's time": (execute(select(func.set_config("lock_timeout", "60000", False))), "SHOW lock_timeout", None),
    "a time zone": (execute(select(func.set_config("timezone", "Asia/Tokyo", False))), "SHOW timezone", "UTC"),
    "a kind of transaction": (
        lambda service: by_driver(service, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
        "SHOW default_transaction_read_only",
        "off",
    ),
}


@pytest.mark.parametrize("left", OTHERS)
async def test_nothing_is_left(transaction_app: TransactionApp, left: str) -> None:
    step, question, expected = OTHERS[left]
    before = await value(transaction_app, question)
    backend = await value(transaction_app, "SELECT pg_backend_pid()")
    response = await transaction_app.create_after(step)
    assert response.status in {201, 500}, failures  # as another role a service may not write
    assert await value(transaction_app, question) == before
    assert expected is None or before == expected
    assert await value(transaction_app, "SELECT pg_backend_pid()") == backend
    assert (await transaction_app.client.get("/api/plain")).status == 200


@pytest.mark.parametrize("call", ["currval('numbers')", "lastval()"])
@pytest.mark.parametrize(
    "statement",
    [
        text("SELECT nextval('numbers')"),
        select(func.nextval("numbers")),
        select(literal_column("nextval('numbers')")),
        insert(Note).values(number=func.nextval("numbers")),
    ],
    ids=["text", "function", "column", "insert"],
)
async def test_a_sequence_that_a_service_drew_from_has_no_value_afterwards(
    transaction_app: TransactionApp, call: str, statement: Any
) -> None:
    await transaction_app.create_after(execute(statement))
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await (await raw_of(transaction_app)).fetch(f"SELECT {call}")


async def test_random_numbers_do_not_follow_from_a_seed(transaction_app: TransactionApp) -> None:
    drawn = []
    for _ in range(2):
        await transaction_app.create_after(execute(select(func.setseed(0.5))))
        drawn.append(await value(transaction_app, "SELECT random()"))
    assert drawn[0] != drawn[1]


async def test_the_driver_forgets_what_it_listened_to(transaction_app: TransactionApp) -> None:
    heard: list[object] = []

    async def listens(service: Service[Any]) -> None:
        raw = await (await service.session.connection()).get_raw_connection()
        await raw.driver_connection.add_listener("gossip", lambda *_: heard.append("before"))

    await transaction_app.create_after(listens)
    raw = await raw_of(transaction_app)
    await raw.add_listener("gossip", lambda *_: heard.append("after"))
    await raw.execute("NOTIFY gossip")

    async def is_heard() -> bool:
        return bool(heard)

    await until(is_heard)
    assert heard == ["after"]
    await raw.reset()


async def test_the_driver_forgets_who_logged_its_statements(transaction_app: TransactionApp) -> None:
    logged: list[str] = []

    async def logs(service: Service[Any]) -> None:
        raw = await (await service.session.connection()).get_raw_connection()
        raw.driver_connection.add_query_logger(lambda record: logged.append(record.query))

    await transaction_app.create_after(logs)
    await raw_of(transaction_app)
    logged.clear()
    await value(transaction_app, "SELECT 42")
    assert logged == []


@pytest.mark.parametrize("change", ["codec", "built-in codec", "no codec"])
async def test_a_connection_whose_driver_was_altered_is_replaced(transaction_app: TransactionApp, change: str) -> None:
    async def alters(service: Service[Any]) -> None:
        raw = (await (await service.session.connection()).get_raw_connection()).driver_connection
        if change == "codec":
            await raw.set_type_codec(
                "int4", schema="pg_catalog", encoder=str, decoder=lambda _: "another", format="text"
            )
        elif change == "built-in codec":
            await raw.set_builtin_type_codec("text", schema="pg_catalog", codec_name="bytea")
        else:
            await raw.reset_type_codec("jsonb", schema="pg_catalog")

    backend = await value(transaction_app, "SELECT pg_backend_pid()")
    await transaction_app.create_after(alters)
    assert await value(transaction_app, "SELECT 42::int4") == 42
    assert await value(transaction_app, "SELECT pg_backend_pid()") != backend
    assert transaction_app.database.pool.size == 1


async def _translate(service: Service[Any]) -> None:
    await service.session.connection(execution_options={"schema_translate_map": {None: "side"}})


async def _note(service: Service[Any]) -> None:
    (await service.session.connection()).info["user"] = 42


async def _watch(service: Service[Any]) -> None:
    connection = await service.session.connection()
    event.listen(connection.sync_connection, "before_execute", lambda *_: seen.append(1))


seen: list[int] = []


@pytest.mark.parametrize("mark", [_translate, _note, _watch])
async def test_what_is_set_on_the_connection_of_sqlalchemy_ends_as_well(
    transaction_app: TransactionApp, mark: Do
) -> None:
    await transaction_app.read_after(mark)
    seen.clear()

    async def looks(service: Service[Any]) -> None:
        connection = await service.session.connection()
        assert connection.info == {}
        assert "schema_translate_map" not in connection.sync_connection.get_execution_options()
        await service.session.execute(select(Note.id))

    assert (await transaction_app.read_after(looks)).status == 200, failures
    assert seen == []


async def test_statements_stay_prepared(transaction_app: TransactionApp) -> None:
    await transaction_app.client.get("/api/plain")
    await transaction_app.create_after(execute(text(SET)))
    before = await value(transaction_app, "SELECT count(*) FROM pg_prepared_statements")
    for _ in range(2):
        assert (await transaction_app.client.get("/api/plain")).status == 200
    assert await value(transaction_app, "SELECT count(*) FROM pg_prepared_statements") == before > 1


async def test_a_connection_that_cannot_be_reset_is_replaced(transaction_app: TransactionApp) -> None:
    async def leaves_a_trap(service: Service[Any]) -> None:
        await by_driver(service, "SET statement_timeout = '1ms'; SELECT pg_advisory_lock(7)")
        raw = await (await service.session.connection()).get_raw_connection()
        raw.driver_connection.terminate()

    await transaction_app.create_after(leaves_a_trap)

    async def is_unlocked() -> bool:  # PostgreSQL takes a moment to notice that its client is gone
        return not await value(transaction_app, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")

    await until(is_unlocked)
    assert transaction_app.database.pool.size == 1


async def _loads(service: Service[Any]) -> None:
    session = service.session
    first, second = Plain(text="a"), Plain(text="b")
    session.add_all([first, second])
    await session.flush()
    await session.get(Plain, first.id, with_for_update=True)
    await session.refresh(second)
    await session.scalars(select(Plain).where(Plain.text.in_(["a", "b"]), func.lower(Plain.text) == "a"))
    await session.scalars(select(Plain).where(Plain.text.contains("--"), Plain.text.ilike("x%")).limit(3).offset(1))
    await session.execute(select(func.count(), func.sum(Plain.number), func.max(Plain.text)).group_by(Plain.kind))
    ranked = select(func.row_number().over(partition_by=Plain.kind, order_by=Plain.text)).subquery()
    await session.execute(select(ranked))
    await session.execute(
        select(cast(Plain.number, Numeric(10, 2)).label("a"), cast(Plain.number, String(40)).label("b"))
    )
    await session.execute(select(exists().where(Plain.number > 3), tuple_(Plain.number, Plain.text) == tuple_(1, "a")))
    numbers = select(cast(1, Integer).label("n")).cte("numbers", recursive=True)
    await session.execute(select(numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < 5))))
    await session.execute(update(Plain).where(Plain.text == "b").values(number=Plain.number + 1).returning(Plain.id))
    await session.execute(insert(Note), [{"text": str(n)} for n in range(30)])
    await session.execute(upsert(Plain).values(text="a").on_conflict_do_nothing(index_elements=["text"]))
    async with session.begin_nested():
        await session.execute(delete(Plain).where(Plain.text == "nobody"))
    async for _ in await session.stream_scalars(select(Plain).order_by(Plain.text.desc().nulls_last())):
        pass
    await session.execute(insert(Note).values(number=Sequence("numbers").next_value()))
    await session.delete(first)
    await session.flush()
    second.text = "changed"


async def test_a_sequence_is_executed_by_itself(transaction_app: TransactionApp) -> None:
    drawn: list[Any] = []

    async def draw(service: Service[Any]) -> None:
        drawn.append(await service.session.scalar(Sequence("numbers")))

    assert (await transaction_app.create_after(draw)).status == 201, failures
    assert isinstance(drawn[0], int)


async def test_derived_verbs_and_services_that_use_the_orm_alone_pay_nothing(transaction_app: TransactionApp) -> None:
    backend = await value(transaction_app, "SELECT pg_backend_pid()")

    async def last() -> str:
        other = await asyncpg.connect(transaction_app.database.dsn)
        try:
            return str(await other.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", backend))
        finally:
            await other.close()

    created = await transaction_app.client.post("/api/plain", json={"text": "derived"})
    path = f"/api/plain/{created.data['id']}"
    await transaction_app.client.patch(path, json={"text": "changed"})
    await transaction_app.client.get(path)
    await transaction_app.client.get("/api/plain?sort=number&kind=a")
    await transaction_app.client.delete(path)
    assert "DELETE" in await last()
    response = await transaction_app.create_after(_loads)
    assert response.status == 201, failures
    await raw_of(transaction_app)
    assert await last() == "COMMIT"
    await transaction_app.create_after(execute(text("SELECT 1")))
    await raw_of(transaction_app)
    assert "RESET ALL" in await last(), "this is how it would show"


@pytest.mark.parametrize(
    "sql",
    [
        "PREPARE p AS SELECT 1",
        "prepare p (integer) AS SELECT $1",
        "EXECUTE p",
        "  /* so */ execute p(1)",
        "DEALLOCATE p",
        "DEALLOCATE ALL",
        "LOAD 'auto_explain'",
        "; LOAD 'auto_explain'",
        ";COMMIT",
        "-- so\n;;SET app.user_id = '42'",
    ],
)
@pytest.mark.parametrize("way", ["text", "driver SQL"])
async def test_what_would_stay_on_the_connection_is_refused(
    transaction_app: TransactionApp, sql: str, way: str
) -> None:
    sent = execute(text(sql)) if way == "text" else lambda service: _driver_sql(service, sql)
    assert (await transaction_app.create_after(sent)).status == 500
    assert isinstance(failures[0], TransactionIsManaged)
    assert await transaction_app.count() == 0


async def test_what_a_policy_sets_in_a_derived_statement_ends_as_well(transaction_app: TransactionApp) -> None:
    statement = Statement(select(Plain.id).where(OF_SETTING == "42"))
    for run in (transaction_app.database.run, transaction_app.database.run_unbounded):
        for _ in range(2):
            await run(statement, statement.arguments({}))
            assert await value(transaction_app, SETTING) == ""


OF_EXTENSIONS = {"similarity", "word_similarity"}
OF_LATER_VERSIONS = {"uuidv4", "uuidv7"}


async def test_every_function_that_counts_as_harmless_is_one_by_the_catalog(transaction_app: TransactionApp) -> None:
    names = FUNCTIONS.split()
    rows = await transaction_app.database.fetch(
        "SELECT proname, bool_or(provolatile = 'v') AS is_volatile FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1) GROUP BY proname",
        names,
    )
    assert {row["proname"] for row in rows if row["is_volatile"]} <= VOLATILE
    keywords = await transaction_app.database.fetch("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'")
    known = {row["proname"] for row in rows} | {row["word"] for row in keywords} | OF_EXTENSIONS
    assert set(names) - known <= OF_LATER_VERSIONS, "a function of the application's own may have that name"
