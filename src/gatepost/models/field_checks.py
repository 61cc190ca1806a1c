"""Whether the rules of fields fit together, and fit the resource. Asked once, when the app is built.

Refuses fields that would be writable without a declaration that says so, and ones that no request could ever satisfy.
"""

from gatepost.actor import Actor
from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import anyone, role_names
from gatepost.declaring.resource import Field
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.base import FIELD
from gatepost.models.catalog import DEFAULT_FIELD, ServedModel
from gatepost.models.entity import Attribute


def check_field_rules(served: ServedModel, mistakes: Mistakes, *, is_filled: bool) -> None:
    """Keep as mistakes the rules that implicitly open a field, or close one that a creation requires.

    `is_filled` says that a service overrides the creation, and may set what a client does not send.
    """
    source = served.resource.source
    for name, unsupported in served.entity.unserved.items():
        with mistakes.check(source):
            if not served.resource.fields.get(name, DEFAULT_FIELD).hidden:
                raise unsupported.error(f"{served.entity.name}.{name}")
    for name, field in served.resource.fields.items():
        attribute = served.entity.attributes.get(name)
        if attribute is not None:
            for check in (_check_is_secret, _check_writing_is_said):
                with mistakes.check(source):
                    check(served, attribute, field)
    version = served.entity.version
    if version is not None and version.default is None and version.server_default is None and not version.nullable:
        mistake = ConfigurationError(
            "is the version of its row, which clients never set, and has no first value.",
            location=f"{served.entity.name}.{version.key}",
            hint='Write server_default=text("1").',
        )
        mistakes.add(mistake, source)
    if served.entity.key.is_composite:
        for attribute in served.entity.key.attributes:
            with mistakes.check(source):
                _check_key_is_shown(served, attribute)
    if not is_filled:
        for attribute in served.entity.attributes.values():
            with mistakes.check(source):
                _check_can_be_sent(served, attribute)


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


def _check_can_be_sent(served: ServedModel, attribute: Attribute) -> None:
    """A required field that an actor may not set would refuse every creation: 422 with the field and 422 without it."""
    if attribute.name not in served.required:
        return
    create = served.resource.policies["create"]
    rule = served.rules[attribute.name].create
    for actor in actors_of_every_kind(role_names(create) | role_names(rule)):
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
