"""Made-up users of the users' model, on which policies are tried when the app is built.

Outside the request path. A sample has the form of the snapshots that requests have, and a value of the right type in
every attribute.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from msgspec import structs

from gatepost.accounts.snapshots import kept_names, snapshot_type
from gatepost.actor import ActorId
from gatepost.auth.authenticator import AnyAuthenticator, UserAuthenticator
from gatepost.models.entity import Attribute, Entity
from gatepost.models.sample_users import SampleUsers
from gatepost.models.shape import Form, plain_type

_KEYS: Mapping[type[Any], tuple[ActorId, ActorId]] = MappingProxyType(
    {UUID: (UUID(int=1), UUID(int=2)), int: (1, 2), str: ("1", "2")}
)

_VALUES: Mapping[Form, tuple[Any, Any]] = MappingProxyType(
    {
        Form.BOOLEAN: (True, False),
        Form.INTEGER: (1, 2),
        Form.FLOAT: (1.0, 2.0),
        Form.DECIMAL: (Decimal(1), Decimal(2)),
        Form.TEXT: ("text", "words"),
        Form.UUID: (UUID(int=1), UUID(int=2)),
        Form.DATE: (date(2000, 1, 1), date(2001, 1, 1)),
        Form.TIME: (time(12), time(13)),
        Form.TIMESTAMP: (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)),
        Form.INTERVAL: (timedelta(1), timedelta(2)),
        Form.BYTES: (b"bytes", b"octets"),
        Form.ARRAY: ((), ()),
    }
)
"""Two samples of each form: what differs with them is made of the actor."""

_UNKNOWN = object()
"""In place of a value of a type that no sample is known of."""


def sample_users(entity: Entity, authenticators: Sequence[AnyAuthenticator]) -> SampleUsers | None:
    """Samples of a users' model; None where its key is of a type that no user can have."""
    keys = _KEYS.get(entity.single_key.shape.python_type)
    if keys is None:
        return None
    if not any(isinstance(each, UserAuthenticator) for each in authenticators):
        # The authenticators make the users.
        return SampleUsers(keys[0], (), lambda _: _UNKNOWN, has_unknown=True, unknown=_UNKNOWN)
    first, other = (_samples(entity, key, number) for number, key in enumerate(keys))
    return structs.replace(first, other=other)


def _samples(entity: Entity, key: ActorId, number: int) -> SampleUsers:
    made = snapshot_type(entity)
    values = {name: _sample(entity.attributes[name], number) for name in kept_names(entity)}

    def make(without: Collection[str]) -> Any:
        return made(*(None if name in without else value for name, value in values.items()))

    nullable = tuple(name for name in values if entity.attributes[name].nullable)
    return SampleUsers(key, nullable, make, has_unknown=_UNKNOWN in values.values(), unknown=_UNKNOWN)


def _sample(attribute: Attribute, number: int) -> Any:
    shape, kind = attribute.shape, plain_type(attribute.column.type)
    if shape.is_decorated:
        return _UNKNOWN
    if shape.form is Form.ENUM:
        labels = list(kind.enum_class) if kind.enum_class is not None else list(kind.enums)
        return labels[number % len(labels)]
    return _VALUES.get(shape.form, (_UNKNOWN, _UNKNOWN))[number]
