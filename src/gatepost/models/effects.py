"""Whether what a resource declares has an effect. Asked once, when the app is built.

A declaration without an effect misleads its readers: a filter that is refused to every client, a limit of an action
that nobody may do. `declared_fields.py` says whether the type of a field suits `sort=`, `filter=` and `search=`. A
resource that opens nothing is not a mistake: services and `app.transaction` use it.
"""

from collections.abc import Collection, Iterator
from typing import Any

from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import is_nobody, role_names
from gatepost.declaring.resource import ACTIONS
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.document_paths import field_of
from gatepost.models.served_model import ServedModel
from gatepost.models.visibility import hidden_from

Problem = tuple[str, str, str]
"""The argument, what is wrong, and what to write."""


def check_effects(served: ServedModel, others: Collection[ServedModel], mistakes: Mistakes) -> None:
    """Keep as mistakes the arguments of a resource that can have no effect. `others` are all served models."""
    if not served.resource.has_policies:
        return
    is_target = any(target is served for item in others for _, target in item.relations.values())
    for problems in (_of_lists(served, is_target=is_target), _of_fields(served), _of_writes(served), _of_paths(served)):
        for argument, problem, hint in problems:
            location = f"Resource({served.entity.name}, {argument}=...)"
            mistakes.add(ConfigurationError(problem, location=location, hint=hint), served.resource.source)


def _of_lists(served: ServedModel, *, is_target: bool) -> Iterator[Problem]:
    for term in served.resource.order:
        name = term.removeprefix("-")
        who = hidden_from(served, name, "list", on_every_row=True) if name in served.rules else None
        if who is not None:
            yield (
                "order",
                f"names {name!r}, which is hidden from {who} who may list: the order would reveal it.",
                "Order by a field that is shown to everybody who may list.",
            )
    if not _is_open(served, "list"):
        if served.resource.order:
            yield "order", "has no effect: nobody may list the rows.", "Open list=, or leave it out."
        for argument in ("sort",) if is_target else ("sort", "filter", "search"):
            if getattr(served.resource, argument):
                yield argument, "has no effect: nobody may list the rows.", "Open list=, or leave it out."


def _of_fields(served: ServedModel) -> Iterator[Problem]:
    for argument in ("sort", "filter", "search"):
        for name in getattr(served.resource, argument):
            rules = served.rules.get(field_of(name))
            if rules is None or any(
                rules.read.decide(actor) is True for actor in actors_of_every_kind(role_names(rules.read))
            ):
                continue
            shown = "hidden" if is_nobody(rules.read) else f"shown to {rules.read!r} alone, which depends on the row"
            yield (
                argument,
                f"names {name!r} without an effect: the field is {shown}, and clients sort, filter and search only by "
                "fields that they see on every row.",
                f"Leave it out of {argument}=, or show the field to everybody or to a role: Field(read=role(...)).",
            )


def _of_writes(served: ServedModel) -> Iterator[Problem]:
    resource = served.resource
    if resource.controller is None and not (_is_open(served, "create") or _is_open(served, "update")):
        for argument in ("body_bytes_max", "json_depth_max", "json_items_max"):
            if getattr(resource, argument) is not None:
                yield argument, "has no effect: nobody may send a body.", "Open create= or update=, or leave it out."
    if resource.require_if_match and not (_is_open(served, "update") or _is_open(served, "delete")):
        yield "require_if_match", "has no effect: nobody may change a row.", "Open update= or delete=, or leave it out."


def _of_paths(served: ServedModel) -> Iterator[Problem]:
    resource = served.resource
    for action in resource.rate_limits:
        if action is not None and not _is_open(served, action):
            hint = f"Open {action}=, or leave it out."
            yield "rate_limit", f"has no effect on {action}: nobody may do it.", hint
    for action in resource.raises if len(resource.raises) < len(ACTIONS) else ():
        if not _is_open(served, action):
            yield "raises", f"has no effect on {action}: nobody may do it.", f"Open {action}=, or leave it out."
    if resource.controller is not None:
        return  # whose endpoints have them
    given: dict[str, Any] = {
        "headers": resource.headers,
        "cors": resource.cors,
        "path": resource.path,
        "rate_limit": resource.rate_limits.get(None),
    }
    problem, hint = "", ""
    if not any(_is_open(served, action) for action in resource.policies):
        problem, hint = "has no effect: the resource opens nothing.", "Open it with read= or write=."
    elif not resource.routes:
        problem, hint = "has no effect: routes=False leaves no endpoint.", "Leave out this argument, or routes=False."
        given |= {
            "key": resource.key,
            "order": resource.order,
            "under": resource.under,
            "name": resource.name,
            "rate_limit": resource.rate_limits,
            "body_bytes_max": resource.body_bytes_max,
            "json_depth_max": resource.json_depth_max,
            "json_items_max": resource.json_items_max,
            "require_if_match": resource.require_if_match,
        }
    for argument, value in given.items():
        if value and problem:
            yield argument, problem, hint


def _is_open(served: ServedModel, action: str) -> bool:
    return not is_nobody(served.resource.policies[action])
