"""The bookshop with an endpoint that counts a request of each of 2,000 operations, as if they had been served."""

import os

from examples.bookshop.app import Author, Book, Order

from gatepost import App, Controller, Resource, anyone, post
from gatepost.events import RequestFinished

OPERATIONS = 2_000


class Counting(Controller):
    @post("/count/{turn}", allow=anyone)
    async def count(self, turn: int) -> dict[str, int]:
        """Each turn takes a little longer, so that every value of the page changes."""
        for number in range(OPERATIONS):
            seconds = 0.001 * (1 + number % 90) + 1e-6 * turn
            operation = f"resource_{number}.list"
            app.events.emit(
                RequestFinished("id", "GET", "/", "/", operation, 200, seconds, 0.001, 0.0, 1, 100, None, None, None)
            )
        return {"pid": os.getpid()}


app = App(
    *(Resource(model, read=anyone) for model in (Author, Book, Order)),
    controllers=[Counting],
)
