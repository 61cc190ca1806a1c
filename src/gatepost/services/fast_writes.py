"""Fast writes: those whose statement depends only on the view and on the names that are set, and how to fill it.

Most writes are: every row may be read by all, and this actor may write every row. `compiled_verbs.py` keeps the plan
of such a write the first time; later ones go from the values to PostgreSQL without evaluating a policy again.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from gatepost.bounded_cache import BoundedCache
from gatepost.declaring.policies import RowCondition
from gatepost.models.candidates import bind_name
from gatepost.models.reads import KEY
from gatepost.models.writes import WritePlan
from gatepost.services.plans import Plans
from gatepost.view import View

FAST_WRITES_MAX = 256
"""Fast writes kept per resource and verb."""


class FastWrite(msgspec.Struct, frozen=True, gc=False):
    """A plan, and the function that picks its arguments from the values in the order of its parameters; the key comes
    last."""

    plan: WritePlan
    pick: Callable[[dict[str, Any]], Sequence[Any]]


class FastWrites:
    """The fast writes of one verb of one resource. `never_fast` names attributes that are never written this way.
    `last` are the binds behind the values: a statement that needs no key, because it finds no row, is not kept."""

    def __init__(self, plans: Plans, never_fast: frozenset[str], last: tuple[str, ...] = ()) -> None:
        self._never_fast = never_fast
        self._last = last
        self._kept = BoundedCache[tuple[View, tuple[str, ...]], FastWrite](FAST_WRITES_MAX)
        plans.clear_too(self._kept)
        self.find = self._kept.get

    def keep(self, view: View, names: Sequence[str], plan: WritePlan, rules: Mapping[str, RowCondition]) -> None:
        """Keep a plan that was made for an actor without row conditions, if it depends on nothing else of the request;
        `rules` are those of single fields."""
        is_ruled = view.ruled or not rules.keys().isdisjoint(names)
        if is_ruled or not self._never_fast.isdisjoint(names):
            return
        names_of = {bind_name(name): name for name in names}
        binds = [bind for bind in plan.statement.plain_names or () if bind != KEY]
        if plan.statement.plain_names == (*binds, *self._last) and names_of.keys() >= set(binds):
            self._kept[view, tuple(names)] = FastWrite(plan, _picker([names_of[bind] for bind in binds]))


def _picker(names: Sequence[str]) -> Callable[[dict[str, Any]], Sequence[Any]]:
    return itemgetter(*names) if len(names) > 1 else lambda values: [values[name] for name in names]
