"""How the signature of an endpoint says where a parameter comes from, beyond its type: markers for `Annotated`."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias, TypeVar

T = TypeVar("T")


class Lock:
    """Marks a row of the path that is locked: see `Locked`."""


Locked: TypeAlias = Annotated[T, Lock]
"""A row of the path, locked until the transaction ends (`FOR UPDATE`): `book: Locked[Book]`."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the request: `signature: Annotated[str, Header("x-signature")]`. Without a name it is that of the
    parameter, with hyphens."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of the request: `theme: Annotated[str | None, Cookie()] = None`."""

    name: str | None = None


class Query:
    """Marks a class whose members are query parameters: `search: Annotated[Search, Query]`."""


@dataclass(frozen=True, slots=True)
class RawBody:
    """The bytes of the body as they were sent, at most `bytes_max`, of any content type: for signed webhooks."""

    bytes_max: int
