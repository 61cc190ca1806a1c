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

from gatepost.accounts.snapshots import kept_names, snapshot_type
from gatepost.actor import ActorId
from gatepost.auth.authenticator import AnyAuthenticator, UserAuthenticator
from gatepost.models.entity import Attribute, Entity
from gatepost.models.sample_users import SampleUsers
from gatepost.models.shape import Form, plain_type

_KEYS: Mapping[type[Any], ActorId] = MappingProxyType({UUID: UUID(int=1), int: 1, str: "1"})

_VALUES: Mapping[Form, Any] = MappingProxyType(
    {
        Form.BOOLEAN: True,
        Form.INTEGER: 1,
        Form.FLOAT: 1.0,
        Form.DECIMAL: Decimal(1),
        Form.TEXT: "text",
        Form.UUID: UUID(int=1),
        Form.DATE: date(2000, 1, 1),
        Form.TIME: time(12),
        Form.INTERVAL: timedelta(1),
        Form.BYTES: b"bytes",
        Form.ARRAY: (),
    }
)

_UNKNOWN = object()
"""In place of a value of a type that no sample is known of."""


def sample_users(entity: Entity, authenticators: Sequence[AnyAuthenticator]) -> SampleUsers | None:
    """Samples of a users' model; None where its key is of a type that no user can have."""
    key = _KEYS.get(entity.single_key.shape.python_type)
    if key is None:
        return None
    if not any(isinstance(each, UserAuthenticator) for each in authenticators):
        return SampleUsers(key, (), lambda _: _UNKNOWN, has_unknown=True)  # the authenticators make the users
    made = snapshot_type(entity)
    values = {name: _sample(entity.attributes[name]) for name in kept_names(entity)}

    def make(without: Collection[str]) -> Any:
        return made(*(None if name in without else value for name, value in values.items()))

    nullable = tuple(name for name in values if entity.attributes[name].nullable)
    return SampleUsers(key, nullable, make, has_unknown=_UNKNOWN in values.values())


def _sample(attribute: Attribute) -> Any:
    shape, kind = attribute.shape, plain_type(attribute.column.type)
    if shape.is_decorated:
        return _UNKNOWN
    if shape.form is Form.TIMESTAMP:
        return datetime(2000, 1, 1, tzinfo=UTC)
    if shape.form is Form.ENUM:
        return next(iter(kind.enum_class)) if kind.enum_class is not None else kind.enums[0]
    return _VALUES.get(shape.form, _UNKNOWN)
