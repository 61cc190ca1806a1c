"""`Partial`: the body of a change, as a parameter of an own endpoint. The public interface re-exports it."""

from typing import Any, Generic, TypeVar, cast

from gatepost.declaring.dto import DTO
from gatepost.services.changes import Changes

M_co = TypeVar("M_co", covariant=True)
N = TypeVar("N")


class Partial(Generic[M_co]):
    """What was sent of a DTO: `body: Partial[ArticleBody]`. Nothing is required, and what is absent stays as it is."""

    def __init__(self, changes: Changes[Any]) -> None:
        self._changes = changes

    @property
    def changes(self: "Partial[DTO[N]]") -> Changes[N]:
        """What changes of the row, for `update` of its service."""
        return cast("Changes[N]", self._changes)

    def __repr__(self) -> str:
        return f"Partial({self._changes!r})"
