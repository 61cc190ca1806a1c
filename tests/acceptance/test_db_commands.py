"""`gatepost db`: what it says of a database in which indexes are missing, unused, doubled and broken, who waits for
whom, and what becomes of a session that is stopped."""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from tests.acceptance.conftest import Command, wait_for

from gatepost.migrations.file_commands import up
from gatepost.record_tables import RECORD_TABLES

T = TypeVar("T")

APP = """
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone, owner, role

class Base(DeclarativeBase):
    pass

class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    room: Mapped[str]{ROOM}

class Scroll(Base):
    __tablename__ = "scrolls"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    year: Mapped[int]
    text: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"), {OTHERS})
    reader_id: Mapped[UUID] = mapped_column({OTHERS})

app = App(
    Resource(Shelf, read=anyone, write=role("editor"), sort=["room"]),
    Resource(Scroll, read=owner("reader_id"), sort=["title"], filter=["year"], search=["text"]),

)
"""

AS_FOUND = {"ROOM": " = mapped_column(index=True)", "OTHERS": ""}
AS_ADVISED = {"ROOM": "", "OTHERS": "index=True"}

SPOILED = """
DROP INDEX ix_scrolls_title_id; DROP INDEX ix_scrolls_title_id_desc;
DROP INDEX ix_scrolls_year; CREATE INDEX made_by_hand ON scrolls (year, id);
DROP INDEX ix_scrolls_text_trgm;
CREATE INDEX again ON shelves (name);
CREATE INDEX of_nobody ON shelves (room DESC, name);
CREATE UNIQUE INDEX of_rooms ON shelves (lower(room), id);
INSERT INTO shelves (name, room) SELECT 's' || i, 'r' FROM generate_series(1, 2000) AS i;
ANALYZE;
"""


