"""A client of every identity, and books to act on."""

import secrets
from dataclasses import dataclass
from typing import Any

from endpoints_app import Folio, app

from gatepost.events import RequestFailed
from gatepost.testing import Client, TestApp

failures: list[RequestFailed] = []
"""What was behind the internal errors of the test that is running."""

app.events.subscribe(RequestFailed, failures.append)


@dataclass
class Library:
    """A running library."""

    anonymous: Client
    reader: Client
    editor: Client
    reader_id: Any

    def by(self, name: str) -> Client:
        """The client of an identity's name."""
        client: Client = getattr(self, name)
        return client

    async def book(self, **values: Any) -> Folio:
        """A book that no other test knows."""
        book = Folio(**{"isbn": secrets.token_hex(6), "title": "A book", "stock": 3, **values})
        async with app.transaction() as tx:
            tx.session.add(book)
        return book

    async def stock(self, book: Folio) -> int:
        """What is stored of a book."""
        async with app.transaction() as tx:
            return (await tx.session.get_one(Folio, book.id)).stock


async def library_of(running: TestApp) -> Library:
    """New users of every kind."""
    reader, reader_id = await running.user_and_id()
    return Library(running.anonymous, reader, await running.user("editor"), reader_id)
