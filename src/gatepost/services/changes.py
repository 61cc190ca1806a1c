"""`Changes`: what is about to change of a row, by name or by attribute. Services read it, the unit of work applies
it."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any, Generic, TypeVar, cast, overload

import sqlalchemy
from sqlalchemy.orm import InstrumentedAttribute, QueryableAttribute
from sqlalchemy.orm.attributes import flag_modified

from gatepost.exact_json import is_same_document
from gatepost.hints import did_you_mean
from gatepost.models.json_of import JSONOf

M = TypeVar("M")
N = TypeVar("N")
T = TypeVar("T")

_IN_JSON = (dict, list, bool, int, float)


class Changes(Mapping[str, Any], Generic[M]):
    """What changes of a row: attributes and new values. Read-only; `apply` sets them.

    It is made from and read by names (`changes["stock"]`) and attributes (`changes[Book.stock]`, which type checkers
    know the type of), and iterates over names. Raises `TypeError` for an attribute of another model, and for a name
    that the model does not have: at once where `model` is given, else in `apply`.
    """

    def __init__(self, values: Mapping[Any, Any], /, *, model: type[M] | None = None) -> None:
        self._model = model if model is not None else _model_of(values)
        self._values = {self._name(key): value for key, value in values.items()}
        if len(self._values) < len(values):
            raise TypeError("the same attribute is changed twice, by its name and by itself.")
        self._is_checked = model is not None
        self.asked: frozenset[str] = frozenset()
        if model is not None:
            _check_attributes(model, self._values)

    @overload
    def __getitem__(self, name: str) -> Any: ...
    @overload
    def __getitem__(self, name: InstrumentedAttribute[T]) -> T: ...
    def __getitem__(self, name: Any) -> Any:
        return self._values[self._name(name)]

    @overload
    def get(self, name: InstrumentedAttribute[T], default: N) -> T | N: ...
    @overload
    def get(self, name: InstrumentedAttribute[T]) -> T | None: ...
    @overload
    def get(self, name: str, default: Any = None) -> Any: ...
    def get(self, name: Any, default: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The new value of an attribute; `default` where it does not change."""
        return self._values.get(self._name(name), default)

    def __contains__(self, name: object) -> bool:
        return self._name(name) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Changes({self._values!r})"

    def replace(self, **values: Any) -> "Changes[M]":
        """The same changes, but for these values."""
        if self._is_checked:
            _check_attributes(cast("type[Any]", self._model), values)
        changed = copy(self)
        changed._values = {**self._values, **values}
        return changed

    def asked_for(self) -> "Changes[M]":
        """The same changes, all of which a request asks for: the rules of fields hold for them (`asked`)."""
        changed = copy(self)
        changed.asked = frozenset(self._values)
        return changed

    def apply(self, row: M) -> None:
        """Set every changed attribute on the row."""
        if self._model is not None and not _are_related(self._model, type(row)):
            raise TypeError(f"these are changes of {self._model.__name__}, not of {type(row).__name__}.")
        _check_attributes(type(row), self._values)
        for name, value in self._values.items():
            before = cast("Any", row).__dict__.get(name)
            setattr(row, name, value)
            if before == value and before is not value and not _is_same(getattr(type(row), name, None), before, value):
                flag_modified(row, name)

    def _name(self, given: object) -> str:
        """The name of an attribute that is given by its name or itself."""
        if isinstance(given, str):
            return given
        if not isinstance(given, QueryableAttribute):
            raise TypeError(f"{given!r} is neither an attribute of a model nor its name.")
        owner: Any = given.class_
        if self._model is not None and not _are_related(self._model, owner):
            hint = did_you_mean(given.key, _attributes_of(self._model))
            raise TypeError(f"{owner.__name__}.{given.key} is not an attribute of {self._model.__name__}.{hint}")
        return given.key


def _model_of(keys: Iterable[object]) -> type[Any] | None:
    """The model of the first attribute among the keys; None where all are names."""
    return next((cast("type[Any]", key.class_) for key in keys if isinstance(key, QueryableAttribute)), None)


def _are_related(first: type[Any], second: type[Any]) -> bool:
    """Whether an attribute of one class may be one of a row of the other: of a base, or where the row is of a
    subclass."""
    return issubclass(first, second) or issubclass(second, first)


def _is_same(attribute: Any, before: Any, value: Any) -> bool:
    """Whether equal values are stored alike. The ORM compares documents as Python does, to which true and 1 are equal,
    and a document may have members that its instance does not show."""
    if isinstance(getattr(attribute, "type", None), JSONOf):
        return False
    return not isinstance(value, _IN_JSON) or is_same_document(before, value)


def _attributes_of(model: type[Any]) -> Iterable[str]:
    keys: Iterable[str] = cast("Any", sqlalchemy.inspect(model)).all_orm_descriptors.keys()
    return keys


def _check_attributes(model: type[Any], names: Iterable[str]) -> None:
    """Raise `TypeError` for a name that is neither mapped nor a property of the model."""
    known = _attributes_of(model)
    for name in names:
        if name not in known and not isinstance(getattr(model, name, None), property):
            raise TypeError(f"{model.__name__} has no attribute {name!r}.{did_you_mean(name, known)}")
