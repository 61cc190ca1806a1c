"""What answers an actor whom a rule refuses: the same two answers at the front and behind it."""

from gatepost.actor import Actor
from gatepost.errors import Forbidden, Unauthorized


def access_denied(actor: Actor, detail: str = "You may not do this.") -> Forbidden | Unauthorized:
    """The refusal of a rule: 401 where signing in could help, else 403 with `detail`."""
    if actor.is_anonymous:
        return Unauthorized("not_signed_in", "Sign in to do this.")
    return Forbidden("forbidden", detail)
