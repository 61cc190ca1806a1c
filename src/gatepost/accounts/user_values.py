"""The values of a new user's own columns, for commands and tests: read, checked, and named where they are refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.dtos.scalars import compile_scalar
from gatepost.errors import ConfigurationError, Problem
from gatepost.hints import did_you_mean
from gatepost.models.entity import Attribute, Entity

OF_ACCOUNTS = frozenset({"email", "roles", "password_hash", "password_version"})
"""Set by the arguments of their own, or by no one."""


def split_values(assignments: Sequence[str]) -> dict[str, str]:
    """Values by name, of texts `name=value`. Raises `ConfigurationError` for another form and for a name twice."""
    values: dict[str, str] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not (name and separator):
            raise ConfigurationError(f"{assignment!r} sets nothing.", location="--set", hint="Write --set name=value.")
        if name in values:
            raise ConfigurationError(f"{name} is set twice.", location="--set")
        values[name] = value
    return values


def read_values(entity: Entity, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by attribute; a text is read in the form that it has in a query string, and the rest is taken as it
    is. Raises `ConfigurationError` for what is no column to be set, and for a text that its column cannot hold."""
    settable = {
        name: attribute
        for name, attribute in entity.attributes.items()
        if not (attribute.managed or attribute.is_expression) and name not in OF_ACCOUNTS
    }
    return {name: _read(entity, name, value, settable) for name, value in values.items()}


def refusal_of(entity: Entity, address: str, problem: Problem, user: Any) -> ConfigurationError:
    """What PostgreSQL refuses about a new user, by the names of the columns."""
    needed = [
        name for name, item in entity.attributes.items() if item.is_required and getattr(user, name, None) is None
    ]
    if needed and any(error.code == "not_nullable" for error in problem.errors):
        first = needed[0]
        return ConfigurationError(
            f"A user needs a value for {', '.join(needed)}.",
            location=entity.name,
            hint=f"Set it: `gatepost users create {address} --set {first}=...`, in tests `running.user({first}=...)`.",
        )
    places = "; ".join(f"{error.pointer.removeprefix('/')}: {error.detail}" for error in problem.errors)
    return ConfigurationError(f"refuses {address}: {places or problem.detail}", location=entity.name)


def _read(entity: Entity, name: str, value: Any, settable: Mapping[str, Attribute]) -> Any:
    attribute = settable.get(name)
    if attribute is None:
        reason = "is not set by hand" if name in entity.attributes else "is not a column of the model"
        hint = did_you_mean(name, settable).strip() or f"Columns that can be set: {', '.join(settable) or 'none'}."
        raise ConfigurationError(f"{name!r} {reason}.", location=entity.name, hint=hint)
    if not isinstance(value, str):
        return value
    try:
        return compile_scalar(attribute, stored=True)(value)
    except ValueError as error:
        raise ConfigurationError(f"{error}", location=f"{entity.name}.{name}") from None
