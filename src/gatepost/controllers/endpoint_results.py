"""What an endpoint returns, by its annotation: rows of a served model, a `Select` of them, plain data, or nothing."""

import types
from collections.abc import Sequence
from typing import Any, NamedTuple, Union, get_args, get_origin

from gatepost.call import Response
from gatepost.declaring.controller import Route
from gatepost.declaring.dto import Created, model_of
from gatepost.errors import ConfigurationError
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.services.answers import selected_of

_SEQUENCES = (list, tuple, Sequence)


class Returned(NamedTuple):
    """What an endpoint returns: rows of `served` (one, several, created, or a `Select`), or plain data. `may_be_none`
    says that there may be nothing to show."""

    served: ServedModel | None
    may_be_none: bool
    is_select: bool = False


def read_returned(annotation: Any, route: Route, catalog: Catalog, location: str) -> Returned:
    """What an annotation says. Raises `ConfigurationError` for rows of a model without a resource, and for an
    `answers=` of another model."""
    parts = [part for part in _alternatives(annotation) if part is not type(None)]
    models = {model for part in parts if (model := _model_of(part, catalog, location)) is not None}
    may_be_none = len(parts) < len(_alternatives(annotation))
    if len(models) > 1:
        names = ", ".join(sorted(model.__name__ for model in models))
        raise ConfigurationError(
            f"returns rows of several models: {names}.", location=location, hint="Return one kind."
        )
    model = next(iter(models), None)
    if route.answers is not None and (shown := model_of(route.answers)) is not model:
        raise ConfigurationError(
            f"answers={route.answers.__name__} shows rows of {getattr(shown, '__name__', shown)}, and it returns "
            f"{getattr(model, '__name__', annotation)}.",
            location=location,
            hint="Return the rows themselves; the DTO is made of them.",
        )
    is_select = any(selected_of(part) is not None for part in parts)
    return Returned(None if model is None else catalog.by_model[model], may_be_none, is_select)


def _alternatives(annotation: Any) -> Sequence[Any]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _model_of(annotation: Any, catalog: Catalog, location: str) -> type[Any] | None:
    """The model whose rows an annotation stands for; None for anything else."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    selected = selected_of(annotation)
    inner = annotation if origin is None else selected
    if origin is Created or (origin in _SEQUENCES and len([item for item in arguments if item is not ...]) == 1):
        inner = arguments[0]
    if not isinstance(inner, type) or inner is Response:
        return None
    if inner in catalog.by_model:
        return inner
    if hasattr(inner, "__mapper__") or origin is Created:
        raise ConfigurationError(
            f"returns rows of {inner.__name__}, which has no resource.",
            location=location,
            hint=f"Declare Resource({inner.__name__}, read=...); with routes=False it has no routes of its own.",
        )
    return None