class Sessions:
    """Connections that do not end with a statement, on a loop of their own: the commands have the test's thread."""

    def __init__(self, dsn: str, loop: asyncio.AbstractEventLoop) -> None:
        self._dsn, self._loop = dsn, loop
        self._opened: list[asyncpg.Connection[Any]] = []

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def open(self, application: str) -> "asyncpg.Connection[Any]":
        settings = {"application_name": application}
        connection = self.begin(asyncpg.connect(self._dsn, server_settings=settings)).result(30)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        async def close() -> None:
            for connection in self._opened:
                connection.terminate()
                await asyncio.sleep(0)

        self.begin(close()).result(30)

    def execute(self, connection: "asyncpg.Connection[Any]", *words: Any) -> str:
        return self.begin(connection.execute(*words)).result(30)


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    with _running_loop() as loop:
        found = Sessions(database_url, loop)
        yield found
        found.close()


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def gatepost(project: Path, command: Command, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    _declare(project, AS_FOUND)
    monkeypatch.setenv("DATABASE_URL", database_url)
    return command


def _declare(project: Path, words: dict[str, str]) -> None:
    text = APP
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    (project / "app.py").write_text(text)


def _spoiled(gatepost: Command, sessions: Sessions) -> "asyncpg.Connection[Any]":
    """A connection to the database of the migration files, some of whose indexes were dropped and others added."""
    for words in (("make", "first"), ("up",)):
        done = gatepost("migrate", *words)
        assert done.returncode == 0, done.stderr
    connection = sessions.open("psql")
    sessions.execute(connection, SPOILED)
    with pytest.raises(asyncpg.UniqueViolationError):
        sessions.execute(connection, "CREATE UNIQUE INDEX CONCURRENTLY of_one_room ON shelves (room)")
    return connection


def test_advice_is_given_for_one_index_of_each_kind_and_its_migration_leaves_nothing_to_advise(
    gatepost: Command, sessions: Sessions, project: Path
) -> None:
    connection = _spoiled(gatepost, sessions)

    done = gatepost("db", "advise", "--unused-days", "0", "--json")

    assert done.returncode == 1
    found = {each["index"]: each for each in json.loads(done.stdout)["advice"]}
    assert {name: (each["problem"], each["statement"]) for name, each in found.items()} == {
        "ix_scrolls_title_id": ("missing", "CREATE INDEX CONCURRENTLY ix_scrolls_title_id ON scrolls (title, id)"),
        "ix_scrolls_title_id_desc": (
            "missing",
            "CREATE INDEX CONCURRENTLY ix_scrolls_title_id_desc ON scrolls (title DESC NULLS LAST, id DESC)",
        ),
        "ix_scrolls_text_trgm": (
            "missing",
            "CREATE INDEX CONCURRENTLY ix_scrolls_text_trgm ON scrolls USING gin (text gin_trgm_ops)",
        ),
        "ix_scrolls_reader_id": ("missing", "CREATE INDEX CONCURRENTLY ix_scrolls_reader_id ON scrolls (reader_id)"),
        "ix_scrolls_shelf_id": ("missing", "CREATE INDEX CONCURRENTLY ix_scrolls_shelf_id ON scrolls (shelf_id)"),
        "again": ("duplicate", "DROP INDEX CONCURRENTLY IF EXISTS again"),
        "ix_shelves_room": ("duplicate", "DROP INDEX CONCURRENTLY IF EXISTS ix_shelves_room"),
        "of_nobody": ("unused", "DROP INDEX CONCURRENTLY IF EXISTS of_nobody"),
        "ix_shelves_room_id": ("unused", "DROP INDEX CONCURRENTLY IF EXISTS ix_shelves_room_id"),
        "of_one_room": ("invalid", "REINDEX INDEX CONCURRENTLY of_one_room"),
    }
    assert found["ix_scrolls_reader_id"]["reasons"] == [
        "Scroll.list: owner('reader_id') reads the whole table in every list"
    ]
    assert found["ix_scrolls_shelf_id"]["model"] == "Write index=True at shelf_id in the model of scrolls."
    assert found["ix_scrolls_title_id"]["reasons"] == ['declared by sort=["title"] of Scroll']
    assert found["ix_shelves_room_id"]["model"] == 'Remove sort=["room"] of Shelf, in the code as well.'
    for advice in found.values():
        compile(advice["migration"], advice["index"], "exec")
        assert (advice["creation"] or advice["statement"]) in advice["migration"]

    sessions.execute(connection, "DROP INDEX of_one_room")
    written = gatepost("db", "advise", "--write", "indexes", "--json")
    assert json.loads(written.stdout)["migration"].startswith("migrations/versions/")
    ran = gatepost("migrate", "up")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert gatepost("db", "advise").returncode == 0
    names = sessions.begin(connection.fetchval("SELECT array_agg(indexname::text) FROM pg_indexes")).result(30)
    assert {"ix_scrolls_text_trgm", "ix_scrolls_shelf_id"} <= set(names)
    assert "again" not in names
    _declare(project, AS_ADVISED)
    assert gatepost("migrate", "make", "second").stdout.startswith("The models have not changed.")
    assert gatepost("migrate", "down").returncode == 0


def test_unused_indexes_are_listed_only_where_statistics_are_old_enough(gatepost: Command, sessions: Sessions) -> None:
    _spoiled(gatepost, sessions)

    done = gatepost("db", "advise")

    assert done.returncode == 1
    assert "UNUSED" not in done.stdout
    assert "which is less than 7 days: unused ones are not listed." in done.stderr


def test_a_migration_that_follows_no_other_is_not_written(gatepost: Command) -> None:
    done = gatepost("db", "advise", "--write", "indexes")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: migrations: There are no migration files that this one could follow. Run the statements by hand, or "
        "write the first file with `gatepost migrate make`.\n",
    )


@contextmanager
def _blocked(sessions: Sessions) -> Iterator[tuple[int, int, "Future[str]"]]:
    """Who holds a row, who waits for it in a statement as Gatepost compiles them, and that statement."""
    holder, waiter = sessions.open("psql"), sessions.open("gatepost")
    sessions.execute(holder, "CREATE TABLE tablets (id int, title text); INSERT INTO tablets VALUES (1, '')")
    sessions.execute(holder, "BEGIN; UPDATE tablets SET title = 'canary-in-a-literal'")
    update = "UPDATE /* tablets.update */ tablets SET title = $1 WHERE id = $2"
    waiting = sessions.begin(waiter.execute(update, "canary-in-an-argument", 1))
    try:
        yield holder.get_server_pid(), waiter.get_server_pid(), waiting
    finally:
        sessions.close()
        waiting.exception(30)


