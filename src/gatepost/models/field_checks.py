"""Whether the rules of fields fit together, and fit the resource. Asked once, when the app is built.

Refuses fields that would be writable without a declaration that says so, and ones that no request could ever satisfy.
"""

from functools import partial
from typing import Any, cast

from sqlalchemy import inspect

from gatepost.actor import Actor, anonymous
from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import anyone, is_nobody, owners, role_names
from gatepost.declaring.resource import Field
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.base import FIELD, MANAGED
from gatepost.models.declared_values import check_value
from gatepost.models.entity import Attribute
from gatepost.models.served_model import DEFAULT_FIELD, ServedModel
from gatepost.sources import attribute_location, location_of


def check_field_rules(served: ServedModel, mistakes: Mistakes, *, is_filled: bool) -> None:
    """Keep as mistakes the rules that implicitly open a field, or close one that a creation requires.

    `is_filled` says that a service overrides the creation, and may set what a client does not send.
    """
    source = served.resource.source
    for name, unsupported in served.entity.unserved.items():
        with mistakes.check(partial(attribute_location, served.entity.model, name)):
            if not served.resource.fields.get(name, DEFAULT_FIELD).hidden:
                raise unsupported.error(f"{served.entity.name}.{name}")
    for name, field in served.resource.fields.items():
        attribute = served.entity.attributes.get(name)
        if attribute is not None and name not in served.entity.broken:
            for check in (_check_is_secret, _check_writing_is_said, _check_can_be_written):
                with mistakes.check(source):
                    check(served, attribute, field)
    if served.entity.key.is_composite:
        for attribute in served.entity.key.attributes:
            with mistakes.check(source):
                _check_key_is_shown(served, attribute)
    if served.is_possible("create"):
        sound = [item for name, item in served.entity.attributes.items() if name not in served.entity.broken]
        for attribute in sound:
            with mistakes.check(partial(attribute_location, served.entity.model, attribute.name)):
                _check_has_a_value(served, attribute, is_filled=is_filled)
                _check_default(served, attribute)
            with mistakes.check(source):
                if not is_filled:
                    _check_can_be_sent(served, attribute)
        with mistakes.check(partial(location_of, served.entity.model)):
            _check_columns_are_mapped(served)


def _check_is_secret(served: ServedModel, attribute: Attribute, field: Field) -> None:
    default = attribute.column.info.get(FIELD)
    if default is not None and default.hidden and not field.hidden:
        raise ConfigurationError(
            "holds the hashes of passwords, which are never on the wire.",
            location=_location(served, attribute),
            hint="Leave the Field out: the column is always hidden.",
        )


def _check_writing_is_said(served: ServedModel, attribute: Attribute, field: Field) -> None:
    if field.read is anyone:
        return
    if any(
        field.declared_policy(action) is None and served.is_open(attribute, action) for action in ("create", "update")
    ):
        who = repr(field.read)
        raise ConfigurationError(
            f"is shown to {who} alone, but can be written by every actor who may write the row.",
            location=_location(served, attribute),
            hint=f"Write Field(read={who}, write={who}), or Field(read={who}, write=anyone) to leave it open.",
        )


def _check_can_be_written(served: ServedModel, attribute: Attribute, field: Field) -> None:
    """A rule that opens what no request can write would have no effect."""
    said = [policy for policy in (field.write, field.create, field.update) if policy is not None]
    opened = field.write_once or any(not is_nobody(policy) for policy in said)
    if opened and attribute.managed:
        raise ConfigurationError(
            "is kept by the database, and set by no client.",
            location=_location(served, attribute),
            hint="Leave out write=, create=, update= and write_once=.",
        )
    if field.update is not None and not is_nobody(field.update) and attribute.primary_key:
        raise ConfigurationError(
            "is a key, which never changes.", location=_location(served, attribute), hint="Leave out update=."
        )


