"""What a controller calls: the five verbs of one resource, compiled or through a service, and what they return."""

from typing import Any, Protocol

import msgspec

from gatepost.call import Call
from gatepost.models.conditions import Below
from gatepost.models.list_query import ListQuery
from gatepost.models.selections import Expansion

Versions = tuple[str, ...] | None
"""The versions that `If-Match` accepts, one of which the row must have; None accepts any."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row as the actor sees it: `data` is its JSON, `tag` the text of its entity tag, None where it is expanded.

    `data` is empty where the actor may create or change the row, but not read it.
    """

    data: str
    tag: str | None
    key: Any


class RowPage(msgspec.Struct, frozen=True, gc=False):
    """A page of rows: `rows` is their JSON, joined. `first` and `last` are the order values of its first and last row,
    as PostgreSQL's texts, None on an empty page; `more` says whether further rows follow in the direction of
    reading; `count` is how many it has. `total` is how many rows there are altogether, where that was asked for: of
    more than `TOTAL_MAX` one more than that."""

    rows: str
    first: tuple[str | None, ...] | None
    last: tuple[str | None, ...] | None
    more: bool
    count: int = 0
    total: int | None = None


class ChangeSet(msgspec.Struct, frozen=True, gc=False):
    """What a body asks to change: `values` by attribute, the values it sends for read-only fields, and the names of
    those that it sends `unchanged`, as the row shows them, which are not written."""

    values: dict[str, Any]
    read_only_values: dict[str, Any]
    unchanged: frozenset[str] = frozenset()


class UnseenFields(Exception):
    """A body names fields that the actor neither sees on this row nor may write there: for this actor they do not
    exist."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(sorted(names))
        self.names = names


class Verbs(Protocol):
    """The five verbs. Keys arrive parsed and bodies validated, and the call has its view; every policy is enforced
    here, below the controllers."""

    async def get(self, call: Call, key: Any, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]) -> Row:
        """One row. Raises `NotFound`, also where the actor may not read it."""
        ...

    async def list(self, call: Call, query: ListQuery) -> RowPage:
        """A page of the rows that the actor may read."""
        ...

    async def key_above(self, above: Below) -> Any:
        """What the foreign key of rows below this one holds. Raises `NotFound`, also where the actor may not read
        it."""
        ...

    async def create(self, call: Call, values: dict[str, Any]) -> Row:
        """Insert. Raises `Forbidden`, `Conflict`, `Unprocessable` (references, constraints)."""
        ...

    async def update(self, call: Call, key: Any, changes: ChangeSet, versions: Versions) -> Row:
        """Change. Raises `NotFound`, `Forbidden`, `PreconditionFailed`, `Conflict`, `Unprocessable`, `UnseenFields`."""
        ...

    async def unseen(self, call: Call, key: Any, names: frozenset[str]) -> frozenset[str]:
        """Those of `names` that the actor neither sees on the row nor may write there; none where the actor cannot read
        the row."""
        ...

    async def shown(self, call: Call, key: Any, names: tuple[str, ...]) -> str:
        """The JSON of these fields as the row shows them to the actor: an object that is empty where it is hidden.
        `names` are among those that the view shows."""
        ...

    async def delete(self, call: Call, key: Any, versions: Versions) -> None:
        """Delete. Raises `NotFound`, `Forbidden`, `PreconditionFailed`, `Conflict`."""
        ...
