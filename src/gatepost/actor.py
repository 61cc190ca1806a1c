"""The actor: who a request, a command or a test acts as. Made by authentication, read by policies and services."""

from typing import Any
from uuid import UUID

from gatepost.errors import Unauthorized

ActorId = UUID | int | str


class Actor:
    """Who is acting.

    `id` is the user's primary key (None for the anonymous and the system actor), `roles` the user's roles as they
    are in the database, `user` a read-only snapshot of the user's row, `key` the id as a text, by which limits are
    counted. The system actor passes every policy.
    """

    __slots__ = ("id", "is_system", "key", "roles", "user")

    def __init__(
        self,
        id: ActorId | None = None,
        roles: frozenset[str] = frozenset(),
        *,
        user: Any = None,
        is_system: bool = False,
    ) -> None:
        self.id = id
        self.key = "" if id is None else str(id)
        self.roles = roles
        self.user = user
        self.is_system = is_system

    @property
    def is_anonymous(self) -> bool:
        """True where no user is signed in."""
        return self.id is None and not self.is_system

    def require_id(self) -> Any:
        """The actor's id. Raises `Unauthorized` where no user is signed in, and `TypeError` for the system actor, which
        is no user."""
        if self.is_system:
            raise TypeError("the system actor has no id: act as a user, Actor(user.id).")
        if self.id is None:
            raise not_signed_in()
        return self.id

    def __repr__(self) -> str:
        if self.is_system:
            return "Actor(system)"
        return f"Actor({self.id!s}, roles={sorted(self.roles)})" if self.id is not None else "Actor(anonymous)"


def not_signed_in() -> Unauthorized:
    """The refusal of what only a signed-in user may do."""
    return Unauthorized("not_signed_in", "Sign in to do this.")


anonymous = Actor()
"""The actor of a request without a token."""

system = Actor(is_system=True)
"""Gatepost itself: seeds, commands, scheduled work. Never made from a request."""