def _check_has_a_value(served: ServedModel, attribute: Attribute, *, is_filled: bool) -> None:
    """What requests never set needs a value from somewhere else; a service may fill it, except for the version."""
    column = attribute.column
    is_version = column is served.entity.version
    is_generated = column.computed is not None or column is getattr(column.table, "autoincrement_column", None)
    has_a_value = attribute.nullable or attribute.has_default or is_generated
    if _is_unversioned(served, column) and not (has_a_value or is_filled):
        raise ConfigurationError(
            "is the version_id_col, which clients never set, and nothing gives it a value.",
            location=f"{served.entity.name}.{attribute.name}",
            hint="Leave out version_id_generator=False, or write server_default=FetchedValue() if a trigger fills it.",
        )
    if (column.info.get(MANAGED) or is_version) and not has_a_value:
        if is_version:
            raise ConfigurationError(
                "is the version of its row, which clients never set, and has no first value.",
                location=f"{served.entity.name}.{attribute.name}",
                hint='Write server_default=text("1").',
            )
        if not is_filled:
            raise ConfigurationError(
                "is kept by the database, so that no request sets it, and nothing gives it a value.",
                location=f"{served.entity.name}.{attribute.name}",
                hint="Write server_default=FetchedValue() where a trigger fills it, else a default, or leave out the "
                'info "gatepost.managed".',
            )


def _check_default(served: ServedModel, attribute: Attribute) -> None:
    default: Any = attribute.column.default
    if default is None or not default.is_scalar:
        return
    try:
        check_value(default.arg, attribute.shape)
    except ValueError as error:
        raise ConfigurationError(
            f"has a default {default.arg!r} that the column cannot hold: {error}",
            location=f"{served.entity.name}.{attribute.name}",
            hint="Write a value of the type that the column has in Python.",
        ) from None


def _is_unversioned(served: ServedModel, column: Any) -> bool:
    """Whether the mapper compares the column with every change, and leaves it to others to set it."""
    mapper = cast("Any", inspect(served.entity.model))
    return bool(column is mapper.version_id_col and mapper.version_id_generator is False)


def _check_columns_are_mapped(served: ServedModel) -> None:
    mapped: set[Any] = {*cast("Any", inspect(served.entity.model)).columns}
    for column in served.entity.table.columns:
        has_value = column.nullable or any(
            value is not None for value in (column.default, column.server_default, column.identity, column.computed)
        )
        if column not in mapped and not has_value:
            raise ConfigurationError(
                f"no attribute maps the column {column.name!r}, which needs a value: no row can be created.",
                location=served.entity.name,
                hint="Map it, give it a server_default, or let it be NULL, as a column of a subclass has to be; or "
                "open neither create= nor write=.",
            )


def _check_can_be_sent(served: ServedModel, attribute: Attribute) -> None:
    """A required field that an actor may not set would refuse every creation: 422 with the field and 422 without it."""
    if not attribute.is_required or served.is_in_path(attribute.name):
        return
    create = served.resource.policies["create"]
    rule = served.rules[attribute.name].create
    is_owner = attribute.name in owners(create)  # filled with the key of the actor, if the actor has one
    members = served.bodies.get("create")
    if members is not None and attribute.name in served.required and attribute.name not in members:
        raise ConfigurationError(
            f"is required, and the DTO of creates= has no member {attribute.name!r}.",
            location=_location(served, attribute),
            hint="Add the member, give the column a default, or fill it in before_create of a service.",
        )
    for actor in [anonymous] if is_owner else actors_of_every_kind(role_names(create) | role_names(rule)):
        if create.decide(actor) is not False and rule.decide(actor) is False:
            raise ConfigurationError(
                f"is required, and {_who(actor)} may create rows but not set it.",
                location=_location(served, attribute),
                hint="Let every actor who creates rows set it (Field(create=...)), give the column a default "
                "(server_default=FetchedValue() where a trigger fills it), or fill it in before_create of a service.",
            )


def _check_key_is_shown(served: ServedModel, attribute: Attribute) -> None:
    """The columns of a composite key say what the row is about. By paths, a hidden one could be guessed."""
    get, read = served.resource.policies["get"], served.rules[attribute.name].read
    for actor in actors_of_every_kind(role_names(get) | role_names(read)):
        allowed = get.decide(actor)
        if allowed is not False and read.decide(actor) not in (True, allowed):
            raise ConfigurationError(
                f"is a part of the key, and {_who(actor)} may get rows by it without seeing it.",
                location=_location(served, attribute),
                hint="Close get= to those who do not see the whole key, or show it to them.",
            )


def _who(actor: Actor) -> str:
    if actor.is_anonymous:
        return "an anonymous client"
    return f"a user with {', '.join(sorted(actor.roles))}" if actor.roles else "a user without roles"


def _location(served: ServedModel, attribute: Attribute) -> str:
    return f"Resource({served.entity.name}, fields[{attribute.name!r}])"
