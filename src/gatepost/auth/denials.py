"""The refusal of an actor by a policy: the same 401 or 403 from the routes and from the services."""

from gatepost.actor import Actor
from gatepost.errors import Forbidden, Unauthorized


def access_denied(actor: Actor, detail: str = "You may not do this.") -> Forbidden | Unauthorized:
    """The error to raise where a policy refuses: 401 where signing in could help, otherwise 403 with `detail`."""
    if actor.is_anonymous:
        return Unauthorized("not_signed_in", "Sign in to do this.")
    return Forbidden("forbidden", detail)
