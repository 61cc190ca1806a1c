"""What a resource asks of its service class, which belongs to a layer below."""

from typing import Protocol, TypeVar

from gatepost.actor import Actor

M = TypeVar("M")


class RowService(Protocol[M]):
    """A service over the rows of one model: a subclass of `Service[Model]`, as the app checks when it is built.
    Type checkers find one of another model by this verb."""

    async def create(self, draft: M, actor: Actor, /) -> M:
        """Create a row."""
        ...
