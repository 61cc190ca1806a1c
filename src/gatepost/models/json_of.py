"""`JSONOf`: a JSONB column whose documents have the form of a class. The public interface re-exports it.

Python code sees instances of the class, PostgreSQL documents. Bodies are validated by `dtos/structured_json.py`, which
names every violation; here an instance becomes the document that is stored, and a stored document an instance again.
"""

import dataclasses
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

from gatepost.errors import ConfigurationError
from gatepost.exact_json import encode_bytes
from gatepost.pydantic_models import is_pydantic, pydantic_document

T = TypeVar("T")


class JSONOf(TypeDecorator[T], Generic[T]):
    """A JSONB column whose documents have the form of `kind`: a frozen `msgspec.Struct`, a frozen dataclass, a pydantic
    model, or a list of these.

    Assign new instances: a change inside one is not seen. A stored document that does not fit is loaded as it is,
    a dict.
    """

    impl = JSONB
    cache_ok = True

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        super().__init__(none_as_null=True)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> Any:
        """The document of an instance."""
        return None if value is None else document_of(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:
        """The instance of a document."""
        return None if value is None else instance_of(value, self.kind)

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Expressions on a path into the document compare as those of JSONB do."""
        return cast("Any", self.impl_instance).coerce_compared_value(op, value)  # type: ignore[no-any-return]


def check_frozen(kind: Any, location: str) -> None:
    """Raise `ConfigurationError` for a Struct or dataclass whose instances can change: a change would not be saved."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        is_frozen = kind.__struct_config__.frozen
    elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
        is_frozen = bool(cast("Any", kind).__dataclass_params__.frozen)
    else:
        return
    if not is_frozen:
        raise ConfigurationError(
            f"has documents of the form {kind.__name__}, whose instances can be changed, and such a change would not "
            "be saved.",
            location=location,
            hint=f"Declare {kind.__name__} with frozen=True.",
        )


def document_of(value: Any) -> Any:
    """The document that is stored for an instance. Raises `TypeError` for what JSON does not have."""
    return pydantic_document(value) if is_pydantic(value.__class__) else _to_builtins(value)


def instance_of(document: Any, kind: Any) -> Any:
    """The instance of a stored document; the document itself where it does not fit."""
    try:
        return convert(kind, document)
    except (ValueError, TypeError):  # msgspec's and pydantic's errors are ValueErrors; `__post_init__` may raise both
        return document


def convert(kind: Any, document: Any) -> Any:
    """The instance of a document. Raises the `ValueError` of msgspec or pydantic where it does not fit."""
    return _model(kind, document) if is_pydantic(kind) else msgspec.convert(document, kind, dec_hook=_model)


def _model(kind: Any, document: Any) -> Any:
    if not is_pydantic(kind):
        raise TypeError(f"{kind!r} has no form in JSON.")
    return kind.model_validate_json(encode_bytes(document))  # a strict model takes texts for dates from JSON alone


def _to_builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True, enc_hook=pydantic_document)
