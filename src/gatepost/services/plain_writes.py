"""Plain writes: those whose statement depends only on the view and on the names that are set, and how to fill it.

Most writes are: everybody may read every row, and the actor may write every row. Beside `derived.py`, which keeps the
plan of such a write the first time and then goes from the values to PostgreSQL without weighing anything anew.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.models.catalog import View
from gatepost.models.reads import KEY
from gatepost.models.writes import WritePlan, bind_name

PLAIN_MAX = 256
"""Plain writes kept per resource and verb."""


class PlainWrite(msgspec.Struct, frozen=True, gc=False):
    """A plan with the attributes whose values it takes, in the order of its parameters; None is the key."""

    plan: WritePlan
    takes: tuple[str | None, ...]

    def arguments(self, values: dict[str, Any], key: Any = None) -> list[Any]:
        """The positional arguments for these values."""
        return [key if name is None else values[name] for name in self.takes]


class PlainWrites:
    """The plain writes of one verb of one resource. `careful` names attributes that never are written plainly."""

    def __init__(self, careful: frozenset[str]) -> None:
        self._careful = careful
        self._kept: dict[tuple[View, tuple[str, ...]], PlainWrite] = {}
        self.find = self._kept.get

    def keep(self, view: View, names: Sequence[str], plan: WritePlan) -> None:
        """Keep a plan made for an actor who passes every rule, if it is plain."""
        is_ruled = view.ruled or not view.guarded.keys().isdisjoint(names)
        if is_ruled or not self._careful.isdisjoint(names) or len(self._kept) >= PLAIN_MAX:
            return
        places: dict[str, str | None] = {bind_name(name): name for name in names}
        places[KEY] = None
        binds = plan.statement.plain_names
        if binds is not None and places.keys() >= set(binds):
            self._kept[view, tuple(names)] = PlainWrite(plan, tuple(places[bind] for bind in binds))
