"""The database of a run: an embedded PostgreSQL of its own, with the bookshop's schema and rows."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

HERE = Path(__file__).parent
# Autovacuum would run in the middle of somebody's measurement; the harness vacuums between measurements instead.
SETTINGS = {"autovacuum": "off", "max_connections": "200", "shared_buffers": "256MB", "max_wal_size": "4GB"}
BOOKS_ASKED_FOR = 2000
_TIDY = "DELETE FROM books WHERE title LIKE 'Created by the benchmark%'"


@dataclass(frozen=True)
class Bookshop:
    """What the load generator has to know of the rows."""

    dsn: str
    pid: int
    user_id: UUID
    stranger_id: UUID
    book_ids: list[UUID]
    author_id: UUID
    prices: list[Decimal]

    def tidy(self) -> None:
        """Remove what a measurement wrote, so that each server meets the same tables."""
        asyncio.run(_execute(self.dsn, _TIDY, "VACUUM (ANALYZE) books", "CHECKPOINT"))

    def read(self, sql: str, *arguments: Any) -> Any:
        """The first row of a statement, for the checks."""
        return asyncio.run(_fetch_row(self.dsn, sql, *arguments))


def create_tables(dsn: str) -> None:
    """The tables of bookshop.sql, for runs in which Gatepost, which migrates by itself, takes no part."""
    execute_file(dsn, HERE / "bookshop.sql")


def execute_file(dsn: str, path: Path) -> None:
    """Run the statements of a file, all or none."""
    asyncio.run(_execute(dsn, path.read_text()))


@contextmanager
def bookshop(folder: Path, create: Callable[[str], None] = create_tables) -> Generator[Bookshop, None, None]:
    """Start PostgreSQL in `folder`, let `create` make the tables, fill them, and stop it at the end."""
    server = EmbeddedPostgreSQL(folder, settings=SETTINGS)
    dsn = server.start()
    try:
        assert server.pid is not None
        create(dsn)
        yield asyncio.run(_fill(dsn, server.pid))
    finally:
        server.stop()


async def _fill(dsn: str, pid: int) -> Bookshop:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute((HERE / "bookshop_rows.sql").read_text())
        for table in ("users", "authors", "books", "orders"):
            await connection.execute(f"VACUUM (ANALYZE, FREEZE) {table}")
        user = "INSERT INTO users (email, password_hash, roles) VALUES ($1, '!', $2) RETURNING id"
        rows = await connection.fetch("SELECT id, author_id FROM books ORDER BY md5(title) LIMIT $1", BOOKS_ASKED_FOR)
        return Bookshop(
            dsn=dsn,
            pid=pid,
            user_id=await connection.fetchval(user, "editor@example.com", ["editor"]),
            stranger_id=await connection.fetchval(user, "stranger@example.com", []),
            book_ids=[row["id"] for row in rows],
            author_id=rows[0]["author_id"],
            prices=[Decimal(10 + step * 90 // 64) for step in range(64)],
        )
    finally:
        await connection.close()


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch_row(dsn: str, sql: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchrow(sql, *arguments)
    finally:
        await connection.close()
