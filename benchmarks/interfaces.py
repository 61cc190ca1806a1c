"""The kinds of interface that servers have: how each is checked, and what the works are in its language."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.conformance import Conformance
from benchmarks.database import Bookshop
from benchmarks.graphql_conformance import GraphQLConformance
from benchmarks.graphql_works import graphql_works
from benchmarks.works import Work, works


class Checks(Protocol):
    """The checks of one server."""

    def check(self) -> None:
        """Raise NotConforming at the first thing that is not as it must be."""


@dataclass(frozen=True)
class Interface:
    """`conformance` takes a port, the shop, an editor's token and that of a user without roles; `works` the shop and
    a token."""

    conformance: Callable[[int, Bookshop, str, str], Checks]
    works: Callable[[Bookshop, str], dict[str, Work]]


REST = Interface(Conformance, works)
GRAPHQL = Interface(GraphQLConformance, graphql_works)
