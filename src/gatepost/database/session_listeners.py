"""The application's listeners to events of sessions, and the class of a request's session, which runs them all.

An application registers a listener on `Session`, on a subclass or on a sessionmaker, for whatever it writes. The
session of a request is Gatepost's own, and runs them as well.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.orm import Session

from gatepost.database.guards import GuardedSession
from gatepost.database.listeners import Listener, listeners_of
from gatepost.errors import ConfigurationError

OF_STATEMENTS = ("do_orm_execute", "after_begin")
"""Events by which a listener changes what statements mean: it adds conditions to them, or sets what they depend on."""

_WITHOUT_ROWS = ("after_bulk_update", "after_bulk_delete", "after_transaction_create", "after_transaction_end")
"""Events that no change of a row causes."""


def session_listeners() -> list[Listener]:
    """The application's listeners to what happens to rows, whichever session class they are registered on.

    Raises `ConfigurationError` for one that changes what statements mean, because Gatepost's do not run in sessions.
    """
    found = [listener for name, kept in _kept() for listener in listeners_of(name, [kept])]
    for listener in found:
        if listener.event in OF_STATEMENTS:
            raise ConfigurationError(
                f"has a {listener}, and most of Gatepost's statements run outside of sessions: they would show and "
                "change rows as if it did not exist.",
                location="Session",
                hint="Write the condition that it adds as a policy: Resource(..., read=policy(...)). What it sets for "
                "a connection belongs to the role in the database, or to a service that uses self.session.",
            )
    return [listener for listener in found if listener.event not in _WITHOUT_ROWS]


def session_class() -> type[Session]:
    """`GuardedSession`, or a subclass of it with the listeners of the application's other session classes."""
    others = [
        (name, kept)
        for name, kept in _kept()
        if kept not in _kept_by(Session, name) and any(listeners_of(name, [kept]))
    ]
    if not others:
        return GuardedSession
    made = type("GuardedSession", (GuardedSession,), {})
    for name, kept in others:
        event.listen(made, name, kept, raw=True)  # SQLAlchemy has wrapped it already
    return made


def _kept() -> Iterator[tuple[str, Callable[..., Any]]]:
    """What SQLAlchemy keeps for each event, without repetition: a class keeps the listeners of its bases as well."""
    classes: list[type[Session]] = [Session]
    for cls in classes:
        classes += [each for each in cls.__subclasses__() if each not in classes and each is not GuardedSession]
    for name in cast("Any", Session).dispatch._event_names:
        for kept in dict.fromkeys(kept for cls in classes for kept in _kept_by(cls, name)):
            yield name, kept


def _kept_by(cls: type[Session], name: str) -> list[Callable[..., Any]]:
    return list(getattr(cast("Any", Session).dispatch, name)._clslevel.get(cls, ()))
