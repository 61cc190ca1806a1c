"""The fields of one resource that an actor sees and sets."""

from collections.abc import Mapping

import msgspec

from gatepost.declaring.policies import RowCondition


class View(msgspec.Struct, frozen=True, eq=False):
    """The fields that one kind of actor sees and sets. Equal decisions give the same object, so it can be a cache key.

    `names` are shown on every row, `ruled` on rows where their rule holds; a response has `shown`, which are both. Only
    `names` can be filtered and sorted by, because a filter on any other field would reveal hidden values. `creatable`
    and `updatable` can be set, those in `create_rules` and `update_rules` only on rows where their rule holds.

    `maybe_unknown` are the updatable or ruled fields that are not shown on every row: on a row where the actor neither
    sees nor may set one, a change that names it is refused as for an unknown field. `maybe_unknown_on_create` are the
    same for creations: fields that are shown on no row and that the new row may not set.
    """

    names: tuple[str, ...]
    ruled: Mapping[str, RowCondition]
    shown: tuple[str, ...]
    creatable: frozenset[str]
    updatable: frozenset[str]
    create_rules: Mapping[str, RowCondition]
    update_rules: Mapping[str, RowCondition]
    maybe_unknown: frozenset[str]
    maybe_unknown_on_create: frozenset[str]

    @property
    def readable(self) -> frozenset[str]:
        """The fields that this kind of actor sees on some rows at least."""
        return frozenset(self.names) | frozenset(self.ruled)


NO_FIELDS = View((), {}, (), frozenset(), frozenset(), {}, {}, frozenset(), frozenset())
"""The view of a request until its controller sets that of the actor."""
