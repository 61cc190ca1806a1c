"""The kinds of actors that policies tell apart by their roles: one actor of each, to try declarations with."""

from collections.abc import Collection, Iterator
from itertools import chain, combinations

from gatepost.actor import Actor, ActorId, anonymous

ROLES_MAX = 6
"""Up to this number of roles every combination is tried; beyond it, each role alone and all together."""


def actors_of_every_kind(roles: Collection[str], key: ActorId = 0) -> Iterator[Actor]:
    """The anonymous actor, and a user for every combination of these roles."""
    yield anonymous
    sizes = range(len(roles) + 1) if len(roles) <= ROLES_MAX else (0, 1, len(roles))
    for some in chain.from_iterable(combinations(sorted(roles), size) for size in sizes):
        yield Actor(key, frozenset(some))
