"""The refusal of an actor by a policy: the same 401 or 403 from the routes and from the services."""

from collections.abc import Iterable

from gatepost.actor import Actor, not_signed_in
from gatepost.errors import FieldError, Forbidden, Unauthorized


def access_denied(
    actor: Actor, detail: str = "You may not do this.", fields: Iterable[str] = ()
) -> Forbidden | Unauthorized:
    """The error to raise where a policy refuses: 401 where signing in could help, otherwise 403 with `detail`. It names
    the `fields` whose own rules refuse; the actor has to know of them anyway."""
    if actor.is_anonymous:
        return not_signed_in()
    errors = [FieldError(f"/{name}", "read_only", "You may not set this field on this row.") for name in sorted(fields)]
    return Forbidden("forbidden", detail, errors=errors)
