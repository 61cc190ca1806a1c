"""Whether a field is shown to all who may do an action. Asked once, when the app is built."""

from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import role_names
from gatepost.models.served_model import ServedModel


def hidden_from(served: ServedModel, name: str, action: str, *, on_every_row: bool = False) -> str | None:
    """Who may do the action without seeing the field on the rows that it is about; None where nobody may. With
    `on_every_row` a field counts as hidden where it is shown on some rows only."""
    policy, read = served.resource.policies[action], served.rules[name].read
    for actor in actors_of_every_kind(role_names(policy) | role_names(read)):
        allowed = policy.decide(actor)
        shown = read.decide(actor)
        if allowed is not False and not (shown is True or (shown == allowed and not on_every_row)):
            return "anonymous clients" if actor.is_anonymous else "some users"
    return None