def _waits(gatepost: Command) -> list[dict[str, Any]]:
    waits: list[dict[str, Any]] = json.loads(gatepost("db", "waits", "--json").stdout)["waits"]
    return waits


def test_it_says_who_waits_for_whom_with_the_operation_and_without_values(
    gatepost: Command, sessions: Sessions
) -> None:
    assert gatepost("db", "waits").returncode == 0
    with _blocked(sessions) as (holder, waiter, _):
        waits = {each["pid"]: each for each in wait_for(lambda: _waits(gatepost), "the wait")}

        assert (waits[waiter]["waits_for"], waits[waiter]["operation"]) == ([holder], "tablets.update")
        assert (waits[waiter]["application"], waits[waiter]["lock"]) == ("gatepost", "a row of tablets")
        assert waits[holder]["state"] == "idle in transaction"
        done = gatepost("db", "waits", "--longer-than", "0")
        assert done.returncode == 1
        assert "UPDATE tablets SET title = ?" in done.stdout
        assert "canary" not in done.stdout


def test_a_waiting_statement_is_cancelled_and_an_idle_transaction_ended(gatepost: Command, sessions: Sessions) -> None:
    with _blocked(sessions) as (holder, waiter, waiting):
        wait_for(lambda: _waits(gatepost), "the wait")

        for statement in ("CREATE SCHEMA IF NOT EXISTS gatepost", *RECORD_TABLES["changes"].create):
            sessions.execute(sessions.open("psql"), statement)
        idle = gatepost("db", "cancel", str(holder))
        assert (idle.returncode, idle.stderr) == (
            1,
            f"Warning: Session {holder} runs no statement, it is idle in transaction. --terminate ends it.\n",
        )
        cancelled = gatepost("db", "cancel", str(waiter), "--json")
        assert cancelled.returncode == 0
        assert json.loads(cancelled.stdout)["outcome"].startswith(f"Cancelled tablets.update of session {waiter}")
        assert isinstance(waiting.exception(30), asyncpg.QueryCanceledError)
        assert "operator_acted" in cancelled.stderr, "no server runs here"
        asked = sessions.open("psql").fetch("SELECT kind, summary FROM gatepost.changes")
        rows = sessions.begin(asked).result(30)
        assert [(kind, "By uid " in summary) for kind, summary in rows] == [("operator", True)]
        ended = gatepost("db", "cancel", str(holder), "--terminate")
        assert ended.returncode == 0
        assert f"Ended session {holder} of psql" in ended.stdout
        assert "canary" not in ended.stdout
        gone = gatepost("db", "cancel", str(holder))
        assert gone.returncode == 2
        assert f"Error: DATABASE_URL: No session of this database has the process {holder}." in gone.stderr


def test_sizes_are_those_of_the_largest_tables(gatepost: Command, sessions: Sessions) -> None:
    connection = sessions.open("psql")
    sessions.execute(connection, "CREATE TABLE large AS SELECT repeat('x', 500) AS x FROM generate_series(1, 1000)")
    sessions.execute(connection, "CREATE TABLE small (x int); ANALYZE")

    [table] = json.loads(gatepost("db", "sizes", "-n", "1", "--json").stdout)["tables"]

    assert (table["table"], table["rows"]) == ("large", 1000)
    assert table["bytes"] >= 500_000


TABLE_FILE = """
from alembic import op
revision = "1"
down_revision = None
def upgrade() -> None:
    op.execute("CREATE TABLE jars (id int)")
"""
INDEX_FILE = """
from alembic import op
revision = "2"
down_revision = "1"
def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SELECT pg_sleep(2)")  # longer than the deadlock detection of PostgreSQL waits
        op.execute("CREATE INDEX CONCURRENTLY on_jars ON jars (id)")
"""


async def test_an_index_is_built_concurrently_while_another_process_waits_to_migrate(
    database_url: str, tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    for name, text in (("1.py", TABLE_FILE), ("2.py", INDEX_FILE)):
        (versions / name).write_text(text)

    ran = await asyncio.gather(*(up(database_url, tmp_path) for _ in range(2)))

    assert sorted(map(len, ran)) == [0, 2]
