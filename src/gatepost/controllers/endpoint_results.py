"""What an endpoint returns, by its annotation: rows of a served model, a `Select` of them, plain data, or nothing."""

import types
from collections.abc import Sequence
from typing import Any, NamedTuple, Never, NoReturn, Protocol, Union, cast, get_args, get_origin

from gatepost.call import Response
from gatepost.controllers.returned_data import ReturnedData
from gatepost.controllers.select_annotations import selected_of
from gatepost.controllers.streamed_annotations import (
    StreamedItems,
    is_file,
    is_stream,
    read_streamed,
    sends_file,
)
from gatepost.declaring.controller import Route
from gatepost.declaring.dto import Created, model_of
from gatepost.dtos.structured_members import without_metadata
from gatepost.errors import ConfigurationError
from gatepost.models.catalog import Catalog
from gatepost.models.served_model import ServedModel
from gatepost.services.answers import is_select_type

BODILESS = (204, 205)
"""Successes that have no body (RFC 9110, section 15.3)."""

_SEQUENCES = (list, tuple, Sequence)

_NOTHING = (None, type(None), NoReturn, Never)


class Returned(NamedTuple):
    """What an endpoint returns: rows of `served` (one, several, created, or a `Select`), or plain data. `is_open` says
    that its annotation leaves open what it is, such as `Any`. `parts` are the types that its annotation admits besides
    None; a `Select` is in `selected` by what it selects, and a `Stream`, whose items are such rows or such data, in
    `stream`; `is_file` says that it is a `File`."""

    served: ServedModel | None
    is_select: bool = False
    is_open: bool = False
    parts: tuple[Any, ...] = ()
    selected: tuple[Any, ...] = ()
    may_be_none: bool = False
    stream: StreamedItems | None = None
    is_file: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether its annotation is None."""
        return not (self.parts or self.selected or self.stream)

    @property
    def is_created(self) -> bool:
        """Whether a row may be one that the endpoint has made."""
        return any(get_origin(part) is Created for part in self.parts)

    @property
    def has_many(self) -> bool:
        """Whether there may be several rows, as a list."""
        return self.is_select or any(get_origin(part) in _SEQUENCES for part in self.parts)

    @property
    def has_one(self) -> bool:
        """Whether it may be one row that is not new."""
        model = None if self.served is None else self.served.entity.model
        return any(part is model for part in self.parts)


class ReturningMethod(Protocol):
    """A method that returns something: `location` is its name in messages."""

    @property
    def location(self) -> str: ...
    @property
    def function(self) -> Any: ...
    @property
    def route(self) -> Route: ...


def read_returned(annotation: Any, method: ReturningMethod, catalog: Catalog) -> Returned:
    """What the return annotation of a method says. Raises `ConfigurationError` for what cannot be rendered, for rows of
    a model without a resource, and for an `answers=` of another model."""
    location = method.location
    parts = [part for part in _alternatives(annotation) if part not in _NOTHING]
    if method.route.status in BODILESS and parts:
        raise ConfigurationError(
            f"returns something, and status={method.route.status} has no body.",
            location=location,
            hint="Return None, or leave out status=.",
        )
    stream, has_file = read_streamed(parts, method.route, location), sends_file(parts, method.route, location)
    is_select = any(is_select_type(part) for part in parts)
    selected = selected_of(method.function, location) if is_select else []
    returned = [*selected]
    sent = (is_select_type, _is_response, is_stream, is_file)
    returned += [part for part in parts if not any(is_kind(part) for is_kind in sent)]
    model = _model_of(returned, catalog, location) if stream is None else _item_model(stream, catalog, location)
    answers = method.route.answers
    if answers is not None and (shown := model_of(answers)) is not model:
        raise ConfigurationError(
            f"answers={answers.__name__} shows rows of {getattr(shown, '__name__', shown)}, and it returns "
            f"{getattr(model, '__name__', annotation)}.",
            location=location,
            hint="Return the rows themselves; the DTO is made of them.",
        )
    for argument, is_given in (("filters=True", method.route.filters), ("paging=False", not method.route.paging)):
        if is_given and (model is None or not is_select):
            raise ConfigurationError(
                f"has {argument}, which is about the rows of a Select.",
                location=location,
                hint="Leave it out, or return a `Select[...]` of a model that has a resource.",
            )
    is_open = any(part in (Any, object) for part in parts)
    return Returned(
        None if model is None else catalog.by_model[model],
        is_select,
        is_open,
        tuple(part for part in parts if not is_select_type(part)),
        tuple(selected),
        len(parts) < len(_alternatives(annotation)),
        stream,
        has_file,
    )


def _item_model(stream: StreamedItems, catalog: Catalog, location: str) -> type[Any] | None:
    """The model of the rows that a stream is of; None for plain data."""
    item, _ = without_metadata(stream.item)
    if isinstance(item, type) and _is_served(item, catalog, location):
        return item
    ReturnedData(location).check(item)
    return None


def _alternatives(annotation: Any) -> Sequence[Any]:
    plain, _ = without_metadata(annotation)
    if get_origin(plain) not in (Union, types.UnionType):
        return (plain,)
    return [part for each in get_args(plain) for part in _alternatives(each)]


def _model_of(returned: Sequence[Any], catalog: Catalog, location: str) -> type[Any] | None:
    """The model of the rows that are returned; None for plain data."""
    rows = {part: _row_type(part, catalog, location) for part in returned}
    models = {row for row in rows.values() if row is not None}
    data = [part for part, row in rows.items() if row is None]
    for part in data:
        ReturnedData(location).check_all([*cast("Any", part)] if isinstance(part, tuple) else [part])
    names = ", ".join(sorted(model.__name__ for model in models))
    if len(models) > 1:
        raise ConfigurationError(
            f"returns rows of several models: {names}.", location=location, hint="Return rows of one."
        )
    if models and data:
        raise ConfigurationError(
            f"returns rows of {names} or other data.",
            location=location,
            hint="Return one of the two; what is not a row can be a Response.",
        )
    return next(iter(models), None)


def _row_type(annotation: Any, catalog: Catalog, location: str) -> type[Any] | None:
    """The model of the rows that an annotation stands for: `Book`, `list[Book]`, `Created[Book]`; None for others."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    is_of_rows = origin is Created or (
        origin in _SEQUENCES and len([item for item in arguments if item is not ...]) == 1
    )
    row, _ = without_metadata(arguments[0] if is_of_rows else annotation)
    return row if isinstance(row, type) and _is_served(row, catalog, location) else None


def _is_response(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Response)


def _is_served(row: type[Any], catalog: Catalog, location: str) -> bool:
    if row in catalog.by_model:
        return True
    if hasattr(row, "__mapper__"):
        raise ConfigurationError(
            f"returns rows of {row.__name__}, which has no resource.",
            location=location,
            hint=f"Declare Resource({row.__name__}, read=...); with routes=False it has no routes of its own.",
        )
    return False
