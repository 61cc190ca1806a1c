"""Fills an empty bookshop: authors, books, demo users and orders, in one transaction, so that it is all or nothing.

Run by `run.py` at every start; it asks one question where the shop is full already. Rows go in by COPY, which knows no
policies and no services: this is the shop's owner, stocking the shelves.
"""

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from examples.bookshop.accounts import CUSTOMERS, EDITOR, PASSWORD
from gatepost.accounts.passwords import Passwords

AUTHORS = 2_000
BOOKS = 100_000
ORDERS = 500
SEED = 20_240_229
_FIRST_MILLISECOND = 1_700_000_000_000
_LOCK = 7_462_910_385

COLUMNS = {
    "authors": ("id", "name"),
    "books": ("id", "title", "price", "stock", "author_id"),
    "users": ("id", "email", "password_hash", "roles"),
    "orders": ("id", "book_id", "quantity", "buyer_id"),
}

Count = Callable[[], None]
Row = tuple[Any, ...]


async def seed(dsn: str, *, authors: int = AUTHORS, books: int = BOOKS, orders: int = ORDERS) -> bool:
    """Fill the shop unless it is full; True when it was filled now. The tables have to be there."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM books)"):
            return False
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await connection.fetchval("SELECT EXISTS (SELECT FROM books)"):
                return False
            await _fill(connection, authors, books, orders)
        await connection.execute("VACUUM (ANALYZE) authors, books, orders, users")
    finally:
        await connection.close()
    return True


async def _fill(connection: "asyncpg.Connection[asyncpg.Record]", authors: int, books: int, orders: int) -> None:
    from examples.bookshop.titles import author_names, price, title

    random = Random(SEED)  # noqa: S311 - a catalogue, not a secret
    keys = _keys(random)
    columns = TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        names = [(next(keys), name) for name in author_names(random, authors)]
        await _copy(connection, progress, "authors", names, authors)
        shelf = [next(keys) for _ in range(books)]
        catalogue = (
            (key, title(random), price(random), _stock(random), names[random.randrange(authors)][0]) for key in shelf
        )
        await _copy(connection, progress, "books", catalogue, books)
        users = await _users(keys)
        await _copy(connection, progress, "users", users, len(users))
        buyers = [user[0] for user in users[1:]]
        bought = (
            (next(keys), random.choice(shelf), random.randint(1, 3), random.choice(buyers)) for _ in range(orders)
        )
        await _copy(connection, progress, "orders", bought, orders)


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]", progress: Progress, table: str, rows: Iterable[Row], total: int
) -> None:
    task = progress.add_task(table, total=total)

    def counted() -> Iterator[Row]:
        for number, row in enumerate(rows, 1):
            if number % 500 == 0:
                progress.update(task, completed=number)
            yield row

    await connection.copy_records_to_table(table, records=counted(), columns=COLUMNS[table])
    progress.update(task, completed=total)


async def _users(keys: Iterator[UUID]) -> list[Row]:
    passwords = Passwords(threads=2)
    try:
        people = [(EDITOR, ["editor", "console.write"]), *((email, list[str]()) for email in CUSTOMERS)]
        return [(next(keys), email, await passwords.hash(PASSWORD), roles) for email, roles in people]
    finally:
        passwords.close()


def _keys(random: Random) -> Iterator[UUID]:
    """UUIDs of version 7 (RFC 9562), ascending, the same ones at every run."""
    moment = _FIRST_MILLISECOND
    while True:
        moment += 1
        yield UUID(int=moment << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62))


def _stock(random: Random) -> int:
    return 0 if random.random() < 0.05 else random.randint(1, 60)
