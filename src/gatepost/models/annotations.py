"""What `Mapped[...]` declares beside a type: the constraints of a value, and those of the elements of a list.

Read once, when the app is built, by `entity.py`. `Mapped[Annotated[str, Len(1, 200)] | None]` constrains the value,
`Mapped[list[Annotated[str, Len(1, 50)]]]` every element of it. Constraints that are nested deeper cannot be enforced
and are refused.
"""

import inspect
import sys
import types
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, ForwardRef, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from sqlalchemy.orm import Mapped

from gatepost.errors import ConfigurationError
from gatepost.models.constraints import is_constraint

_LISTS = (list, tuple, set, frozenset, Sequence, Collection, AbstractSet)

Namespace = dict[str, Any]

UNREADABLE = (NameError, AttributeError, TypeError, SyntaxError)
"""What evaluating an annotation raises."""


class Declared(NamedTuple):
    """The metadata of every `Annotated` in an annotation, innermost first: of the value, and of a list's elements."""

    value: tuple[Any, ...] = ()
    elements: tuple[Any, ...] = ()


class Annotations:
    """The annotations of a class and its bases, evaluated one by one: a name that only a type checker can see (of a
    model at the other end of a relation) must not hide the constraints of the others."""

    def __init__(self, model: type[Any]) -> None:
        self._model = model
        self._found: dict[str, tuple[Any, Namespace]] = {}
        for base in reversed(model.__mro__):
            namespace = {**vars(sys.modules.get(base.__module__, types)), base.__name__: base}
            for name, annotation in inspect.get_annotations(base).items():
                self._found[name] = annotation, namespace

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all annotated attributes, those of bases first."""
        return tuple(self._found)

    def kind_of(self, name: str) -> Any:
        """The type that is annotated for one attribute, without `Mapped`; None where there is none. Raises
        `ConfigurationError` where it cannot be read."""
        annotation, namespace = self._found.get(name, (None, {}))
        if annotation is None:
            return None
        holder = type(self._model.__name__, (), {"__annotations__": {name: annotation}})
        try:
            found = get_type_hints(holder, globalns=namespace, include_extras=True)[name]
        except UNREADABLE as error:
            raise self._unreadable(name, error) from None
        return get_args(found)[0] if get_origin(found) is Mapped else found

    def of(self, name: str) -> Declared:
        """What is declared for one attribute. Raises `ConfigurationError` where it cannot be read or enforced."""
        annotation, namespace = self._found.get(name, (None, {}))
        try:
            found = list(_metadata(annotation, namespace, 0))
        except UNREADABLE as error:
            raise self._unreadable(name, error) from None
        if any(depth > 1 and is_constraint(item) for depth, item in found):
            raise ConfigurationError(
                "has constraints nested deeper than the elements of a list, which cannot be enforced.",
                location=f"{self._model.__name__}.{name}",
                hint="Take them out, or write Annotated[..., Predicate(function)] around the whole.",
            )
        return Declared(*(tuple(item for at, item in found if at == depth) for depth in (0, 1)))

    def _unreadable(self, name: str, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"the annotation cannot be read: {error}.",
            location=f"{self._model.__name__}.{name}",
            hint="Import the names it uses at run time, not only under TYPE_CHECKING.",
        )


def _metadata(annotation: Any, namespace: Namespace, depth: int) -> Iterator[tuple[int, Any]]:
    """Every metadata item with its depth: 0 for the value, 1 for the elements of a list, 2 or more for anything
    deeper."""
    if isinstance(annotation, str | ForwardRef):
        annotation = _evaluated(annotation, namespace)
    elif (alias := getattr(annotation, "__value__", None)) is not None:  # type Tag = Annotated[str, Len(1, 50)]
        annotation = alias
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        yield from _metadata(inner, namespace, depth)
        yield from ((depth, item) for item in metadata)
    elif origin is not None and origin is not Literal:
        within = 0 if origin in (Mapped, Union, types.UnionType) else 1 if origin in _LISTS else 2
        for part in get_args(annotation):
            yield from _metadata(part, namespace, depth + within)


def _evaluated(annotation: str | ForwardRef, namespace: Namespace) -> Any:
    text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
    return eval(text, namespace)  # noqa: S307 - the user's own source, as typing does it
