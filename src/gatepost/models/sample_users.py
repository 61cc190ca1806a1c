"""Made-up users for trying policies when the app is built: `accounts` makes them of the users' model."""

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from gatepost.actor import Actor, ActorId


class SampleUsers(msgspec.Struct, frozen=True):
    """Users of one model, as policies see them.

    `make` returns the snapshot of a user in which the given attributes are None; the others have a value of their
    type. `nullable` are those that can be None. With `has_unknown` no sample is known of some of the types, and
    `unknown` is in their place. `other` are samples with other values.
    """

    key: ActorId
    nullable: tuple[str, ...]
    make: Callable[[Collection[str]], Any]
    has_unknown: bool
    unknown: object = None
    other: "SampleUsers | None" = None

    def actor(self, roles: Collection[str] = (), without: Collection[str] = ()) -> Actor:
        """A signed-in user with these roles, in which the attributes `without` are None."""
        return Actor(self.key, frozenset(roles), user=self.make(without))
