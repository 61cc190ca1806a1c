"""What a controller calls: the five verbs of one resource, whoever answers them, and what they return."""

from typing import Any, Protocol

import msgspec

from gatepost.actor import Actor
from gatepost.models.catalog import View
from gatepost.models.reads import Expansion, ListQuery

Versions = tuple[str, ...] | None
"""The versions of which a row must have one (`If-Match`); None where any will do."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row as it is shown: `data` is its JSON, `version` is its entity tag's text.

    `data` is empty where the actor may create or change the row, but not read it.
    """

    data: str
    version: str
    key: Any


class RowPage(msgspec.Struct, frozen=True, gc=False):
    """A page of rows: `rows` is their JSON, joined. `first` and `last` are the positions of its ends, where it has
    rows; `more` tells whether rows follow in the direction of reading."""

    rows: str
    first: tuple[Any, ...] | None
    last: tuple[Any, ...] | None
    more: bool


class ChangeSet(msgspec.Struct, frozen=True, gc=False):
    """What a body asks to be written: `values` by attribute, and the read-only fields it repeats."""

    values: dict[str, Any]
    read_only_values: dict[str, Any]


class UnseenFields(Exception):
    """A body names fields that the actor neither sees on this row nor may write there: they do not exist for him."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(sorted(names))
        self.names = names


class Verbs(Protocol):
    """The five verbs. Keys are parsed, bodies validated; every policy is weighed below this line."""

    async def get(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> Row:
        """One row. Raises `NotFound`, also where the actor may not read it."""
        ...

    async def list(self, query: ListQuery, actor: Actor, view: View) -> RowPage:
        """A page of the rows that the actor may read."""
        ...

    async def create(self, values: dict[str, Any], actor: Actor, view: View) -> Row:
        """Insert. Raises `Forbidden`, `Conflict`, `Unprocessable` (references, constraints)."""
        ...

    async def update(self, key: Any, changes: ChangeSet, actor: Actor, view: View, versions: Versions) -> Row:
        """Change. Raises `NotFound`, `Forbidden`, `PreconditionFailed`, `Conflict`, `Unprocessable`, `UnseenFields`."""
        ...

    async def unseen(self, key: Any, names: frozenset[str], actor: Actor, view: View) -> frozenset[str]:
        """Those of `names` that the actor neither sees on the row nor may write there; none where he cannot read it."""
        ...

    async def delete(self, key: Any, actor: Actor, versions: Versions) -> None:
        """Delete. Raises `NotFound`, `Forbidden`, `PreconditionFailed`, `Conflict`."""
        ...
