"""Values of the actor in expressions: what `actor_id` and `actor_column(...)` stand for."""

from typing import Any

from gatepost.actor import Actor

ACTOR = "actor."
"""Begins the sources of these values."""

_ID = "actor.id"
_USER = "actor.user."


def actor_value(source: str, actor: Actor) -> Any:
    """The value of a source for an actor: None for the anonymous, and for an actor without a user."""
    if source == _ID:
        return actor.id
    return getattr(actor.user, source.removeprefix(_USER), None)
